"""Rows of the history file to the nouns of ``chat_protocol`` and back.

Reading is lenient: a row with a damaged part is shown without that part, never lost.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from typing import Any

import msgspec

from ..chat_protocol import ChatSummary, MessageRecord, MessageState

#: What of a message has a column of its own; the rest is one column of JSON.
_OWN_COLUMNS = frozenset({"message_id", "parent_id", "role", "state", "content", "created_ms"})

_TITLE_LENGTH = 60
_FENCE = re.compile(r"\s*(?:`{3,}[^`]*|~{3,}.*)")
_MARKS = re.compile(r"^(?:\s*(?:(?:#{1,6}|[-*+]|\d{1,9}[.)])(?=\s|$)|>))+\s*")
#: Not the power in 2**3.
_BOLD = re.compile(r"(?<!\w)\*\*(\S(?:.*?\S)?)\*\*(?!\w)")
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()]*\)")


def message_values(message: MessageRecord) -> dict[str, Any]:
    """Return the columns of a message: the own ones and ``details``."""
    built: dict[str, Any] = msgspec.to_builtins(message)
    details = {name: value for name, value in built.items() if name not in _OWN_COLUMNS}
    return {
        "message_id": message.message_id,
        "parent_id": message.parent_id,
        "role": message.role,
        "state": message.state.value,
        "content": message.content,
        "created_ms": message.created_ms,
        "details": msgspec.json.encode(details).decode(),
    }


def message_of(row: sqlite3.Row, is_gone: Callable[[str | None, int], bool]) -> MessageRecord:
    """Return the message of a row.

    Parameters
    ----------
    is_gone : callable
        Tells whether the process that writes an answer, by its mark and the time of its last
        sign, has ended.
    """
    own: dict[str, Any] = {name: row[name] for name in _OWN_COLUMNS}
    if own["role"] not in ("user", "assistant"):
        own["role"] = "assistant"
    if own["state"] not in {state.value for state in MessageState}:
        own["state"] = MessageState.INTERRUPTED.value
    if own["state"] == MessageState.WRITING.value and is_gone(row["writer"], row["touched_ms"]):
        own["state"] = MessageState.INTERRUPTED.value
    try:
        details = msgspec.json.decode(row["details"], type=dict[str, Any])
        return msgspec.convert({**details, **own}, MessageRecord)
    except (msgspec.MsgspecError, RecursionError, TypeError):
        return MessageRecord(
            message_id=str(own["message_id"]),
            role=own["role"],
            content=str(own["content"]),
            created_ms=own["created_ms"] if isinstance(own["created_ms"], int) else 0,
            parent_id=own["parent_id"],
            state=MessageState(own["state"]),
        )


def renamed(message: MessageRecord, new_ids: dict[str | None, str]) -> MessageRecord:
    """Return a copy with the new ids; nobody writes it any more."""
    is_writing = message.state is MessageState.WRITING
    return msgspec.structs.replace(
        message,
        message_id=new_ids[message.message_id],
        parent_id=new_ids.get(message.parent_id),
        first_sent_id=new_ids.get(message.first_sent_id),
        state=MessageState.INTERRUPTED if is_writing else message.state,
    )


def summary_of(row: sqlite3.Row, snippet: str = "") -> ChatSummary:
    """Return a chat as lists show it; the row has ``n_messages`` too."""
    return ChatSummary(
        chat_id=row["chat_id"],
        title=row["title"],
        created_ms=row["created_ms"],
        updated_ms=row["updated_ms"],
        n_messages=row["n_messages"],
        model=row["model"],
        snippet=snippet,
    )


def title_of(question: MessageRecord) -> str:
    """Return a title for the chat that begins with this question.

    Its first line that has words, without Markdown's marks, cut between words; where it has no
    words, what was asked for and of what.
    """
    for line in question.content.splitlines():
        if _FENCE.fullmatch(line):
            continue
        # Longer lines make no longer titles.
        text = _LINK.sub(r"\1", _MARKS.sub("", line[:1000]))
        text = " ".join(_BOLD.sub(r"\1", text).replace("`", "").split())
        if any(character.isalnum() for character in text):
            return _cut(text)
    label = question.context[0].label if question.context else ""
    return _cut(" ".join(filter(None, [question.action.capitalize(), label])))


def _cut(text: str) -> str:
    if len(text) <= _TITLE_LENGTH:
        return text
    head = text[: _TITLE_LENGTH - 1]
    at_word = head.rsplit(None, 1)[0] if text[_TITLE_LENGTH - 1] != " " else head
    # One long word, or a language that writes without spaces.
    return (at_word if len(at_word) > _TITLE_LENGTH // 2 else head).rstrip() + "…"
