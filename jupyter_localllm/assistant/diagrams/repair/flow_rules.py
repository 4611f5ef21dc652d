"""Repairs of Mermaid flowcharts: labels, edges, ids, subgraphs.

Each rule rewrites only what Mermaid refuses, in the tokens of ``flow_scanner.py``; lines that are
not nodes and edges (styles, classes, comments) are left as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from .flow_scanner import SHAPES, Token, joined, scan, words
from .repairs import Fault, Rule

#: Words that Mermaid's reader of flowcharts takes for something else than a node.
RESERVED = frozenset(
    (
        "end",
        "graph",
        "subgraph",
        "style",
        "class",
        "click",
        "flowchart",
        "classDef",
        "linkStyle",
        "href",
        "call",
        "default",
        "interpolate",
        "direction",
    )
)
_STATEMENT = re.compile(
    r"\s*(?:%%|(?:graph|flowchart(?:-elk)?)\b(?!\s*(?:[-=<]|\[))|subgraph\b|end\s*;?\s*$|direction\s"
    r"|(?:style|classDef|class|linkStyle|click)\s+[\w,]+\s*(?:$|\s[^-=\s])|accTitle|accDescr|\}|$)"
)
_VALID_LINK = re.compile(r"[<ox]?(?:--+[->ox]|==+[=>ox]|-\.+-[>ox]?|~~~+)")
#: In labels without quotes; what else stands there is read as it is.
_NEEDS_QUOTES = re.compile(r"[()\[\]{}|\"]|^\s*[/\\]|[/\\]\s*$|^\s*$")
_LEFT_LINK = r"(?:<|&lt;)(?:-+|-\.+-?|=+|\.+)|[-]*[\u2190\u27f5\u21d0\u2b05]\ufe0f?-*"
_LT = re.compile(r"&lt;")


def _by_line(change: Callable[[list[Token]], None]) -> Callable[[str, Fault], str]:
    """Make a rule for the text of one for the tokens of a line."""

    def apply(source: str, fault: Fault) -> str:
        lines = source.split("\n")
        for number, line in enumerate(lines):
            if _STATEMENT.match(line) is None:
                tokens = scan(line)
                change(tokens)
                lines[number] = joined(tokens)
        return "\n".join(lines)

    return apply


# --- edges ----------------------------------------------------------------------------------


def straight_link(link: str) -> str:
    """Return the link as Mermaid spells it: ``->``, ``=>``, ``→``, ``—>``, ``..>``, ``->>``."""
    if _VALID_LINK.fullmatch(link):
        return link
    has_left = bool(re.match(r"<|&lt;|.*[\u2190\u27f5\u21d0\u2b05\u2194\u21d4\u27f7]", link))
    has_right = bool(
        re.search(
            r">|&gt;|[\u2192-\u2194\u2794\u279c\u27a1\u27f6\u21d2\u21d4\u27f7\u27f9\u21a6]", link
        )
        or re.search(r"[\u21e8\u2b62\u203a]", link)
    )
    start, end = "<" if has_left else "", ">" if has_right else "-"
    if re.search(r"[=\u21d2\u27f9\u21d4\u21d0]", link):
        body, end = "==", end if end == ">" else "="
    elif "." in link:
        body, end = "-.-", end if end == ">" else ""
    else:
        body = "--"
    return f"{start}{body}{end}"


def _mend_arrows(tokens: list[Token]) -> None:
    for token in tokens:
        if token.kind == "link":
            token.text = straight_link(token.text)
        elif token.kind == "textlink":
            opening = _LT.sub("<", token.opening)
            opening = re.sub(r"^(<?)[-\u2013\u2014]$", r"\1--", opening)
            closing = token.closing
            if not re.fullmatch(r"--+[->ox]|==+[=>]|\.-+>?", closing):
                closing = straight_link(closing)
            if (opening, closing) != (token.opening, token.closing):
                token.set(f"{opening} ", token.body, f" {closing}")


def _mend_left_arrows(tokens: list[Token]) -> None:
    """``A <-- B`` becomes ``B --> A``: Mermaid has no edge that points to the left only."""
    links = [number for number, token in enumerate(tokens) if token.kind == "link"]
    if len(links) != 1 or not re.fullmatch(_LEFT_LINK, tokens[links[0]].text):
        return
    left, right = tokens[: links[0]], tokens[links[0] + 1 :]
    pipe = [token for token in right if token.kind == "pipe"]
    right = [token for token in right if token.kind != "pipe"]
    link = tokens[links[0]].text
    arrow = "-.->" if "." in link else "==>" if "=" in link else "-->"
    indent = [left.pop(0)] if left and left[0].kind == "space" else []
    semi = [token for token in right if token.kind == "semi"]
    right = [token for token in right if token.kind != "semi"]
    sides = (joined(right).strip(), joined(left).strip())
    text = f"{sides[0]} {arrow}{joined(pipe)} {sides[1]}"
    tokens[:] = [*indent, Token("other", text), *semi]


def _mend_edge_labels(tokens: list[Token]) -> None:
    """Close ``|text``, take the ``>`` of ``-->|text|> B`` away, quote what needs it."""
    for number, token in enumerate(tokens):
        if token.kind != "pipe":
            continue
        if not token.closing:
            token.set("|", token.body.rstrip(), "|")
        behind = tokens[number + 1] if number + 1 < len(tokens) else None
        if behind is not None and behind.kind in {"other", "link"}:
            behind.text = re.sub(r"^(?:>|-{1,2}>|&gt;)", "", behind.text)
        body = token.body
        if not body.strip():
            token.text = ""
        elif not re.fullmatch(r'\s*"[^"]*"\s*', body) and _NEEDS_QUOTES.search(body):
            token.set("|", quoted(body), "|")


def _quote_edge_text(tokens: list[Token]) -> None:
    """``-->"text" B`` becomes ``-->|"text"| B``."""
    filled = words(tokens)
    for link, text, node in zip(filled, filled[1:], filled[2:], strict=False):
        if link.kind == "link" and text.kind == "string" and node.kind in {"id", "string"}:
            text.text, text.kind = f"|{text.text}|", "pipe"


def _label_behind_colon(tokens: list[Token]) -> None:
    """``A --> B: text`` and ``A --> B : text`` become ``A -->|text| B``."""
    line = joined(tokens)
    links = [token for token in tokens if token.kind in {"link", "textlink"}]
    pipes = [token for token in tokens if token.kind == "pipe"]
    if len(links) != 1 or links[0].kind != "link" or pipes:
        return
    at = line.index(links[0].text) + len(links[0].text)
    match = re.fullmatch(r"(\s*[\w.-]+(?:[\[({].*[\])}])?)\s*:\s+(\S.*?)(;?\s*)", line[at:])
    if match is None:
        return
    text = match[2].strip("\"'")
    label = quoted(text) if _NEEDS_QUOTES.search(text) else text
    tokens[:] = [Token("other", f"{line[:at]}|{label}|{' ' + match[1].strip()}{match[3]}")]


def _cut_loose_links(tokens: list[Token]) -> None:
    """``A --> B -->`` at the end of a line that nothing follows."""
    filled = words(tokens)
    if len(filled) >= 2 and filled[-1].kind == "link" and filled[-2].kind in {"id", "label"}:
        filled[-1].text = ""


# --- labels ---------------------------------------------------------------------------------


def quoted(body: str) -> str:
    """Return a text in quotes that Mermaid shows as it stands."""
    text = body.strip()
    if text.count('"') == 1 and (text.startswith('"') or text.endswith('"')):
        text = text.strip('"')
    if (
        len(text) >= 2
        and text[0] in "\"'\u201c\u201d\u2018"
        and text[-1] in "\"'\u201c\u201d\u2019"
    ):
        text = text[1:-1]
    text = text.replace('\\"', '"').replace("\\n", "<br/>")
    return '"' + re.sub(r"[\"\u201c\u201d]", "#quot;", text) + '"'


def _quote_labels(tokens: list[Token]) -> None:
    for token in tokens:
        if token.kind != "label" or not token.closing:
            continue
        body = token.body
        if re.fullmatch(r'\s*"[^"]*"\s*', body):
            continue
        if token.opening in {"[/", "[\\"} and not _NEEDS_QUOTES.search(body):
            continue
        if _NEEDS_QUOTES.search(body):
            attribute = re.fullmatch(r"\s*label\s*[=:]\s*(.*?)\s*", body, re.DOTALL)
            text = attribute[1] if attribute else body
            token.set(token.opening, quoted(text) if text.strip() else '" "', token.closing)


def _close_labels(tokens: list[Token]) -> None:
    """Write the bracket that is missing, or the one that belongs to the opening one."""
    for token in tokens:
        closing = SHAPES.get(token.opening, "")
        if token.kind == "label" and token.closing != closing:
            body = token.body.strip()
            if body.count('"') % 2:
                body = body.strip('"')
            is_odd = _NEEDS_QUOTES.search(body) is not None
            if not re.fullmatch(r'"[^"]*"', body) and is_odd:
                body = quoted(body)
            token.set(token.opening, body, closing)


def _name_unnamed_nodes(tokens: list[Token]) -> None:
    """``[Start] --> [End]`` becomes ``Start[Start] --> End_[End]``."""
    before: Token | None = None
    for token in tokens:
        is_free = before is None or before.kind in {"link", "textlink", "pipe", "amp", "space"}
        if token.kind == "label" and is_free and token.closing:
            token.text = f"{as_id(token.body)}{token.text}"
        if token.kind != "space" or before is None:
            before = token


def _split_lists(tokens: list[Token]) -> None:
    """``A --> B, C`` and ``A --> B and C`` become ``A --> B & C``."""
    if not any(token.kind in {"link", "textlink"} for token in tokens):
        return
    for number, token in enumerate(tokens):
        filled = words(tokens[number + 1 :])
        is_between = bool(filled) and filled[0].kind == "id" and bool(words(tokens[:number]))
        if is_between and token.text in {",", "and"}:
            token.text = " &" if token.text == "," else "&"
        elif token.text == "," and not filled:
            token.text = ""


# --- ids ------------------------------------------------------------------------------------


def as_id(text: str) -> str:
    """Return an id for a node that has only a text."""
    name = re.sub(r"<[^>]*>|[^\w]+", "_", text).strip("_")[:40] or "node"
    return f"{name}_" if name.lower() in {word.lower() for word in RESERVED} else name


def _rename_reserved(source: str, fault: Fault) -> str:
    """``end`` and other words of the language as names of nodes get a name and their label."""
    used: set[str] = set()
    lines = source.split("\n")
    for number, line in enumerate(lines):
        if _STATEMENT.match(line) is not None:
            continue
        tokens = scan(line)
        for position, token in enumerate(tokens):
            if token.kind != "id" or token.text not in RESERVED - {"default", "direction"}:
                continue
            used.add(token.text)
            behind = tokens[position + 1] if position + 1 < len(tokens) else None
            has_label = behind is not None and behind.kind == "label"
            token.text = f"{token.text}_" if has_label else f"{token.text}_[{token.text}]"
        lines[number] = joined(tokens)
    for number, line in enumerate(lines):
        statement = re.match(r"(\s*(?:style|class|click)\s+)(\w+)(\s.*)", line)
        if statement is not None and statement[2] in used:
            lines[number] = f"{statement[1]}{statement[2]}_{statement[3]}"
    return "\n".join(lines)


def _join_ids(tokens: list[Token]) -> None:
    """``My Node --> B`` and ``"My Node" --> B`` become ``My_Node["My Node"] --> B``."""
    result: list[Token] = []
    run: list[Token] = []

    def flush() -> None:
        tail = [run.pop()] if run and run[-1].kind == "space" else []
        text = joined(run)
        labelled = re.fullmatch(r"([\w.-]+)\s*(?:\"([^\"]+)\"\s*)?[\])}]*", text.strip())
        if labelled is not None and (labelled[2] or text.strip() != labelled[1]):
            # A bracket without its partner; A"text"].
            label = f"[{quoted(labelled[2])}]" if labelled[2] else ""
            result.append(Token("id", f"{labelled[1]}{label}"))
            result.extend(tail)
            run.clear()
            return
        is_odd = len(words(run)) > 1 or (len(run) == 1 and not _is_plain_id(run[0]))
        if is_odd and all(token.kind in {"id", "string", "space", "other"} for token in run):
            text = text.strip('"') if text.count('"') == 2 else text
            result.append(Token("id", f"{as_id(text)}[{quoted(text)}]"))
        else:
            result.extend(run)
        result.extend(tail)
        run.clear()

    for number, token in enumerate(tokens):
        if token.kind in {"id", "string"} or (token.kind in {"space", "other"} and run):
            run.append(token)
            continue
        if token.kind == "label" and len(words(run)) > 1:
            # Only the id is odd; the label is there.
            tail = [run.pop()] if run[-1].kind == "space" else []
            result.append(Token("id", as_id(joined(run))))
            run = []
            del tail
        elif token.kind == "label":
            result.extend(run)
            run = []
        else:
            flush()
        result.append(token)
        del number
    flush()
    tokens[:] = result


def _is_plain_id(token: Token) -> bool:
    if token.kind == "string":
        return False
    # Picture signs are no letters to Mermaid.
    return re.fullmatch(r"[\w!#$%&'*+.`?\\/:,=-]+", token.text) is not None


# --- subgraphs ------------------------------------------------------------------------------


def _quote_subgraphs(source: str, fault: Fault) -> str:
    def mended(match: re.Match[str]) -> str:
        title = match[2].strip().rstrip("{").rstrip().rstrip(":").rstrip()
        named = re.fullmatch(r"([\w.-]+)\s*[\[(](.*)[\])]", title)
        if named is not None and not re.fullmatch(r'\s*"[^"]*"\s*', named[2]):
            odd = _NEEDS_QUOTES.search(named[2]) or title[len(named[1])] != "["
            return f"{match[1]}{named[1]}[{quoted(named[2])}]" if odd else f"{match[1]}{title}"
        if named is None and not title.startswith('"') and re.search(r"[()\[\]{}\"<>|:;&]", title):
            return f"{match[1]}{as_id(title)}[{quoted(title)}]"
        return f"{match[1]}{title}" if title != match[2].strip() else match[0]

    return re.sub(r"(?m)^([ \t]*subgraph[ \t]+)(\S.*)$", mended, source)


FLOW_RULES: tuple[Rule, ...] = (
    Rule(
        "flow left arrows",
        "Edges that pointed to the left were turned around.",
        _by_line(_mend_left_arrows),
    ),
    Rule("flow arrows", "Arrows were written as Mermaid spells them.", _by_line(_mend_arrows)),
    Rule(
        "flow edge labels",
        "The labels of edges were closed or quoted.",
        _by_line(_mend_edge_labels),
    ),
    Rule(
        "flow edge text",
        "Text behind an arrow became the edge's label.",
        _by_line(_quote_edge_text),
    ),
    Rule(
        "flow colon labels",
        "Text behind a colon became the edge's label.",
        _by_line(_label_behind_colon),
    ),
    Rule("flow quotes", "Labels with brackets or quotes were quoted.", _by_line(_quote_labels)),
    Rule("flow brackets", "Brackets of labels were closed.", _by_line(_close_labels)),
    Rule(
        "flow unnamed nodes",
        "Nodes that had only a label were given a name.",
        _by_line(_name_unnamed_nodes),
    ),
    Rule("flow lists", "Lists of nodes were joined with &.", _by_line(_split_lists)),
    Rule(
        "flow reserved words",
        "Nodes that were called like a word of the language were given another name.",
        _rename_reserved,
    ),
    Rule(
        "flow spaces in names",
        "Names of nodes with spaces or signs became labels.",
        _by_line(_join_ids),
    ),
    Rule("flow subgraph titles", "The titles of subgraphs were quoted.", _quote_subgraphs),
    Rule(
        "flow loose ends",
        "Arrows that lead nowhere were left out.",
        _by_line(_cut_loose_links),
        is_guess=True,
    ),
)
