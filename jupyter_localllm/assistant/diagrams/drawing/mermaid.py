"""Mermaid source -> SVG, with no browser; the child's ``pipeline`` calls :func:`render`.

The library runs a port of Mermaid inside QuickJS, which has neither files nor network. Its error
texts are turned into line, column and a plain reason.
"""

from __future__ import annotations

import html
import re
from typing import Any

from .... import errors
from .. import faults
from ..nouns import DiagramTheme, Rendered

#: Background of each theme, as the library paints edge labels.
BACKGROUNDS: dict[DiagramTheme, str] = {
    "default": "#FFFFFF",
    "dark": "#1F2020",
    "neutral": "#FFFFFF",
}
#: The layout measured its texts in Noto Sans; the others are not wider.
FONT = "Noto Sans, Helvetica, Arial, sans-serif"

_PACKAGE = "mermaid-render"
_ERROR = re.compile(r"([a-z-]+) at (\d+):(\d+): (.*)", re.DOTALL)
_GOT = re.compile(r"Expecting (.*), got '([^']*)'", re.DOTALL)
_ENTITY = re.compile("ﬂ°(°?)(\\w+)¶ß")
_OVER_A_LIMIT = re.compile(r"out of memory|interrupted|stack overflow|call stack", re.IGNORECASE)

#: Names of the parser's tokens that say something to a person.
_TOKENS = {
    "SQE": "]",
    "SQS": "[",
    "PS": "(",
    "PE": ")",
    "DIAMOND_START": "{",
    "DIAMOND_STOP": "}",
    "STADIUMEND": "])",
    "SUBROUTINEEND": "]]",
    "DOUBLECIRCLEEND": ")))",
    "CYLINDEREND": ")]",
    "PIPE": "|",
    "STR": "a text in quotes",
    "NEWLINE": "the end of the line",
    "SEMI": "the end of the line",
    "EOF": "the end of the diagram",
    "LINK": "an arrow",
    "ARROW": "an arrow",
    "end": "end",
    "SPACE": "a space",
}


def render(source: str, theme: DiagramTheme) -> Rendered:
    """Lay out one Mermaid diagram.

    Parameters
    ----------
    source : str
        Sanitised.
    theme : str

    Raises
    ------
    DiagramInvalid
    DiagramTooLarge
        QuickJS ran out of its memory or time.
    DiagramsUnavailable
        The library is not installed.
    """
    try:
        from mermaid_render.renderer import render as lay_out
    except ImportError:
        raise faults.unavailable("mermaid", _PACKAGE) from None
    if not source.strip():
        raise faults.invalid("mermaid", source, "there is no text in it")
    try:
        reply = lay_out(source, theme)
    except ImportError:
        # QuickJS is imported with the first diagram.
        raise faults.unavailable("mermaid", _PACKAGE) from None
    except ValueError as error:
        raise _fault(source, str(error)) from None
    graph = reply["graph"]
    nodes, edges = _graph(graph)
    return Rendered(
        reply["result"]["svg"],
        reply["result"]["type"],
        tuple(map(_decoded, nodes)),
        tuple((_decoded(start), _decoded(end), _decoded(label)) for start, end, label in edges),
    )


def _decoded(text: str) -> str:
    """A label as it is shown: the parser keeps ``#35;`` and ``#quot;`` in marks of its own."""
    return html.unescape(_ENTITY.sub(lambda found: f"&{'#' * bool(found[1])}{found[2]};", text))


def _fault(source: str, text: str) -> errors.LocalLLMError:
    found = _ERROR.fullmatch(text)
    if found is None or found.group(1) == "runtime":
        if _OVER_A_LIMIT.search(text):
            return faults.too_large("Laying out this diagram took too much time or memory.")
        reason = found.group(4) if found else text.rpartition(":")[2]
        return faults.invalid("mermaid", source, _one_line(reason))
    code, message = found.group(1), found.group(4)
    line, column = int(found.group(2)), int(found.group(3))
    if line > source.count("\n") + 1:
        # The end of the diagram; its last line is where something is missing.
        text = source.rstrip()
        line, column = text.count("\n") + 1, len(text) - text.rfind("\n")
    if code == "unsupported-diagram":
        return faults.invalid(
            "mermaid",
            source,
            "it does not begin with a kind of diagram that is known, such as flowchart TD",
            line=_first_line(source),
        )
    return faults.invalid(
        "mermaid", source, _reason(source, message, line, column), line=line, column=column
    )


def _reason(source: str, message: str, line: int, column: int) -> str:
    got = _GOT.search(message)
    if got is None:
        # The first line names the place, which is told apart.
        return _one_line(re.sub(r"^(?:Parse|Lexical) error on line \d+[:.]?\s*", "", message))
    lines = source.split("\n")
    rest = lines[line - 1][max(column - 1, 0) :].strip() if 0 < line <= len(lines) else ""
    what = f"“{rest[:24]}”" if rest else _TOKENS.get(got.group(2), got.group(2))
    names = [_TOKENS[name] for name in re.findall(r"'([^']*)'", got.group(1)) if name in _TOKENS]
    expected = list(dict.fromkeys(names))[:4]
    return f"{what} is not expected" + (f", but {' or '.join(expected)}" if expected else "")


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200] or "it cannot be read"


def _first_line(source: str) -> int:
    lines = source.split("\n")
    return next((number for number, line in enumerate(lines, 1) if line.strip()), 0)


_Graph = tuple[tuple[str, ...], tuple[tuple[str, str, str], ...]]


def _graph(graph: dict[str, Any]) -> _Graph:
    """Labels of nodes and edges, where the library tells them."""
    reader = {
        "flowchart": _flowchart,
        "sequence": _sequence,
        "class": _classes,
        "state": _states,
    }.get(graph["type"])
    return reader(graph) if reader else ((), ())


def _flowchart(graph: dict[str, Any]) -> _Graph:
    names = {key: str(node.get("text") or key) for key, node in graph["nodes"].items()}
    names |= {
        str(group["id"]): str(group.get("title") or group["id"])
        for group in graph["subgraphs"]
        if str(group.get("id")) not in names
    }
    edges = tuple(
        (
            names.get(edge["start"], edge["start"]),
            names.get(edge["end"], edge["end"]),
            str(edge.get("text") or ""),
        )
        for edge in graph["edges"]
    )
    return tuple(names[key] for key in graph["nodes"]), edges


def _sequence(graph: dict[str, Any]) -> _Graph:
    names = {key: str(actor.get("description") or key) for key, actor in graph["actors"].items()}
    edges = tuple(
        (names[message["from"]], names[message["to"]], str(message.get("message") or ""))
        for message in graph["messages"]
        if message.get("from") in names and message.get("to") in names
    )
    return tuple(names.values()), edges


def _classes(graph: dict[str, Any]) -> _Graph:
    names = {key: str(item.get("label") or key) for key, item in graph["classes"].items()}
    edges = tuple(
        (
            names.get(one["id1"], one["id1"]),
            names.get(one["id2"], one["id2"]),
            str(one.get("title") or ""),
        )
        for one in graph["relations"]
    )
    return tuple(names.values()), edges


def _states(graph: dict[str, Any]) -> _Graph:
    names: dict[str, str] = {}
    edges: list[tuple[str, str, str]] = []
    todo = list(reversed(graph["rootDoc"]))
    while todo:
        statement = todo.pop()
        if not isinstance(statement, dict):
            continue
        if statement.get("stmt") == "state":
            _note_state(names, statement)
            todo.extend(reversed(statement.get("doc") or []))
        elif statement.get("stmt") == "relation":
            pair = (statement["state1"], statement["state2"])
            for state in pair:
                _note_state(names, state)
            first, second = (names.get(state["id"], _end_of(state)) for state in pair)
            edges.append((first, second, str(statement.get("description") or "")))
    return tuple(names.values()), tuple(edges)


def _note_state(names: dict[str, str], state: dict[str, Any]) -> None:
    if not _end_of(state) and state.get("type") != "divider":
        description = state.get("description")
        if description or state["id"] not in names:
            names[state["id"]] = str(description or state["id"])


def _end_of(state: dict[str, Any]) -> str:
    """The black dots at both ends, which have no name of their own."""
    if "start" not in state:
        return ""
    return "the start" if state["start"] else "the end"
