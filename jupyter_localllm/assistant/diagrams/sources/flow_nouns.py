"""What a flow graph is made of. ``flow_graph.py`` builds it, ``code_flow.py`` writes it down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum


class NodeKind(Enum):
    START = "start"
    END = "end"
    ERROR = "error"
    BLOCK = "block"
    DECISION = "decision"
    LOOP = "loop"


class Jump(Enum):
    """A way to leave statements other than at their end."""

    RETURN = "return"
    BREAK = "break"
    CONTINUE = "continue"
    ERROR = "error"


@dataclass(eq=False, slots=True)
class Group:
    """The statements of a ``try``."""

    id: str
    title: str
    parent: Group | None


@dataclass(eq=False, slots=True)
class Node:
    """A block, a decision or an end; ``spans`` are its first and last lines in the code."""

    id: str
    kind: NodeKind
    lines: list[str]
    group: Group | None = None
    spans: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Edge:
    """From a node or a group to a node."""

    source: str
    target: str
    label: str = ""
    is_error: bool = False


@dataclass(slots=True)
class FlowGraph:
    """Nodes and edges; ``unreachable`` are lines that no edge leads to."""

    nodes: list[Node] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    unreachable: list[int] = field(default_factory=list)
    n_collapsed: int = 0

    def items(self, group: Group | None) -> Iterator[Node | Group]:
        """Yield what stands directly in a group, groups last."""
        yield from (node for node in self.nodes if node.group is group)
        yield from (inner for inner in self.groups if inner.parent is group)
