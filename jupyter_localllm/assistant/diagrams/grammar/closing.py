"""Closes a diagram that was cut where the tokens ran out, so that it can be drawn.

A statement is a line in every language here. Whole lines are kept; the one that was cut is closed
where that can be done without saying what the model did not say, else left out; blocks that are
open are closed. Made for what the grammars of ``grammars.py`` write; of another answer it closes
what it can, and the repairs do the rest. Called by the magics and the server.
"""

from __future__ import annotations

import re

from .grammars import diagram_type_of

#: Stands where the rest of a text is missing.
_CUT = "…"
_LINE = "\n    "
#: A longer line is not what a grammar wrote, and is left out.
_LONGEST_LINE = 600

_TEXT = r'"[^"]*"'
_NODE = rf"[A-Z](?:\[{_TEXT}\]|\(\[{_TEXT}\]\)|\{{{_TEXT}\}})?"
_TIE = r"(?:<\|--|\*--|o--|-->|\.\.>|<\|\.\.)"
_CARDINALITY = r"[|}][|o](?:--|\.\.)[|o][|{]"
_FIELD = r"\w+ \w+"
_DOT_LINE = (
    r"(?:[A-Z](?: -[->] [A-Z])?"
    rf"(?: \[label={_TEXT}(?:, shape=(?:box|ellipse|diamond|circle|cylinder))?\])?;|\}})"
)

#: The first line of each type, and what is written where it is missing.
_HEADERS = {
    "flowchart": (r"flowchart (?:TD|LR|BT|RL)", "flowchart TD"),
    "sequence": (r"sequenceDiagram", "sequenceDiagram"),
    "class": (r"classDiagram", "classDiagram"),
    "state": (r"stateDiagram-v2", "stateDiagram-v2"),
    "er": (r"erDiagram", "erDiagram"),
    "mindmap": (r"mindmap", "mindmap"),
    "pie": (r"pie title \S.*", f"pie title {_CUT}"),
    "gantt": (r"gantt", "gantt"),
    "timeline": (r"timeline", "timeline"),
    "digraph": (r"digraph \{", "digraph {"),
    "graph": (r"graph \{", "graph {"),
}
#: What a diagram has in which nothing else was written.
_PLACEHOLDERS = {
    "flowchart": f'A["{_CUT}"]',
    "sequence": f"participant A as {_CUT}",
    "class": f'class A["{_CUT}"]',
    "state": f'state "{_CUT}" as A',
    "er": f'A["{_CUT}"]',
    "mindmap": f"root(({_CUT}))",
    "pie": f'"{_CUT}" : 1',
    "gantt": f"title {_CUT}",
    "timeline": f"title {_CUT}",
    "digraph": f'A [label="{_CUT}"];',
    "graph": f'A [label="{_CUT}"];',
}
#: Lines that are whole.
_WHOLE = {
    "flowchart": rf"{_NODE}(?: -->(?:\|{_TEXT}\|)? {_NODE})?",
    "sequence": r"(?:participant|actor) [A-Z] as \S.*|[A-Z]--?>>[A-Z]: \w.*"
    r"|(?:loop|opt|alt|else) \S.*|end",
    "class": rf"class [A-Z]\[{_TEXT}\] \{{|[-+#](?:{_FIELD}|\w+\(\w*\) \w+)|\}}"
    rf"|[A-Z] {_TIE} [A-Z](?: : \w.*)?",
    "state": rf"state {_TEXT} as [A-Z]|(?:\[\*\]|[A-Z]) --> (?:\[\*\]|[A-Z](?: : \w.*)?)",
    "er": rf"[A-Z]\[{_TEXT}\] \{{|{_FIELD}(?: [PF]K)?|\}}|[A-Z] {_CARDINALITY} [A-Z] : {_TEXT}",
    "mindmap": r"root\(\([^()]*\w[^()]*\)\)|(?!root|mindmap$)\w.*",
    # A number of which the end is missing is another number: only a line break ends a slice.
    "pie": r"(?!)",
    "gantt": r"(?:title|section) \S.*|dateFormat YYYY-MM-DD"
    r"|\w[^:]* :t\d, (?:after t\d|\d{4}-\d\d-\d\d), \d+[dw]",
    "timeline": r"title \S.*|\w[^:]*(?: : [^\s:][^:]*)+",
    "digraph": _DOT_LINE,
    "graph": _DOT_LINE,
}
_DIRECTION = re.compile(r"direction (?:TB|BT|LR|RL)|rankdir=(?:TB|BT|LR|RL);")
#: Endings that make a line whole. Those with a quote also end a text that was cut.
_ENDINGS = ("", ")", "))", f"{_CUT}))", ";", "];", "]", "])", "}", " {", "] {")
_QUOTED_ENDINGS = ('"]', '"])', '"}', '"] {', '"];', '"')

_OPENING = re.compile(r"(?:loop|opt|alt|subgraph)\b")


def closed(text: str, diagram_type: str) -> str:
    """Return a diagram that was cut, so completed that it can be drawn.

    Parameters
    ----------
    text : str
        The beginning of a source, as far as it was written.
    diagram_type : str
        A name of ``DIAGRAM_TYPES``, or another spelling of one.

    Raises
    ------
    ValueError
        No such type; the message is a sentence without a full stop.
    """
    name = diagram_type_of(diagram_type).name
    *lines, last = text.lstrip().split("\n")
    pattern, header = _HEADERS[name]
    if not lines:
        # Only the first line was begun.
        return _with_ends([last if re.fullmatch(pattern, last) else header], name)
    ending = _closed_line(last, "\n".join(lines), name)
    if ending:
        lines.append(ending)
    return _with_ends(lines, name)


def _closed_line(line: str, before: str, name: str) -> str:
    """Return the line that was cut, closed, or "" if it has to be left out."""
    stripped = line.strip()
    if not stripped or len(stripped) > _LONGEST_LINE:
        return ""
    indent = line[: len(line) - len(line.lstrip())]
    if _DIRECTION.fullmatch(stripped):
        return line
    if stripped.count('"') % 2:
        kept = stripped if not stripped.endswith('"') else f"{stripped}{_CUT}"
        kept = kept if kept.endswith(_CUT) else f"{kept.rstrip()}{_CUT}"
        candidates = [f"{kept}{ending}" for ending in _QUOTED_ENDINGS]
    else:
        kept = stripped.rstrip(" ,-'/(") if '"' not in stripped else stripped
        candidates = [f"{each}{ending}" for each in (stripped, kept) for ending in _ENDINGS]
    for candidate in candidates:
        if re.fullmatch(_WHOLE[name], candidate, re.IGNORECASE if name == "mindmap" else 0):
            if name == "flowchart" and not _is_known(candidate[-1], before):
                continue
            return f"{indent}{candidate}"
    return ""


def _is_known(end: str, before: str) -> bool:
    """Whether a line of a flowchart ends in a shape, or in a node that was there before."""
    return not end.isalpha() or re.search(rf"\b{end}[\[({{]", before) is not None


def _with_ends(lines: list[str], name: str) -> str:
    if not any(line.strip() and not _DIRECTION.fullmatch(line.strip()) for line in lines[1:]):
        lines.append(f"    {_PLACEHOLDERS[name]}")
    if name in ("class", "er"):
        heads = [line.strip() for line in lines if line.rstrip().endswith(("{", "}"))]
        if heads and heads[-1].endswith("{"):
            lines.append("    }")
    elif name in ("flowchart", "sequence"):
        depth = 0
        for line in lines:
            depth += bool(_OPENING.match(line.strip())) - (line.strip() == "end")
        lines += ["    end"] * depth
    elif name in ("digraph", "graph"):
        depth = sum(_depth(line) for line in lines)
        lines += ["}"] * depth
    return "\n".join(lines) + "\n"


def _depth(line: str) -> int:
    """Return how many more braces a line of DOT opens than it closes; those in texts are none."""
    bare = re.sub(_TEXT, "", line)
    return bare.count("{") - bare.count("}")
