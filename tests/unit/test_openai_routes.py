"""The routes over a backend whose time the test controls: silence, slow readers, gone clients."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from jupyter_localllm.errors import WorkerCrashed
from jupyter_localllm.openai_api import routes
from jupyter_localllm.protocol import (
    CompletionChunk,
    CompletionDone,
    CompletionEvent,
    FinishReason,
    Timings,
    Usage,
)

DONE = CompletionDone(FinishReason.STOP, Usage(), Timings())
BODY = {"messages": [{"role": "user", "content": "x"}], "stream": True}


class Scripted:
    """A backend that plays what a test says and notes when it was closed."""

    def __init__(self, play: Callable[[], AsyncIterator[CompletionEvent]]) -> None:
        self._play = play
        self.closed = asyncio.Event()

    async def stream(self, request: Any) -> AsyncIterator[CompletionEvent]:
        try:
            async for event in self._play():
                yield event
        finally:
            self.closed.set()

    @contextlib.asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        """Serve it; yields the address of its chat route."""
        backend: Any = self
        server = HTTPServer(Application(routes.private_routes(backend, "")))
        sockets = bind_sockets(0, "127.0.0.1")
        server.add_sockets(sockets)
        yield f"http://127.0.0.1:{sockets[0].getsockname()[1]}/v1/chat/completions"
        server.stop()
        await server.close_all_connections()


def run(main: Any) -> Any:
    return asyncio.run(asyncio.wait_for(main, 20))


def test_a_silent_answer_is_kept_alive_by_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "KEEPALIVE_S", 0.02)

    async def main() -> str:
        heard = asyncio.Event()

        async def play() -> AsyncIterator[CompletionEvent]:
            await heard.wait()
            yield CompletionChunk("text")
            yield DONE

        text = ""
        async with (
            Scripted(play).served() as url,
            httpx.AsyncClient() as client,
            client.stream("POST", url, json=BODY) as reply,
        ):
            async for part in reply.aiter_text():
                text += part
                if text.count(": waiting\n\n") >= 2:
                    heard.set()
        return text

    text = run(main())
    assert text.startswith(": waiting\n\n: waiting\n\n")
    assert text.endswith("data: [DONE]\n\n") and '"content":"text"' in text


def test_an_error_in_mid_stream_is_the_one_terminal_event() -> None:
    async def main() -> str:
        async def play() -> AsyncIterator[CompletionEvent]:
            yield CompletionChunk("part")
            raise WorkerCrashed("The model crashed.", "Ask again.")

        async with Scripted(play).served() as url, httpx.AsyncClient() as client:
            return (await client.post(url, json=BODY)).text

    text = run(main())
    assert text.count('"error"') == 1 and "[DONE]" not in text
    assert "worker_crashed" in text.splitlines()[-2]


def test_a_client_that_goes_away_closes_the_answer_also_before_the_first_event() -> None:
    async def main() -> None:
        entered = asyncio.Event()

        async def play() -> AsyncIterator[CompletionEvent]:
            entered.set()
            await asyncio.Event().wait()
            yield DONE

        backend = Scripted(play)
        async with backend.served() as url, httpx.AsyncClient() as client:
            asking = asyncio.create_task(client.post(url, json=BODY))
            await entered.wait()
            asking.cancel()
            await backend.closed.wait()

    run(main())


def test_a_bug_of_ours_is_told_without_its_insides(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> httpx.Response:
        async def play() -> AsyncIterator[CompletionEvent]:
            raise KeyError("secret inside")
            yield DONE

        async with Scripted(play).served() as url, httpx.AsyncClient() as client:
            return await client.post(url, json=BODY)

    reply = run(main())
    assert (reply.status_code, reply.json()["error"]["code"]) == (500, "internal_error")
    assert "secret" not in reply.text and "secret inside" in caplog.text
