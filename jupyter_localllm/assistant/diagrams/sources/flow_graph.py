"""The control flow graph of one function or module: what runs after what.

Statements that always run one after the other are one block. An edge is drawn for each way that
the code can go by itself: both sides of a decision, the jumps, and errors where the code handles
them or raises them. Called by ``code_flow.py``, which writes it as Mermaid.

Errors: a ``try`` is a group, and its error edge starts at the group, as each statement in it can
fail. ``finally`` is one block of code with an edge for each way in which it was entered.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass, field

from .flow_nouns import Edge, FlowGraph, Group, Jump, Node, NodeKind
from .mermaid_text import shortened
from .source_text import SourceText
from .statement_kinds import ends_errors, has_body, is_true, is_wildcard


def flow_graph(
    body: list[ast.stmt],
    text: SourceText,
    depth: int | None,
    max_nodes: int,
    *,
    is_module: bool = False,
) -> FlowGraph:
    """Return the graph of the statements of a function or module.

    Parameters
    ----------
    depth : int or None
        Statements inside of more than so many others are one line; ``None``: all are drawn.
    max_nodes : int
        From here on what follows is one node too.
    """
    builder = _Builder(text, depth, max_nodes)
    return builder.build(body)


#: Ends that wait for what comes next: where they start, and what their edge says.
_Exits = list[tuple[str, str]]


@dataclass(slots=True)
class _Loop:
    continues: str
    breaks: _Exits = field(default_factory=list)


@dataclass(slots=True)
class _Handlers:
    """The body of a ``try`` that has ``except``."""

    errors: _Exits = field(default_factory=list)


@dataclass(slots=True)
class _Finally:
    """All that stands before a ``finally``."""

    waiting: dict[Jump, _Exits] = field(default_factory=dict)


class _Builder:
    def __init__(self, text: SourceText, depth: int | None, max_nodes: int) -> None:
        self.graph = FlowGraph()
        self._text = text
        self._depth = depth
        self._max_nodes = max_nodes
        self._scopes: list[_Loop | _Handlers | _Finally] = []
        self._group: Group | None = None
        #: Jumps that leave the whole unit.
        self.left: dict[Jump, _Exits] = {}

    def build(self, body: list[ast.stmt]) -> FlowGraph:
        start = self._node(NodeKind.START, "start", None)
        exits = self.block(body, [(start.id, "")], 0)
        exits += self.left.get(Jump.RETURN, [])
        if exits:
            end = self._node(NodeKind.END, "end", None)
            self._connect(exits, end)
        if errors := self.left.get(Jump.ERROR, []):
            error = self._node(NodeKind.ERROR, "error", None)
            self._connect(errors, error, is_error=True)
        return self.graph

    # Nodes and edges

    def _node(self, kind: NodeKind, line: str, statement: ast.AST | None) -> Node:
        node = Node(f"n{len(self.graph.nodes)}", kind, [line], self._group)
        self.graph.nodes.append(node)
        if statement is not None:
            node.spans.append(_head_span(statement))
        return node

    def _connect(self, exits: _Exits, node: Node, *, is_error: bool = False) -> None:
        for source, text in dict.fromkeys(exits):
            self.graph.edges.append(Edge(source, node.id, text, is_error or text.endswith("error")))

    def _add(self, kind: NodeKind, line: str, statement: ast.AST, exits: _Exits) -> Node:
        node = self._node(kind, line, statement)
        self._connect(exits, node)
        return node

    def _line(self, line: str, statement: ast.stmt, exits: _Exits, span: tuple[int, int]) -> Node:
        """Add a line to the block before, or begin one."""
        if len(exits) == 1 and not exits[0][1] and self.graph.nodes:
            last = self.graph.nodes[-1]
            is_open = last.id == exits[0][0] and last.kind is NodeKind.BLOCK
            if is_open and last.group is self._group:
                last.lines.append(line)
                last.spans.append(span)
                return last
        node = self._add(NodeKind.BLOCK, line, statement, exits)
        node.spans = [span]
        return node

    def _jump(self, jump: Jump, exits: _Exits) -> None:
        """Lead the exits to where a jump goes from here."""
        for scope in reversed(self._scopes):
            if isinstance(scope, _Finally):
                scope.waiting.setdefault(jump, []).extend(exits)
                return
            if isinstance(scope, _Handlers) and jump is Jump.ERROR:
                scope.errors += exits
                return
            if isinstance(scope, _Loop) and jump in (Jump.BREAK, Jump.CONTINUE):
                if jump is Jump.BREAK:
                    scope.breaks += exits
                else:
                    self._back(exits, scope.continues)
                return
        self.left.setdefault(jump, []).extend(exits)

    def _back(self, exits: _Exits, target: str) -> None:
        for source, text in dict.fromkeys(exits):
            self.graph.edges.append(Edge(source, target, text))

    # Statements

    def block(self, body: list[ast.stmt], exits: _Exits, depth: int) -> _Exits:
        """Add statements, and return the ends that go on behind them."""
        for i, statement in enumerate(body):
            if not exits:
                self.graph.unreachable.append(statement.lineno)
                return []
            is_full = len(self.graph.nodes) >= self._max_nodes - 3
            if is_full and len(body) - i > 1:
                rest = body[i:]
                return self._collapsed(f"… {len(rest)} more statements", rest, exits)
            if is_full or (self._depth is not None and depth >= self._depth):
                exits = self._shallow(statement, exits)
            else:
                exits = self._statement(statement, exits, depth)
        return exits

    def _shallow(self, statement: ast.stmt, exits: _Exits) -> _Exits:
        if not has_body(statement):
            return self._statement(statement, exits, 0)
        head = shortened(self._text.head(statement), 32)
        n_lines = (statement.end_lineno or statement.lineno) - statement.lineno
        return self._collapsed(f"{head}: … {n_lines} lines", [statement], exits)

    def _collapsed(self, line: str, statements: list[ast.stmt], exits: _Exits) -> _Exits:
        """Add statements as one line, with the jumps that leave them."""
        inner = _Builder(self._text, None, sys.maxsize)
        falls_through = inner.block(statements, [("", "")], 0)
        span = statements[0].lineno, statements[-1].end_lineno or statements[-1].lineno
        node = self._line(line, statements[0], exits, span)
        self.graph.n_collapsed += sum(map(has_body, statements)) or len(statements)
        for jump in inner.left:
            self._jump(jump, [(node.id, jump.value)])
        if not falls_through:
            return []
        return [(node.id, "else" if inner.left else "")]

    def _statement(self, statement: ast.stmt, exits: _Exits, depth: int) -> _Exits:
        if isinstance(statement, ast.If):
            return self._if(statement, exits, depth)
        if isinstance(statement, (ast.While, ast.For, ast.AsyncFor)):
            return self._loop(statement, exits, depth)
        if isinstance(statement, (ast.With, ast.AsyncWith)):
            return self._with(statement, exits, depth)
        if isinstance(statement, ast.Match):
            return self._match(statement, exits, depth)
        if isinstance(statement, ast.Try):
            return self._try(statement, exits, depth, star="")
        if sys.version_info >= (3, 11) and isinstance(statement, ast.TryStar):
            return self._try(statement, exits, depth, star="*")
        node = self._line(self._text.head(statement), statement, exits, _span(statement))
        if isinstance(statement, ast.Return):
            self._jump(Jump.RETURN, [(node.id, "")])
        elif isinstance(statement, ast.Raise):
            self._jump(Jump.ERROR, [(node.id, "")])
        elif isinstance(statement, ast.Break):
            self._jump(Jump.BREAK, [(node.id, "")])
        elif isinstance(statement, ast.Continue):
            self._jump(Jump.CONTINUE, [(node.id, "")])
        else:
            return [(node.id, "")]
        return []

    def _if(self, statement: ast.If, exits: _Exits, depth: int) -> _Exits:
        after: _Exits = []
        while True:
            text = f"{self._text.of(statement.test)}?"
            node = self._add(NodeKind.DECISION, text, statement, exits)
            after += self.block(statement.body, [(node.id, "yes")], depth + 1)
            exits, orelse = [(node.id, "no")], statement.orelse
            # A chain of elif is as deep as it is long: followed here, not by recursion.
            has_room = len(self.graph.nodes) < self._max_nodes - 3
            if has_room and len(orelse) == 1 and isinstance(orelse[0], ast.If):
                statement = orelse[0]
                continue
            return after + self.block(orelse, exits, depth + 1)

    def _loop(
        self, statement: ast.While | ast.For | ast.AsyncFor, exits: _Exits, depth: int
    ) -> _Exits:
        is_while = isinstance(statement, ast.While)
        text = self._text.head(statement)
        node = self._add(NodeKind.DECISION if is_while else NodeKind.LOOP, text, statement, exits)
        loop = _Loop(node.id)
        self._scopes.append(loop)
        inside = self.block(statement.body, [(node.id, "yes" if is_while else "each")], depth + 1)
        self._scopes.pop()
        self._back(inside, node.id)
        ends = isinstance(statement, ast.While) and is_true(statement.test)
        done: _Exits = [] if ends else [(node.id, "no" if is_while else "done")]
        if statement.orelse:
            done = self.block(statement.orelse, done, depth + 1)
        return done + loop.breaks

    def _with(self, statement: ast.With | ast.AsyncWith, exits: _Exits, depth: int) -> _Exits:
        node = self._line(self._text.head(statement), statement, exits, _head_span(statement))
        inside = self.block(statement.body, [(node.id, "")], depth + 1)
        # A context manager may end an error; that is drawn where it is known, or where the code
        # behind could not be reached otherwise.
        if not inside or any(ends_errors(item.context_expr) for item in statement.items):
            inside = [*inside, (node.id, "error ended")]
        return inside

    def _match(self, statement: ast.Match, exits: _Exits, depth: int) -> _Exits:
        node = self._add(NodeKind.DECISION, self._text.head(statement), statement, exits)
        after: _Exits = []
        for case in statement.cases:
            is_rest = is_wildcard(case.pattern) and case.guard is None
            guard = f" if {self._text.of(case.guard)}" if case.guard is not None else ""
            text = "else" if is_rest else f"{self._text.of(case.pattern)}{guard}"
            node.spans.append((case.pattern.lineno, case.pattern.end_lineno))
            after += self.block(case.body, [(node.id, text)], depth + 1)
            if is_rest:
                return after
        return [*after, (node.id, "no case")]

    def _try(self, statement: ast.Try, exits: _Exits, depth: int, star: str) -> _Exits:
        if not statement.finalbody:
            return self._handled(statement, exits, depth, star)
        scope = _Finally()
        self._scopes.append(scope)
        group = self._enter("try … finally")
        exits = self._handled(statement, exits, depth, star)
        self._leave()
        self._scopes.pop()
        scope.waiting.setdefault(Jump.ERROR, []).append((group.id, "error"))
        entries = exits + [
            (source, text or jump.value)
            for jump, waiting in scope.waiting.items()
            for source, text in waiting
        ]
        self._enter("finally")
        after = self.block(statement.finalbody, entries, depth + 1)
        self._leave()
        for jump in scope.waiting:
            self._jump(jump, [(source, _both(text, jump.value)) for source, text in after])
        return after if exits else []

    def _handled(self, statement: ast.Try, exits: _Exits, depth: int, star: str) -> _Exits:
        """Add the body of a ``try`` with its handlers and its ``else``."""
        if not statement.handlers:
            return self.block(statement.body, exits, depth + 1)
        scope = _Handlers()
        self._scopes.append(scope)
        group = self._enter("try")
        exits = self.block(statement.body, exits, depth + 1)
        self._leave()
        self._scopes.pop()
        if statement.orelse:
            exits = self.block(statement.orelse, exits, depth + 1)
        errors: _Exits = [*scope.errors, (group.id, "error")]
        for handler in statement.handlers:
            kind = f" {self._text.of(handler.type)}" if handler.type else ""
            name = f" as {handler.name}" if handler.name else ""
            takes_all = not handler.type or kind == " BaseException"
            node = self._node(
                NodeKind.BLOCK if takes_all else NodeKind.DECISION,
                f"except{star}{kind}{name}",
                handler,
            )
            self._connect(errors, node, is_error=True)
            done = self.block(handler.body, [(node.id, "" if takes_all else "yes")], depth + 1)
            exits = exits + done
            # Each handler of except* can take its part of a group of errors.
            errors = [] if takes_all else [(node.id, "no"), *(done if star else [])]
        if errors:
            self._jump(Jump.ERROR, [(errors[0][0], "other error"), *errors[1:]])
        return exits

    def _enter(self, title: str) -> Group:
        self._group = Group(f"g{len(self.graph.groups)}", title, self._group)
        self.graph.groups.append(self._group)
        return self._group

    def _leave(self) -> None:
        assert self._group is not None
        self._group = self._group.parent


def _both(text: str, jump: str) -> str:
    return f"{text}, {jump}" if text else jump


def _span(statement: ast.stmt) -> tuple[int, int]:
    return statement.lineno, statement.end_lineno or statement.lineno


def _head_span(statement: ast.AST) -> tuple[int, int]:
    """Return the lines of a statement up to what stands inside of it."""
    first = int(getattr(statement, "lineno", 0))
    last = int(getattr(statement, "end_lineno", None) or first)
    if isinstance(statement, ast.Match):
        return first, statement.subject.end_lineno or first
    body = getattr(statement, "body", None)
    if body:
        last = max(first, body[0].lineno - 1)
    return first, last
