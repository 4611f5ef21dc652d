"""Fitting conversations into context windows: 500 random ones, and the rules one by one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_localllm import errors
from jupyter_localllm.assistant.context import Conversation, compose
from jupyter_localllm.assistant.fitting import (
    KEPT_SHARE,
    MESSAGE_TOKENS,
    Room,
    TokenCounter,
    bound,
    fit,
)
from jupyter_localllm.chat_protocol import MessageState

from .history_samples import record


async def count_thirds(text: str) -> int:
    return -(-len(text.encode()) // 3)


def chat_of(
    sizes: list[int], question: str = "?" * 30, system: str = "", **last: Any
) -> Conversation:
    """A conversation of turns with that many bytes in each message."""
    path = []
    for index, size in enumerate(sizes):
        fields = last if index == len(sizes) - 1 else {}
        path += [record(f"q{index}", "x" * size), record(f"a{index}", "y" * size, **fields)]
    return compose([*path, record("question", question)], system, {})


async def tokens_of(conversation: Conversation, first: int) -> int:
    """What the prompt has, by the rules that fitting counts by."""
    counts = [await count_thirds(m.text) for m in conversation.messages(first)]
    return sum(counts) + MESSAGE_TOKENS * len(counts)


# --- the property ---------------------------------------------------------------------------

texts = st.text(max_size=400) | st.integers(0, 3000).map(lambda n: "word " * (n // 5))
histories = st.lists(
    st.tuples(
        texts,
        texts,
        st.sampled_from(MessageState),
        st.booleans(),
    ),
    max_size=25,
)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    history=histories,
    question=texts,
    system=texts,
    window=st.integers(16, 9000),
    max_tokens=st.none() | st.integers(1, 9000),
)
def test_prompt_and_reserve_fit_into_the_window(
    history: Any, question: str, system: str, window: int, max_tokens: int | None
) -> None:
    path = []
    for index, (asked, answered, state, is_start) in enumerate(history):
        start_id = f"q{index // 2}" if is_start else None
        path += [
            record(f"q{index}", asked),
            record(f"a{index}", answered, state=state, first_sent_id=start_id),
        ]
    conversation = compose([*path, record("q-last", question)], system, {})
    room = Room.of(window, max_tokens)
    assert 1 <= room.reserve <= max(1, window // 4)
    try:
        first = asyncio.run(fit(conversation, room, count_thirds))
    except errors.PromptTooLong as error:
        alone = asyncio.run(tokens_of(conversation, len(conversation.turns)))
        assert alone > room.budget
        assert error.details["n_prompt_tokens"] == alone and error.details["n_ctx"] == window
        return
    sent = conversation.messages(first)
    assert asyncio.run(tokens_of(conversation, first)) + room.reserve <= window
    has_system = bool(system.strip())
    assert [m.role for m in sent[:1]] == (["system"] if has_system else ["user"])
    assert sent[-1].text == conversation.question.text
    roles = [m.role for m in sent[has_system:]]
    assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]


# --- the rules ------------------------------------------------------------------------------


def test_what_fits_by_its_bytes_is_not_counted() -> None:
    async def run() -> None:
        async def never(text: str) -> int:
            raise AssertionError("counted")

        conversation = chat_of([20, 20])
        room = Room(bound(conversation) + 64 + 100, 100)
        assert await fit(conversation, room, never) == 0

    asyncio.run(run())


def test_turns_are_left_out_to_seventy_percent_then_kept_at_that() -> None:
    async def run() -> None:
        room = Room.of(1200, 100)
        sizes = [120] * 12
        first = await fit(chat_of(sizes), room, count_thirds)
        assert 0 < first < 12
        assert await tokens_of(chat_of(sizes), first) <= KEPT_SHARE * room.budget
        assert await tokens_of(chat_of(sizes), first - 1) > KEPT_SHARE * room.budget
        # The next prompts begin with the same turn, so that the KV cache has their beginning …
        starts = []
        start_id = f"q{first}"
        for n_turns in range(13, 20):
            longer = chat_of([120] * n_turns, first_sent_id=start_id)
            first = await fit(longer, room, count_thirds)
            start_id = longer.start_id(first)
            starts.append(start_id)
        # … until it is full again.
        assert len(set(starts)) == 2 and starts == sorted(starts)

    asyncio.run(run())


def test_the_newest_turn_stays_where_it_fits_at_all() -> None:
    async def run() -> None:
        room = Room.of(1000, 100)
        question = "z" * 3 * int(0.75 * room.budget)
        conversation = chat_of([300, 30], question)
        first = await fit(conversation, room, count_thirds)
        assert first == 1
        assert await tokens_of(conversation, first) > KEPT_SHARE * room.budget

    asyncio.run(run())


def test_only_as_much_is_counted_as_fits() -> None:
    async def run() -> None:
        counted = 0

        async def count(text: str) -> int:
            nonlocal counted
            counted += 1
            return len(text)

        await fit(chat_of([100] * 500), Room.of(1000, 100), count)
        assert counted < 20

    asyncio.run(run())


@pytest.mark.parametrize(
    ("window", "max_tokens", "reserve"),
    [(8192, None, 1024), (8192, 512, 512), (8192, 8192, 2048), (256, 512, 64), (3, 9, 1)],
)
def test_the_reserve_is_at_most_a_quarter(window: int, max_tokens: Any, reserve: int) -> None:
    room = Room.of(window, max_tokens)
    assert room.reserve == reserve
    assert room.budget <= window - reserve


def test_a_question_that_never_fits_is_said_with_both_numbers() -> None:
    async def run() -> None:
        with pytest.raises(errors.PromptTooLong) as caught:
            await fit(chat_of([10], "x" * 3000), Room.of(512, 100), count_thirds)
        assert "1,008 tokens" in caught.value.message and "512" in caught.value.message
        assert "attachment" in caught.value.hint

    asyncio.run(run())


# --- counting -------------------------------------------------------------------------------


class CountingBackend:
    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.error: errors.LocalLLMError | None = None

    async def tokenize(self, request: Any) -> list[int]:
        self.asked.append((request.model, request.content))
        if self.error is not None:
            raise self.error
        return [0] * len(request.content)


def test_each_text_is_counted_once_per_model_and_few_are_remembered() -> None:
    async def run() -> None:
        backend: Any = CountingBackend()
        counter = TokenCounter(max_counts=3)
        for _ in range(2):
            assert await counter.count(backend, "a", "hello") == 5
            assert await counter.count(backend, "b", "hello") == 5
        assert backend.asked == [("a", "hello"), ("b", "hello")]
        for text in ("1", "2", "3", "4"):
            await counter.count(backend, "a", text)
        assert len(counter) == 3
        await counter.count(backend, "a", "hello")
        assert backend.asked.count(("a", "hello")) == 2

    asyncio.run(run())


def test_where_nobody_counts_the_length_is_taken_and_not_remembered() -> None:
    async def run() -> None:
        backend: Any = CountingBackend()
        backend.error = errors.NotFound("No such route.", "None.")
        counter = TokenCounter()
        assert await counter.estimate(backend, "a", "x" * 31) == 11
        assert len(counter) == 0
        with pytest.raises(errors.NotFound):
            await counter.count(backend, "a", "x")

    asyncio.run(run())
