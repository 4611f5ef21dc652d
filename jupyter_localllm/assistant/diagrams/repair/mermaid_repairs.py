"""The repairs of Mermaid: which rules a source gets, and the rules for its first line.

``mermaid_line_rules.py`` has what holds for every type, ``flow_rules.py`` flowcharts,
``sequence_rules.py`` sequence diagrams, ``type_rules.py`` the others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..extract import HEADERS, header_of
from .chart_rules import GANTT_RULES, MINDMAP_RULES, PIE_RULES, TIMELINE_RULES
from .er_rules import ER_RULES
from .flow_rules import FLOW_RULES
from .mermaid_line_rules import (
    BRACES,
    FIRST_RULES,
    FREE_TEXT_RULES,
    LAST_RULES,
    LINE_RULES,
    SEMICOLONS,
    balanced_ends,
)
from .repairs import Fault, Rule
from .sequence_rules import SEQUENCE_RULES
from .structure_rules import CLASS_RULES, STATE_RULES

_DIRECTIONS = {
    **dict.fromkeys(("TD", "TOPDOWN", "TOPTOBOTTOM", "DOWN", "VERTICAL", "TP", "DT", "T"), "TD"),
    **dict.fromkeys(("LR", "LEFTRIGHT", "LEFTTORIGHT", "RIGHT", "HORIZONTAL", "L"), "LR"),
    **dict.fromkeys(("BT", "BOTTOMUP", "BOTTOMTOTOP", "UP"), "BT"),
    **dict.fromkeys(("RL", "RIGHTLEFT", "RIGHTTOLEFT", "LEFT"), "RL"),
    "TB": "TB",
}
#: Spellings of headers that models use, without blanks, hyphens and signs.
_ALIASES = {
    **{re.sub(r"[^a-z0-9]", "", name): proper for name, proper in HEADERS.items()},
    "flow": "flowchart",
    "flowdiagram": "flowchart",
    "flowgraph": "flowchart",
    "sequence": "sequenceDiagram",
    "class": "classDiagram",
    "state": "stateDiagram-v2",
    "statediagram": "stateDiagram-v2",
    "statemachine": "stateDiagram-v2",
    "er": "erDiagram",
    "erd": "erDiagram",
    "entityrelationshipdiagram": "erDiagram",
    "mindmapdiagram": "mindmap",
    "piechart": "pie",
    "piediagram": "pie",
    "ganttchart": "gantt",
    "ganttdiagram": "gantt",
    "timelinediagram": "timeline",
}
#: The part of the rules that a header asks for.
_FAMILIES = {
    "graph": "flowchart",
    "flowchart": "flowchart",
    "flowchart-elk": "flowchart",
    "sequenceDiagram": "sequence",
    "classDiagram": "class",
    "classDiagram-v2": "class",
    "stateDiagram": "state",
    "stateDiagram-v2": "state",
    "erDiagram": "er",
    "pie": "pie",
    "mindmap": "mindmap",
    "gantt": "gantt",
    "timeline": "timeline",
}
_LONE_WORD = re.compile(r"\s*@?[A-Za-z][\w-]*\s*")
#: A line of so many words that ends as a sentence does is one.
_SENTENCE_WORDS = 5


def mermaid_rules(source: str) -> Sequence[Rule]:
    """Return the rules for a source, in the order in which they are tried."""
    family = family_of(source)
    rules = RULES_BY_FAMILY.get(family, ())
    if family in _FREE_TEXT:
        # Bullets are branches there, and sentences may be, too.
        return (*FIRST_RULES, *_HEADER_RULES, *FREE_TEXT_RULES, *rules, *LAST_RULES)
    return (*FIRST_RULES, *_HEADER_RULES, *LINE_RULES, *rules, *LAST_RULES)


def family_of(source: str) -> str:
    """Tell the type of a diagram from its header, or from its lines where that is missing."""
    for line in source.split("\n"):
        header = _header_in(line)
        if header is not None:
            return _FAMILIES.get(header[0], "")
    return _FAMILIES.get(_guessed_header(source).partition(" ")[0], "")


def _header_in(line: str) -> tuple[str, str] | None:
    """Return the header that a line begins and what stands behind it; however it is spelt."""
    text = re.sub(r"^[\s#*`>]*|[\s*`]*$", "", line)
    text = re.sub(r"^(?:mermaid|type|diagram)\s*:?\s+", "", text, flags=re.IGNORECASE)
    match = re.match(
        r"(?P<name>(?:mind|pie|gantt|flow|state|sequence|class|entity|er|time)[ _-]?"
        r"(?:relationship[ _-]?)?(?:map|chart|diagram|machine|line)?(?:[ _-]?(?:diagram|chart))?"
        r"(?:[ _-]?v2)?|[A-Za-z][\w-]*)(?P<rest>.*)",
        text,
        re.IGNORECASE,
    )
    if match is None:
        return None
    proper = _ALIASES.get(re.sub(r"[^a-z0-9]", "", match["name"].lower()))
    if proper is None:
        return None
    rest = match["rest"].strip().lstrip(":").strip()
    if proper == "pie" and re.fullmatch(r"(?:showData\s+)?(?:title)?\s*\"[^\"]*\"", rest):
        return proper, rest
    if header_of(f"{proper} {rest}") is None and not re.fullmatch(
        r"\(?[\w-]+(?: to | )?[\w-]*\)?[;:{]?", rest
    ):
        return None
    return proper, rest


def _guessed_header(source: str) -> str:
    """Return a header for lines that have none, by what only one type has; "" for other text."""
    tests = (
        (
            r"(?m)^\s*(?:participant|actor)\s|--?>>|^\s*[Nn]ote (?:over|left of|right of)",
            "sequenceDiagram",
        ),
        (r"[|}o][|o{](?:--|\.\.)[o|][|{o]", "erDiagram"),
        (r"<\|--|--\|>|\*--|--\*|(?m:^\s*class\s+\w+\s*\{)", "classDiagram"),
        (r"\[\*\]|^\s*state\s+[\w\"]", "stateDiagram-v2"),
        (r"(?m)^\s*dateFormat\b|^.*:.*\b\d{4}-\d\d-\d\d\s*,\s*\d", "gantt"),
        (
            r"(?m)\A(?:\s*(?:title.*|showData)?\n)*(?:\s*\"[^\"]+\"\s*:\s*[\d.]+%?\s*(?:\n|\Z))+",
            "pie",
        ),
    )
    for pattern, header in tests:
        if re.search(pattern, source, re.MULTILINE):
            return header
    return "flowchart TD" if any(map(_is_edge, source.split("\n"))) else ""


def _is_edge(line: str) -> bool:
    """Tell whether a line joins nodes, and is not a sentence with an arrow in it."""
    if not re.search(r"-->|->|==>|=>|---|-\.-|→", line):
        return False
    is_sentence = re.search(r"[.!?:]\s*$", line) and not re.search(r"[][(){}|\"]", line)
    return not is_sentence or len(line.split()) < _SENTENCE_WORDS


# --- rules for the header -------------------------------------------------------------------


def _without_start(source: str, fault: Fault) -> str | tuple[str, str]:
    """Leave out what stands before the header."""
    lines = source.split("\n")
    for number, line in enumerate(lines):
        header = _header_in(line)
        if header is None:
            continue
        dropped = [text.strip() for text in lines[:number] if text.strip()]
        is_plain = all(text.startswith(("%%", "---")) for text in dropped)
        if is_plain or any("-->" in text for text in dropped):
            return source
        said = ", ".join(f"“{text[:60]}”" for text in dropped[:3])
        return "\n".join(lines[number:]), f"Text before the diagram was left out: {said}."
    return source


def _mend_header(source: str, fault: Fault) -> str:
    """Spell the header as Mermaid does, with a direction that it knows, on a line of its own."""
    # ``graph LR; A --> B``: the others look at lines.
    joined = re.match(r"(\s*(?:graph|flowchart)\b[^;\n]*);[ \t]*(?=\S)", source, re.IGNORECASE)
    if joined is not None:
        source = f"{joined[1]}\n{source[joined.end() :]}"
    lines = source.split("\n")
    number = _first_line(lines)
    header = _header_in(lines[number]) if number < len(lines) else None
    if header is None:
        return source
    name, rest = header
    has_brace = rest.endswith("{")
    rest = rest.rstrip("{;: ").strip()
    if _FAMILIES.get(name) == "flowchart":
        key = re.sub(r"[^A-Z]", "", rest.upper())
        rest = _DIRECTIONS.get(key, "TD") if rest else rest
    elif name == "pie":
        rest = re.sub(r"^(?!title\b|showData\b)(?=\S)", "title ", rest)
        rest = re.sub(r"^title\s*:\s*", "title ", rest)
    elif _FAMILIES.get(name) is not None and name != "timeline":
        rest = ""
    lines[number] = f"{name} {rest}".rstrip()
    if has_brace:
        closing = next((n for n in reversed(range(len(lines))) if lines[n].strip() == "}"), None)
        if closing is not None:
            del lines[closing]
    return "\n".join(lines)


def _add_header(source: str, fault: Fault) -> str:
    lines = source.split("\n")
    number = _first_line(lines)
    if number >= len(lines) or _header_in(lines[number]) is not None:
        return source
    if _LONE_WORD.fullmatch(lines[number]) and len(lines) > number + 1:
        # The name of a type that cannot be drawn, such as zenuml: its lines mean something else.
        return source
    guessed = _guessed_header(source)
    return "\n".join([*lines[:number], guessed, *lines[number:]]) if guessed else source


def _without_second_headers(source: str, fault: Fault) -> str:
    """Leave out the header where it stands again; blocks of one diagram are one diagram."""
    lines = source.split("\n")
    first = _first_line(lines)
    header = _header_in(lines[first]) if first < len(lines) else None
    if header is None:
        return source
    kept = []
    for number, line in enumerate(lines):
        again = _header_in(line) if number > first else None
        is_same = again is not None and _FAMILIES.get(again[0]) == _FAMILIES.get(header[0])
        if not (is_same and header_of(line) is not None):
            kept.append(line)
    return "\n".join(kept)


def _first_line(lines: list[str]) -> int:
    """Return the number of the first line that is no comment, directive or front matter."""
    is_front_matter = False
    for number, line in enumerate(lines):
        text = line.strip()
        if text == "---" and (number == 0 or is_front_matter):
            is_front_matter = not is_front_matter
            continue
        if not is_front_matter and text and not text.startswith("%%"):
            return number
    return len(lines)


_HEADER_RULES: tuple[Rule, ...] = (
    Rule("text before", "Text before the diagram was left out.", _without_start),
    Rule("header", "The first line was spelt as Mermaid does.", _mend_header),
    Rule("missing header", "The first line, which says the type, was added.", _add_header),
    Rule("second header", "A repeated first line was left out.", _without_second_headers),
)

#: Types in which nearly any line is a node.
_FREE_TEXT = frozenset({"mindmap", "timeline"})
RULES_BY_FAMILY: dict[str, tuple[Rule, ...]] = {
    "flowchart": (balanced_ends("flowchart"), *FLOW_RULES),
    "sequence": (*SEQUENCE_RULES, balanced_ends("sequence")),
    "class": (SEMICOLONS, *CLASS_RULES, BRACES),
    "state": (SEMICOLONS, *STATE_RULES, BRACES),
    "er": (SEMICOLONS, *ER_RULES, BRACES),
    "pie": (SEMICOLONS, *PIE_RULES),
    "gantt": (SEMICOLONS, *GANTT_RULES),
    "mindmap": MINDMAP_RULES,
    "timeline": (SEMICOLONS, *TIMELINE_RULES),
}
