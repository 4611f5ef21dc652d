"""The statements that read and change the history's tables, within a transaction of the caller.

``history`` alone calls it. All values are bound; every way to a chat asks for its owner.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import NamedTuple

from ..chat_protocol import MessageRecord, MessageState, NewChat
from ..errors import InvalidParameter, NotFound
from . import history_search
from .history_rows import message_values

#: Chats of one owner, with what ``summary_of`` reads.
SUMMARY = (
    "SELECT c.*, (SELECT count(*) FROM messages m WHERE m.chat_row = c.row) AS n_messages "
    "FROM chats c WHERE c.owner = ?"
)


class Sign(NamedTuple):
    """Who writes, and when."""

    mark: str
    now_ms: int


def chat_row(
    connection: sqlite3.Connection, owner: str, chat_id: str, *, with_deleted: bool = False
) -> sqlite3.Row:
    """Return the owner's chat; every way to a chat goes through here."""
    only = "" if with_deleted else " AND c.deleted_ms IS NULL"
    query = f"{SUMMARY} AND c.chat_id = ?{only}"
    row: sqlite3.Row | None = connection.execute(query, (owner, chat_id)).fetchone()
    if row is None:
        raise NotFound(
            "This chat is not there (any more).",
            "Choose another one from the list, or begin a new one.",
            code="chat_not_found",
        )
    return row


def insert_chat(connection: sqlite3.Connection, owner: str, chat: NewChat, now_ms: int) -> None:
    connection.execute(
        "INSERT INTO chats (chat_id, owner, title, created_ms, updated_ms, position, model, "
        "system_prompt) VALUES (?, ?, ?, ?, ?, "
        "(SELECT coalesce(max(position), 0) + 1 FROM chats), ?, ?)",
        (chat.chat_id, owner, chat.title, now_ms, now_ms, chat.model, chat.system_prompt),
    )


def role_of(
    connection: sqlite3.Connection, chat_row: int, message_id: str, *, must_exist: bool = False
) -> str | None:
    query = "SELECT role FROM messages WHERE chat_row = ? AND message_id = ?"
    row = connection.execute(query, (chat_row, message_id)).fetchone()
    if row is None and must_exist:
        raise NotFound(
            "This message is not in the chat.",
            "Reload the page to see the chat as it is kept.",
            code="message_not_found",
        )
    return None if row is None else str(row["role"])


def add_message(
    connection: sqlite3.Connection, chat_row: int, message: MessageRecord, sign: Sign
) -> None:
    """Add a message below its parent; where the chat has it, leave it as it is."""
    role = role_of(connection, chat_row, message.message_id)
    if role is not None:
        if role != message.role:
            raise InvalidParameter(
                "The id of this message is in use in this chat.",
                "Send it with a fresh id.",
                param="message_id",
                code="duplicate_request",
            )
        return
    if message.parent_id is not None:
        role_of(connection, chat_row, message.parent_id, must_exist=True)
    insert_message(connection, chat_row, message, sign)


def insert_message(
    connection: sqlite3.Connection, chat_row: int, message: MessageRecord, sign: Sign
) -> None:
    """Add a message as it is."""
    is_writing = message.state is MessageState.WRITING
    values = {
        "chat_row": chat_row,
        **message_values(message),
        "writer": sign.mark if is_writing else None,
        "touched_ms": sign.now_ms,
    }
    marks = ", ".join(f":{name}" for name in values)
    connection.execute(f"INSERT INTO messages ({', '.join(values)}) VALUES ({marks})", values)


def make_newest(connection: sqlite3.Connection, chat_row: int, now_ms: int) -> None:
    """Put the chat first, by count rather than by a clock that may be set back."""
    connection.execute(
        "UPDATE chats SET updated_ms = ?, "
        "position = (SELECT max(position) + 1 FROM chats) WHERE row = ?",
        (now_ms, chat_row),
    )


def interrupt_lost(
    connection: sqlite3.Connection, is_gone: Callable[[str | None, int], bool]
) -> None:
    """Mark the answers whose writer has ended."""
    writing = "SELECT row, writer, touched_ms FROM messages WHERE state = 'writing'"
    for row in connection.execute(writing).fetchall():
        if is_gone(row["writer"], row["touched_ms"]):
            connection.execute(
                "UPDATE messages SET state = 'interrupted' WHERE row = ?", (row["row"],)
            )


def purge(connection: sqlite3.Connection, before_ms: int) -> None:
    """Remove the chats that were deleted before that time, and all traces in the index."""
    old = "SELECT row FROM chats WHERE deleted_ms < ?"
    rows = [row["row"] for row in connection.execute(old, (before_ms,)).fetchall()]
    history_search.forget_chats(connection, rows)
    for row in rows:
        connection.execute("DELETE FROM chats WHERE row = ?", (row,))
