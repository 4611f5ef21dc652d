"""A server that is killed in the middle of answers, again and again, on one history."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import AsyncHTTPClient

from jupyter_localllm.assistant.history import ChatHistory

from .conversation import Conversation, ask_json, fresh_id, state_of
from .page import Visitor
from .served import TOKEN, Served, start_server

N_CHATS = 3

#: Left out, so that a server starts soon.
OTHERS = ("jupyterlab", "notebook_shim", "jupyter_lsp", "jupyter_server_terminals")


def visitor_of(served: Served, client: AsyncHTTPClient) -> Visitor:
    port = int(served.url.split(":")[2].split("/")[0])
    return Visitor(client, port, "/", TOKEN)


class Acknowledged:
    """What pages were told is kept: chat and message id to the message, as last told."""

    def __init__(self) -> None:
        self.messages: dict[tuple[str, str], dict[str, Any]] = {}
        self._is_told = asyncio.Event()

    async def more_than(self, n_messages: int) -> None:
        """Wait until so many messages were told."""
        while len(self.messages) <= n_messages:
            self._is_told.clear()
            await asyncio.wait_for(self._is_told.wait(), 60)

    async def listen(self, page: Any) -> None:
        """Take note of every message frame until the server is gone."""
        with contextlib.suppress(AssertionError):
            while True:
                frame = await page.frame()
                if frame["type"] == "message":
                    message = frame["message"]
                    self.messages[frame["chat_id"], message["message_id"]] = message
                    self._is_told.set()


async def talk(chat: Conversation, draw: random.Random, parents: dict[str, str | None]) -> None:
    """Ask one question after the other, until the server is gone."""
    with contextlib.suppress(Exception):
        while True:
            fields = draw.choice(
                [{"model": "slow", "max_tokens": draw.randint(1, 30)}, {"max_tokens": 80}]
            )
            # Short branches: the slow model reads slowly too.
            parent_id = parents[chat.chat_id] if draw.random() < 0.6 else None
            frame = await chat.send("LONG", parent_id, **fields)
            final = await chat.final(frame["request_id"])
            parents[chat.chat_id] = final["message_id"]


def check_kept(path: Path, acknowledged: Acknowledged) -> None:
    """Check the file alone, before any server opens it again."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    history = ChatHistory(path)
    try:
        kept: dict[tuple[str, str], Any] = {}
        for chat_id in {chat_id for chat_id, _ in acknowledged.messages}:
            chat = history.get_chat("local", chat_id)
            kept |= {(chat_id, message.message_id): message for message in chat.messages}
        assert not history.notices
    finally:
        history.close()
    for key, told in acknowledged.messages.items():
        found = kept[key]
        assert found.state.value != "writing"
        if state_of(told) == "writing":
            continue
        assert found.state.value == state_of(told)
        assert found.content == told["content"]


async def kill_and_look(folder: Path, models: Path, n_kills: int, seed: int) -> None:
    draw = random.Random(seed)
    path = folder / "data" / "localllm" / "chats.sqlite3"
    acknowledged = Acknowledged()
    parents: dict[str, str | None] = {fresh_id("chat"): None for _ in range(N_CHATS)}
    n_interrupted = 0
    for _ in range(n_kills):
        served = await asyncio.to_thread(start_server, folder, models, OTHERS)
        client = AsyncHTTPClient(force_instance=True)
        visitor = visitor_of(served, client)
        pages = [await visitor.open_page()]
        tasks = [asyncio.ensure_future(acknowledged.listen(pages[0]))]
        for chat_id in parents:
            pages.append(await visitor.open_page())
            chat = await Conversation(visitor, pages[-1], chat_id).create()
            tasks.append(asyncio.ensure_future(talk(chat, draw, parents)))
        n_before = len(acknowledged.messages)
        await acknowledged.more_than(n_before + N_CHATS)
        # The moment of the kill is what is tried out.
        await asyncio.sleep(draw.uniform(0, 0.7))
        await asyncio.to_thread(served.kill)
        await asyncio.wait(tasks, timeout=60)
        for page in pages:
            page.connection.close()
        client.close()
        n_interrupted += sum(state_of(m) == "writing" for m in acknowledged.messages.values())
        await asyncio.to_thread(check_kept, path, acknowledged)
        # What was in the making is at its end now: the part that was saved.
        acknowledged.messages = {
            key: message
            for key, message in acknowledged.messages.items()
            if state_of(message) != "writing"
        }
        await follow_known(path, parents)
    assert n_interrupted, "no kill came in the middle of an answer"
    served = await asyncio.to_thread(start_server, folder, models, OTHERS)
    client = AsyncHTTPClient(force_instance=True)
    try:
        visitor = visitor_of(served, client)
        listed = await ask_json(visitor, "chats")
        assert {chat["chat_id"] for chat in listed["chats"]} == set(parents)
        assert listed["notices"] == []
        for chat_id in parents:
            messages = (await ask_json(visitor, f"chats/{chat_id}"))["messages"]
            assert "writing" not in map(state_of, messages)
    finally:
        client.close()
        await asyncio.to_thread(served.stop)


async def follow_known(path: Path, parents: dict[str, str | None]) -> None:
    """Go on below the last answer of each chat that the file has."""

    def last_answers() -> dict[str, str | None]:
        history = ChatHistory(path)
        try:
            found = {}
            for chat_id in parents:
                messages = history.get_chat("local", chat_id).messages
                answers = [m.message_id for m in messages if m.role == "assistant"]
                found[chat_id] = answers[-1] if answers else None
            return found
        finally:
            history.close()

    parents |= await asyncio.to_thread(last_answers)


async def test_3_kills_lose_nothing_that_was_acknowledged(tmp_path: Path, model_dir: Path) -> None:
    await kill_and_look(tmp_path, model_dir, 3, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_200_kills_lose_nothing_that_was_acknowledged(
    tmp_path: Path, model_dir: Path
) -> None:
    await kill_and_look(tmp_path, model_dir, 200, seed=2)


async def test_a_restarted_server_has_everything(tmp_path: Path, model_dir: Path) -> None:
    kept: list[Any] = []
    client = AsyncHTTPClient(force_instance=True)
    for _ in range(2):
        served = await asyncio.to_thread(start_server, tmp_path, model_dir)
        visitor = visitor_of(served, client)
        page = await visitor.open_page()
        chat = Conversation(visitor, page, "chat")
        if not kept:
            await chat.create(title="Kept")
        else:
            assert (await chat.get())["messages"] == kept
            assert (await chat.get())["title"] == "Kept"
        last = kept[-1]["message_id"] if kept else None
        await chat.ask("HELLO", last)
        kept = (await chat.get())["messages"]
        page.connection.close()
        await asyncio.to_thread(served.stop)
        assert "Traceback" not in "".join(served.lines)
    client.close()
    assert len(kept) == 4
