"""``--time-limit``: interrupting code that runs too long, also code that swallows interrupts.

An error that it raises holds no frames of this module. Called by ``execute.py``.
"""

from __future__ import annotations

import _thread
import contextlib
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


@contextlib.contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Interrupt what runs in here after so many seconds, and again while it goes on."""
    if seconds is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    limit = _Limit(seconds)
    limit.start()
    try:
        yield
    finally:
        limit.end()


class _Limit:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._is_over = threading.Event()
        self._has_ended = threading.Event()
        self._lock = threading.Lock()
        self._n_sent = 0
        self._tracer = sys.gettrace()
        self._before: Any = None

    def start(self) -> None:
        self._before = signal.signal(signal.SIGINT, self._on_interrupt)
        threading.Thread(target=self._watch, name="localllm-time-limit", daemon=True).start()

    def end(self) -> None:
        try:
            # One that is sent in the last moment arrives here and nowhere else.
            with contextlib.suppress(TimeLimitReached):
                with self._lock:
                    self._has_ended.set()
                while self._is_over.is_set():
                    time.sleep(0.001)
        finally:
            self._has_ended.set()
            signal.signal(signal.SIGINT, self._before)
            if self._n_sent > _N_PATIENT:
                sys.settrace(self._tracer)

    def _watch(self) -> None:
        wait_s = self._seconds
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
            if _is_showing_error(frame):
                # The code has ended already.
                return None
            if self._n_sent > _N_PATIENT and not self._has_ended.is_set():
                self._raise_at_next_line(frame)
            raise self._error()
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
