"""What is told to all pages: in order, and bounded for a page that does not read."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from typing import Any

import psutil

from jupyter_localllm.chat_protocol import MessageFrame, MessageRecord
from jupyter_localllm.protocol import CompletionChunk
from jupyter_localllm.server.outbox import After, Outbox

from .page import TIMEOUT_S, Visitor
from .raw_socket import CLOSE, RawSocket
from .test_chat_stream import ControlledBackend, done, request


def test_frames_come_in_order_and_not_before_their_place() -> None:
    outbox = Outbox()
    place = After("r", 5)
    assert outbox.put("a") and outbox.put("b", place) and outbox.put("c")
    assert outbox.take(lambda after: False) == "a"
    assert outbox.take(lambda after: False) is None
    assert outbox.take(lambda after: after == place) == "b"
    assert outbox.take(lambda after: False) == "c"
    assert outbox.take(lambda after: True) is None


def test_what_is_too_much_is_given_up_as_a_whole() -> None:
    outbox = Outbox(max_frames=3, max_bytes=100)
    assert all(outbox.put("x") for _ in range(3))
    assert not outbox.put("x") and len(outbox) == 0
    assert outbox.put("x" * 60) and not outbox.put("x" * 60) and len(outbox) == 0
    assert outbox.put("x" * 100)


async def test_the_end_of_an_answer_is_told_behind_its_last_event(
    visitor: Visitor, extension: Any
) -> None:
    late = await RawSocket.connect(visitor)
    assert b"hello" in (await late.receive())[1]
    backend = ControlledBackend()
    stream = extension.streams.start("local", "r", request(), backend)
    late.send_json({"type": "resume", "request_id": "r", "last_seq": 0})
    assert b'"start"' in (await late.receive())[1]
    for _ in range(300):
        backend.events.put_nowait(CompletionChunk("x" * 3000))
    backend.events.put_nowait(done())
    await asyncio.wait_for(stream.wait_closed(), TIMEOUT_S)
    record = MessageRecord("r", "assistant", "", 0)
    # The page has read nothing yet: most of the answer waits in its buffer.
    extension.tell("local", MessageFrame("c", record), After("r", stream.buffer.last_seq))
    kinds = []
    while "message" not in kinds:
        kinds.append(json.loads((await late.receive())[1])["type"])
    assert kinds[-2:] == ["done", "message"] and kinds.count("delta") > 1
    await late.close()


async def test_a_page_that_does_not_read_is_sent_away_and_costs_nothing(
    visitor: Visitor, open_page: Any, extension: Any
) -> None:
    page = await open_page()
    deaf = [await RawSocket.connect(visitor) for _ in range(4)]
    for one in deaf:
        assert b"hello" in (await one.receive())[1]
    gc.collect()
    process = psutil.Process()
    before = process.memory_info().rss
    for index in range(2000):
        record = MessageRecord(f"m{index}", "assistant", "x" * 50_000, 0)
        extension.tell("local", MessageFrame("c", record))
        assert (await page.frame())["message"]["message_id"] == f"m{index}"
    assert process.memory_info().rss - before < 40 << 20
    deadline = time.monotonic() + TIMEOUT_S
    while len(extension.sockets) > 1:
        assert time.monotonic() < deadline, "a page that does not read is kept"
        await asyncio.sleep(0.05)
    for one in deaf:
        opcode, payload = await one.receive()
        while opcode != CLOSE:
            opcode, payload = await one.receive()
        await one.close()
    assert payload == b"" or int.from_bytes(payload[:2], "big") == 1013
