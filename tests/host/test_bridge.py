"""The bridge from synchronous code: results, pulling, interrupts, forks, the end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Iterator

import pytest

from jupyter_localllm.client import bridge
from jupyter_localllm.client.bridge import Bridge
from tests.platforms import needs_fork, needs_signals


@pytest.fixture
def own() -> Iterator[Bridge]:
    """A bridge of this test."""
    made = Bridge()
    yield made
    made.stop()
    assert not made.is_running


class Source:
    """An async iterator that says how it was used."""

    def __init__(self, stop_after: int = 10**9, hang_at: int = -1) -> None:
        self.n_made = 0
        self.closed = threading.Event()
        self.hanging = threading.Event()
        self._stop_after = stop_after
        self._hang_at = hang_at

    async def items(self) -> AsyncGenerator[int, None]:
        try:
            while self.n_made < self._stop_after:
                if self.n_made == self._hang_at:
                    self.hanging.set()
                    await asyncio.Event().wait()
                self.n_made += 1
                yield self.n_made
        finally:
            await asyncio.sleep(0)
            self.closed.set()


def interrupt_when(event: threading.Event) -> None:
    """Send Ctrl-C to this process once ``event`` is set."""

    def wait() -> None:
        event.wait(10)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=wait, daemon=True).start()


def test_result_and_error_cross(own: Bridge) -> None:
    async def double(value: int) -> int:
        await asyncio.sleep(0)
        if value < 0:
            raise ValueError("negative")
        return value * 2

    assert own.run(double(4)) == 8
    with pytest.raises(ValueError, match="negative"):
        own.run(double(-1))


def test_timeout_cancels(own: Bridge) -> None:
    cancelled = threading.Event()

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(TimeoutError, match="no answer within"):
        own.run(wait(), timeout_s=0.05)
    assert cancelled.wait(5)


def test_time_out_of_the_coroutine_itself_is_its_own(own: Bridge) -> None:
    async def fail() -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        own.run(fail())


def test_all_items_come_in_order(own: Bridge) -> None:
    source = Source(stop_after=500)
    assert list(own.iterate(source.items())) == list(range(1, 501))
    assert source.closed.is_set()


def test_nothing_is_read_ahead_of_a_slow_consumer(own: Bridge) -> None:
    source = Source()
    with contextlib.closing(own.iterate(source.items())) as items:
        for item in items:
            assert source.n_made == item
            if item == 20:
                break
    assert source.closed.is_set()
    assert source.n_made == 20


def test_error_of_the_source_crosses_after_its_items(own: Bridge) -> None:
    async def items() -> AsyncGenerator[int, None]:
        yield 1
        raise LookupError("gone")

    seen = []
    with pytest.raises(LookupError, match="gone"):
        for item in own.iterate(items()):
            seen.append(item)
    assert seen == [1]


def test_error_of_the_consumer_closes_the_source(own: Bridge) -> None:
    source = Source()
    with (
        pytest.raises(SystemExit),
        contextlib.closing(own.iterate(source.items())) as items,
    ):
        for _ in items:
            sys.exit(1)
    assert source.closed.is_set()


@needs_signals
def test_interrupt_while_waiting_closes_the_source_within_a_second(own: Bridge) -> None:
    source = Source(hang_at=3)
    seen = []
    interrupt_when(source.hanging)
    started = None
    with pytest.raises(KeyboardInterrupt):
        for item in own.iterate(source.items()):
            seen.append(item)
            started = time.monotonic()
    assert source.closed.is_set()
    assert seen == [1, 2, 3]
    assert started is not None
    assert time.monotonic() - started < 1.0
    assert list(own.iterate(Source(stop_after=2).items())) == [1, 2]


@needs_signals
def test_interrupt_does_not_wait_for_a_source_that_will_not_close(own: Bridge) -> None:
    hanging, never = threading.Event(), asyncio.Event()

    async def items() -> AsyncGenerator[int, None]:
        try:
            hanging.set()
            await asyncio.Event().wait()
            yield 1
        finally:
            await never.wait()

    interrupt_when(hanging)
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        list(own.iterate(items()))
    assert time.monotonic() - started < 3.0


@needs_signals
def test_interrupt_of_run_cancels(own: Bridge) -> None:
    hanging, cancelled = threading.Event(), threading.Event()

    async def wait() -> None:
        try:
            hanging.set()
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    interrupt_when(hanging)
    with pytest.raises(KeyboardInterrupt):
        own.run(wait())
    assert cancelled.wait(5)


def test_two_threads_share_the_bridge(own: Bridge) -> None:
    results: list[list[int]] = []
    threads = [
        threading.Thread(
            target=lambda: results.append(list(own.iterate(Source(stop_after=200).items())))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert results == [list(range(1, 201))] * 4


def script(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", text],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@needs_fork
def test_forked_child_gets_a_fresh_bridge_and_the_parent_goes_on() -> None:
    done = script(
        "import os, sys\n"
        "from jupyter_localllm.client import bridge\n"
        "async def value(x): return x\n"
        "assert bridge.run(value(1)) == 1\n"
        "for _ in range(10):\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        os._exit(0 if bridge.run(value(2), 10) == 2 else 1)\n"
        "    assert os.waitpid(pid, 0)[1] == 0\n"
        "    assert bridge.run(value(3), 10) == 3\n"
        "print('fine')\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "fine\n", "")


def test_exit_in_mid_stream_is_quiet() -> None:
    done = script(
        "import asyncio\n"
        "from jupyter_localllm.client import bridge\n"
        "async def items():\n"
        "    try:\n"
        "        while True:\n"
        "            yield 1\n"
        "            await asyncio.sleep(0.01)\n"
        "    finally:\n"
        "        print('closed', flush=True)\n"
        "source = bridge.iterate(items())\n"
        "print(next(source), flush=True)\n"
    )
    assert done.returncode == 0
    assert done.stdout.splitlines() == ["1", "closed"]
    assert done.stderr == ""


def test_the_shared_bridge_is_light() -> None:
    done = script(
        "import sys, jupyter_localllm.client.bridge, jupyter_localllm.host.launch\n"
        "import jupyter_localllm.host.connection_file, jupyter_localllm.host.config\n"
        "heavy = {'httpx', 'msgspec', 'tornado', 'numpy', 'llama_cpp', 'psutil', 'jupyter_core'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
    assert bridge.run is not None
