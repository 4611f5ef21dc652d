"""What another program writes into the history comes to the pages: a magic, a second server."""

from __future__ import annotations

import asyncio
from typing import Any

from jupyter_localllm.assistant.history import ChatHistory
from jupyter_localllm.chat_protocol import MessageRecord, NewChat

from .conversation import Conversation


async def test_a_chat_made_and_written_elsewhere_is_told(extension: Any, open_page: Any) -> None:
    page = await open_page()
    other = ChatHistory(extension._history_path())
    await extension._watch.has_looked.wait()
    other.create_chat("local", NewChat("from-a-magic", title="From a cell"))
    frame = await page.until("chat")
    assert (frame["chat_id"], frame["change"]) == ("from-a-magic", "created")
    question = MessageRecord("q", "user", "Why?", 1)
    other.add_messages(
        "local", "from-a-magic", [question, MessageRecord("a", "assistant", "So.", 2, "q")]
    )
    frame = await page.until("chat")
    assert (frame["change"], frame["summary"]["n_messages"]) == ("changed", 2)
    other.create_chat("user:somebody", NewChat("not-mine"))
    other.delete_chat("local", "from-a-magic")
    frame = await page.until("chat")
    assert (frame["chat_id"], frame["change"]) == ("from-a-magic", "deleted")
    other.close()


async def test_the_watch_ends_with_the_last_page_and_begins_again(
    extension: Any, open_page: Any, open_chat: Any
) -> None:
    page = await open_page()
    task = extension._watch._task
    page.connection.close()
    await asyncio.wait_for(asyncio.shield(task), 30)
    chat: Conversation = await open_chat()
    assert extension._watch._task is not task
    await chat.ask("HELLO")
