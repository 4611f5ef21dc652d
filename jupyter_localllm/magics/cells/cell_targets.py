"""What an action is about: a cell, an output, an error or something by its name.

Asked for the body of ``%%llm explain`` and for the targets of ``%llm explain`` and its like.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from IPython.core.error import UsageError

from ...chat_protocol import ContextItem, ContextKind
from ..lines.parsers import nearest, shortened
from ..values.interpolation import is_missing, is_reference, value_of
from ..values.value_text import shortened_text, text_of
from .cell_runs import CellRun, CellRuns, is_code
from .notebook_context import NotebookContext

_NUMBERED = re.compile(r"(?P<kind>In|Out|Err)\[(?P<number>-?\d+)\]|(?P<bare>\d+)")
#: Of code and errors, which are what it is all about.
_CODE_TOKENS = 6_000


@dataclass(frozen=True)
class Subject:
    """What is attached to the question.

    Attributes
    ----------
    code : str or None
        The code it is about, if it is code.
    about : str
        What it is, in one line, where nobody named it; empty where somebody did.
    """

    items: tuple[ContextItem, ...]
    code: str | None = None
    about: str = ""


class CellTargets:
    """Finds what a person points at.

    Parameters
    ----------
    runs, variables : CellRuns, mapping
        Of the session.
    around : NotebookContext
        Knows which cell is above.
    value_tokens : int
        The most of a value, in tokens.
    """

    def __init__(
        self,
        runs: CellRuns,
        variables: Mapping[str, object],
        around: NotebookContext,
        value_tokens: int,
    ) -> None:
        self._runs = runs
        self.variables = variables
        self._around = around
        self._value_tokens = value_tokens

    def of_body(self, body: str) -> Subject:
        """Return the code in the lines below ``%%llm``, with its error if it just failed."""
        for run in reversed(self._runs.finished()):
            if run.code.strip() == body.strip() and (run.has_fault or is_code(run)):
                return _subject("Code", body, run.error if run.has_fault else "")
        return _subject("Code", body, "")

    def above(self) -> Subject:
        """Return the cell above.

        Raises
        ------
        UsageError
            None is known.
        """
        run = self._around.cell_above()
        if run is None:
            raise UsageError(
                "No cell with code ran before this one in this session. Run it first, or write "
                "the code into the lines below %%llm."
            )
        return _subject_of_run(run)

    def current_error(self) -> Subject | None:
        """Return the cell with the last error that is still there."""
        run = self._runs.current_error()
        return None if run is None else _subject_of_run(run)

    def no_error(self) -> UsageError:
        """Return the refusal to fix what is not broken."""
        if self._runs.has_failed():
            return UsageError(
                "No error is left: each cell that failed ran well later. "
                "Name a cell to ask about it all the same, as in %llm fix In[3]."
            )
        return UsageError(
            "No cell has failed in this session. Run the cell with the error first, or name one, "
            "as in %llm fix In[3]."
        )

    def named(self, target: str) -> Subject:
        """Return what ``In[3]``, ``Out[3]``, ``Err[3]``, a bare number or a name stands for.

        Raises
        ------
        UsageError
            Nothing; what there is is said.
        """
        match = _NUMBERED.fullmatch(target)
        if match is None:
            return self._by_name(target)
        number = int(match["number"] or match["bare"])
        kind = match["kind"] or "In"
        if number and number == self._runs.number_now:
            raise UsageError(
                f"{kind}[{number}] is of the cell that runs now, which cannot be what it asks "
                f"about. {self._numbers()}"
            )
        if kind == "Out":
            return self._output(number)
        source = self._around.source_of(number)
        if not source:
            raise UsageError(f"No cell ran as In[{number}] in this session. {self._numbers()}")
        error = self._runs.error_of(number)
        if kind == "Err" and not error:
            raise UsageError(f"In[{number}] did not fail. {self._failed()}")
        run = self._runs.by_number(number)
        return _subject(f"In[{number}]", (run.generated if run else "") or source, error)

    def failed(self, target: str) -> Subject:
        """Return the same for what must have failed, if it is a cell.

        Raises
        ------
        UsageError
            It ran well.
        """
        number = cell_number(target)
        return self.named(target if number is None else f"Err[{number}]")

    def _output(self, number: int) -> Subject:
        values = self.variables.get("Out")
        if not isinstance(values, dict) or number not in values:
            raise UsageError(
                f"There is no Out[{number}]: the cell did not run in this session, or its last "
                "line has no value."
            )
        return self._value("output", f"Out[{number}]", values[number])

    def _by_name(self, target: str) -> Subject:
        if not is_reference(target):
            raise UsageError(
                f"`{shortened(target)}` is not one thing that can be named: a cell such as In[3], "
                "an output Out[3], an error Err[3], or a name such as total or df.shape. Put "
                "anything else into a variable first."
            )
        value = value_of(target, self.variables)
        if is_missing(value):
            known = [name for name in self.variables if not name.startswith("_")]
            raise UsageError(
                f"`{shortened(target)}` is neither a cell such as In[3] nor the name of anything "
                f"here{nearest(target, known)} To ask in words, write %%llm in the first line of a "
                "cell."
            )
        source = None if inspect.ismodule(value) else self.source_of(value)
        if source is not None:
            return _subject(target, source, "")
        return self._value("variable", target, value)

    def _value(self, kind: ContextKind, label: str, value: object) -> Subject:
        text = text_of(value, self._value_tokens)
        item = ContextItem(
            kind=kind,
            label=label[:300],
            text=text.text,
            is_truncated=bool(text.n_tokens_whole),
        )
        return Subject((item,))

    def source_of(self, value: object) -> str | None:
        """Return the code of a function, class or module that is written in Python."""
        if inspect.ismodule(value) or inspect.isroutine(value):
            return _kept_source(value)
        if not inspect.isclass(value):
            return None
        # Python finds a class by its module's file, which cells do not have.
        in_cell = value.__module__ == "__main__"
        return (self._class_in_cells(value.__qualname__) if in_cell else None) or (
            _kept_source(value)
        )

    def _class_in_cells(self, name: str) -> str | None:
        """Return the newest class of this name that a cell of this session has."""
        for run in reversed(self._runs.finished()):
            if f"class {name}" not in run.source:
                continue
            try:
                tree = ast.parse(run.source)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue
            for node in tree.body:
                if isinstance(node, ast.ClassDef) and node.name == name and not run.error:
                    return ast.get_source_segment(run.source, node)
        return None

    def _numbers(self) -> str:
        numbers = [run.number for run in self._runs.finished() if run.number]
        if not numbers:
            return "Run the cell first."
        return f"The last one was In[{numbers[-1]}]."

    def _failed(self) -> str:
        failed = [f"Err[{number}]" for number in list(self._runs.errors)[-5:]]
        return f"There are {', '.join(failed)}." if failed else "No cell has failed."


def cell_number(target: str) -> int | None:
    """Return the number in ``In[3]``, ``Err[3]`` or ``3``; ``None`` where it is none of these."""
    match = _NUMBERED.fullmatch(target)
    if match is None or match["kind"] == "Out":
        return None
    return int(match["number"] or match["bare"])


def _kept_source(value: Any) -> str | None:
    try:
        return inspect.getsource(value)
    except (OSError, TypeError):
        return None


def _subject_of_run(run: CellRun) -> Subject:
    name = f"In[{run.number}]" if run.number else ""
    what = name or shortened(run.code.strip())
    if run.generated:
        what += ", the code that -x ran" if name else ""
    error = run.error if run.has_fault else ""
    about = f"About {what}: {shortened(run.reason, 160)}" if error else f"About {what}."
    return replace(_subject(name or "Code", run.code, error), about=about)


def _subject(label: str, code: str, error: str) -> Subject:
    text = shortened_text(code.strip("\n"), _CODE_TOKENS)
    items = [
        ContextItem(
            kind="cell",
            label=label[:300],
            text=text.text,
            language="python",
            is_truncated=bool(text.n_tokens_whole),
        )
    ]
    if error:
        items.append(ContextItem(kind="error", label="Error", text=error))
    return Subject(tuple(items), code.strip("\n"))
