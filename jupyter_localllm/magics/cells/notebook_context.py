"""What ``--context`` adds to a question, and which cell is the one above.

Known for certain is what ran in this session: its code, by the numbers in brackets, its values
and its errors. Where the notebook's file and the ids of its cells are known too, there is more:
Markdown, cells that have not run, and their order; as it was saved, but with the code that ran
last. Called by ``composer.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from IPython.core.error import UsageError

from ...chat_protocol import ContextItem
from ..values.value_text import shortened_text, text_of, tokens_of
from .cell_runs import CellRun, CellRuns, is_code, is_question_text
from .notebook_file import NotebookCell, notebook_path, read_cells

#: Of one output among many.
_OUTPUT_TOKENS = 120


@dataclass(frozen=True)
class Added:
    """What goes in beside the question, and what its person should be told about it."""

    items: tuple[ContextItem, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Part:
    """One cell as text."""

    name: str
    text: str


class NotebookContext:
    """The cells around a question.

    Parameters
    ----------
    runs : CellRuns
        What ran in this session.
    variables : mapping
        The user's, with ``Out``.
    """

    def __init__(self, runs: CellRuns, variables: Mapping[str, object]) -> None:
        self._runs = runs
        self._variables = variables

    def added(self, choice: str, budget_tokens: int) -> Added:
        """Return what ``--context`` asks for.

        Parameters
        ----------
        choice : str
            ``none``, ``above``, ``notebook`` or ``cells 2-5,8``.
        budget_tokens : int
            The most of it; what is nearest to the question stays.

        Raises
        ------
        UsageError
            None of the numbered cells is known.
        """
        kind, _, numbers = choice.partition(" ")
        if kind == "none":
            return Added()
        notes: list[str] = []
        if kind == "cells":
            parts = self._numbered(numbers, notes)
        else:
            parts = self._from_file(kind, notes) or self._from_session(kind, notes)
        if not parts:
            return Added(notes=(*notes, "There is no other cell that could be sent along."))
        label = "cells above" if kind == "above" else choice
        return _bounded(label, parts, budget_tokens, notes)

    def cell_above(self) -> CellRun | None:
        """Return the cell above the one that runs now, as it ran last.

        Where the order in the notebook is not known, it is the cell that ran before.
        """
        cells = self._saved_cells()
        place = self._place_of_question(cells)
        for cell in reversed(cells[:place] if place is not None else []):
            ran = self._runs.newest_of(cell.cell_id)
            run = ran or CellRun(cell.number, cell.source, cell.cell_id)
            if cell.kind == "code" and is_code(run):
                return run
        return self._runs.last_code()

    # --- the session ------------------------------------------------------------------------

    def _numbered(self, numbers: str, notes: list[str]) -> list[_Part]:
        last_run = max((run.number for run in self._runs.finished()), default=0)
        wanted: set[int] = set()
        for first, last in _ranges(numbers):
            # A range may end anywhere behind the last cell, as one of a list may.
            end = max(first, min(last, last_run))
            wanted |= set(range(first, end + 1))
        found = {n: source for n in sorted(wanted) if (source := self.source_of(n))}
        if not found:
            raise UsageError(
                f"None of the cells {numbers} ran in this session. The numbers are those in "
                "brackets, as in In[2]; run the cells first."
            )
        missing = sorted(wanted - set(found))
        if missing:
            listed = ", ".join(f"In[{n}]" for n in missing[:8])
            notes.append(f"Not sent, because they did not run in this session: {listed}.")
        return [self._part(n, source, self._runs.reason_of(n)) for n, source in found.items()]

    def _from_session(self, kind: str, notes: list[str]) -> list[_Part]:
        if kind == "notebook":
            notes.append(
                "The notebook's file is not known here, so the cells that ran in this session "
                "are sent."
            )
        newest: dict[str, CellRun] = {}
        for run in self._runs.finished():
            if is_code(run):
                key = run.cell_id or f"number {run.number}"
                newest.pop(key, None)
                newest[key] = run
        return [self._part(run.number, run.source, run.reason) for run in newest.values()]

    @cached_property
    def _number_now(self) -> int:
        """The question's, looked up once: all names of the session are read for it."""
        return self._runs.number_now

    def source_of(self, number: int) -> str:
        """Return what ran as ``In[number]``; "" where nothing is known, and of the question."""
        if number == self._number_now:
            # The question itself.
            return ""
        # By number: the list of inputs has gaps.
        source = self._variables.get(f"_i{number}")
        return source if isinstance(source, str) else ""

    def _part(self, number: int, source: str, reason: str) -> _Part:
        name = f"In[{number}]" if number else "A cell"
        text = f"{name}:\n{source.rstrip()}"
        values = self._variables.get("Out")
        if reason:
            text += f"\nError:\n{reason}"
        elif isinstance(values, dict) and number in values:
            text += f"\nOut[{number}]:\n{text_of(values[number], _OUTPUT_TOKENS).text}"
        return _Part(name, text)

    # --- the file ---------------------------------------------------------------------------

    def _from_file(self, kind: str, notes: list[str]) -> list[_Part]:
        cells = self._saved_cells()
        place = self._place_of_question(cells)
        if not cells or (kind == "above" and place is None):
            return []
        notes.append("Cells that did not run in this session are sent as they were last saved.")
        around = list(enumerate(cells))
        chosen = around[:place] if kind == "above" else around
        return [
            self._saved_part(cell)
            for position, cell in chosen
            if position != place and cell.source.strip() and not _is_question(cell)
        ]

    def _saved_part(self, cell: NotebookCell) -> _Part:
        ran = self._runs.newest_of(cell.cell_id) if cell.cell_id else None
        if ran is not None:
            return self._part(ran.number, ran.source, ran.reason)
        if cell.kind != "code":
            return _Part("text", f"Text:\n{cell.source.rstrip()}")
        text = f"A cell that did not run in this session:\n{cell.source.rstrip()}"
        if cell.output:
            text += f"\nIts saved output:\n{shortened_text(cell.output, _OUTPUT_TOKENS).text}"
        return _Part("a cell", text)

    def _saved_cells(self) -> list[NotebookCell]:
        path = notebook_path(self._variables)
        return (read_cells(path) if path is not None else None) or []

    def _place_of_question(self, cells: list[NotebookCell]) -> int | None:
        now = self._runs.now
        if now is None or not now.cell_id:
            return None
        return next((i for i, cell in enumerate(cells) if cell.cell_id == now.cell_id), None)


def _is_question(cell: NotebookCell) -> bool:
    return cell.kind == "code" and is_question_text(cell.source)


def _ranges(numbers: str) -> Iterable[tuple[int, int]]:
    for part in numbers.split(","):
        first, _, last = part.partition("-")
        low, high = int(first), int(last or first)
        if high < low:
            raise UsageError(f"The cells {part} are no range. Write the smaller number first.")
        yield low, high


def _bounded(label: str, parts: list[_Part], budget_tokens: int, notes: list[str]) -> Added:
    """Keep what is nearest to the question, and say what was left out."""
    kept: list[str] = []
    left = budget_tokens
    for part in reversed(parts):
        n_tokens = tokens_of(part.text)
        if n_tokens > left:
            break
        left -= n_tokens
        kept.append(part.text)
    is_truncated = len(kept) < len(parts)
    if not kept:
        kept = [shortened_text(parts[-1].text, budget_tokens).text]
        notes.append(f"Of {parts[-1].name}, only the beginning and the end are sent.")
    n_left_out = len(parts) - len(kept)
    if n_left_out:
        cells = "cell is" if n_left_out == 1 else "cells are"
        notes.append(
            f"The first {n_left_out} {cells} left out, beyond {budget_tokens:,} tokens. "
            "%config LocalLLM.context_tokens sets how many go in."
        )
    text = "\n\n".join(reversed(kept))
    item = ContextItem(
        kind="notebook",
        label=label,
        text=text,
        language="python",
        is_truncated=is_truncated,
    )
    return Added((item,), tuple(notes))
