"""Diagrams of control flow against the steps that really run."""

from __future__ import annotations

import inspect
import re
import textwrap
from contextlib import nullcontext, suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from jupyter_localllm.assistant.diagrams.sources.from_code import diagram_of_code

from .mermaid_pictures import parsed
from .traced_flow import Flowchart, Run, Stopped, walked

# -- Control flow: each step that runs is an edge, each edge is a step that runs --------------

#: Functions, and arguments that together take every way through them.
WAYS: list[tuple[str, list[tuple[Any, ...]]]] = [
    (
        """
        def straight(a):
            '''Text about it.'''
            b = a + 1
            c = b * 2
            return c
        """,
        [(1,)],
    ),
    (
        """
        def choose(a):
            if a > 2:
                b = 1
            elif a > 1:
                b = 2
            elif a > 0:
                return 5
            else:
                b = 3
            if b == 1:
                b = 9
            return b
        """,
        [(3,), (2,), (1,), (0,)],
    ),
    (
        """
        def search(items, wanted):
            n = 0
            for item in items:
                if item is None:
                    continue
                n += 1
                if item == wanted:
                    found = item
                    break
            else:
                found = -1
            return found, n
        """,
        [([1, 2], 2), ([None, 1], 5), ([], 1)],
    ),
    (
        """
        def count(n):
            while n > 0:
                n -= 1
                if n == 7:
                    break
            else:
                n = -1
            while True:
                n += 1
                if n > 10:
                    return n
        """,
        [(3,), (9,)],
    ),
    (
        """
        def guarded(a):
            try:
                b = 10 // a
                c = [1, 2, 3][b]
            except ZeroDivisionError:
                c = 0
            except (TypeError, KeyError) as error:
                c = a.real, error
            else:
                c = 2
            finally:
                d = 1
            return c, d
        """,
        [(0,), ("x",), (5,), (5.0,), (1,)],
    ),
    (
        """
        def leaves(a):
            for i in range(3):
                try:
                    if a == i:
                        return i
                    if a == i + 10:
                        break
                    if a == i + 20:
                        continue
                    if a == 30:
                        raise ValueError
                finally:
                    b = i
                c = b
            return a
        """,
        [(0,), (10,), (20,), (30,), (40,)],
    ),
    (
        """
        def nested(a):
            try:
                try:
                    x = {1: 2}[a]
                except KeyError:
                    raise RuntimeError(a)
                y = x
            except RuntimeError:
                y = 0
            except:
                y = 5
            return y
        """,
        [(1,), (3,), ([],)],
    ),
    (
        """
        def kinds(a):
            match a:
                case 0 | 1:
                    b = "small"
                case [x, *_] if x > 3:
                    b = x
                case {"k": v}:
                    return v
                case _:
                    b = None
            match b:
                case "small":
                    c = 1
                case int():
                    c = 2
            return b
        """,
        [(1,), ([4],), ({"k": 2},), ("?",)],
    ),
    (
        """
        def managed(a):
            with suppress(ValueError):
                b = 1
                if a == 1:
                    raise ValueError
                if a == 2:
                    return 3
                b = 2
            return b
        """,
        [(1,), (2,), (3,)],
    ),
    (
        """
        def swallowed(a):
            with suppress(ValueError):
                return int(a)
            return 0
        """,
        [("1",), ("x",)],
    ),
    (
        """
        def yields(n):
            for i in range(n):
                yield i
                if i == 2:
                    return
            yield from [i for i in range(2) if i]
        """,
        [(4,), (1,)],
    ),
]

#: Nothing but the rest of an error that nobody takes: not driven by the calls above.
_UNDRIVEN = re.compile(r"other error|error")


@pytest.mark.parametrize(("code", "calls"), WAYS, ids=lambda value: _name_of(value))
def test_edges_are_the_steps_that_run(code: str, calls: list[tuple[Any, ...]]) -> None:
    code = textwrap.dedent(code)
    chart = Flowchart(code)
    taken: set[tuple[str, str]] = set()
    for arguments in calls:
        run = Run(
            code,
            lambda function, a=arguments: _exhausted(function(*a)),
            {
                "suppress": suppress,
            },
        )
        taken |= walked(chart, run)
    never = chart.edges - taken
    to_error = {(a, b) for a, b in never if b == chart.error}
    assert never <= to_error, f"{never - to_error} never taken\n{chart.source}"


def _name_of(value: object) -> str:
    found = re.search(r"def (\w+)", value) if isinstance(value, str) else None
    return found[1] if found else "calls"


def _exhausted(value: Any) -> Any:
    return list(value) if inspect.isgenerator(value) else value


class Oracle:
    """Answers of the world to a random program: conditions, errors, values."""

    def __init__(self, answers: list[int]) -> None:
        self._answers = iter(answers)

    def ask(self) -> int:
        answer = next(self._answers, None)
        if answer is None:
            raise Stopped
        return answer

    def is_so(self) -> bool:
        return self.ask() % 2 == 0

    def act(self) -> None:
        answer = self.ask()
        if answer in (5, 6, 7):
            raise {5: ValueError, 6: KeyError, 7: OSError}[answer]

    def items(self) -> list[int]:
        return list(range(self.ask() % 3))


@st.composite
def programs(draw: st.DrawFn) -> str:
    """Functions of all kinds of statements, one to a line."""
    lines = ["def program():"]
    n_lines = 0

    def write(indent: int, line: str) -> None:
        lines.append("    " * indent + line)

    def body(indent: int, depth: int, in_loop: bool, in_finally: bool = False) -> None:
        nonlocal n_lines
        for _ in range(draw(st.integers(1, 3))):
            n_lines += 1
            simple = ["act", "act", "done = 1"]
            jumps = ["return", "raise"] + (["break", "continue"] if in_loop else [])
            compound = ["if", "if", "while", "for", "try", "finally", "with", "match", "forever"]
            can_nest = depth < 4 and n_lines < 25
            kind = draw(st.sampled_from(simple + jumps + (compound if can_nest else [])))
            if kind in jumps and in_finally:
                # It would drop the error that is on its way, which is not drawn.
                kind = "act"
            statement(kind, indent, depth, in_loop, in_finally)
            if kind in jumps:
                return

    def statement(kind: str, indent: int, depth: int, in_loop: bool, in_finally: bool) -> None:
        def inside(loop: bool = in_loop, final: bool = in_finally, extra: int = 1) -> None:
            body(indent + extra, depth + 1, loop, final)

        if kind == "act":
            write(indent, "act()")
        elif kind == "raise":
            write(indent, f"raise {draw(st.sampled_from(['ValueError', 'KeyError']))}")
        elif kind in ("done = 1", "return", "break", "continue"):
            write(indent, kind)
        elif kind == "if":
            write(indent, "if is_so():")
            inside()
            for _ in range(draw(st.integers(0, 2))):
                write(indent, "elif is_so():")
                inside()
            if draw(st.booleans()):
                write(indent, "else:")
                inside()
        elif kind in ("while", "for", "forever"):
            heads = {"while": "while is_so():", "for": "for _ in items():", "forever": "while 1:"}
            write(indent, heads[kind])
            if kind == "forever":
                # Each round asks, so that it ends when there are no more answers.
                write(indent + 1, "act()")
            inside(loop=True, final=False)
            if kind != "forever" and draw(st.booleans()):
                write(indent, "else:")
                inside()
        elif kind == "with":
            write(indent, f"with {draw(st.sampled_from(['suppress(KeyError)', 'nothing()']))}:")
            inside()
        elif kind == "match":
            write(indent, "match ask():")
            for pattern in ["0", "1 | 2", "int(x) if is_so()"][: draw(st.integers(1, 3))]:
                write(indent + 1, f"case {pattern}:")
                inside(extra=2)
            if draw(st.booleans()):
                write(indent + 1, "case _:")
                inside(extra=2)
        else:
            write(indent, "try:")
            inside()
            if kind == "try":
                for name in ["ValueError", "(KeyError, TypeError)"][: draw(st.integers(1, 2))]:
                    write(indent, f"except {name}:")
                    inside()
                if draw(st.booleans()):
                    write(indent, "except:")
                    # Stopped passes through it as any other error does.
                    inside()
                if draw(st.booleans()):
                    write(indent, "else:")
                    inside()
            if kind == "finally" or draw(st.booleans()):
                write(indent, "finally:")
                inside(final=True)

    body(1, 0, in_loop=False)
    return "\n".join(lines) + "\n"


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(code=programs(), answers=st.lists(st.lists(st.integers(0, 7), max_size=40), max_size=6))
@example(code="def f():\n  try:\n    act()\n  except ValueError:\n    return\n", answers=[[5]])
def test_random_programs_only_go_along_edges(code: str, answers: list[list[int]]) -> None:
    chart = Flowchart(code)
    for given_answers in answers:
        oracle = Oracle(given_answers)
        names = {name: getattr(oracle, name) for name in ("ask", "is_so", "act", "items")}
        run = Run(
            code,
            lambda function: function(),
            names
            | {
                "suppress": suppress,
                "nothing": nullcontext,
            },
        )
        walked(chart, run)


@settings(max_examples=100, deadline=None)
@given(code=programs())
def test_random_programs_can_be_drawn(code: str) -> None:
    parsed(diagram_of_code(code, what="flow").source)
