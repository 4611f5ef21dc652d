"""One shell's connection to a model host: found or started when needed, found again after loss.

Coroutines, run on the bridge's loop; shows nothing. Called by ``answer.py`` and ``magics.py``,
loaded with the first command that needs a host.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from jupyter_core.paths import jupyter_runtime_dir

from ..client.client import ConnectionLost
from ..client.host_client import HostClient
from ..errors import Cancelled, HostUnavailable, LocalLLMError
from ..host.connection_file import ConnectionInfo, is_alive, runtime_dir
from ..host.launch import find_host, start_host
from ..protocol import ChatCompletionRequest, CompletionEvent

Result = TypeVar("Result")

#: How often the display hears of a stream in which nothing happens.
TICK_S = 0.25
#: How often, and how far apart, a host that dropped a request is asked whether it still lives.
_DYING_STEPS = 50
_DYING_STEP_S = 0.02


class HostSession:
    """The host this shell talks to.

    A request that reached no living host, because the server was restarted or a child host ended,
    is sent once more, to the host that is found then. Once a host has said anything about a
    request, or while it lives, that request is never sent twice.
    """

    def __init__(self) -> None:
        self._client: HostClient | None = None
        self._info: ConnectionInfo | None = None
        #: One for each answer being written, set to stop it.
        self._stops: set[asyncio.Event] = set()

    async def find(self) -> HostClient | None:
        """Return a client of a running host; ``None`` if none runs."""
        info = await asyncio.to_thread(find_host)
        return None if info is None else await self._client_of(info)

    async def call(self, ask: Callable[[HostClient], Awaitable[Result]]) -> Result:
        """Ask a host for something, starting one if none runs."""
        client = await self._connect()
        try:
            return await ask(client)
        except (HostUnavailable, ConnectionLost) as error:
            if not await self._is_host_gone(error):
                raise
            await self.aclose()
        return await ask(await self._connect())

    async def stream(self, request: ChatCompletionRequest) -> AsyncIterator[CompletionEvent | None]:
        """Yield the events of an answer and, while nothing happens, ``None`` now and then.

        Raises
        ------
        Cancelled
            :meth:`stop_answers` was called.
        """
        stop = asyncio.Event()
        self._stops.add(stop)
        try:
            async with contextlib.aclosing(self._found_again(request)) as events:
                async for event in events:
                    yield event
                    if stop.is_set():
                        raise Cancelled("The answer was stopped by %llm stop.", "Ask again.")
        finally:
            self._stops.discard(stop)

    async def stop_answers(self) -> int:
        """Stop every answer that is being written; return how many there are."""
        for stop in self._stops:
            stop.set()
        return len(self._stops)

    async def _found_again(
        self, request: ChatCompletionRequest
    ) -> AsyncGenerator[CompletionEvent | None, None]:
        has_begun = False
        try:
            async with contextlib.aclosing(with_ticks(self._events(request))) as events:
                async for event in events:
                    has_begun = has_begun or event is not None
                    yield event
            return
        except (HostUnavailable, ConnectionLost) as error:
            if has_begun or not await self._is_host_gone(error):
                raise
            await self.aclose()
        async with contextlib.aclosing(with_ticks(self._events(request))) as events:
            async for event in events:
                yield event

    async def aclose(self) -> None:
        """Close the connections; the next request makes new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _events(self, request: ChatCompletionRequest) -> AsyncIterator[CompletionEvent]:
        events = (await self._connect()).stream(request)
        try:
            async for event in events:
                yield event
        finally:
            await close_iterator(events)

    async def _is_host_gone(self, error: LocalLLMError) -> bool:
        """Whether the host that a request was sent to is no more.

        A process that is killed takes connections for some milliseconds after it has lost others.
        """
        if isinstance(error, HostUnavailable) or self._info is None:
            return True
        for _ in range(_DYING_STEPS):
            if not await asyncio.to_thread(is_alive, self._info):
                return True
            await asyncio.sleep(_DYING_STEP_S)
        return False

    async def _connect(self) -> HostClient:
        return await self._client_of(await asyncio.to_thread(_found_or_started))

    async def _client_of(self, info: ConnectionInfo) -> HostClient:
        if self._client is None or info != self._info:
            await self.aclose()
            self._client = HostClient(
                info.url, socket_path=info.socket or None, api_key=info.api_key or None
            )
            self._info = info
        return self._client


def _found_or_started() -> ConnectionInfo:
    """Return a running host; where none can be started, see whether the folder is why."""
    try:
        return start_host()
    except HostUnavailable:
        _check_runtime_folder()
        raise


def _check_runtime_folder() -> None:
    reason = ""
    try:
        folder = runtime_dir()
        if not os.access(folder, os.W_OK | os.X_OK):
            reason = "it cannot be written to"
    except OSError as error:
        # What is in the way may be a folder above it.
        folder, reason = Path(jupyter_runtime_dir()), error.strerror or str(error)
    if reason:
        raise HostUnavailable(
            f"No model host can be started, because Jupyter's runtime folder {folder} cannot be "
            f"used: {reason}.",
            "Mend that folder, or name another one in JUPYTER_RUNTIME_DIR and restart the kernel.",
        )


async def with_ticks(
    events: AsyncIterator[CompletionEvent], interval_s: float = TICK_S
) -> AsyncGenerator[CompletionEvent | None, None]:
    """Yield the events and ``None`` after each interval without one."""
    pending: asyncio.Future[CompletionEvent] | None = None
    try:
        while True:
            if pending is None:
                pending = asyncio.ensure_future(_next(events))
            done, _ = await asyncio.wait({pending}, timeout=interval_s)
            if not done:
                yield None
                continue
            task, pending = pending, None
            try:
                event = task.result()
            except StopAsyncIteration:
                return
            yield event
    finally:
        if pending is not None:
            pending.cancel()
            await asyncio.wait({pending})
            if not pending.cancelled():
                pending.exception()
        await close_iterator(events)


async def _next(events: AsyncIterator[CompletionEvent]) -> CompletionEvent:
    return await events.__anext__()


async def close_iterator(events: AsyncIterator[CompletionEvent]) -> None:
    """Close an event iterator now, which cancels what feeds it."""
    close = getattr(events, "aclose", None)
    if close is not None:
        await close()
