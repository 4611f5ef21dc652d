"""Answers written as server-sent events read back the same, wherever the bytes are cut."""

from __future__ import annotations

import pytest

from jupyter_localllm import errors
from jupyter_localllm.openai_api.answers import (
    SSE_DONE,
    SSE_KEEPALIVE,
    AnswerReader,
    AnswerWriter,
    error_event,
    read_error,
)
from jupyter_localllm.protocol import (
    CompletionChunk,
    CompletionDone,
    CompletionEvent,
    CompletionProgress,
    FinishReason,
    ModelState,
    Timings,
    TokenLogprob,
    TopLogprob,
    Usage,
)

LOGPROB = TokenLogprob("é", -0.5, [195, 169], [TopLogprob("e", -1.5, [101])])
EVENTS: list[CompletionEvent] = [
    CompletionProgress(queue_position=3),
    CompletionProgress(model_state=ModelState.LOADING, load_progress=0.25),
    CompletionProgress(prompt_tokens_done=0, prompt_tokens_total=7),
    CompletionChunk("Grüße 👩‍🚀\n\ndata: [DONE]\n\n日本語"),
    CompletionChunk("\r\n and \\n{x} {{y}}"),
    CompletionChunk("", [LOGPROB]),
    CompletionChunk("é", [LOGPROB]),
    CompletionDone(
        FinishReason.LENGTH,
        Usage(7, 3, 2),
        Timings(cache_n=2, prompt_n=5, prompt_ms=1.5, predicted_n=3, predicted_ms=2.5),
        "tiny",
        -(2**40),
    ),
]


def written(events: list[CompletionEvent], *, is_chat: bool = True) -> bytes:
    writer = AnswerWriter(is_chat=is_chat, model="tiny")
    return b"".join(SSE_KEEPALIVE + writer.event(event) for event in events)


def read(*pieces: bytes) -> list[CompletionEvent]:
    reader = AnswerReader()
    events = [event for piece in pieces for event in reader.feed(piece)]
    assert reader.is_complete
    return events


def test_chat_answer_comes_back_whole() -> None:
    assert read(written(EVENTS)) == EVENTS


def test_text_answer_comes_back_whole() -> None:
    assert read(written(EVENTS, is_chat=False)) == EVENTS


def test_cut_at_every_byte() -> None:
    data = written(EVENTS)
    for place in range(len(data) + 1):
        assert read(data[:place], data[place:]) == EVENTS, place


def test_one_byte_at_a_time() -> None:
    data = written(EVENTS)
    assert read(*(data[i : i + 1] for i in range(len(data)))) == EVENTS


def test_windows_line_ends() -> None:
    data = written(EVENTS).replace(b"\n\n", b"\r\n\r\n")
    assert read(data) == EVENTS
    for place in range(len(data) + 1):
        assert read(data[:place], data[place:]) == EVENTS, place


@pytest.mark.parametrize("place", [0, 1, -1, -len(SSE_DONE)])
def test_stream_without_its_end_is_not_complete(place: int) -> None:
    reader = AnswerReader()
    data = written(EVENTS)
    events = list(reader.feed(data[: place or None] if place else b""))
    assert not reader.is_complete
    assert not any(isinstance(event, CompletionDone) for event in events)


def test_error_event_is_raised_with_all_it_says() -> None:
    error = errors.QueueFull("Too many.", "Wait.", details={"limit": 64})
    reader = AnswerReader()
    assert list(reader.feed(written(EVENTS[:4]))) == EVENTS[:4]
    with pytest.raises(errors.QueueFull) as caught:
        list(reader.feed(error_event(error)))
    assert caught.value.to_body() == error.to_body()
    assert reader.is_complete


def test_other_servers_fields_are_ignored() -> None:
    data = (
        b'data: {"id":"x","choices":[{"index":0,"delta":{"role":"assistant","content":"a",'
        b'"reasoning":"r"},"finish_reason":null}],"system_fingerprint":"f"}\n\n'
        b'data: {"choices":[{"delta":{},"finish_reason":"tool_calls"}]}\n\n'
        b'data: {"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":1,"x":2}}\n\n'
        b"data: [DONE]\n\n"
    )
    chunk, done = read(data)
    assert chunk == CompletionChunk("a")
    assert isinstance(done, CompletionDone)
    assert (done.finish_reason, done.usage.prompt_tokens) == (FinishReason.STOP, 4)


def test_nonsense_is_told_as_such() -> None:
    with pytest.raises(errors.WorkerError, match="not an OpenAI chunk") as caught:
        list(AnswerReader().feed(b"data: {nonsense\n\n"))
    assert caught.value.error_code == "bad_backend_reply"


@pytest.mark.parametrize(
    ("body", "status", "cls", "message"),
    [
        (b'{"error":{"message":"m","code":"queue_full"}}', 503, errors.QueueFull, "m"),
        (b'{"error":{"message":"m","code":"odd"}}', 400, errors.RequestError, "m"),
        (b'{"error":"plain text"}', 404, errors.NotFound, "plain text"),
        (b"<html>", 502, errors.WorkerError, "The model server answered with status 502."),
        (b"[1]", 401, errors.Unauthorized, "The model server answered with status 401."),
    ],
)
def test_error_bodies(body: bytes, status: int, cls: type[Exception], message: str) -> None:
    error = read_error(body, status)
    assert type(error) is cls
    assert error.message == message
