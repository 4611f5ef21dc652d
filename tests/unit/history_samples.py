"""Messages, chats and histories that tests share."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from jupyter_localllm.assistant.history import ChatHistory
from jupyter_localllm.chat_protocol import (
    ContextItem,
    MessageRecord,
    MessageState,
    NewChat,
)
from jupyter_localllm.protocol import FinishReason, Timings, Usage

OWNER = "teacher"


class Clock:
    """Milliseconds that a test sets."""

    def __init__(self, now_ms: int = 1_800_000_000_000) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        self.now_ms += 1
        return self.now_ms


def record(message_id: str, content: str, **fields: Any) -> MessageRecord:
    """A message; ``q…`` is a question, any other an answer."""
    role: Any = "user" if message_id.startswith("q") else "assistant"
    return MessageRecord(message_id, role, content, 0, **fields)


def question(message_id: str, content: str = "Why?", parent_id: str | None = None) -> MessageRecord:
    """A question without attachments."""
    return MessageRecord(message_id, "user", content, 1, parent_id)


def answer(
    message_id: str,
    parent_id: str | None,
    content: str = "Because.",
    state: MessageState = MessageState.COMPLETE,
) -> MessageRecord:
    """An answer below a question."""
    return MessageRecord(message_id, "assistant", content, 2, parent_id, state)


def full_answer(message_id: str, parent_id: str) -> MessageRecord:
    """An answer in which every field is set."""
    return MessageRecord(
        message_id,
        "assistant",
        "```python\nprint('ä\U0001f600\0')\n```",
        3,
        parent_id,
        MessageState.FAILED,
        action="fix",
        context=[
            ContextItem("file", "@file:notes.md", "line\r\n", "notes.md", "markdown", 3, True),
            ContextItem("cell", "@cell 1", ""),
        ],
        model="tiny",
        finish_reason=FinishReason.LENGTH,
        usage=Usage(1, 2, 3),
        timings=Timings(prompt_ms=1.5, predicted_per_second=1e-9),
        seed=2**63 - 1,
        error={"message": "Worker ended.", "details": {"numbers": [1, None, 2.5]}},
        n_left_out=7,
        first_sent_id="q1",
    )


def begin_chat(history: ChatHistory, chat_id: str = "c1", owner: str = OWNER) -> None:
    """Make a chat with one finished turn: ``q1`` and ``a1``."""
    history.create_chat(owner, NewChat(chat_id))
    history.add_messages(owner, chat_id, [question("q1"), answer("a1", "q1")])


def ids(history: ChatHistory, chat_id: str = "c1", owner: str = OWNER) -> list[str]:
    """The ids of a chat's messages, in order."""
    return [message.message_id for message in history.get_chat(owner, chat_id).messages]


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    """Read from the file past the history."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()
