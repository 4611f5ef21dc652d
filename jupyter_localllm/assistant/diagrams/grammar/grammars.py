"""Grammars that leave a model no other way than to write a diagram that renders.

:func:`diagram_grammar` gives the GBNF text that goes with a request; its sentences are sources
that the parsers take, of bounded size. What a grammar cannot know is when the tokens run out; then
``closing.py`` completes the source. :func:`example_turns` is what the model is told. Nothing here
is compiled or drawn. Called by the magics and the server.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ....protocol import ChatMessage
from ..nouns import DiagramKind
from . import graph_grammars as graphs
from . import mermaid_grammars as mermaid

#: Ways a diagram can run: top down, bottom to top, left to right, right to left.
DIRECTIONS = ("TD", "BT", "LR", "RL")

#: How a small model stays with the subject and says few things twice; fields of a request.
SAMPLING = {"temperature": 0.7, "repeat_penalty": 1.05}

_PROMPTS = Path(__file__).parents[2] / "prompts" / "diagrams"

#: Tokens that the beginning and the end of a diagram take, about.
_FRAME_TOKENS = 20


@dataclass(frozen=True, slots=True)
class DiagramType:
    """One sort of diagram.

    Attributes
    ----------
    name : str
        As it is typed after ``--type``.
    kind : str
        Its language.
    summary : str
        What it shows, in a line.
    part_tokens : int
        Tokens that a part of it takes, about: a node with its edges, a class, a message …
    most_parts : int
        Of which a grammar allows so many.
    other_names : tuple of str
        Further spellings.
    has_direction : bool
        Whether ``--direction`` applies.
    """

    name: str
    kind: DiagramKind
    summary: str
    part_tokens: int
    most_parts: int
    other_names: tuple[str, ...] = ()
    has_direction: bool = False


#: What ``--type`` can be, by name.
DIAGRAM_TYPES = {
    each.name: each
    for each in (
        DiagramType(
            "flowchart", "mermaid", "The steps and decisions of a process.", 22, 14,
            ("flow", "flow-chart"), has_direction=True,
        ),
        DiagramType(
            "sequence", "mermaid", "Who says what to whom, in order.", 20, 12,
            ("sequencediagram", "sequence-diagram"),
        ),
        DiagramType(
            "class", "mermaid", "Classes, their members and relations.", 60, 8,
            ("classdiagram", "class-diagram", "uml"), has_direction=True,
        ),
        DiagramType(
            "state", "mermaid", "The states of a thing and what changes them.", 26, 10,
            ("statediagram", "statediagram-v2", "state-diagram"), has_direction=True,
        ),
        DiagramType(
            "er", "mermaid", "Tables, their columns and relations.", 60, 8,
            ("erdiagram", "entity", "entity-relationship"), has_direction=True,
        ),
        DiagramType(
            "mindmap", "mermaid", "A subject, its branches and what belongs to each.", 36, 7,
            ("mind-map", "mind"),
        ),
        DiagramType("pie", "mermaid", "Parts of a whole.", 14, 8, ("piechart", "pie-chart")),
        DiagramType("gantt", "mermaid", "A plan: tasks, when and how long.", 26, 9),
        DiagramType("timeline", "mermaid", "What happened when.", 24, 10, ("time-line",)),
        DiagramType(
            "digraph", "dot", "Things and arrows between them.", 28, 14, ("dot", "graphviz"),
            has_direction=True,
        ),
        DiagramType(
            "graph", "dot", "Things and what connects them.", 28, 14, ("network", "undirected"),
            has_direction=True,
        ),
    )
}  # fmt: skip


def diagram_grammar(
    diagram_type: str, *, direction: str | None = None, max_tokens: int | None = None
) -> str:
    """Return the GBNF grammar of a type of diagram.

    Parameters
    ----------
    diagram_type : str
        A name of :data:`DIAGRAM_TYPES`, or another spelling of one.
    direction : str, optional
        One of :data:`DIRECTIONS`; ``TB`` is another spelling of ``TD``. Where it is not given it
        is left to the model, or to what draws.
    max_tokens : int, optional
        How long the answer may become: the diagram is kept small enough to end before that in
        most cases.

    Raises
    ------
    ValueError
        No such type, no such direction, or a direction for a type that has none; the message is
        a sentence without a full stop.
    """
    known = diagram_type_of(diagram_type)
    way = _checked(direction, known)
    n_parts = known.most_parts
    if max_tokens is not None:
        n_parts = max(3, min(n_parts, (max_tokens - _FRAME_TOKENS) // known.part_tokens))
    if known.kind == "dot":
        way = "TB" if way == "TD" else way
        return graphs.dot(n_parts, way, is_directed=known.name == "digraph")
    if known.name == "flowchart":
        return graphs.flowchart(n_parts, way)
    if known.name == "class":
        return mermaid.class_diagram(n_parts, way)
    if known.name == "state":
        return mermaid.state(n_parts, way)
    if known.name == "er":
        return mermaid.entities(n_parts, way)
    sized = {
        "sequence": mermaid.sequence,
        "mindmap": mermaid.mindmap,
        "pie": mermaid.pie,
        "gantt": mermaid.gantt,
        "timeline": mermaid.timeline,
    }
    return sized[known.name](n_parts)


def diagram_instructions(diagram_type: str) -> str:
    """Return what a model is told of a type, with two examples, as one text.

    No language is named: to a small model, "Mermaid" is a word about the sea.

    Raises
    ------
    ValueError
        No such type; the message is a sentence without a full stop.
    """
    return _text(diagram_type_of(diagram_type).name)


def example_turns(diagram_type: str) -> list[ChatMessage]:
    """Return the same as a conversation, to stand before a message with nothing but the subject.

    A small model takes the examples' words for the answer where they stand in the question.

    Raises
    ------
    ValueError
        No such type; the message is a sentence without a full stop.
    """
    told, *examples = diagram_instructions(diagram_type).split("\n\n")
    turns = []
    for example in examples:
        subject, _, source = example.partition(":\n")
        turns += [ChatMessage("user", subject), ChatMessage("assistant", source)]
    turns[0] = ChatMessage("user", f"{told}\n\n{turns[0].content}")
    return turns


@cache
def _text(name: str) -> str:
    return (_PROMPTS / f"{name}.md").read_text(encoding="utf-8").strip()


def diagram_type_of(name: str) -> DiagramType:
    """Return the type with this name or spelling.

    Raises
    ------
    ValueError
        There is none; the message is a sentence without a full stop.
    """
    wanted = name.strip().lower()
    for known in DIAGRAM_TYPES.values():
        if wanted == known.name or wanted in known.other_names:
            return known
    raise ValueError(f"there is no diagram type {name!r}; there are {', '.join(DIAGRAM_TYPES)}")


def _checked(direction: str | None, known: DiagramType) -> str | None:
    if direction is None:
        return None
    way = direction.strip().upper()
    way = "TD" if way == "TB" else way
    if way not in DIRECTIONS:
        raise ValueError(f"there is no direction {direction!r}; there are {', '.join(DIRECTIONS)}")
    if not known.has_direction:
        raise ValueError(f"a diagram of type {known.name} has no direction")
    return way
