"""Conversations that are longer than the context window, with a real model and its window."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest

from jupyter_localllm import errors
from jupyter_localllm.assistant.context import compose
from jupyter_localllm.assistant.fitting import TokenCounter
from jupyter_localllm.chat_protocol import MessageRecord
from jupyter_localllm.protocol import (
    ChatCompletionRequest,
    ChatMessage,
    CompletionChunk,
    CompletionDone,
    CompletionEvent,
    FinishReason,
    HostStatus,
    ModelInfo,
    ModelState,
    Timings,
    Usage,
)
from jupyter_localllm.server.prompting import PromptingBackend

from .conversation import Conversation, ask_json, state_of

WINDOW = 400


class TestSmallWindow:
    @pytest.fixture
    def server_options(self) -> dict[str, Any]:
        return {"LocalLLMExtension": {"context_window": WINDOW}}

    async def test_the_oldest_turns_are_left_out_and_the_pages_are_told_first(
        self, open_chat: Any
    ) -> None:
        chat: Conversation = await open_chat(system_prompt="Be brief.")
        parent_id, answers = None, []
        for number in range(14):
            frame = await chat.send(f"HELLO {number} {'x' * 20}", parent_id, max_tokens=50)
            told: list[Any] = []
            while not told or told[-1]["type"] != "done":
                told.append(await chat.page.frame())
                assert told[-1]["type"] != "error", told[-1]
            final = await chat.final(frame["request_id"])
            answers.append(final)
            parent_id = final["message_id"]
            assert state_of(final) == "complete"
            assert final["usage"]["prompt_tokens"] + 50 <= WINDOW
            if not final.get("n_left_out"):
                assert "first_sent_id" not in final
                continue
            notes = [
                index
                for index, frame in enumerate(told)
                if frame["type"] == "message" and frame["message"].get("n_left_out")
            ]
            first_delta = next(i for i, frame in enumerate(told) if frame["type"] == "delta")
            note = told[notes[-1]]["message"]
            assert notes[-1] < first_delta and note["state"] == "writing"
            assert note["n_left_out"] == final["n_left_out"]
            assert note["first_sent_id"] == final["first_sent_id"]
        messages = list((await chat.messages()).values())
        trimmed = [answer for answer in answers if answer.get("n_left_out")]
        assert 5 < len(trimmed) < 14
        for answer in trimmed:
            first_sent = messages[answer["n_left_out"]]
            assert first_sent["message_id"] == answer["first_sent_id"]
            assert first_sent["role"] == "user"
        starts = [answer["first_sent_id"] for answer in trimmed]
        assert len(set(starts)) < len(starts), "each prompt begins elsewhere: no prefix is reused"
        # Where the beginning is the one before, the KV cache had all but the last turn.
        for before, answer in itertools.pairwise(trimmed):
            if before["first_sent_id"] == answer["first_sent_id"]:
                assert answer["usage"]["cached_tokens"] >= before["usage"]["prompt_tokens"] - 1

    async def test_a_question_that_never_fits_is_a_failed_answer_with_both_numbers(
        self, open_chat: Any
    ) -> None:
        chat: Conversation = await open_chat()
        item = {"kind": "file", "label": "@file:big.txt", "text": "y" * 2000}
        final = await chat.ask("HELLO", message={"context": [item]})
        assert final["state"] == "failed" and final["content"] == ""
        error = final["error"]
        assert error["code"] == "prompt_too_long" and "attachment" in error["hint"]
        assert error["details"]["n_ctx"] == WINDOW
        assert error["details"]["n_prompt_tokens"] > 2000
        # It is not sent with the next one.
        assert state_of(await chat.ask("HELLO", final["message_id"])) == "complete"

    async def test_a_long_first_question_tells_how_far_loading_is(
        self, open_chat: Any, visitor: Any
    ) -> None:
        chat: Conversation = await open_chat()
        frame = await chat.send("HELLO " + "x" * 150)
        frames = await chat.page.frames(frame["request_id"])
        states = [frame.get("model_state") for frame in frames if frame["type"] == "progress"]
        assert frames[-1]["type"] == "done"
        status = await ask_json(visitor, "status")
        window = next(m["context_window"] for m in status["models"] if m["id"] == "scripted")
        assert window == WINDOW and "loading" in states


# --- hosts that say little ------------------------------------------------------------------


class OutsideHost:
    """A backend without a route to count, whose window only it knows."""

    def __init__(self, limit_chars: int, error: errors.LocalLLMError) -> None:
        self.limit_chars = limit_chars
        self.error = error
        self.asked: list[int] = []

    async def status(self) -> HostStatus:
        info = ModelInfo("lab/m", state=ModelState.READY, source="lab")
        return HostStatus(1, "0", models=[info])

    async def tokenize(self, request: Any) -> list[int]:
        raise errors.NotFound("No such route.", "None.")

    async def stream(self, request: ChatCompletionRequest) -> AsyncIterator[CompletionEvent]:
        assert request.messages[0].role == "system" and request.messages[-1].text == "last"
        size = sum(len(message.text) for message in request.messages)
        self.asked.append(len(request.messages))
        if size > self.limit_chars:
            raise self.error
        yield CompletionChunk("ok")
        yield CompletionDone(FinishReason.STOP, Usage(), Timings(), "m")


def long_conversation() -> Any:
    path = []
    for index in range(32):
        path += [
            MessageRecord(f"q{index}", "user", "x" * 50, 0),
            MessageRecord(f"a{index}", "assistant", "y" * 50, 0),
        ]
    return compose([*path, MessageRecord("q", "user", "last", 0)], "system", {})


@pytest.mark.parametrize(
    ("error", "n_attempts"),
    [
        (errors.RequestError("Too long.", "", code="context_length_exceeded"), 4),
        (errors.PromptTooLong("Too long.", ""), 30),
    ],
)
async def test_what_a_backend_refuses_is_sent_shorter(
    error: errors.LocalLLMError, n_attempts: int
) -> None:
    host: Any = OutsideHost(500, error)
    told: list[tuple[int, str]] = []
    backend = PromptingBackend(
        host, long_conversation(), TokenCounter(), lambda n, first: told.append((n, first)), 0
    )
    request = ChatCompletionRequest(messages=[ChatMessage("user", "")], model="lab/m")
    texts = [e.text async for e in backend.stream(request) if isinstance(e, CompletionChunk)]
    assert texts == ["ok"]
    assert len(host.asked) <= n_attempts and host.asked[-1] <= 12
    n_left_out, first_id = told[-1]
    assert n_left_out == 66 - host.asked[-1] and first_id == f"q{n_left_out // 2}"


async def test_a_backend_that_refuses_even_the_question_is_told_with_a_next_step() -> None:
    host: Any = OutsideHost(3, errors.RequestError("Too long.", "", code="context_length_exceeded"))
    backend = PromptingBackend(host, long_conversation(), TokenCounter(), lambda n, first: None, 0)
    request = ChatCompletionRequest(messages=[ChatMessage("user", "")], model="lab/m")
    with pytest.raises(errors.PromptTooLong) as caught:
        async for _ in backend.stream(request):
            pass
    assert caught.value.message == "Too long." and "attachment" in caught.value.hint
    assert host.asked[-1] == 2


async def test_other_errors_are_not_tried_again() -> None:
    host: Any = OutsideHost(3, errors.QueueFull("Full.", "Wait."))
    backend = PromptingBackend(host, long_conversation(), TokenCounter(), lambda n, first: None, 0)
    request = ChatCompletionRequest(messages=[ChatMessage("user", "")], model="lab/m")
    with pytest.raises(errors.QueueFull):
        async for _ in backend.stream(request):
            pass
    assert len(host.asked) == 1
