"""Interrupts of code that ``-x`` runs: the person's, and those of ``--time-limit``.

Code that swallows the interrupts of the clock gets more of them.

An error that it raises holds no frames of this module. Called by ``execute.py``.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

#: Code that swallows the first interrupt gets more of them, which leave it time to clean up.
_REPEAT_S = 1.0
#: So many are courtesy. After that they come faster, and in pairs.
_N_PATIENT = 3
_FASTER_S = 0.2
#: When the person is told, while it still runs.
_N_BEFORE_NOTICE = 8
_NOTICE = (
    "The code has passed its time limit, and it swallows the interrupts that should stop it. "
    "If it does not end, restart the kernel."
)


class TimeLimitReached(KeyboardInterrupt):
    """Raised inside of code that ran longer than it may."""

    # A traceback shows it by its plain name.
    __module__ = "builtins"


class Interrupts:
    """Who may interrupt one run of code, and when: the person, and the clock of ``--time-limit``.

    From :meth:`begin` on, an interrupt of the person is only noted; between :meth:`arm` and
    :meth:`disarm` it is raised. So what is set up for the run is also taken down again, whenever
    it comes. Outside of the main thread, where none arrives, nothing happens.

    Attributes
    ----------
    is_noted : bool
        The person interrupted the run.
    is_pending : bool
        An interrupt of the person came while none was raised.
    """

    def __init__(self, seconds: float | None) -> None:
        self.is_noted = False
        self.is_pending = False
        self._seconds = seconds
        self._is_armed = False
        self._is_over = threading.Event()
        self._has_ended = threading.Event()
        self._lock = threading.Lock()
        self._n_sent = 0
        self._tracer = sys.gettrace()
        self._is_main = threading.current_thread() is threading.main_thread()
        self._before: Any = signal.getsignal(signal.SIGINT)

    def begin(self) -> None:
        """Note interrupts from now on."""
        if self._is_main:
            signal.signal(signal.SIGINT, self._on_interrupt)

    def arm(self) -> None:
        """Raise interrupts from now on, also one that has come; start the clock.

        Raises
        ------
        KeyboardInterrupt
            The person has interrupted already.
        """
        if not self._is_main:
            return
        if self._seconds is not None:
            name = "localllm-time-limit"
            threading.Thread(target=self._watch, name=name, daemon=True).start()
        self._is_armed = True
        if self.is_pending:
            raise KeyboardInterrupt

    def disarm(self) -> None:
        """Stop the clock; interrupts are only noted again."""
        self._is_armed = False
        with self._lock:
            self._has_ended.set()
        while self._is_over.is_set():
            # One that was sent in the last moment arrives here and nowhere else.
            time.sleep(0.001)

    def end(self) -> None:
        """Leave interrupts to whoever had them before."""
        if not self._is_main:
            return
        signal.signal(signal.SIGINT, self._before)
        if self._n_sent > _N_PATIENT:
            sys.settrace(self._tracer)

    def _watch(self) -> None:
        wait_s = self._seconds or 0.0
        while not self._has_ended.wait(wait_s):
            with self._lock:
                if self._has_ended.is_set():
                    return
                self._n_sent += 1
                self._is_over.set()
                _interrupt_main_thread()
            wait_s = _REPEAT_S if self._n_sent < _N_PATIENT else _FASTER_S
            if self._n_sent == _N_BEFORE_NOTICE:
                print(_NOTICE, file=sys.stderr, flush=True)

    def _on_interrupt(self, number: int, frame: FrameType | None) -> Any:
        if self._is_over.is_set():
            self._is_over.clear()
            if not self._is_armed or _is_showing_error(frame):
                # The code has ended already.
                return None
            if self._n_sent > _N_PATIENT:
                self._raise_at_next_line(frame)
            raise self._error()
        self.is_noted = True
        if not self._is_armed:
            self.is_pending = True
            return None
        if callable(self._before):
            return self._before(number, frame)
        raise KeyboardInterrupt

    def _raise_at_next_line(self, frame: FrameType | None) -> None:
        """Raise once more at the next line of this code, where it swallows the first one."""

        def trace(_: FrameType, event: str, __: Any) -> Any:
            if event == "line" and not self._has_ended.is_set():
                # Raising ends the tracing.
                raise self._error() from None
            return trace

        while frame is not None and not _is_of_shell(frame):
            frame.f_trace = trace
            frame = frame.f_back
        # Functions that are called from now on are left alone.
        sys.settrace(lambda *_: None)

    def _error(self) -> TimeLimitReached:
        text = f"The code ran longer than {self._seconds:g} s and was stopped."
        return TimeLimitReached(text)


def drop_own_frames(error: BaseException | None) -> bool:
    """Take the frames of this module out of an error and its causes; tell whether it had any."""
    pending, seen = [error], set[int]()
    has_dropped = False
    while pending:
        each = pending.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        steps = list(_steps(each.__traceback__))
        kept = [step for step in steps if step.tb_frame.f_code.co_filename != __file__]
        if len(kept) < len(steps):
            has_dropped = True
            each.__traceback__ = _traceback(kept)
        pending += [each.__cause__, each.__context__]
    return has_dropped


def _steps(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _traceback(steps: list[TracebackType]) -> TracebackType | None:
    rest = None
    for step in reversed(steps):
        # Code that stands in no line of its text has none.
        line: int | None = step.tb_lineno
        if line is None:
            line = step.tb_frame.f_code.co_firstlineno
        rest = TracebackType(rest, step.tb_frame, step.tb_lasti, line)
    return rest


def _is_showing_error(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_name == "showtraceback" and _is_of_shell(frame):
            return True
        frame = frame.f_back
    return False


def _is_of_shell(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] == "IPython"


def _interrupt_main_thread() -> None:
    if os.name == "nt":
        _thread.interrupt_main()
    else:
        # A real signal also ends a wait of the operating system, such as sleep.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
