"""What a function really runs, line by line, against the edges of its flowchart.

The lines come from ``sys.settrace``; the edges are read from the Mermaid source. Only the places
of the nodes in the code are taken from the graph.
"""

from __future__ import annotations

import ast
import dis
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

from jupyter_localllm.assistant.diagrams.sources.code_flow import without_docstring
from jupyter_localllm.assistant.diagrams.sources.flow_graph import flow_graph
from jupyter_localllm.assistant.diagrams.sources.from_code import diagram_of_code
from jupyter_localllm.assistant.diagrams.sources.source_text import SourceText

_EDGE = re.compile(r'^\s*(\w+) -\.?->(?:\|"(.*)"\|)? (\w+)$')
_NODE = re.compile(r'^\s*(n\d+)(\(\[|\[|\{\{|\{)"(.*)"(\]\)|\]|\}\}|\})$')
_GROUP = re.compile(r'^\s*subgraph (\w+)\["')

FILE = "<traced>"
_CLEANING = {"COPY", "POP_EXCEPT"}
_RAISING = {"RERAISE", "POP_EXCEPT_AND_RERAISE"}


class Stopped(BaseException):
    """The run has gone on for long enough; what it does afterwards says nothing."""


class Flowchart:
    """The flowchart of the one function in some code, read from its source."""

    def __init__(self, code: str) -> None:
        self.source = diagram_of_code(code, what="flow").source
        self.edges: set[tuple[str, str]] = set()
        self.labels: dict[str, str] = {}
        #: Groups that each node is in, the innermost last.
        self.groups: dict[str, list[str]] = {}
        open_groups: list[str] = []
        for line in self.source.splitlines()[1:]:
            if found := _GROUP.match(line):
                open_groups.append(found[1])
            elif line.strip() == "end":
                open_groups.pop()
            elif found := _EDGE.match(line):
                self.edges.add((found[1], found[3]))
            elif found := _NODE.match(line):
                self.labels[found[1]] = found[3]
                self.groups[found[1]] = list(open_groups)
            else:
                raise AssertionError(f"not understood: {line!r}")
        (function,) = ast.parse(code).body
        assert isinstance(function, ast.FunctionDef)
        body = without_docstring(function.body)
        graph = flow_graph(body, SourceText(code), None, sys.maxsize)
        assert {node.id for node in graph.nodes} == set(self.labels)
        self.node_at: dict[int, str] = {}
        for node in graph.nodes:
            for first, last in node.spans:
                for line_number in range(first, last + 1):
                    self.node_at[line_number] = node.id
        kinds = {node.kind.value: node.id for node in graph.nodes}
        self.start, self.end, self.error = (kinds.get(kind) for kind in ("start", "end", "error"))
        self.with_lines = {
            node.lineno
            for node in ast.walk(function)
            if isinstance(node, (ast.With, ast.AsyncWith))
        }
        #: A loop that always goes on is not asked again, so no line tells of it.
        self.silent = {
            self.node_at[node.lineno]
            for node in ast.walk(function)
            if isinstance(node, ast.While)
            and isinstance(node.test, ast.Constant)
            and node.lineno in self.node_at
        }

    def edge(self, source: str, target: str | None) -> tuple[str, str] | None:
        """Return the edge from a node, or from a group around it, to another node."""
        for origin in (source, *reversed(self.groups[source])):
            if target is not None and (origin, target) in self.edges:
                return origin, target
        return None

    def along(self, edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
        """Return the edges with those of the groups around, which say the same in general."""
        return edges | {
            (group, target)
            for source, target in edges
            for group in self.groups.get(source, [])
            if (group, target) in self.edges
        }

    def path(self, source: str, target: str) -> list[tuple[str, str]] | None:
        """Return the edge, or two over a node that no line tells of."""
        if direct := self.edge(source, target):
            return [direct]
        for silent in self.silent:
            first, second = self.edge(source, silent), self.edge(silent, target)
            if first and second:
                return [first, second]
        return None

    def handles_errors_of(self, node: str) -> bool:
        """Tell whether a group around the node leads its errors to somewhere."""
        sources = {source for source, _ in self.edges}
        return any(group in sources for group in self.groups[node])


class Run:
    """The lines that one call of a function ran, and how it ended."""

    def __init__(self, code: str, call: Callable[[Any], Any], names: dict[str, Any]) -> None:
        compiled = compile(code, FILE, "exec", dont_inherit=True)
        scope = dict(names)
        exec(compiled, scope)
        function = next(
            value
            for value in scope.values()
            if getattr(getattr(value, "__code__", None), "co_filename", "") == FILE
        )
        self.lines: list[int] = []
        self.error: BaseException | None = None
        with _tracing(function.__code__, self.lines):
            try:
                call(function)
            except BaseException as error:
                self.error = error


@contextmanager
def _tracing(code: CodeType, lines: list[int]) -> Iterator[None]:
    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        if frame.f_code is not code:
            return None
        # Where an error leaves a "finally", CPython cleans up under the number of its last line.
        if event == "line" and frame.f_lasti not in leaving:
            lines.append(frame.f_lineno)
        return trace

    leaving: set[int] = set()
    is_leaving = False
    for instruction in reversed(list(dis.get_instructions(code))):
        is_cleaning = is_leaving and instruction.opname in _CLEANING
        is_leaving = is_cleaning or instruction.opname in _RAISING
        if is_leaving:
            leaving.add(instruction.offset)
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def walked(chart: Flowchart, run: Run) -> set[tuple[str, str]]:
    """Return the edges that a run took; each step of it must be one."""
    taken: set[tuple[str, str]] = set()
    assert chart.start is not None
    at, left_with = chart.start, None
    open_lines: set[int] = set()
    for line in run.lines:
        if line in chart.with_lines:
            if line in open_lines:
                # The context manager's end, not a way through the code.
                open_lines.discard(line)
                left_with = chart.node_at[line]
                continue
            open_lines.add(line)
        node = chart.node_at.get(line)
        if node is None or (node == at and left_with is None):
            continue
        path = chart.path(at, node) or (left_with and chart.path(left_with, node))
        if not path and node == at:
            continue
        assert path, (
            f"line {line}: no edge from {chart.labels[at]!r} to {chart.labels[node]!r}\n"
            f"{chart.source}"
        )
        taken.update(path)
        at, left_with = node, None
    if isinstance(run.error, Stopped):
        return chart.along(taken)
    if run.error is None:
        last = chart.edge(at, chart.end) or (left_with and chart.edge(left_with, chart.end))
        assert last, f"no edge from {chart.labels[at]!r} to the end\n{chart.source}"
        taken.add(last)
    elif error := chart.edge(at, chart.error):
        taken.add(error)
    else:
        # What fails outside of any try ends the function; that is not drawn.
        assert not chart.handles_errors_of(at), f"{chart.labels[at]!r} fails\n{chart.source}"
    return chart.along(taken)
