"""Which cells ran in this session, which of them failed, and what the person really typed.

Listens to the shell's events and to the errors that it shows. By it, ``Err`` is filled, an error
is known to be cured by a later good run of the same cell, and ``-x`` is told from one that nobody
typed. Cells are the same by the id that the front end gives, and where it gives none (terminals,
nbclient, papermill) by their text.

Imported by ``%load_ext``; ``composer.py`` and ``magics.py`` ask it.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .cell_edits import is_edit
from .shown_errors import ShownErrors
from .typed_cells import TypedCells

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ..diagrams.errors import BrokenDiagram

_MAX_RUNS = 500
_MAX_ERRORS = 100
#: The most of what a person put into ``Err``.
_ERROR_TOKENS = 1_500


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
    reason : str
        The line of the error that says what it is.
    is_own_error : bool
        A magic of ours refused something: about the words of its line, and no code.
    is_question : bool
        A cell magic of ours has all its lines, so that it is never what a question is about.
    generated : str
        Code that ``-x`` ran in it and that failed; ``error`` is of this code then.
    may_execute : bool
        A person ran it, and its ``-x`` has not been taken.
    shown : BaseException or None
        The last error that was shown while it runs.
    broken_diagram : BrokenDiagram or None
        The last diagram of its output that could not be drawn.
    """

    number: int
    source: str
    cell_id: str = ""
    error: str = ""
    reason: str = ""
    is_own_error: bool = False
    is_interrupted: bool = False
    is_question: bool = False
    generated: str = ""
    may_execute: bool = False
    shown: BaseException | None = None
    broken_diagram: BrokenDiagram | None = None

    @property
    def code(self) -> str:
        """What its error is about."""
        return self.generated or self.source

    @property
    def has_fault(self) -> bool:
        """Whether code failed in it, of a person or of a model; a failed question is none."""
        is_about_words = self.is_question or self.is_own_error
        return bool(self.error) and (not is_about_words or bool(self.generated))

    def is_same_cell(self, other: CellRun) -> bool:
        """Whether both are runs of one cell, as far as that can be known."""
        if self.generated and is_edit(self.generated, other.source):
            # It stood in no cell before.
            return True
        if self.cell_id or other.cell_id:
            return self.cell_id == other.cell_id
        return is_edit(self.source, other.source)


class CellRuns:
    """The runs of one shell, oldest first, and ``Err``.

    Attributes
    ----------
    errors : dict of int to str
        ``Err``: the error of each cell that failed, by its number.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        #: Of each thread: the cells that run in it now, from the outermost.
        self._threads = threading.local()
        self._typed = TypedCells(shell)
        self._shown_errors = ShownErrors(shell, self._hear)
        self._runs: deque[CellRun] = deque(maxlen=_MAX_RUNS)
        self._deleted: set[str] = set()
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
        self._shown_errors.listen()
        self._publish()

    def close(self) -> None:
        """Stop noting runs."""
        self._shown_errors.close()
        for event, callback in (("pre_run_cell", self._begin), ("post_run_cell", self._end)):
            if callback in self._shell.events.callbacks.get(event, []):
                self._shell.events.unregister(event, callback)

    # --- what is known ----------------------------------------------------------------------

    @property
    def now(self) -> CellRun | None:
        """The cell that the person runs now, whatever it runs in turn in the same thread."""
        return self._open[0][1] if self._open else None

    @property
    def _open(self) -> list[tuple[Any, CellRun]]:
        if not hasattr(self._threads, "open"):
            self._threads.open = []
        found: list[tuple[Any, CellRun]] = self._threads.open
        return found

    @property
    def number_now(self) -> int:
        """The number of the cell that the person runs now; 0 where it has none."""
        if not self._open or not self._open[0][0].store_history:
            return 0
        # By its text: IPython counts on before a cell runs, or behind it.
        names = [name[2:] for name in list(self._shell.user_ns) if name.startswith("_i")]
        return max((int(name) for name in names if name.isdigit()), default=0)

    def mark_question(self) -> None:
        """Note that a cell magic of ours runs now: the lines of its cell are no code."""
        # Else code called it, and is what failed or what the next question is about.
        if self.now is not None and self.now.source.lstrip().startswith("%%"):
            self.now.is_question = True

    def mark_diagram(self, broken: BrokenDiagram | None) -> None:
        """Note a diagram of the cell that runs now that could not be drawn; ``None``: all were."""
        if self.now is not None:
            self.now.broken_diagram = broken

    def finished(self) -> list[CellRun]:
        """Return the runs that have ended, oldest first."""
        return list(self._runs)

    def last_code(self) -> CellRun | None:
        """Return the newest run with code in it, and not only lines of magics."""
        return next((run for run in reversed(self._runs) if is_code(run)), None)

    def newest_of(self, cell_id: str) -> CellRun | None:
        """Return the newest run of the cell with this id."""
        return next((run for run in reversed(self._runs) if run.cell_id == cell_id), None)

    def by_number(self, number: int) -> CellRun | None:
        """Return the run with this number."""
        return next((run for run in reversed(self._runs) if run.number == number), None)

    def error_of(self, number: int) -> str:
        """Return the text of ``Err[number]``, whatever the person put there."""
        error: object = self.errors.get(number, "")
        if isinstance(error, str):
            return error
        from ..values.value_text import text_of

        return text_of(error, _ERROR_TOKENS).text

    def reason_of(self, number: int) -> str:
        """Return one line of ``Err[number]``: what went wrong."""
        error, run = self.error_of(number), self.by_number(number)
        if run is not None and run.error == error:
            return run.reason
        # A person's own words, or those of an earlier registration.
        return next((line for line in reversed(error.splitlines()) if line.strip()), "")

    def current_error(self) -> CellRun | None:
        """Return the newest run whose error is still there.

        One that a later good run of the same cell has cured is not; neither is that of a cell
        that was deleted, of a question to a model, or an interrupt.
        """
        return self._newest_fault(lambda run: run.has_fault)

    def current_fault(self) -> CellRun | None:
        """Return the same, or a newer run with a diagram that could not be drawn."""
        return self._newest_fault(lambda run: bool(run.broken_diagram) or run.has_fault)

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
        """Whether any code has failed."""
        return any(run.has_fault for run in self._runs)

    # --- consent ----------------------------------------------------------------------------

    def take_execution(self, line: str, magic: str = "llm") -> bool:
        """Tell whether ``-x`` of this line was typed, in the first lines of the cell of a person.

        True once for each run of a cell: code that the model wrote cannot ask for more. Words
        that a magic's alias, a program or a setting adds are not in the cell's text.
        """
        if self.now is None or not self.now.may_execute:
            return False
        for typed in self.now.source.lstrip().splitlines():
            match = re.match(r"%%(?P<name>\w+)(?P<rest>.*)", typed)
            if match is None:
                return False
            if match["name"] == magic and match["rest"].split() == line.split():
                self.now.may_execute = False
                return True
        return False

    # --- events -----------------------------------------------------------------------------

    def _begin(self, info: Any) -> None:
        is_persons = self._typed.begins(info)
        if is_persons:
            # Whatever was left open, by an interrupt or an error of the shell, has ended.
            self._open.clear()
        if not self._open:
            self._note_deleted()
        run = self._run_of(info)
        run.may_execute = is_persons
        if not self._open:
            # A deleted cell that runs is back.
            self._deleted.discard(run.cell_id)
        self._open.append((info, run))

    def _hear(self, error: BaseException) -> None:
        if self.now is not None:
            self.now.shown = error

    def _end(self, result: Any) -> None:
        place = self._place_of(getattr(result, "info", None))
        if place is None:
            return
        info, run = self._open[place]
        del self._open[place:]
        if self._open or result is None:
            # Another cell ran it, so it is none of its own; or the shell does not know the end.
            return
        is_main = threading.current_thread() is threading.main_thread()
        if not is_main and not self._typed.is_requested(info):
            return
        self._note_end(run, info, result)
        self._runs.append(run)
        self._publish()

    def _place_of(self, info: Any) -> int | None:
        """Return which of the open runs ends; the shell makes a new ``info`` where it fails."""
        count = len(self._open)
        if info is None:
            # An interrupted kernel may have no result to tell of.
            return count - 1 if count else None
        same = [n for n, (each, _) in enumerate(self._open) if each is info]
        alike = [n for n, (each, _) in enumerate(self._open) if each.raw_cell == info.raw_cell]
        return max(same or alike, default=None)

    def _note_end(self, run: CellRun, info: Any, result: Any) -> None:
        if info.store_history:
            run.number = result.execution_count or self._shell.execution_count - 1
        error = result.error_before_exec or result.error_in_exec
        has_failed_to_show = result.info is not info and error is not None
        if has_failed_to_show or not (error or run.is_question):
            error = run.shown or error
        run.shown = None
        if error is None:
            return
        from ..execution.execute import CodeFailed
        from .errors_of_cells import error_reason, error_text, is_interrupt, name_of_cell
        from .own_errors import is_mistyped_cell, is_own_error

        # An answer that was to correct it may have been stopped, or of no use.
        failed = error if isinstance(error, CodeFailed) else error.__cause__
        if isinstance(failed, CodeFailed):
            run.generated, error = failed.code, failed.error
        else:
            run.is_interrupted = is_interrupt(error)
            run.is_own_error = is_own_error(error)
            run.is_question = run.is_question or is_mistyped_cell(error)
        # What a cell runs in turn has the number that the next cell will have.
        inner, own = f"In[{run.number + 1}]", f"In[{run.number}]"

        def name_of(filename: str) -> str | None:
            name = name_of_cell(self._shell, filename)
            return own if run.number and name == inner else name

        run.error, run.reason = error_text(error, name_of), error_reason(error)
        if run.number:
            self._keep(run.number, run.error)

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
        metadata = self._typed.request().get("metadata")
        return metadata if isinstance(metadata, dict) else {}

    def _note_deleted(self) -> None:
        deleted = self._metadata().get("deletedCells")
        if isinstance(deleted, list):
            # Lab tells of each once, with the next cell that runs.
            self._deleted |= {each for each in deleted if isinstance(each, str)}


_MAGIC_LINE = re.compile(r"\s*(?:%%?|!)\w")
_OWN_LINE = re.compile(r"\s*%(?:llm|ai)\b")
_OWN_CELL = re.compile(r"\s*%%(?:llm|ai|explain)\b")


def is_code(run: CellRun) -> bool:
    """Whether a run is something that a question can be about: it holds more than magics."""
    if run.is_question or not run.source.strip() or _OWN_CELL.match(run.source):
        return False
    lines = _lines(run.source)
    return not lines or not all(map(_MAGIC_LINE.match, lines))


def is_question_text(source: str) -> bool:
    """Whether a cell holds nothing but questions and commands to us."""
    lines = _lines(source)
    return bool(lines) and (_OWN_CELL.match(source) is not None or all(map(_OWN_LINE.match, lines)))


def _lines(source: str) -> list[str]:
    """Return the lines that do something; a line that goes on is one."""
    lines = source.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
