"""Interrupts at the edges of a run of ``-x``: what was set up for it is taken down again."""

from __future__ import annotations

import itertools
import signal
import sys
import threading
from types import FrameType
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from jupyter_localllm.magics.execution import (
    execute,
    exits,
    kept_errors,
    kept_outputs,
    replaced,
    time_limit,
)
from jupyter_localllm.magics.execution.execute import CodeRun, run_code

OURS = {
    module.__file__ for module in (execute, exits, kept_errors, kept_outputs, replaced, time_limit)
}


class InterruptAt:
    """Sends a real interrupt before the line of ours with this number."""

    def __init__(self, number: int) -> None:
        self._left = number
        self.is_sent = False

    def __enter__(self) -> InterruptAt:
        self._before = sys.gettrace()
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _trace(self, frame: FrameType, event: str, _argument: Any) -> Any:
        if frame.f_code.co_filename not in OURS:
            return None
        if event == "line" and not self.is_sent:
            self._left -= 1
            if self._left < 0:
                self.is_sent = True
                signal.raise_signal(signal.SIGINT)
        return self._trace


def interrupted(shell: InteractiveShell, code: str, number: int) -> tuple[CodeRun | None, bool]:
    with InterruptAt(number) as interrupt:
        try:
            run = run_code(shell, code, time_limit_s=60)
        except KeyboardInterrupt:
            # Before there was a run, or after it.
            run = None
    return run, interrupt.is_sent


def check_is_as_before(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not {"_showtraceback", "showtraceback", "ask_exit"} & vars(shell).keys()
    assert "clear_output" not in vars(shell.display_pub)
    for thread in threading.enumerate():
        if thread.name == "localllm-time-limit":
            thread.join(10)
            assert not thread.is_alive()
    assert run_code(shell, "y = 1").error is None
    capsys.readouterr()
    shell.run_cell("1/0")
    assert "ZeroDivisionError" in capsys.readouterr().out


@pytest.mark.parametrize("code", ["x = 1", "raise ValueError('x')"])
def test_an_interrupt_before_any_line_leaves_the_shell_as_it_was(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], code: str
) -> None:
    """Seen: each later cell was killed after the limit's time, or its errors were not shown."""
    n_stopped = 0
    for number in itertools.count():
        run, is_sent = interrupted(shell, code, number)
        check_is_as_before(shell, capsys)
        if not is_sent:
            break
        if run is not None:
            n_stopped += 1
            assert run.was_interrupted
    assert n_stopped > 10
