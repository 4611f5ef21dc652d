"""Answers that end early: interrupted, or broken off by a fault; and what the next cell finds."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.magics.kernel_session import CellRun, KernelSession
from tests.platforms import needs_signals

StartKernel = Callable[..., KernelSession]

#: Run in the kernel: the host's status as one line of JSON.
STATUS = """
import json, msgspec
from jupyter_localllm.client import bridge
_magics = [c for c in get_ipython().configurables if type(c).__name__ == "LocalLLM"][0]
_status = bridge.run(_magics._session.call(lambda client: client.status()), 30)
print(json.dumps(msgspec.to_builtins(_status)))
"""
PATIENCE_S = 1.0


def status(kernel: KernelSession) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(kernel.run(STATUS).check_ok().stdout)
    return value


def check_is_idle(kernel: KernelSession) -> None:
    """The host has no request and its worker no busy slot, within a second."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        now = status(kernel)
        busy = [worker.get("slots_busy") for worker in now["workers"]]
        if now["running"] == now["waiting"] == 0 and not any(busy):
            return
        assert time.monotonic() < deadline, now


def check_was_stopped(cell: CellRun, interrupted: float) -> None:
    assert cell.messages[-1][0] - interrupted <= PATIENCE_S
    assert cell.reply["status"] == "error"
    assert cell.reply["ename"] == "AnswerStopped"
    error = cell.error
    assert error is not None
    assert error["traceback"] == ["The answer was stopped."]


def test_an_interrupt_stops_the_model_and_keeps_the_text(
    start_kernel: StartKernel, slow_model: Path
) -> None:
    kernel = start_kernel()
    kernel.run(f"%llm use {slow_model}").check_ok()
    for _ in range(5):
        asked = kernel.execute("%%llm --max-tokens 2000\ngo\n")
        cell = kernel.wait_for_text(asked, "tick5")
        interrupted = kernel.interrupt()
        kernel.finish(asked, cell)
        check_was_stopped(cell, interrupted)
        last = cell.displays[-1]
        assert last["data"]["text/plain"].startswith("tick0 tick1 tick2 tick3 tick4 tick5")
        assert last["data"]["text/plain"].endswith("\n\n[Stopped.]")
        assert last["data"]["text/markdown"].endswith("\n\n*Stopped.*")
        assert last["metadata"]["jupyter_localllm"]["finish_reason"] == "cancelled"
        assert len(cell.of_type("display_data")) == 1
        check_is_idle(kernel)
        after = kernel.run("%%llm --max-tokens 3\ngo\n").check_ok()
        assert after.displays[-1]["data"]["text/plain"].startswith("tick0 tick1")


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_200_interrupts_at_any_time_leave_nothing_behind(
    start_kernel: StartKernel, slow_model: Path
) -> None:
    kernel = start_kernel()
    kernel.run(f"%llm use {slow_model}").check_ok()
    seed = int(os.environ.get("LOCALLLM_SEED", "1"))
    moments = random.Random(seed)
    threads: list[int] = []
    for number in range(200):
        asked = kernel.execute("%%llm --max-tokens 2000\ngo\n")
        cell = CellRun()
        while True:
            message = kernel.next_message(asked, cell)
            if message["content"].get("execution_state") == "busy":
                break
        # Time is what is varied here; nothing is waited for.
        time.sleep(moments.uniform(0, 0.8))
        interrupted = kernel.interrupt()
        kernel.finish(asked, cell)
        assert cell.reply["status"] == "error", (seed, number)
        assert cell.messages[-1][0] - interrupted <= PATIENCE_S, (seed, number)
        check_is_idle(kernel)
        if number % 20 == 0:
            kernel.run("%%llm --max-tokens 2\ngo\n").check_ok()
            count = kernel.run("import threading; print(threading.active_count())").stdout
            threads.append(int(count))
    assert max(threads) <= threads[0] + 4


def test_an_interrupt_before_the_first_token_stops_too(
    start_kernel: StartKernel, slow_model: Path
) -> None:
    kernel = start_kernel()
    kernel.run(f"%llm use {slow_model}").check_ok()
    # A long question: the model reads it for several seconds.
    asked = kernel.execute("%%llm\n" + "many words " * 150 + "\n")
    cell = kernel.wait_for_text(asked, "Reading the question")
    interrupted = kernel.interrupt()
    kernel.finish(asked, cell)
    check_was_stopped(cell, interrupted)
    assert cell.displays[-1]["data"]["text/markdown"] == "*Stopped.*"
    check_is_idle(kernel)


def test_an_interrupt_stops_run_all(start_kernel: StartKernel, slow_model: Path) -> None:
    kernel = start_kernel()
    kernel.run(f"%llm use {slow_model}").check_ok()
    first = kernel.execute("%%llm --max-tokens 2000\ngo\n")
    second = kernel.execute("print('must not run')")
    cell = kernel.wait_for_text(first, "tick3")
    kernel.interrupt()
    kernel.finish(first, cell)
    assert kernel.finish(second).reply["status"] == "aborted"


def test_an_interrupt_can_be_caught_as_one(start_kernel: StartKernel, slow_model: Path) -> None:
    kernel = start_kernel()
    code = (
        "try:\n"
        f"    get_ipython().run_cell_magic('llm', '-m \"{slow_model}\"', 'go')\n"
        "except KeyboardInterrupt as error:\n"
        "    print('caught', error)\n"
    )
    asked = kernel.execute(code)
    cell = kernel.wait_for_text(asked, "tick3")
    kernel.interrupt()
    assert "caught The answer was stopped." in kernel.finish(asked, cell).check_ok().stdout


@needs_signals
@pytest.mark.parametrize("name", ["SIGKILL", "SIGABRT"])
def test_a_worker_that_dies_costs_one_answer(
    start_kernel: StartKernel, slow_model: Path, name: str
) -> None:
    kernel = start_kernel()
    kernel.run(f"%llm use {slow_model}").check_ok()
    [worker] = status(kernel)["workers"]
    asked = kernel.execute("%%llm --max-tokens 2000\ngo\n")
    cell = kernel.wait_for_text(asked, "tick5")
    os.kill(worker["pid"], signal.Signals[name])
    kernel.finish(asked, cell)
    error = cell.error
    assert error is not None
    assert error["traceback"][0].endswith("[worker_crashed]")
    assert len(error["traceback"]) == 2
    assert cell.reply["status"] == "error"
    text = cell.displays[-1]["data"]["text/plain"]
    assert text.startswith("tick0 tick1 tick2 tick3 tick4 tick5")
    assert text.endswith("[The answer broke off here.]")
    # Never sent again by itself: the text begins once.
    assert text.count("tick0 ") == 1
    after = kernel.run("%%llm --max-tokens 3\ngo\n").check_ok()
    assert after.displays[-1]["data"]["text/plain"].startswith("tick0 tick1")


@needs_signals
def test_a_host_that_dies_is_replaced_for_the_next_question(
    start_kernel: StartKernel, slow_model: Path
) -> None:
    kernel = start_kernel()
    kernel.run(f"%llm use {slow_model}").check_ok()
    child = "from jupyter_localllm.host import launch; print(launch._child.info.pid)"
    for _ in range(2):
        pid = int(kernel.run(child).check_ok().stdout)
        asked = kernel.execute("%%llm --max-tokens 2000\ngo\n")
        cell = kernel.wait_for_text(asked, "tick3")
        os.kill(pid, signal.SIGKILL)
        kernel.finish(asked, cell)
        assert cell.error is not None
        assert cell.displays[-1]["data"]["text/plain"].startswith("tick0 tick1 tick2 tick3")
        after = kernel.run("%%llm --max-tokens 3\ngo\n").check_ok()
        assert after.displays[-1]["data"]["text/plain"].startswith("tick0 tick1")
        assert int(kernel.run(child).check_ok().stdout) != pid
