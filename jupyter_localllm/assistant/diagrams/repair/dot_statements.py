"""Repairs inside of DOT graphs, which ``dot_repairs.py`` lists: edges, nodes, attributes, ids."""

from __future__ import annotations

import re
from collections.abc import Callable

from .dot_text import DASH, HELD, ID, KEYWORDS, MARKS, PLAIN_ID, as_id, string

# --- edges ----------------------------------------------------------------------------------


def mend_arrows(text: str, restored: Callable[[str], str]) -> str:
    """Write one kind of edge: ``->`` in digraphs, ``--`` in graphs; arrows make it a digraph."""
    text = re.sub(rf"(?:[{DASH}.]*[{DASH}][{DASH}.]*|=+)\s?(?:>|&gt;)+", "->", text)
    text = re.sub(rf"[{DASH}]*[\u2192\u21d2\u27f6\u279c\u27a1]\ufe0f?", "->", text)
    text = re.sub(rf"(?<=\s)[{DASH}]{{2,}}(?=\s)", "--", text)
    if "->" not in text:
        return re.sub(r"^(\s*(?:strict\s+)?)digraph\b", r"\1graph", text, flags=re.IGNORECASE)
    text = re.sub(r"^(\s*(?:strict\s+)?)graph\b", r"\1digraph", text, flags=re.IGNORECASE)
    parts = re.split(r"((?:\[[^\]]*\]|[^\[;{}\n])+)", text)
    return "".join(_undirected(part) if n % 2 else part for n, part in enumerate(parts))


def _undirected(statement: str) -> str:
    """Write an edge without a direction as one that has no arrow."""
    body = re.sub(r"[ \t]*(?<!-)--(?![->])[ \t]*", " -> ", statement)
    return f"{body.rstrip()} [dir=none]" if body != statement else statement


def mend_edge_labels(line: str) -> str:
    """``A ->|text| B``, ``A -- text -> B`` and ``A -> B : text`` get a label attribute."""
    piped = re.fullmatch(r"(\s*)(.+?)\s*(->|--)\s*\|([^|]*)\|>?\s*(.+?)\s*;?\s*", line)
    if piped is not None:
        text = piped[4].strip()
        label = text if MARKS.fullmatch(text) else string(text)
        return f"{piped[1]}{piped[2]} {piped[3]} {piped[5]} [label={label}]"
    behind = re.fullmatch(rf"(\s*{ID}\s*(?:->|--)\s*{ID})\s*:\s*(\S[^;\[\]]*?)\s*;?\s*", line)
    if behind is not None and not re.match(r"\w+(?::\w+)?$", behind[2]):
        text = behind[2]
        return f"{behind[1]} [label={text if MARKS.fullmatch(text) else string(text)}]"
    return line


# --- nodes and attributes -------------------------------------------------------------------

_SHAPES = (
    (r"\(\(([^()]*)\)\)", "circle"),
    (r"\(\[([^\[\]]*)\]\)", "oval"),
    (r"\[\(([^()]*)\)\]", "cylinder"),
    (r"\[\[([^\[\]=]*)\]\]", "box"),
    (r"\{\{([^{}]*)\}\}", "hexagon"),
    (r"\[([^\[\]=]+)\]", "box"),
    (r"\(([^()=]*(?:\([^()]*\)[^()=]*)*)\)", "box"),
    (r"(?<=\w)\{([^{}=;\n]+)\}", "diamond"),
)


def mermaid_nodes(line: str) -> str:
    """``A[Text] -> B{Text}`` becomes nodes with labels and an edge between them."""
    if re.match(rf"\s*(?:(?:{KEYWORDS})\b|\}})", line) and not re.match(
        r"\s*node\w*\s*[\[(]", line
    ):
        return line
    labels: list[str] = []
    for pattern, shape in _SHAPES:

        def taken(match: re.Match[str], shape: str = shape) -> str:
            text = match[2].strip()
            label = text if MARKS.fullmatch(text) else string(text)
            labels.append(f"{match[1]} [label={label}, shape={shape}]")
            return match[1]

        line = re.sub(rf"({ID})[ \t]?{pattern}", taken, line)
    if not labels:
        return line
    indent = line[: len(line) - len(line.lstrip())]
    nodes = "; ".join(labels)
    is_edge = "->" in line or "--" in line
    return f"{indent}{nodes};" + (f" {line.strip()}" if is_edge else "")


def mermaid_blocks(text: str, restored: Callable[[str], str]) -> str:
    """``subgraph X`` ... ``end`` gets braces."""
    if not re.search(r"(?m)^\s*end\s*;?\s*$", text):
        return text
    text = re.sub(r"(?m)^(\s*subgraph\s+[^{\n]+?)\s*$", r"\1 {", text)
    return re.sub(r"(?m)^(\s*)end\s*;?\s*$", r"\1}", text)


def mend_subgraphs(text: str, restored: Callable[[str], str]) -> str:
    """Quote names of subgraphs; ``cluster A {`` is a subgraph."""

    def named(match: re.Match[str]) -> str:
        name = restored(match[2]).strip().strip('"').strip("[]() ")
        if re.fullmatch(r"cluster\w*|[^\W\d]\w*", name):
            return f"{match[1]}subgraph {name} {{"
        label = re.sub(r"^cluster[\s_-]*", "", name) or name
        return f"{match[1]}subgraph {string('cluster_' + label)} {{ label={string(label)};"

    text = re.sub(r"(?m)^(\s*)(?:cluster)[ \t]+([^{\n;=]*?)\s*\{", r"\1subgraph cluster_\2 {", text)
    return re.sub(r"(?m)^(\s*)subgraph[ \t]+([^{\n]+?)\s*\{", named, text)


def mend_attributes(text: str, restored: Callable[[str], str]) -> str:
    """``label: x``, ``label=two words``, ``color=#fff``, ``(label=x)`` get ``=`` and quotes."""
    text = re.sub(
        r"((?:->|--)[^\[\](){}\n]*?|\n\s*[\w.]+\s*)[({]((?:\s*\w+\s*[=:]\s*[^(){}\n]+))[)}]",
        r"\1[\2]",
        text,
    )
    made = re.sub(r"\[([^\[\]]*)\]", lambda match: f"[{attributes(match[1])}]", text)
    # Settings of the graph on lines of their own.
    return re.sub(
        rf"(?m)^(\s*)([a-zA-Z]\w*)\s*[:=]\s*({HELD}|[^\s\[\]{{}};>\n-][^\[\]{{}};\n>]*?)\s*([;,]?)\s*$",
        lambda match: f"{match[1]}{match[2]}={_value(match[3])}{';' if match[4] else ''}",
        made,
    )


def attributes(body: str) -> str:
    if not re.search(r"\w\s*[=:]", body):
        return body
    parts = re.findall(
        r"[,;\s]*\"?(\w+)\"?\s*[=:]\s*(.*?)\s*(?=[,;\s]+[\"\w]+\s*[=:](?!:)|[,;\s]*$)", body, re.S
    )
    return ", ".join(f"{name}={_value(value)}" for name, value in parts) if parts else body


def _value(value: str) -> str:
    value = value.strip().rstrip(",;").strip()
    if value.count('"') == 1:
        value = value.replace('"', "")
    is_plain = PLAIN_ID.fullmatch(value) or MARKS.fullmatch(value) or value.startswith("<")
    if is_plain:
        return value
    pieces = MARKS.split(value)
    if len(pieces) > 1:
        return value
    return string(value.strip("'\u2018\u2019"))


def quote_attribute_names(text: str, restored: Callable[[str], str]) -> str:
    """JSON's ``"label": "x"`` loses the quotes of its name."""
    return re.sub(
        rf"({HELD})\s*:\s*(?={HELD}|[\w#])",
        lambda match: f"{restored(match[1]).strip(chr(34))}=",
        text,
    )


def quote_ids(line: str) -> str:
    """``my-node -> a.b``, ``node -> end point``: ids with signs, keywords and blanks."""
    match = re.fullmatch(r"(\s*)([^\[\]{};=]+?)(\s*(?:\[.*)?\s*;?\s*\}?\s*)", line)
    if match is None or re.match(rf"\s*(?:{KEYWORDS})\s*(?:\[|$)", line):
        return line
    body = match[2]
    sides = re.split(r"(\s*(?:->|(?<=\s)--(?=\s))\s*)", body)
    is_edge = len(sides) > 1
    is_name = re.fullmatch(r"[\w.]+(?:-[\w.]+)+|[\w]+(?:\.[\w]+)+", body) is not None
    if not (is_edge or is_name or match[3].lstrip().startswith("[")):
        return line
    made = [side if number % 2 else _quoted_sides(side) for number, side in enumerate(sides)]
    return f"{match[1]}{''.join(made)}{match[3]}"


def _quoted_sides(side: str) -> str:
    names = [name for name in re.split(r"\s*,\s*", side) if name]
    return ", ".join(_quoted_name(name) for name in names)


def _quoted_name(name: str) -> str:
    port = re.fullmatch(rf"({ID})((?::(?:{ID}))+)", name)
    return name if port is not None else as_id(name)
