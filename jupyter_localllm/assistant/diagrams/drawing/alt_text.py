"""What a diagram shows, in words: for screen readers, and where pictures are not shown."""

from __future__ import annotations

from ..nouns import DiagramKind, Rendered

MAX_CHARS = 300
_MAX_LABEL_CHARS = 40

_NAMES = {
    "flowchart": "Flowchart",
    "sequence": "Sequence diagram",
    "class": "Class diagram",
    "state": "State diagram",
    "er": "Entity relationship diagram",
    "mindmap": "Mind map",
    "pie": "Pie chart",
    "gantt": "Gantt chart",
    "timeline": "Timeline",
    "journey": "User journey",
    "gitGraph": "Git graph",
    "quadrantChart": "Quadrant chart",
    "requirement": "Requirement diagram",
    "c4": "C4 diagram",
    "sankey": "Sankey diagram",
    "xychart": "Chart",
    "block": "Block diagram",
    "packet": "Packet diagram",
    "kanban": "Kanban board",
    "architecture": "Architecture diagram",
    "radar": "Radar chart",
    "treemap": "Treemap",
    "digraph": "Directed graph",
    "graph": "Graph",
}
#: What the nodes of a diagram are called, and what an edge does.
_WORDS = {
    "sequence": ("participant", "participants", "calls"),
    "class": ("class", "classes", "is related to"),
    "state": ("state", "states", "leads to"),
    "graph": ("node", "nodes", "is joined to"),
}
_USUAL_WORDS = ("node", "nodes", "leads to")


def alt_text(kind: DiagramKind, rendered: Rendered, texts: tuple[str, ...]) -> str:
    """Return one to three sentences, at most ``MAX_CHARS`` characters.

    Parameters
    ----------
    kind : str
    rendered : Rendered
        Its nodes and edges are used where the library told them.
    texts : tuple of str
        What is written in the picture, otherwise.
    """
    language = "Mermaid diagram" if kind == "mermaid" else "Graph"
    name = _NAMES.get(rendered.diagram_type, language)
    if not rendered.nodes:
        shown = [_short(text) for text in dict.fromkeys(texts)]
        return _bounded(f"{name}: ", shown, ", ") if shown else f"{name} without text."
    one, many, verb = _WORDS.get(rendered.diagram_type, _USUAL_WORDS)
    n_nodes = len(rendered.nodes)
    head = f"{name} with {n_nodes} {one if n_nodes == 1 else many}: "
    nodes = _bounded(head, [_short(node) for node in rendered.nodes], ", ", MAX_CHARS // 2)
    edges = [
        f"{_short(start)} {verb} {_short(end)}" + (f" ({_short(label)})" if label.strip() else "")
        for start, end, label in rendered.edges
    ]
    if not edges:
        return nodes
    return _bounded(f"{nodes} ", edges, "; ")


def _short(text: str) -> str:
    line = " ".join(text.replace("<br>", " ").replace("<br/>", " ").split())
    return line if len(line) <= _MAX_LABEL_CHARS else f"{line[: _MAX_LABEL_CHARS - 1]}…"


def _bounded(head: str, parts: list[str], joint: str, limit: int = MAX_CHARS) -> str:
    """Join as many parts as fit, and say how many are left out."""
    text = head
    for number, part in enumerate(parts):
        left = len(parts) - number
        more = f"{joint if number else ''}{part}"
        rest = f"{joint}and {left - 1} more." if left > 1 else "."
        if len(text) + len(more) + len(rest) > limit:
            return f"{text}{joint if number else ''}{'and ' if number else ''}{left} more."
        text += more
    return f"{text}."
