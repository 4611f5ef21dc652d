"""The repairs of Graphviz DOT: their list, and those of quotes, braces, headers, comments, HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from ..extract import is_prose
from .dot_statements import (
    mend_arrows,
    mend_attributes,
    mend_edge_labels,
    mend_subgraphs,
    mermaid_blocks,
    mermaid_nodes,
    quote_attribute_names,
    quote_ids,
)
from .dot_text import DASH, HELD, as_id, by_line, by_statement, masked, string
from .mermaid_line_rules import FIRST_RULES, plain_quotes
from .repairs import Fault, Rule

_HEAD = re.compile(
    r"^\s*(?P<strict>strict\s+)?(?P<word>digraph|diagraph|di-graph|directed graph|graph)\b"
    rf"[ \t]*(?P<name>(?:{HELD}|[^\n{{;:]*?))[ \t]*[:;]?\s*(?P<brace>\{{|$)",
    re.IGNORECASE | re.MULTILINE,
)
#: A value up to the quote that ends it: the one that an end of a list or an attribute follows.
_INNER_QUOTES = re.compile(
    r'(=[ \t]*)"([^\n]*?)"(?=[ \t]*(?:[\];,]|$|[ \t]\w+[ \t]*=))', re.MULTILINE
)


# --- the graph around it --------------------------------------------------------------------


def _balance_quotes(source: str, fault: Fault) -> str:
    """Close a string at the end of its attribute, line or list where its quote is missing."""
    lines = _INNER_QUOTES.sub(_with_inner_quotes, source).split("\n")
    for number, line in enumerate(lines):
        code = re.sub(r"\\.", "xx", line)
        if code.count('"') % 2 == 0 or code.lstrip().startswith(("//", "#", "/*")):
            continue
        # Before the bracket that ends the list, or before the next attribute.
        last = re.search(
            r'=\s*"(?P<text>[^"=\]]*?)(?P<rest>\s*(?:[,;]?\s+\w+\s*=.*|\]\s*;?\s*\}?\s*|;\s*)?)$',
            line,
        )
        lone = re.search(r'=\s*(?P<text>[^"\s=\[\],][^"=\[\]]*)"(?P<rest>\s*[\],;].*)?$', line)
        name = re.search(r'"(?P<text>[^"\[\]]*?)(?P<rest>\s*(?:->|--|\[|;).*|\s*)$', line)
        for found in filter(None, (lone, last, name)):
            start = found.start("text")
            rest = found["rest"] or ""
            has_opening = line[start - 1 : start] == '"'
            before = line[: start - 1] if has_opening else line[:start]
            lines[number] = f"{before}{string(found['text'])}{rest}"
            break
    return "\n".join(lines)


def _with_inner_quotes(match: re.Match[str]) -> str:
    """``label="say "hi""`` gets its inner quotes escaped."""
    text = re.sub(r'(?<!\\)"', r"\"", match[2])
    return f'{match[1]}"{text}"'


def _without_prose(text: str, restored: Callable[[str], str]) -> str:
    head = _HEAD.search(text)
    if head is None or not head["brace"]:
        return text
    depth = 0
    for match in re.finditer(r"[{}]", text[head.start() :]):
        depth += 1 if match[0] == "{" else -1
        if depth == 0:
            end = head.start() + match.end()
            break
    else:
        end = len(text)
    lines = text[head.start() : end].lstrip().split("\n")
    return "\n".join(line for line in lines if not is_prose(line))


def _mend_head(text: str, restored: Callable[[str], str]) -> str:
    """Write ``graph`` or ``digraph``, a name, and the first brace."""
    head = _HEAD.search(text)
    has_arrow = re.search(rf"[{DASH}=]+\s?>|[\u2192\u21d2\u27f6]", text) is not None
    if head is None:
        if not has_arrow and not re.search(r"\s--\s", text):
            return text
        body = text.strip("\n")
        if body.lstrip().startswith("{") and body.rstrip().endswith("}"):
            return f"{'digraph' if has_arrow else 'graph'} {body.lstrip()}"
        return f"{'digraph' if has_arrow else 'graph'} {{\n{body}\n}}"
    word = "digraph" if head["word"].lower() != "graph" else "graph"
    name = head["name"].strip().strip("()")
    is_mermaid = re.fullmatch(r"TB|TD|BT|RL|LR", name, re.IGNORECASE) is not None
    rank = f"\n  rankdir={'TB' if name.upper() == 'TD' else name.upper()};" if is_mermaid else ""
    strict = "strict " if head["strict"] else ""
    label = f"{as_id(name)} " if name and not is_mermaid else ""
    made = f"{strict}{word} {label}{{{rank}"
    if head["brace"] and (label == "" or name == label.strip()) and not is_mermaid:
        made = f"{strict}{word} {label}{{"
    tail = text[head.end() :]
    return f"{text[: head.start()]}{made}{tail}" + ("" if head["brace"] else "\n}")


def _balance_braces(text: str, restored: Callable[[str], str]) -> str:
    """Write the braces that are missing at the end; leave out those too many."""
    depth = 0
    made: list[str] = []
    for part in re.split(r"([{}])", text):
        if part == "}" and depth == 0:
            continue
        depth += {"{": 1, "}": -1}.get(part, 0)
        made.append(part)
    return "".join(made).rstrip() + "\n}" * depth if depth else "".join(made)


def _close_lists(line: str) -> str:
    """Write the bracket that an attribute list lacks at the end of its line."""
    opened, closed = line.count("["), line.count("]")
    if opened == closed:
        return re.sub(r"\]\s*\]", "]", line) if "[[" not in line else line
    if opened > closed and re.search(r"\[[^\]]*=[^\]]*$", line):
        return re.sub(r"\s*[,;]?\s*(\}?)\s*$", r"];\1", line.rstrip(), count=1)
    if closed > opened:
        return re.sub(r"\]\s*\]", "]", line, count=1)
    return line


# --- comments and HTML ----------------------------------------------------------------------


def _mend_comments(line: str) -> str:
    line = re.sub(r"^(\s*)(?:%%+|--\s(?!.*--)|'\s)\s*", r"\1// ", line)
    behind = re.search(r"(?<=[\s;\]{])(?:%%+|#(?=\s))\s*(?=[^\]]*$)", line)
    return f"{line[: behind.start()]}// {line[behind.end() :]}" if behind is not None else line


def _mend_html(source: str, fault: Fault) -> str:
    """Escape what HTML labels must, close ``<br>``; without whole tags the text is a string."""

    def mended(match: re.Match[str]) -> str:
        body = match[1]
        body = re.sub(r"&(?!#?\w+;)", "&amp;", body)
        body = re.sub(r"<(br|hr|img)\b([^<>/]*)>", r"<\1\2/>", body, flags=re.IGNORECASE)
        body = re.sub(r"</(?:br|hr)\s*>", "", body, flags=re.IGNORECASE)
        names = re.findall(r"<(/?)([a-zA-Z]+)\b[^<>]*?(/?)>", body)
        stack: list[str] = []
        is_whole = True
        for closing, name, single in names:
            if single:
                continue
            if not closing:
                stack.append(name.lower())
            elif not stack or stack.pop() != name.lower():
                is_whole = False
        known = "b|i|u|o|s|sub|sup|font|table|tr|td|hr|vr|br|img"
        is_known = all(re.fullmatch(known, name, re.IGNORECASE) for _, name, _ in names)
        if is_whole and not stack and is_known:
            return f"=<{body}>"
        text = re.sub(r"\s*<br\s*/?>\s*|</tr>|</p>|</li>", "\\\\n", body, flags=re.IGNORECASE)
        text = html.unescape(re.sub(r"<[^<>]*>", " ", text))
        return f"={string(' '.join(text.split()))}"

    return re.sub(r"=\s*<((?:[^<>]|<[^<>]*>)*)>(?=\s*[\],;\n])", mended, source)


DOT_RULES: tuple[Rule, ...] = (
    *FIRST_RULES,
    Rule("curly quotes", "Curly quotation marks became straight ones.", plain_quotes),
    Rule("dot quotes", "Quotation marks were closed.", _balance_quotes),
    Rule("dot comments", "Comments were written with //.", by_line(_mend_comments)),
    Rule("dot html", "HTML labels were written as Graphviz reads them.", _mend_html),
    Rule("dot header", "The line that begins the graph was written.", masked(_mend_head)),
    Rule("dot prose", "Text around the graph was left out.", masked(_without_prose)),
    Rule("dot blocks", "Subgraphs were put into braces.", masked(mermaid_blocks)),
    Rule("dot arrows", "Edges were written as this kind of graph has them.", masked(mend_arrows)),
    Rule(
        "dot names",
        "Quotes around names of attributes were left out.",
        masked(quote_attribute_names),
    ),
    Rule("dot brackets", "Attribute lists were closed.", by_line(_close_lists)),
    Rule(
        "dot attributes", "Attributes were given equal signs and quotes.", masked(mend_attributes)
    ),
    Rule("dot edge labels", "Texts of edges became labels.", by_statement(mend_edge_labels)),
    Rule("dot labels", "Labels in brackets became attributes.", by_line(mermaid_nodes)),
    Rule("dot subgraphs", "Names of subgraphs were quoted.", masked(mend_subgraphs)),
    Rule("dot ids", "Names of nodes were quoted.", by_statement(quote_ids)),
    Rule("dot braces", "Braces were closed.", masked(_balance_braces)),
)
