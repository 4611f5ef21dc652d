"""Running generated code in the user's shell: with a time limit, an interrupt and no second run.

Only ``answer.py`` calls it, for a cell whose own line said ``-x``. What may run, and whether the
user was asked, is decided before; code that runs here cannot run generated code itself.
"""

from __future__ import annotations

import contextlib
import re
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from ..lines.parsers import shortened
from .time_limit import TimeLimitReached, drop_own_frames, time_limit

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

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
    """

    error: BaseException | None = None
    traceback: list[str] = field(default_factory=list)
    seconds: float = 0.0

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
        return _COLOUR.sub("", "\n".join(self.traceback)).strip()

    @property
    def was_interrupted(self) -> bool:
        """Whether it was the person who stopped it."""
        is_interrupt = isinstance(self.error, KeyboardInterrupt)
        return is_interrupt and not isinstance(self.error, TimeLimitReached)


def refuse_inside_run() -> None:
    """Refuse ``-x`` in code that ``-x`` runs: no reply can cause the next one to run.

    Raises
    ------
    UsageError
        Generated code is running now.
    """
    if _running.locked():
        raise UsageError("Code that -x runs cannot use -x itself. Run that cell yourself.")


def run_code(shell: InteractiveShell, code: str, *, time_limit_s: float | None = None) -> CodeRun:
    """Run ``code`` as a cell of the shell, its output below; errors are kept, not shown.

    Parameters
    ----------
    time_limit_s : float, optional
        After so many seconds the code is interrupted, as the person could do. Python code in the
        main thread stops; a long call of a compiled library stops when it comes back. Code that
        swallows each interrupt goes on, and the person is told.
    """
    refuse_inside_run()
    if _needs_event_loop(shell, code):
        raise UsageError(
            "The code uses await outside of a function, which -x cannot run. "
            "Use %%llm code, and run the next cell."
        )
    run = CodeRun()
    # IPython publishes no types for it.
    untyped: Any = shell
    started = time.monotonic()
    try:
        with _running, _kept_traceback(shell, run.traceback), time_limit(time_limit_s):
            result = untyped.run_cell(code, store_history=False)
        run.error = result.error_before_exec or result.error_in_exec
    except KeyboardInterrupt as error:
        # It came between the code and the shell's own care for it.
        run.error = error
    drop_own_frames(run.error)
    run.seconds = time.monotonic() - started
    return run


def _needs_event_loop(shell: Any, code: str) -> bool:
    """Whether the code awaits at its top level; the shell's loop is busy with this very cell."""
    if not hasattr(shell, "kernel"):
        return False
    try:
        return bool(shell.should_run_async(code, transformed_cell=shell.transform_cell(code)))
    except SyntaxError:
        return False


@contextlib.contextmanager
def _kept_traceback(shell: Any, kept: list[str]) -> Iterator[None]:
    """Keep tracebacks in place of showing them."""

    def keep(kind: Any, value: Any, lines: list[str]) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        if drop_own_frames(value):
            show = shell.InteractiveTB.structured_traceback
            lines = show(kind, value, value.__traceback__)
        kept[:] = lines

    # Another tool may have put its own there.
    replaced = vars(shell).get("_showtraceback")
    shell._showtraceback = keep
    try:
        yield
    finally:
        if replaced is None:
            del shell._showtraceback
        else:
            shell._showtraceback = replaced
