"""Which cells ran in this session, which of them failed, and what the person really typed.

Listens to the shell's events. By it, ``Err`` is filled, an error is known to be cured by a later
good run of the same cell, and ``-x`` is told from one that nobody typed. Cells are the same by the
id that the front end gives, and where it gives none (terminals) by their text.

Imported by ``%load_ext``; ``composer.py`` and ``magics.py`` ask it.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .diagrams.errors import BrokenDiagram

_MAX_RUNS = 500
_MAX_ERRORS = 100
#: How alike two texts are that count as one cell where there are no ids.
_SAME_TEXT = 0.6
_MAX_COMPARED = 5_000


@dataclass
class CellRun:
    """One run of a cell.

    Attributes
    ----------
    number : int
        As in ``In[3]``; 0 while it runs, and where it has none.
    cell_id : str
        The front end's; empty where it gives none.
    error : str
        Plain text; empty where the run was good.
    is_question : bool
        The cell asked a model, so that it is never what a question is about.
    broken_diagram : BrokenDiagram or None
        The last diagram of its output that could not be drawn.
    """

    number: int
    source: str
    cell_id: str = ""
    error: str = ""
    is_interrupted: bool = False
    is_question: bool = False
    broken_diagram: BrokenDiagram | None = None

    def is_same_cell(self, other: CellRun) -> bool:
        """Whether both are runs of one cell, as far as that can be known."""
        if self.cell_id or other.cell_id:
            return self.cell_id == other.cell_id
        mine, theirs = self.source.strip(), other.source.strip()
        if mine == theirs:
            return True
        if max(len(mine), len(theirs)) > _MAX_COMPARED:
            return False
        import difflib

        return difflib.SequenceMatcher(None, mine, theirs).ratio() >= _SAME_TEXT


class CellRuns:
    """The runs of one shell, oldest first, and ``Err``.

    Attributes
    ----------
    errors : dict of int to str
        ``Err``: the error of each cell that failed, by its number.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._open: list[tuple[Any, CellRun]] = []
        self._runs: deque[CellRun] = deque(maxlen=_MAX_RUNS)
        self._deleted: set[str] = set()
        self._is_execution_spent = False
        existing = shell.user_ns.get("Err")
        # Loaded again in one session: the errors so far are still the person's.
        is_ours = isinstance(existing, dict) and all(
            isinstance(key, int) and isinstance(text, str) for key, text in existing.items()
        )
        self.errors: dict[int, str] = existing if is_ours else {}

    def listen(self) -> None:
        """Begin to note runs; a cell that runs already is not among them."""
        self._shell.events.register("pre_run_cell", self._begin)
        self._shell.events.register("post_run_cell", self._end)
        self._publish()

    def close(self) -> None:
        """Stop noting runs."""
        for event, callback in (("pre_run_cell", self._begin), ("post_run_cell", self._end)):
            if callback in self._shell.events.callbacks.get(event, []):
                self._shell.events.unregister(event, callback)

    # --- what is known ----------------------------------------------------------------------

    @property
    def now(self) -> CellRun | None:
        """The cell that the person runs now, whatever it runs in turn."""
        return self._open[0][1] if self._open else None

    def mark_question(self) -> None:
        """Note that the cell that runs now asks a model."""
        if self.now is not None:
            self.now.is_question = True

    def mark_diagram(self, broken: BrokenDiagram | None) -> None:
        """Note a diagram of the cell that runs now that could not be drawn; ``None``: all were."""
        if self.now is not None:
            self.now.broken_diagram = broken

    def finished(self) -> list[CellRun]:
        """Return the runs that have ended, oldest first."""
        return list(self._runs)

    def last_code(self) -> CellRun | None:
        """Return the newest run that asked no model and is no other magic's line."""
        return next((run for run in reversed(self._runs) if is_code(run)), None)

    def newest_of(self, cell_id: str) -> CellRun | None:
        """Return the newest run of the cell with this id."""
        return next((run for run in reversed(self._runs) if run.cell_id == cell_id), None)

    def by_number(self, number: int) -> CellRun | None:
        """Return the run with this number."""
        return next((run for run in reversed(self._runs) if run.number == number), None)

    def current_error(self) -> CellRun | None:
        """Return the newest run whose error is still there.

        One that a later good run of the same cell has cured is not; neither is that of a cell
        that was deleted, of a question to a model, or an interrupt.
        """
        return self._newest_fault(lambda run: bool(run.error) and not run.is_question)

    def current_fault(self) -> CellRun | None:
        """Return the same, or a newer run with a diagram that could not be drawn."""
        return self._newest_fault(
            lambda run: bool(run.broken_diagram or (run.error and not run.is_question))
        )

    def _newest_fault(self, is_faulty: Callable[[CellRun], bool]) -> CellRun | None:
        runs = list(self._runs)
        for position in range(len(runs) - 1, -1, -1):
            run = runs[position]
            if not is_faulty(run) or run.is_interrupted or run.cell_id in self._deleted:
                continue
            later = runs[position + 1 :]
            if not any(not other.error and run.is_same_cell(other) for other in later):
                return run
        return None

    def has_failed(self) -> bool:
        """Whether any cell has failed that asked no model."""
        return any(run.error and not run.is_question for run in self._runs)

    # --- consent ----------------------------------------------------------------------------

    def take_execution(self, line: str, magic: str = "llm") -> bool:
        """Tell whether ``-x`` of this line was typed, in the first lines of the cell of a person.

        True once for each run of a cell: code that the model wrote cannot ask for more. Words
        that a magic's alias, a program or a setting adds are not in the cell's text.
        """
        if self.now is None or self._is_execution_spent:
            return False
        for typed in self.now.source.lstrip().splitlines():
            match = re.match(r"%%(?P<name>\w+)(?P<rest>.*)", typed)
            if match is None:
                return False
            if match["name"] == magic and match["rest"].split() == line.split():
                self._is_execution_spent = True
                return True
        return False

    # --- events -----------------------------------------------------------------------------

    def _begin(self, info: Any) -> None:
        if info.store_history:
            # Only a person's cells have a place in the history: what was left open has ended.
            self._open.clear()
        if not self._open:
            self._is_execution_spent = False
            self._note_deleted()
        self._open.append((info, self._run_of(info)))

    def _end(self, result: Any) -> None:
        # An interrupted kernel may have no result to tell of.
        info: Any = getattr(result, "info", None)
        places = [place for place, (each, _) in enumerate(self._open) if each is info]
        if not places:
            return
        run = self._open[places[-1]][1]
        del self._open[places[-1] :]
        if self._open:
            # It was run by another cell, and is no cell of its own.
            return
        run.number = (result.execution_count or 0) if info.store_history else 0
        error = result.error_before_exec or result.error_in_exec
        run.is_interrupted = isinstance(error, KeyboardInterrupt)
        if error is not None:
            from .errors_of_cells import error_text

            run.error = error_text(error, self._cell_name)
            if run.number:
                self._keep(run.number, run.error)
        self._runs.append(run)
        self._publish()

    def _run_of(self, info: Any) -> CellRun:
        cell_id = getattr(info, "cell_id", None) or self._metadata().get("cellId")
        return CellRun(0, info.raw_cell, cell_id if isinstance(cell_id, str) else "")

    def _keep(self, number: int, error: str) -> None:
        self.errors.pop(number, None)
        self.errors[number] = error
        while len(self.errors) > _MAX_ERRORS:
            del self.errors[next(iter(self.errors))]

    def _publish(self) -> None:
        """Put ``Err`` where people look for it, unless they use the name themselves."""
        if self._shell.user_ns.get("Err", self.errors) is self.errors:
            # IPython leaves it untyped.
            push: Callable[..., object] = self._shell.push
            push({"Err": self.errors}, interactive=False)

    def _metadata(self) -> dict[str, Any]:
        """Return what the front end says about the cell that runs now."""
        get_parent = getattr(self._shell, "get_parent", None)
        parent = get_parent() if get_parent is not None else None
        metadata = parent.get("metadata") if isinstance(parent, dict) else None
        return metadata if isinstance(metadata, dict) else {}

    def _note_deleted(self) -> None:
        deleted = self._metadata().get("deletedCells")
        if isinstance(deleted, list):
            self._deleted = {each for each in deleted if isinstance(each, str)}

    def _cell_name(self, filename: str) -> str | None:
        named = self._shell.compile.format_code_name(filename)
        return None if named is None else str(named[1])


_MAGIC_LINE = re.compile(r"\s*(?:%%?|!)\w")


def is_code(run: CellRun) -> bool:
    """Whether a run is something that a question can be about."""
    if run.is_question or not run.source.strip():
        return False
    lines = [line for line in run.source.splitlines() if line.strip()]
    if lines[0].startswith("%%llm"):
        return False
    return not all(_MAGIC_LINE.match(line) for line in lines)
