"""Answers: events <-> OpenAI's chunks as server-sent events, and error bodies.

Writer and reader stand side by side, so that a field is spelt in one place. Replies are read
leniently: an outside server may add fields. No tornado, no httpx.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec

from .. import errors
from ..protocol import (
    CompletionChunk,
    CompletionDone,
    CompletionEvent,
    CompletionProgress,
    FinishReason,
    Timings,
    TokenLogprob,
    Usage,
)

SSE_DONE = b"data: [DONE]\n\n"
#: A comment line: keeps a proxy's idle timer and our own liveness check fed.
SSE_KEEPALIVE = b": waiting\n\n"


class AnswerWriter:
    """Writes the events of one answer as OpenAI JSON.

    Parameters
    ----------
    is_chat : bool
        Chat completion (``delta.content``) or text completion (``text``).
    model : str
        The model name shown until the engine names its own.
    """

    def __init__(self, *, is_chat: bool, model: str) -> None:
        self.is_chat = is_chat
        self.model = model
        self.id = ("chatcmpl-" if is_chat else "cmpl-") + uuid.uuid4().hex
        self.created = int(time.time())
        self._has_role = False

    def _chunk(self, choices: list[dict[str, Any]], **extra: Any) -> bytes:
        name = "chat.completion.chunk" if self.is_chat else "text_completion"
        body: dict[str, Any] = {
            "id": self.id,
            "object": name,
            "created": self.created,
            "model": self.model,
            "choices": choices,
            **extra,
        }
        return b"data: " + msgspec.json.encode(body) + b"\n\n"

    def _choice(
        self, text: str | None, logprobs: list[TokenLogprob] | None, finish: str | None
    ) -> dict[str, Any]:
        choice: dict[str, Any] = {"index": 0, "finish_reason": finish}
        if self.is_chat:
            delta: dict[str, Any] = {}
            if not self._has_role:
                self._has_role = True
                delta["role"] = "assistant"
            if text is not None:
                delta["content"] = text
            choice["delta"] = delta
            choice["logprobs"] = {"content": logprobs} if logprobs else None
        else:
            choice["text"] = text or ""
            choice["logprobs"] = _completion_logprobs(logprobs) if logprobs else None
        return choice

    def event(self, event: CompletionEvent) -> bytes:
        """Return one SSE block (the last one includes ``[DONE]``)."""
        if isinstance(event, CompletionChunk):
            return self._chunk([self._choice(event.text, event.logprobs, None)])
        if isinstance(event, CompletionProgress):
            body = msgspec.to_builtins(event)
            del body["type"]
            return self._chunk([], progress=body)
        self.model = event.model or self.model
        last = self._chunk(
            [self._choice(None, None, event.finish_reason.value)],
            usage=_usage_body(event.usage),
            timings=event.timings,
            seed=event.seed,
        )
        return last + SSE_DONE

    async def whole(self, events: AsyncIterator[CompletionEvent]) -> dict[str, Any]:
        """Collect a stream into the body of a non-streamed reply."""
        text: list[str] = []
        logprobs: list[TokenLogprob] = []
        done: CompletionDone | None = None
        async for event in events:
            if isinstance(event, CompletionChunk):
                text.append(event.text)
                logprobs.extend(event.logprobs or ())
            elif isinstance(event, CompletionDone):
                done = event
        if done is None:
            raise errors.InternalError(
                "The answer ended without saying why.", "Send the request again."
            )
        choice: dict[str, Any] = {"index": 0, "finish_reason": done.finish_reason.value}
        joined = "".join(text)
        if self.is_chat:
            choice["message"] = {"role": "assistant", "content": joined}
            choice["logprobs"] = {"content": logprobs} if logprobs else None
        else:
            choice["text"] = joined
            choice["logprobs"] = _completion_logprobs(logprobs) if logprobs else None
        return {
            "id": self.id,
            "object": "chat.completion" if self.is_chat else "text_completion",
            "created": self.created,
            "model": done.model or self.model,
            "choices": [choice],
            "usage": _usage_body(done.usage),
            "timings": done.timings,
            "seed": done.seed,
        }


def error_event(error: errors.LocalLLMError) -> bytes:
    """Return the SSE block of an error in mid-stream; nothing follows it."""
    return b"data: " + error_body(error) + b"\n\n"


def error_body(error: errors.LocalLLMError) -> bytes:
    """Return the JSON body of an error reply."""
    return msgspec.json.encode({"error": error.to_body()})


def _usage_body(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def _completion_logprobs(logprobs: list[TokenLogprob]) -> dict[str, Any]:
    offsets: list[int] = []
    length = 0
    for entry in logprobs:
        offsets.append(length)
        length += len(entry.token)
    return {
        "tokens": [entry.token for entry in logprobs],
        "token_logprobs": [entry.logprob for entry in logprobs],
        "top_logprobs": [
            {top.token: top.logprob for top in entry.top_logprobs} for entry in logprobs
        ],
        "text_offset": offsets,
        # Beyond OpenAI's shape, which has no bytes: what a host reads back without loss.
        "content": logprobs,
    }


class _Delta(msgspec.Struct):
    content: str | None = None


class _Logprobs(msgspec.Struct):
    content: list[TokenLogprob] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _TokenDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _UsageBody(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _TokenDetails | None = None


class _ProgressBody(msgspec.Struct):
    queue_position: int | None = None
    prompt_tokens_done: int | None = None
    prompt_tokens_total: int | None = None
    model_state: str | None = None
    load_progress: float | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = []
    model: str = ""
    usage: _UsageBody | None = None
    timings: Timings | None = None
    progress: _ProgressBody | None = None
    seed: int | None = None
    error: dict[str, Any] | None = None


_chunk_decoder = msgspec.json.Decoder(_Chunk)


class AnswerReader:
    """Reads a streamed answer back into events, from bytes cut anywhere.

    Feed bytes with :meth:`feed`; ask :attr:`is_complete` when the connection ends: a stream that
    ends before its terminal event was cut.
    """

    def __init__(self) -> None:
        self.is_complete = False
        self._buffer = b""
        self._finish: str | None = None
        self._done = CompletionDone(FinishReason.STOP, Usage(), Timings())

    def feed(self, data: bytes) -> Iterator[CompletionEvent]:
        """Yield the events that are whole now.

        Raises
        ------
        LocalLLMError
            The error event of the stream.
        """
        buffer = (self._buffer + data).replace(b"\r\n", b"\n")
        *blocks, self._buffer = buffer.split(b"\n\n")
        for block in blocks:
            for line in block.split(b"\n"):
                if line.startswith(b"data:"):
                    yield from self._read(line[5:].strip())

    def _read(self, data: bytes) -> Iterator[CompletionEvent]:
        if data == b"[DONE]":
            self.is_complete = True
            yield self._done
            return
        try:
            chunk = _chunk_decoder.decode(data)
        except msgspec.DecodeError as error:
            raise errors.WorkerError(
                f"The model server sent something that is not an OpenAI chunk: {error}.",
                "Check that the address belongs to an OpenAI-compatible server.",
                code="bad_backend_reply",
            ) from None
        if chunk.error is not None:
            self.is_complete = True
            raise errors.error_from_body(chunk.error)
        if chunk.progress is not None:
            progress = msgspec.to_builtins(chunk.progress)
            yield msgspec.convert({"type": "progress", **progress}, CompletionProgress)
        for choice in chunk.choices[:1]:
            text = choice.delta.content if choice.delta is not None else choice.text
            logprobs = choice.logprobs.content if choice.logprobs is not None else None
            if text or logprobs:
                yield CompletionChunk(text or "", logprobs)
            if choice.finish_reason is not None:
                known = [reason.value for reason in FinishReason]
                reason = choice.finish_reason if choice.finish_reason in known else "stop"
                self._done.finish_reason = FinishReason(reason)
        self._note(chunk)

    def _note(self, chunk: _Chunk) -> None:
        if chunk.model:
            self._done.model = chunk.model
        if chunk.timings is not None:
            self._done.timings = chunk.timings
        if chunk.seed is not None:
            self._done.seed = chunk.seed
        if chunk.usage is not None:
            details = chunk.usage.prompt_tokens_details
            self._done.usage = Usage(
                chunk.usage.prompt_tokens,
                chunk.usage.completion_tokens,
                (details.cached_tokens or 0) if details is not None else 0,
            )


def read_error(body: bytes, status: int) -> errors.LocalLLMError:
    """Rebuild the error of a non-streamed reply, ours or another server's."""
    try:
        value = msgspec.json.decode(body)
    except msgspec.DecodeError:
        value = None
    inner = value.get("error") if isinstance(value, dict) else None
    if isinstance(inner, str):
        inner = {"message": inner}
    if not isinstance(inner, dict):
        inner = {"message": f"The model server answered with status {status}."}
    return errors.error_from_body(inner, status)
