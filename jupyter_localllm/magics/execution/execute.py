"""Running generated code in the user's shell: with a time limit, an interrupt and no second run.

Only ``attempts.py`` runs code by it, for a cell whose own line said ``-x``. What may run, and
whether the user was asked, is decided before; code that runs here cannot run generated code itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from ..cells.errors_of_cells import without_colours
from ..lines.parsers import shortened
from .cell_name import named_as_running_cell
from .exits import kept_session
from .kept_errors import has_ended_well, kept_errors
from .kept_outputs import kept_outputs
from .time_limit import Interrupts, TimeLimitReached, drop_own_frames

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .consent import Consent

#: Held while generated code runs, whichever thread of it asks for more.
_running = threading.Lock()


class CodeStopped(KeyboardInterrupt):
    """The person interrupted the generated code. Ends a *Run All*, in one line."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


class CodeFailed(Exception):
    """The generated code raised an error; shown as that error, without our own frames.

    Attributes
    ----------
    code : str
        What was run.
    error : BaseException
        What it raised.
    """

    def __init__(self, code: str, run: CodeRun, hint: str) -> None:
        super().__init__(shortened(run.summary, 160))
        assert run.error is not None
        self.code = code
        self.error = run.error
        # So %debug stands in the code, and not in what ran it.
        self.__traceback__ = run.error.__traceback__
        self.traceback = run.traceback or [run.summary]
        self.hint = hint

    def _render_traceback_(self) -> list[str]:
        return [*self.traceback, self.hint]


@dataclass
class CodeRun:
    """How a run ended.

    Attributes
    ----------
    error : BaseException or None
        What the code raised.
    traceback : list of str
        The error as IPython would have shown it.
    seconds : float
        How long it took.
    has_had_interrupt : bool
        The person interrupted it, whatever the code made of that.
    """

    error: BaseException | None = None
    traceback: list[str] = field(default_factory=list)
    seconds: float = 0.0
    has_had_interrupt: bool = False

    @property
    def summary(self) -> str:
        """The error in one line."""
        if self.error is None:
            return ""
        if isinstance(self.error, TimeLimitReached):
            return str(self.error)
        text = " ".join(str(self.error).split())
        return f"{type(self.error).__name__}: {text}" if text else type(self.error).__name__

    @property
    def plain_traceback(self) -> str:
        """The traceback without colours."""
        return without_colours("\n".join(self.traceback)).strip()

    @property
    def was_interrupted(self) -> bool:
        """Whether it was the person who stopped it."""
        is_interrupt = self.has_had_interrupt or isinstance(self.error, KeyboardInterrupt)
        has_ended_by_itself = self.error is None or isinstance(self.error, TimeLimitReached)
        return is_interrupt and not has_ended_by_itself


def refuse_inside_run() -> None:
    """Refuse ``-x`` in code that ``-x`` runs: no reply can cause the next one to run.

    Raises
    ------
    UsageError
        Generated code is running now.
    """
    if _running.locked():
        raise UsageError("Code that -x runs cannot use -x itself. Run that cell yourself.")


def run_code(
    shell: InteractiveShell,
    code: str,
    *,
    consent: Consent | None = None,
    time_limit_s: float | None = None,
    show_again: Callable[[], None] = lambda: None,
) -> CodeRun:
    """Run ``code`` as a cell of the shell, its output below; errors are kept, not shown.

    Parameters
    ----------
    consent : Consent, optional
        What was agreed to, where the person was asked; other code is not run.
    time_limit_s : float, optional
        After so many seconds the code is interrupted, as the person could do. Python code in the
        main thread stops; a long call of a compiled library stops when it comes back. Code that
        swallows each interrupt goes on, and the person is told.
    show_again : callable, optional
        Shows the code once more where it has cleared its cell's outputs.

    Raises
    ------
    CodeRefused
        It is other code than what was agreed to.
    UsageError
        It cannot be run here, or is run by code that runs here.
    """
    refuse_inside_run()
    if consent is not None:
        consent.check(code)
    if _needs_event_loop(shell, code):
        raise UsageError(
            "The code uses await outside of a function, which -x cannot run. "
            "Use %%llm code, and run the next cell."
        )
    run = CodeRun()
    interrupts = Interrupts(time_limit_s)
    started = time.monotonic()
    _run(shell, code, run, interrupts, show_again)
    drop_own_frames(run.error)
    run.seconds = time.monotonic() - started
    return run


def _run(
    shell: Any, code: str, run: CodeRun, interrupts: Interrupts, show_again: Callable[[], None]
) -> None:
    """Run the code, and leave the shell as it was, whenever an interrupt comes.

    Interrupts are raised only inside of the innermost block: at the edge of a context manager,
    one would leave it open.
    """
    interrupts.begin()
    _running.acquire()
    try:
        with (
            kept_session(shell),
            kept_outputs(shell, show_again),
            kept_errors(shell, run.traceback),
            named_as_running_cell(shell),
        ):
            try:
                interrupts.arm()
                result = shell.run_cell(code, store_history=False)
                error = result.error_before_exec or result.error_in_exec
                run.error = None if has_ended_well(error) else error
            finally:
                interrupts.disarm()
    except KeyboardInterrupt as error:
        # It came between the code and the shell's own care for it.
        run.error = error
    finally:
        interrupts.disarm()
        _running.release()
        interrupts.end()
    run.has_had_interrupt = interrupts.is_noted
    if interrupts.is_pending and run.error is None:
        # It came when the code had just ended.
        run.error = KeyboardInterrupt()


def _needs_event_loop(shell: Any, code: str) -> bool:
    """Whether the code awaits at its top level; the shell's loop is busy with this very cell."""
    if not hasattr(shell, "kernel"):
        return False
    try:
        return bool(shell.should_run_async(code, transformed_cell=shell.transform_cell(code)))
    except (SyntaxError, UsageError):
        # It fails as it runs, and the model is told.
        return False
