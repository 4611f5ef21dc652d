"""Control flow of Python code as a Mermaid flowchart.

One unit for the module's own statements and one for each function; ``flow_graph.py`` finds the
nodes and edges of a unit, this module chooses what is drawn, keeps it small enough to be read and
writes it. Called by ``from_code.py``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ....errors import DiagramInvalid
from .flow_graph import flow_graph
from .flow_nouns import FlowGraph, Group, Node, NodeKind
from .mermaid_text import SourceDiagram, is_short_enough, label, shortened
from .source_text import SourceText

#: More nodes than these are neither read nor laid out well.
MAX_NODES = 120
#: Statements that a block shows and characters of each; the later ones for what is too long.
_SIZES = ((8, 44), (4, 32), (2, 20))
_LABEL_LENGTH = 32
_NAMED = 5
#: From here on, statements inside of so many others are shown as one line.
_DEPTHS = (None, 6, 4, 3, 2, 1, 0)

_SHAPES = {
    NodeKind.START: ("([", "])"),
    NodeKind.END: ("([", "])"),
    NodeKind.ERROR: ("([", "])"),
    NodeKind.BLOCK: ("[", "]"),
    NodeKind.DECISION: ("{", "}"),
    NodeKind.LOOP: ("{{", "}}"),
}


@dataclass(frozen=True, slots=True)
class _Unit:
    """What is drawn for itself: the module or one function."""

    title: str
    body: list[ast.stmt]
    is_module: bool = False


def flow_diagram(tree: ast.Module, code: str, direction: str | None) -> SourceDiagram:
    """Draw the control flow of a module's statements and of each function in it.

    Parameters
    ----------
    tree : ast.Module
        Parsed from ``code``.
    direction : str or None
        ``TD`` where none is given.

    Raises
    ------
    DiagramInvalid
        Nothing runs: the code has only imports or empty classes.
    """
    text = SourceText(code)
    units = list(_units(tree, text))
    if not units:
        raise DiagramInvalid(
            "The code has no control flow to draw.",
            "Draw its classes or imports, or code that has statements.",
            details={"kind": "python", "reason": "no statements"},
        )
    graphs, notes = _fitting(units, text)
    for n_lines, n_characters in _SIZES:
        said: list[str] = []
        writer = _Writer(n_lines, n_characters, said)
        lines = [f"flowchart {direction or 'TD'}", *writer.units(graphs)]
        if is_short_enough(lines):
            break
    notes += said
    for _unit, graph in graphs:
        notes += [f"Line {line} is never reached." for line in graph.unreachable[:_NAMED]]
    title = "Control flow of " + _names([unit.title.split("(")[0] for unit, _ in graphs])
    return SourceDiagram("\n".join(lines) + "\n", title, tuple(dict.fromkeys(notes)))


def _units(tree: ast.Module, text: SourceText) -> Iterator[_Unit]:
    """Yield the module, where it does more than define things, and the functions in order."""
    functions = list(_functions(tree.body, "", text))
    body = without_docstring(tree.body)
    definitions = (
        ast.Import,
        ast.ImportFrom,
        ast.FunctionDef,
        ast.AsyncFunctionDef,
        ast.ClassDef,
    )
    does_more = any(not isinstance(statement, definitions) for statement in body)
    if does_more or (body and not functions and not _only_imports(body)):
        yield _Unit("start" if not functions else "top level", body, is_module=True)
    yield from functions


def _only_imports(body: list[ast.stmt]) -> bool:
    return all(isinstance(statement, (ast.Import, ast.ImportFrom)) for statement in body)


def _functions(body: list[ast.stmt], scope: str, text: SourceText) -> Iterator[_Unit]:
    """Yield the functions in statements, those inside of others and of classes too."""
    waiting: list[tuple[ast.AST, str]] = [(statement, scope) for statement in reversed(body)]
    while waiting:
        node, scope = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield _Unit(scope + text.signature(node), without_docstring(node.body))
            scope = f"{scope}{node.name}."
        elif isinstance(node, ast.ClassDef):
            scope = f"{scope}{node.name}."
        elif isinstance(node, ast.expr):
            continue
        waiting += [(child, scope) for child in reversed(list(ast.iter_child_nodes(node)))]


def without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return the statements without the text that documents them."""
    first = body[0] if body else None
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        return body[1:]
    return body


def _fitting(
    units: list[_Unit], text: SourceText
) -> tuple[list[tuple[_Unit, FlowGraph]], list[str]]:
    """Return the graphs with as much detail as has room, and what is not in them."""
    notes: list[str] = []
    # A function has three nodes at least.
    candidates = units[: MAX_NODES // 3]
    graphs: list[tuple[_Unit, FlowGraph]] = []
    for depth in _DEPTHS:
        graphs, n_nodes = [], 0
        for unit in candidates:
            graph = flow_graph(unit.body, text, depth, MAX_NODES, is_module=unit.is_module)
            graphs.append((unit, graph))
            n_nodes += len(graph.nodes)
            if n_nodes > MAX_NODES and depth != _DEPTHS[-1]:
                break
        if n_nodes <= MAX_NODES:
            break
    kept: list[tuple[_Unit, FlowGraph]] = []
    n_nodes = 0
    for unit, graph in graphs:
        if kept and n_nodes + len(graph.nodes) > MAX_NODES:
            continue
        kept.append((unit, graph))
        n_nodes += len(graph.nodes)
    drawn = {id(unit) for unit, _ in kept}
    missing = [unit.title.split("(")[0] for unit in units if id(unit) not in drawn]
    if missing:
        are = "function is" if len(missing) == 1 else "functions are"
        notes.append(f"{len(missing)} {are} left out for want of room: {_names(missing)}.")
    if any(graph.n_collapsed for _, graph in kept):
        n_collapsed = sum(graph.n_collapsed for _, graph in kept)
        what = "statement is" if n_collapsed == 1 else "statements are"
        notes.append(f"{n_collapsed} {what} shown without what is inside, for want of room.")
    return kept, notes


def _names(names: list[str]) -> str:
    shown = ", ".join(shortened(name, _LABEL_LENGTH) for name in names[:_NAMED])
    rest = len(names) - _NAMED
    return f"{shown} and {rest} more" if rest > 0 else shown


class _Writer:
    """Writes graphs, with so many statements in a block and characters in a statement."""

    def __init__(self, n_lines: int, n_characters: int, notes: list[str]) -> None:
        self._n_lines = n_lines
        self._n_characters = n_characters
        self._notes = notes

    def units(self, graphs: list[tuple[_Unit, FlowGraph]]) -> Iterator[str]:
        if len(graphs) == 1:
            ((unit, graph),) = graphs
            yield from self._unit(graph, "", unit.title, "    ")
            return
        for i, (unit, graph) in enumerate(graphs):
            yield f'    subgraph u{i}["{label(unit.title, self._n_characters)}"]'
            yield from self._unit(graph, f"u{i}", "start", "        ")
            yield "    end"

    def _unit(self, graph: FlowGraph, prefix: str, start: str, indent: str) -> Iterator[str]:
        """Yield the lines of one unit: its nodes in their groups, then its edges."""
        yield from self._inside(graph, None, prefix, start, indent)
        for edge in graph.edges:
            arrow = "-.->" if edge.is_error else "-->"
            words = f'|"{label(edge.label, _LABEL_LENGTH)}"|' if edge.label else ""
            yield f"{indent}{prefix}{edge.source} {arrow}{words} {prefix}{edge.target}"

    def _inside(
        self, graph: FlowGraph, group: Group | None, prefix: str, start: str, indent: str
    ) -> Iterator[str]:
        for item in graph.items(group):
            if isinstance(item, Group):
                yield f'{indent}subgraph {prefix}{item.id}["{label(item.title)}"]'
                yield from self._inside(graph, item, prefix, start, f"{indent}    ")
                yield f"{indent}end"
            else:
                opening, closing = _SHAPES[item.kind]
                is_start = item.kind is NodeKind.START
                shown = label(start, self._n_characters) if is_start else self._block(item)
                yield f'{indent}{prefix}{item.id}{opening}"{shown}"{closing}'

    def _block(self, node: Node) -> str:
        lines = node.lines
        if len(lines) > self._n_lines:
            n_more = len(lines) - self._n_lines + 1
            lines = [*lines[: self._n_lines - 1], f"… {n_more} more"]
            note = f"Of blocks with more than {self._n_lines} statements, the first are shown."
            if note not in self._notes:
                self._notes.append(note)
        return "<br>".join(label(line, self._n_characters) for line in lines)
