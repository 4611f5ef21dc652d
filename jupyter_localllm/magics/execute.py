"""Running generated code in the user's shell: with a time limit, an interrupt and no second run.

Only ``answer.py`` calls it, for a cell whose own line said ``-x``. What may run, and whether the
user was asked, is decided before; code that runs here cannot run generated code itself.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

#: Code that swallows the first interrupt gets more of them.
_REPEAT_S = 1.0
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

#: Held while generated code runs, whichever thread of it asks for more.
_running = threading.Lock()


class CodeStopped(KeyboardInterrupt):
    """The person interrupted the generated code. Ends a *Run All*, in one line."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


class CodeFailed(Exception):
    """The generated code raised an error; shown as that error, without our own frames."""

    def __init__(self, summary: str, traceback: list[str], hint: str) -> None:
        super().__init__(summary)
        self.traceback = traceback
        self.hint = hint

    def _render_traceback_(self) -> list[str]:
        return [*self.traceback, self.hint]


class TimeLimitReached(KeyboardInterrupt):
    """Raised inside of code that ran longer than it may."""


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
        main thread stops; a long call of a compiled library stops when it comes back.
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
        with _running, _kept_traceback(shell, run.traceback), _time_limit(time_limit_s):
            result = untyped.run_cell(code, store_history=False)
        run.error = result.error_before_exec or result.error_in_exec
    except KeyboardInterrupt as error:
        # It came between the code and the shell's own care for it.
        run.error = error
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
        kept[:] = lines

    shell._showtraceback = keep
    try:
        yield
    finally:
        # The instance's own attribute hid the method of the class.
        del shell._showtraceback


@contextlib.contextmanager
def _time_limit(seconds: float | None) -> Iterator[None]:
    """Interrupt what runs in here after so many seconds, and again while it goes on."""
    if seconds is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    is_over = threading.Event()
    has_ended = threading.Event()
    lock = threading.Lock()

    def on_interrupt(number: int, frame: Any) -> Any:
        if is_over.is_set():
            is_over.clear()
            raise TimeLimitReached(f"The code ran longer than {seconds:g} s and was stopped.")
        if callable(before):
            return before(number, frame)
        raise KeyboardInterrupt

    def watch() -> None:
        wait_s = seconds
        while not has_ended.wait(wait_s):
            with lock:
                if has_ended.is_set():
                    return
                is_over.set()
                _interrupt_main_thread()
            wait_s = _REPEAT_S

    before = signal.signal(signal.SIGINT, on_interrupt)
    threading.Thread(target=watch, name="localllm-time-limit", daemon=True).start()
    try:
        yield
    finally:
        try:
            # One that is sent in the last moment arrives here and nowhere else.
            with contextlib.suppress(TimeLimitReached):
                with lock:
                    has_ended.set()
                while is_over.is_set():
                    time.sleep(0.001)
        finally:
            has_ended.set()
            signal.signal(signal.SIGINT, before)


def _interrupt_main_thread() -> None:
    if os.name == "nt":
        _thread.interrupt_main()
    else:
        # A real signal also ends a wait of the operating system, such as sleep.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
