"""The real worker is killed, stopped and aborted in mid-answer: one error, and the next is fine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import psutil
import pytest

from jupyter_localllm import errors
from jupyter_localllm.protocol import CompletionDone, CompletionEvent
from tests.host.hosts import (
    chat,
    client_of,
    collect,
    first_chunk,
    only_model,
    run,
    running_host,
    text_of,
    until,
    worker_pid,
)
from tests.model_fixtures import REPLIES
from tests.platforms import needs_signals

pytestmark = needs_signals

#: Crashes are forgotten at once, so that tests of recovery do not wait for the backoff.
FORGETFUL: dict[str, Any] = {"crash_window_s": 0.0}


async def one_error(events: AsyncGenerator[CompletionEvent, None]) -> errors.LocalLLMError:
    """Return the error that ends a stream, and check that nothing follows it."""
    with pytest.raises(errors.LocalLLMError) as caught:
        async for event in events:
            assert not isinstance(event, CompletionDone)
    with pytest.raises(StopAsyncIteration):
        await events.__anext__()
    return caught.value


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV])
def test_signal_in_mid_answer_is_one_error_with_its_name(
    number: signal.Signals, slow_model: Path
) -> None:
    async def main() -> None:
        async with running_host(slow_model) as host:
            events = host.stream(chat("x"))
            await first_chunk(events)
            pid = worker_pid(host)
            os.kill(pid, number)
            error = await one_error(events)
            assert isinstance(error, errors.WorkerCrashed)
            assert error.details["signal"] == number.name
            assert number.name in error.message
            assert error.hint
            assert not psutil.pid_exists(pid)
            assert len(text_of(await collect(host.stream(chat("x", max_tokens=3))))) > 3
            assert worker_pid(host) != pid

    run(main())


def test_stopped_worker_is_replaced(slow_model: Path) -> None:
    async def main() -> None:
        async with running_host(slow_model, hung_timeout_s=1.0) as host:
            streams = [host.stream(chat("x")) for _ in range(3)]
            for events in streams:
                await first_chunk(events)
            pid = worker_pid(host)
            os.kill(pid, signal.SIGSTOP)
            for error in await asyncio.gather(*map(one_error, streams)):
                assert isinstance(error, errors.WorkerHung)
            model = only_model(host)
            await until(model, lambda: not model.life.has_process)
            assert not psutil.pid_exists(pid)
            await collect(host.stream(chat("x", max_tokens=3)))

    run(main())


def test_kill_while_loading_is_one_error(slow_model: Path) -> None:
    async def main() -> None:
        async with running_host(slow_model, **FORGETFUL) as host:
            events = host.stream(chat("x"))
            await events.__anext__()
            model = only_model(host)
            await until(model, lambda: model.life.has_process)
            os.kill(worker_pid(host), signal.SIGKILL)
            error = await one_error(events)
            assert isinstance(error, errors.WorkerStartFailed)
            await collect(host.stream(chat("x", max_tokens=3)))

    run(main())


def test_those_in_the_queue_survive_and_run_on_the_new_worker(slow_model: Path) -> None:
    async def main() -> None:
        async with running_host(slow_model, n_slots=2) as host:
            running = [host.stream(chat("x")) for _ in range(2)]
            for events in running:
                await first_chunk(events)
            waiting = [host.stream(chat("x", max_tokens=3)) for _ in range(4)]
            for events in waiting:
                await events.__anext__()
            pid = worker_pid(host)
            os.kill(pid, signal.SIGKILL)
            for events in running:
                assert isinstance(await one_error(events), errors.WorkerCrashed)
            answers = await asyncio.gather(*map(collect, waiting))
            assert all(text_of(events) for events in answers)
            assert worker_pid(host) != pid

    run(main())


def test_a_crashed_answer_is_not_run_again(slow_model: Path) -> None:
    async def main() -> None:
        async with running_host(slow_model) as host:
            events = host.stream(chat("x"))
            await first_chunk(events)
            os.kill(worker_pid(host), signal.SIGKILL)
            await one_error(events)
            model = only_model(host)
            assert not model.life.has_process
            assert (model.queue.n_running, model.life.is_wanted) == (0, False)

    run(main())


def test_the_error_crosses_the_private_socket_whole(slow_model: Path) -> None:
    async def main() -> None:
        async with running_host(slow_model) as host, client_of(host) as client:
            events = client.stream(chat("x"))
            await first_chunk(events)
            os.kill(worker_pid(host), signal.SIGABRT)
            error = await one_error(events)
            assert isinstance(error, errors.WorkerCrashed)
            assert error.details["signal"] == "SIGABRT"

    run(main())


async def kill_and_recover(model: Path, n_kills: int) -> None:
    async with running_host(model, n_slots=2, **FORGETFUL) as host:
        pids = set()
        for number in range(n_kills):
            events = host.stream(chat("LONG"))
            await first_chunk(events)
            for _ in range(number % 7):
                await events.__anext__()
            pids.add(worker_pid(host))
            os.kill(worker_pid(host), signal.SIGKILL)
            assert isinstance(await one_error(events), errors.WorkerCrashed)
        assert len(pids) == n_kills
        assert text_of(await collect(host.stream(chat("HELLO")))) == REPLIES["HELLO"]
        queue = only_model(host).queue
        assert (queue.n_running, queue.n_waiting) == (0, 0)


async def cancel_and_count(model: Path, n_cancels: int, seed: int) -> None:
    """Cancel at random points, and check that no place and no slot is lost."""
    dice = random.Random(seed)
    async with running_host(model, n_slots=3, max_waiting_per_user=64) as host:
        await host.load("")
        served, worker = only_model(host), worker_pid(host)

        async def one() -> None:
            words = dice.choice([1, 20, 300])
            events = host.stream(chat("word " * words, max_tokens=200))
            reading = asyncio.ensure_future(collect(events))
            await asyncio.wait({reading}, timeout=dice.choice([0, 0.01, 0.05, 0.2]))
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading
            await events.aclose()

        for _ in range(n_cancels // 10):
            await asyncio.gather(*(one() for _ in range(10)))
        assert (served.queue.n_running, served.queue.n_waiting) == (0, 0)
        assert not served.life.is_in_use
        # The last cancelled batch may still be computed; then every slot is free.
        await collect(host.stream(chat("x", max_tokens=1)))
        (status,) = (await host.status()).workers
        assert (status.pid, status.slots_busy) == (worker, 0)


def test_cancels_at_random_points_leak_nothing(slow_model: Path) -> None:
    run(cancel_and_count(slow_model, 60, seed=1))


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_a_thousand_cancels(slow_model: Path) -> None:
    asyncio.run(cancel_and_count(slow_model, 1000, seed=2))


def test_twenty_kills_twenty_errors_twenty_recoveries(scripted_model: Path) -> None:
    run(kill_and_recover(scripted_model, 20))


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_a_hundred_kills(scripted_model: Path) -> None:
    asyncio.run(kill_and_recover(scripted_model, 100))
