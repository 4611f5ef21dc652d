"""The life of an answer, with a backend whose timing and faults the test controls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from jupyter_localllm import errors
from jupyter_localllm.protocol import (
    ChatCompletionRequest,
    ChatMessage,
    CompletionChunk,
    CompletionDone,
    CompletionEvent,
    CompletionProgress,
    DeltaFrame,
    DoneFrame,
    ErrorFrame,
    FinishReason,
    Timings,
    Usage,
)
from jupyter_localllm.server.chat_stream import ChatStream, ChatStreams, StreamLimits

TIMEOUT_S = 5.0
STOPPING = errors.HostUnavailable("The Jupyter server is shutting down.", code="server_stopping")


class ControlledBackend:
    """Yields what the test puts in; an exception is raised, ``None`` ends without a terminal."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[CompletionEvent | BaseException | None] = asyncio.Queue()
        self.is_begun = asyncio.Event()
        self.is_closed = asyncio.Event()

    async def stream(self, request: Any) -> AsyncIterator[CompletionEvent]:
        self.is_begun.set()
        try:
            while (event := await self.events.get()) is not None:
                if isinstance(event, BaseException):
                    raise event
                yield event
                if isinstance(event, CompletionDone):
                    return
        finally:
            self.is_closed.set()


def request() -> ChatCompletionRequest:
    return ChatCompletionRequest(messages=[ChatMessage("user", "hi")])


def done() -> CompletionDone:
    return CompletionDone(FinishReason.STOP, Usage(1, 2, 0), Timings(), "m", 7)


async def ended(stream: ChatStream) -> list[Any]:
    """Wait for the terminal frame; return all frames."""
    event = asyncio.Event()
    stream.buffer.listen(event.set)
    while not stream.buffer.is_ended:
        event.clear()
        await asyncio.wait_for(event.wait(), TIMEOUT_S)
    frames: list[Any] = []
    while (frame := stream.buffer.next_frame(frames[-1].seq if frames else 0)) is not None:
        frames.append(frame)
    terminals = [frame for frame in frames if isinstance(frame, (DoneFrame, ErrorFrame))]
    assert terminals == frames[-1:], "not exactly one terminal frame, at the end"
    return frames


def listener() -> None:
    """Somebody who follows."""


async def test_events_become_numbered_frames() -> None:
    backend = ControlledBackend()
    stream = ChatStreams(StreamLimits()).start("u", "r", request(), backend)
    for event in (CompletionProgress(queue_position=0), CompletionChunk("Hi "), done()):
        backend.events.put_nowait(event)
    frames = await ended(stream)
    assert [type(frame).__name__ for frame in frames] == [
        "StartedFrame",
        "ProgressFrame",
        "DeltaFrame",
        "DoneFrame",
    ]
    assert frames[-1] == DoneFrame("r", 4, FinishReason.STOP, Usage(1, 2, 0), Timings(), "m", 7)


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (errors.QueueFull("The queue is full."), "queue_full"),
        (ValueError("a secret path"), "internal_error"),
        (None, "internal_error"),
    ],
)
async def test_every_failure_is_one_error_frame(event: Any, code: str) -> None:
    backend = ControlledBackend()
    stream = ChatStreams(StreamLimits()).start("u", "r", request(), backend)
    backend.events.put_nowait(CompletionChunk("part"))
    backend.events.put_nowait(event)
    frames = await ended(stream)
    assert isinstance(frames[1], DeltaFrame)
    assert frames[-1].error["code"] == code
    assert "secret" not in str(frames[-1].error)


async def test_cancelling_before_the_backend_was_asked_never_asks_it() -> None:
    backend = ControlledBackend()
    stream = ChatStreams(StreamLimits()).start("u", "r", request(), backend)
    stream.cancel()
    stream.cancel()
    frames = await ended(stream)
    await asyncio.wait_for(stream.wait_closed(), TIMEOUT_S)
    assert frames[-1].finish_reason is FinishReason.CANCELLED
    assert not backend.is_begun.is_set()


async def test_cancelling_closes_the_backend() -> None:
    backend = ControlledBackend()
    stream = ChatStreams(StreamLimits()).start("u", "r", request(), backend)
    await asyncio.wait_for(backend.is_begun.wait(), TIMEOUT_S)
    stream.cancel()
    await asyncio.wait_for(backend.is_closed.wait(), TIMEOUT_S)
    assert (await ended(stream))[-1].finish_reason is FinishReason.CANCELLED


async def test_an_answer_that_nobody_follows_is_cancelled_after_a_while() -> None:
    backend = ControlledBackend()
    streams = ChatStreams(StreamLimits(unattended_s=0.05))
    stream = streams.start("u", "r", request(), backend)
    stream.follow(listener)
    stream.unfollow(listener)
    assert not stream.buffer.is_ended
    frames = await ended(stream)
    assert frames[-1].finish_reason is FinishReason.CANCELLED
    await asyncio.wait_for(backend.is_closed.wait(), TIMEOUT_S)


async def test_an_answer_that_nobody_ever_followed_is_cancelled_too() -> None:
    backend = ControlledBackend()
    stream = ChatStreams(StreamLimits(unattended_s=0.05)).start("u", "r", request(), backend)
    assert (await ended(stream))[-1].finish_reason is FinishReason.CANCELLED


async def test_coming_back_in_time_keeps_the_answer_going() -> None:
    backend = ControlledBackend()
    streams = ChatStreams(StreamLimits(unattended_s=0.05))
    stream = streams.start("u", "r", request(), backend)
    stream.follow(listener)
    stream.unfollow(listener)
    stream.follow(listener)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(backend.is_closed.wait(), 0.2)
    backend.events.put_nowait(done())
    assert (await ended(stream))[-1].finish_reason is FinishReason.STOP


async def test_a_stream_exists_for_its_owner_only_and_for_a_while_only() -> None:
    backend = ControlledBackend()
    streams = ChatStreams(StreamLimits(keep_s=0.05))
    stream = streams.start("u", "r", request(), backend)
    assert streams.get("u", "r") is stream
    with pytest.raises(errors.NotFound):
        streams.get("other", "r")
    backend.events.put_nowait(done())
    await ended(stream)
    assert streams.get("u", "r") is stream
    expired = asyncio.Event()
    asyncio.get_running_loop().call_later(0.1, expired.set)
    await asyncio.wait_for(expired.wait(), TIMEOUT_S)
    with pytest.raises(errors.NotFound) as caught:
        streams.get("u", "r")
    assert caught.value.error_code == "stream_not_found"


async def test_an_id_in_use_is_refused_for_its_user_only() -> None:
    streams = ChatStreams(StreamLimits())
    streams.start("u", "r", request(), ControlledBackend())
    with pytest.raises(errors.RequestError) as caught:
        streams.start("u", "r", request(), ControlledBackend())
    assert caught.value.error_code == "duplicate_request"
    streams.start("other", "r", request(), ControlledBackend())
    await streams.close(STOPPING)


async def test_running_and_finished_streams_of_a_user_are_bounded() -> None:
    streams = ChatStreams(StreamLimits(max_running=2, max_kept=3))
    for _ in range(5):
        for index in range(2):
            streams.start("u", f"{_}-{index}", request(), ControlledBackend())
        with pytest.raises(errors.QueueFull) as caught:
            streams.start("u", "one-more", request(), ControlledBackend())
        assert caught.value.error_code == "too_many_streams"
        streams.start("other", f"{_}", request(), ControlledBackend()).cancel()
        for index in range(2):
            streams.get("u", f"{_}-{index}").cancel()
    assert len(streams._streams["u"]) == 3
    assert streams.get("u", "4-1") and streams.n_running == 0
    await streams.close(STOPPING)


async def test_closing_ends_all_with_an_error_and_refuses_new_ones() -> None:
    streams = ChatStreams(StreamLimits())
    backends = [ControlledBackend() for _ in range(3)]
    running = [streams.start("u", f"{i}", request(), b) for i, b in enumerate(backends)]
    await asyncio.wait_for(backends[2].is_begun.wait(), TIMEOUT_S)
    await asyncio.wait_for(streams.close(STOPPING), TIMEOUT_S)
    for stream in running:
        assert (await ended(stream))[-1].error["code"] == "server_stopping"
    assert all(backend.is_closed.is_set() for backend in backends)
    with pytest.raises(errors.HostUnavailable):
        streams.start("u", "late", request(), ControlledBackend())
