"""The connection to a host: found, lost and found again; ticks while a stream is silent."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import select
import socket
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from jupyter_localllm.client.client import ConnectionLost
from jupyter_localllm.errors import Cancelled, HostUnavailable, WorkerCrashed
from jupyter_localllm.host import launch
from jupyter_localllm.host.connection_file import (
    CONNECTION_FILE_ENV,
    ConnectionInfo,
    write_connection_file,
)
from jupyter_localllm.host.launch import ChildHost
from jupyter_localllm.magics import host_session
from jupyter_localllm.magics.host_session import HostSession, with_ticks
from jupyter_localllm.protocol import (
    ChatCompletionRequest,
    ChatMessage,
    CompletionChunk,
    CompletionDone,
    CompletionEvent,
)
from tests.gguf_builders.scripted import SCRIPTS
from tests.magics.kernel_session import KernelSession
from tests.platforms import needs_unix_sockets

Result = TypeVar("Result")

TIMEOUT_S = 60


@pytest.fixture
def hosts(scripted_model: Path) -> Iterator[Callable[[], ChildHost]]:
    """``hosts()``: a real host process, ended with the test."""
    started: list[ChildHost] = []

    def start() -> ChildHost:
        started.append(ChildHost(str(scripted_model)))
        started[-1].wait_listening(30)
        return started[-1]

    yield start
    for host in started:
        host.stop()


def info_of(host: ChildHost) -> ConnectionInfo:
    assert host.info is not None
    return host.info


def stale(host: ChildHost, folder: Path) -> ConnectionInfo:
    """Return a connection to a host that has just gone."""
    return dataclasses.replace(info_of(host), socket=str(folder / "gone.sock"))


def request(prompt: str = "HELLO") -> ChatCompletionRequest:
    message = ChatMessage(role="user", content=prompt)
    return ChatCompletionRequest(messages=[message], max_tokens=100, return_progress=True)


async def collect() -> str:
    session = HostSession()
    text = ""
    try:
        async for event in session.stream(request()):
            if isinstance(event, CompletionChunk):
                text += event.text
    finally:
        await session.aclose()
    return text


async def server_version() -> str:
    session = HostSession()
    try:
        return (await session.call(lambda client: client.status())).server_version
    finally:
        await session.aclose()


def run(coroutine: Coroutine[Any, Any, Result]) -> Result:
    return asyncio.run(asyncio.wait_for(coroutine, TIMEOUT_S))


def offer(monkeypatch: pytest.MonkeyPatch, *infos: ConnectionInfo) -> list[ConnectionInfo]:
    """Let ``start_host`` return these, one after the other; return what is left of them."""
    left = list(infos)
    monkeypatch.setattr(host_session, "start_host", lambda: left.pop(0))
    return left


def test_a_question_that_reached_nobody_is_asked_once_more(
    hosts: Callable[[], ChildHost], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    host = hosts()
    left = offer(monkeypatch, stale(host, tmp_path), info_of(host))
    assert run(collect()) == SCRIPTS["HELLO"]
    assert left == []


def test_the_second_host_being_gone_too_is_an_error(
    hosts: Callable[[], ChildHost], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    host = hosts()
    gone = stale(host, tmp_path)
    left = offer(monkeypatch, gone, gone, info_of(host))
    with pytest.raises(HostUnavailable):
        run(collect())
    assert len(left) == 1


def test_a_status_that_reached_nobody_is_asked_once_more(
    hosts: Callable[[], ChildHost], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    host = hosts()
    offer(monkeypatch, stale(host, tmp_path), info_of(host))
    assert run(server_version())


def test_a_runtime_folder_that_cannot_be_made_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "runtime"
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(folder))
    # The host that another test's shell may have started.
    monkeypatch.setattr(launch, "_child", None)
    with pytest.raises(HostUnavailable) as caught:
        run(server_version())
    assert str(folder) in caught.value.message
    assert "Not a directory" in caught.value.message
    assert "JUPYTER_RUNTIME_DIR" in caught.value.hint


class DroppingHost:
    """Takes connections and drops them unread, as a killed process does for some milliseconds."""

    def __init__(self, folder: Path, *, lives_on: bool) -> None:
        self.path = folder / "dropping.sock"
        self.n_requests = 0
        self._lives_on = lives_on
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with self._listener:
            while self._lives_on or not self.n_requests:
                try:
                    connection, _ = self._listener.accept()
                except OSError:
                    return
                with connection:
                    # Data that nobody reads makes the closing a reset; a probe sends none.
                    self.n_requests += bool(select.select([connection], [], [], 0.3)[0]) and bool(
                        connection.recv(1, socket.MSG_PEEK)
                    )

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)


@needs_unix_sockets
@pytest.mark.parametrize("lives_on", [False, True])
def test_a_dropped_question_is_asked_again_only_if_its_host_is_gone(
    hosts: Callable[[], ChildHost],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    lives_on: bool,
) -> None:
    real = info_of(hosts())
    dropping = DroppingHost(tmp_path, lives_on=lives_on)
    try:
        left = offer(monkeypatch, dataclasses.replace(real, socket=str(dropping.path)), real)
        if lives_on:
            with pytest.raises(ConnectionLost):
                run(collect())
            assert left == [real]
        else:
            assert run(collect()) == SCRIPTS["HELLO"]
            assert left == []
        assert dropping.n_requests == 1
    finally:
        dropping.close()


def test_after_a_server_restart_the_new_host_answers(
    hosts: Callable[[], ChildHost], start_kernel: Callable[..., KernelSession]
) -> None:
    """The kernel goes on living; the server's connection file has another name."""
    first = hosts()
    inherited = write_connection_file(
        dataclasses.replace(info_of(first), scope="server", path=None)
    )
    kernel = start_kernel(**{CONNECTION_FILE_ENV: str(inherited)})
    pid = "print(get_ipython().configurables[-1]._session._info.pid)"
    for _ in range(3):
        cell = kernel.run("%%llm\nHELLO\n").check_ok()
        assert cell.displays[-1]["data"]["text/plain"] == SCRIPTS["HELLO"]
        assert int(kernel.run(pid).check_ok().stdout) == info_of(first).pid
        first.stop()
        first = hosts()
        write_connection_file(dataclasses.replace(info_of(first), scope="server", path=None))
    assert kernel.run("%llm status").check_ok().stdout.startswith("Host ")


# --- ticks ----------------------------------------------------------------------------------


class Events:
    """A stream that gives what it is told to and notes being closed."""

    def __init__(self, *steps: str | float | Exception) -> None:
        self.steps = steps
        self.is_closed = False

    async def stream(self) -> AsyncIterator[CompletionEvent]:
        try:
            for step in self.steps:
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, float):
                    await asyncio.sleep(step)
                else:
                    yield CompletionChunk(step)
        finally:
            self.is_closed = True


async def texts(events: Events, interval_s: float) -> list[str | None]:
    seen: list[str | None] = []
    async for event in with_ticks(events.stream(), interval_s):
        assert not isinstance(event, CompletionDone)
        seen.append(event if event is None else getattr(event, "text", ""))
    return seen


def test_a_silent_stream_ticks_and_loses_nothing() -> None:
    events = Events("a", 0.35, "b", "c")
    seen = run(texts(events, 0.1))
    assert [text for text in seen if text] == ["a", "b", "c"]
    assert 1 <= seen.count(None) <= 4
    assert events.is_closed


def test_an_error_passes_through_the_ticks() -> None:
    events = Events("a", WorkerCrashed("gone"))
    with pytest.raises(WorkerCrashed):
        run(texts(events, 0.1))
    assert events.is_closed


@pytest.mark.parametrize("steps", [("a", 60.0), (60.0,), ("a", "b")])
@pytest.mark.parametrize("wanted", [None, "a"])
def test_closing_the_ticks_closes_the_stream_at_once(
    steps: tuple[str | float, ...], wanted: str | None
) -> None:
    async def leave() -> bool:
        events = Events(*steps)
        ticks = with_ticks(events.stream(), 0.05)
        async for event in ticks:
            if event is None or event == CompletionChunk(wanted or ""):
                break
        await ticks.aclose()
        return events.is_closed

    assert run(leave())


def test_two_sessions_of_one_process_share_a_child_host(
    start_kernel: Callable[..., KernelSession], scripted_model: Path
) -> None:
    kernel = start_kernel()
    kernel.run(f"%llm use {scripted_model}").check_ok()
    kernel.run("%reload_ext jupyter_localllm").check_ok()
    kernel.run("%%llm\nHELLO\n").check_ok()
    count = (
        "import os, psutil\n"
        "print(sum('jupyter_localllm.host' in p.cmdline() for p in psutil.Process().children()))"
    )
    assert kernel.run(count).check_ok().stdout.strip() == "1"


def test_stopping_answers_ends_every_stream_and_says_how_many(
    hosts: Callable[[], ChildHost], monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, *[info_of(hosts())] * 2)

    async def stop() -> tuple[int, int]:
        session = HostSession()
        try:
            async with contextlib.aclosing(session.stream(request("LONG"))) as events:
                async for _ in events:
                    break
                n_stopped = await session.stop_answers()
                with pytest.raises(Cancelled):
                    async for _ in events:
                        pass
            return n_stopped, await session.stop_answers()
        finally:
            await session.aclose()

    assert run(stop()) == (1, 0)
