"""Pages that do not read, do not answer, or are gone: nobody else may notice.

The host is replaced by one that floods, or is silent, as the test needs; the server, its
websocket and the network are real.
"""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import psutil
import pytest

from jupyter_localllm.protocol import (
    ChatCompletionRequest,
    CompletionChunk,
    CompletionDone,
    CompletionEvent,
    FinishReason,
    Timings,
    Usage,
)

from .page import Visitor, check_numbers, text_of
from .raw_socket import CLOSE, PING, PONG, TEXT, RawSocket

PIECE = "x" * 999 + "\n"


class ControlledHost:
    """Answers ``flood N`` with N pieces of 1,000 characters at once, anything else never."""

    async def stream(self, request: ChatCompletionRequest) -> AsyncIterator[CompletionEvent]:
        word, _, count = request.messages[0].text.partition(" ")
        if word != "flood":
            await asyncio.Event().wait()
        for index in range(int(count)):
            yield CompletionChunk(PIECE)
            if index % 8 == 0:
                await asyncio.sleep(0)
        yield CompletionDone(FinishReason.STOP, Usage(), Timings(), "m")


@pytest.fixture
def controlled_host(extension: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def running_host() -> ControlledHost:
        return ControlledHost()

    monkeypatch.setattr(extension, "running_host", running_host)


pytestmark = pytest.mark.usefixtures("controlled_host")


def start(content: str, request_id: str = "r") -> dict[str, Any]:
    request = {"messages": [{"role": "user", "content": content}]}
    return {"type": "start", "request_id": request_id, "request": request}


async def test_a_page_that_does_not_read_costs_no_memory_and_no_time(
    visitor: Visitor, open_page: Any
) -> None:
    page = await open_page()
    await page.frames(await page.ask("flood 10"))
    gc.collect()
    process = psutil.Process()
    before = process.memory_info().rss
    deaf = [await RawSocket.connect(visitor) for _ in range(4)]
    for index, one in enumerate(deaf):
        one.send_json(start("flood 20000", f"deaf{index}"))
    slowest = 0.0
    peak = before
    for _ in range(60):
        begin = time.monotonic()
        frames = await page.frames(await page.ask("flood 10"))
        slowest = max(slowest, time.monotonic() - begin)
        peak = max(peak, process.memory_info().rss)
        assert text_of(frames) == PIECE * 10
    for one in deaf:
        await one.close()
    assert peak - before < 20 << 20, f"{(peak - before) >> 20} MiB for four deaf pages"
    assert slowest < 1.0


async def test_a_page_that_fell_behind_the_buffer_is_told(visitor: Visitor, open_page: Any) -> None:
    deaf = await RawSocket.connect(visitor)
    deaf.send_json(start("flood 20000", "r"))
    watcher = await open_page()
    await watcher.send({"type": "resume", "request_id": "r"})
    frame: dict[str, Any] = {}
    while frame.get("type") not in ("done", "error"):
        frame = await watcher.frame()
    frames: list[dict[str, Any]] = []
    while not frames or frames[-1]["type"] not in ("done", "error"):
        opcode, payload = await deaf.receive()
        assert opcode == TEXT
        frames.append(json.loads(payload))
    assert frames[0]["type"] == "hello"
    check_numbers(frames[1:-1])
    assert frames[-1]["error"]["code"] == "stream_not_found" and "seq" not in frames[-1]
    await deaf.close()


class TestLargeBuffer:
    @pytest.fixture
    def server_options(self) -> dict[str, Any]:
        return {"LocalLLMExtension": {"stream_buffer_bytes": 64 << 20}}

    async def test_a_late_reader_gets_merged_frames_and_every_character(
        self, visitor: Visitor, extension: Any
    ) -> None:
        late = await RawSocket.connect(visitor)
        late.send_json(start("flood 15000", "r"))
        frames = [json.loads((await late.receive())[1]) for _ in ("hello", "start")]
        stream = extension.streams.get("local", "r")
        await asyncio.wait_for(stream.wait_closed(), 30)
        while frames[-1]["type"] != "done":
            _, payload = await late.receive()
            frames.append(json.loads(payload))
        check_numbers(frames[1:])
        assert text_of(frames) == PIECE * 15000
        assert len(frames) < 12000
        await late.close()


class TestPings:
    @pytest.fixture
    def server_options(self) -> dict[str, Any]:
        return {"ServerApp": {"websocket_ping_interval": 1}}

    async def test_pings_come_while_the_model_is_silent(self, visitor: Visitor) -> None:
        page = await RawSocket.connect(visitor)
        page.send_json(start("silence"))
        n_pings = 0
        while n_pings < 3:
            opcode, payload = await page.receive(3.0)
            assert opcode != CLOSE
            if opcode == PING:
                n_pings += 1
                page.send(PONG, payload)
        await page.close()

    async def test_a_page_that_answers_no_ping_is_dropped(self, visitor: Visitor) -> None:
        page = await RawSocket.connect(visitor)
        begin = time.monotonic()
        while (await page.receive(5.0))[0] != CLOSE:
            assert time.monotonic() - begin < 5.0
        assert time.monotonic() - begin > 1.5
        await page.close()


def test_pings_are_frequent_enough_for_proxies(extension: Any) -> None:
    from jupyter_localllm.server.base import PING_INTERVAL_S

    assert PING_INTERVAL_S <= 20.0
