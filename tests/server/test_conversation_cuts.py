"""Pages that lose their connection in the middle of kept answers."""

from __future__ import annotations

import random
from typing import Any

import pytest

from .conversation import Conversation, state_of
from .page import check_numbers, text_of


async def cut_and_pick_up(open_page: Any, open_chat: Any, n_cuts: int, seed: int) -> None:
    """Lose the connection ``n_cuts`` times, each at a random frame of a new question."""
    draw = random.Random(seed)
    chat: Conversation = await open_chat()
    whole = await chat.ask("LONG", max_tokens=60)
    for _ in range(n_cuts):
        frame = await chat.send("LONG", max_tokens=60)
        stream: list[dict[str, Any]] = []
        for _ in range(draw.randint(0, 40)):
            told = await chat.page.frame()
            stream += [told] if told.get("request_id") == frame["request_id"] else []
            if told["type"] == "done":
                break
        chat.page.drop()
        chat.page = await open_page()
        # As a page does: fetch the chat; ask again what did not arrive, else resume.
        kept = (await chat.messages()).get(frame["request_id"])
        last_seq = stream[-1]["seq"] if stream else 0
        resume = {"type": "resume", "request_id": frame["request_id"], "last_seq": last_seq}
        await chat.page.send(frame if kept is None else resume)
        if not stream or stream[-1]["type"] != "done":
            stream += await chat.page.frames(frame["request_id"])
        check_numbers(stream)
        assert text_of(stream) == whole["content"]
    for answer in (await chat.messages()).values():
        if answer["role"] == "assistant":
            assert answer["content"] == whole["content"] and state_of(answer) == "complete"
    assert len(await chat.messages()) == 2 * (n_cuts + 1)


async def test_20_cuts_of_kept_answers_lose_and_repeat_nothing(
    open_page: Any, open_chat: Any
) -> None:
    await cut_and_pick_up(open_page, open_chat, 20, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_500_cuts_of_kept_answers_lose_and_repeat_nothing(
    open_page: Any, open_chat: Any
) -> None:
    await cut_and_pick_up(open_page, open_chat, 500, seed=2)
