"""What host tests share: a host on a loop, requests, and waiting for events instead of time."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from jupyter_localllm.client.host_client import HostClient
from jupyter_localllm.host.config import HostConfig
from jupyter_localllm.host.connection_file import read_connection_file
from jupyter_localllm.host.model_host import ModelHost
from jupyter_localllm.host.served_model import ServedModel
from jupyter_localllm.protocol import (
    ChatCompletionRequest,
    ChatMessage,
    CompletionChunk,
    CompletionDone,
    CompletionEvent,
)

ResultType = TypeVar("ResultType")

FAKE_WORKER = Path(__file__).with_name("faulty_worker.py")
FAULTY = (sys.executable, str(FAKE_WORKER))

#: Nothing in these tests may take longer; a hang is a failure with a traceback.
PATIENCE_S = 60.0


def run(main: Coroutine[Any, Any, ResultType]) -> ResultType:
    """Run a test's coroutine on a fresh loop, at most ``PATIENCE_S`` long."""

    async def bounded() -> ResultType:
        return await asyncio.wait_for(main, PATIENCE_S)

    return asyncio.run(bounded())


def chat(text: str, **fields: Any) -> ChatCompletionRequest:
    """Return a chat request of one user message."""
    fields.setdefault("temperature", 0.0)
    fields.setdefault("return_progress", True)
    return ChatCompletionRequest(messages=[ChatMessage("user", text)], **fields)


@contextlib.asynccontextmanager
async def running_host(
    model: Path | str, *, host_options: dict[str, Any] | None = None, **config: Any
) -> AsyncGenerator[ModelHost, None]:
    """A started host whose default model is ``model``."""
    config.setdefault("context_window", 2048)
    config.setdefault("terminate_grace_s", 3.0)
    host = ModelHost(HostConfig(default_model=str(model), **config), **(host_options or {}))
    await host.start()
    try:
        yield host
    finally:
        await host.stop()


@contextlib.asynccontextmanager
async def client_of(host: ModelHost) -> AsyncGenerator[HostClient, None]:
    """A client on the host's private socket, found as a kernel finds it."""
    assert host.connection_file is not None
    info = read_connection_file(host.connection_file)
    assert info is not None
    client = HostClient(info.url, socket_path=info.socket or None, api_key=info.api_key)
    try:
        yield client
    finally:
        await client.aclose()


async def collect(events: AsyncGenerator[CompletionEvent, None]) -> list[CompletionEvent]:
    """Return all events, and check that exactly the last one is terminal."""
    seen = [event async for event in events]
    assert [type(event) for event in seen].count(CompletionDone) == 1
    assert isinstance(seen[-1], CompletionDone)
    return seen


def text_of(events: list[CompletionEvent]) -> str:
    """Return the answer's text."""
    return "".join(event.text for event in events if isinstance(event, CompletionChunk))


def only_model(host: ModelHost) -> ServedModel:
    """Return the one model a host has been asked for."""
    (model,) = host._models.values()
    return model


def worker_pid(host: ModelHost) -> int:
    """Return the process id of the one worker."""
    pid = only_model(host).life.pid
    assert pid is not None
    return pid


async def until(model: ServedModel, condition: Callable[[], bool]) -> None:
    """Wait for a condition that only changes with the model's state or use."""
    while not condition():
        await model.life.wait_change()


async def first_chunk(events: AsyncGenerator[CompletionEvent, None]) -> CompletionChunk:
    """Read up to the first text."""
    async for event in events:
        if isinstance(event, CompletionChunk):
            return event
    raise AssertionError("the answer had no text")
