"""The shape of a conversation: messages that hang below one another, and its branches.

Pure. Whoever looks at a tree calls it, so that all are judged by one set of rules.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from ..chat_protocol import Chat, MessageRecord
from ..errors import RequestError

#: Times and counts are shown by JavaScript, which is exact up to here.
MAX_EXACT = 2**53 - 1


def invalid_chat(reason: str) -> RequestError:
    """Make the error of an imported chat that cannot be taken.

    Parameters
    ----------
    reason : str
        Completes "The file cannot be imported: …", without a full stop.
    """
    return RequestError(
        f"The file cannot be imported: {reason}.",
        "Choose a file that was exported from this chat as Chat, and has not been changed since.",
        code="invalid_chat_file",
    )


def in_order(messages: Sequence[MessageRecord]) -> list[MessageRecord]:
    """Return the messages with every parent before its children, else as they were.

    Raises
    ------
    RequestError
        ``invalid_chat_file``: an id twice, a parent that is not there, a circle, a time that is
        no time.
    """
    known = {message.message_id for message in messages}
    if len(known) != len(messages):
        raise invalid_chat("two of its messages have the same id")
    children: dict[str | None, list[MessageRecord]] = {}
    for message in messages:
        if message.parent_id is not None and message.parent_id not in known:
            raise invalid_chat("a message answers one that is not in the file")
        if not 0 <= message.created_ms <= MAX_EXACT:
            raise invalid_chat("the time of a message is out of range")
        children.setdefault(message.parent_id, []).append(message)
    if _has_parents_first(messages):
        return list(messages)
    ordered: list[MessageRecord] = []
    waiting = deque(children.get(None, []))
    while waiting:
        message = waiting.popleft()
        ordered.append(message)
        waiting.extend(children.get(message.message_id, []))
    if len(ordered) != len(messages):
        raise invalid_chat("its messages answer one another in a circle")
    return ordered


def _has_parents_first(messages: Iterable[MessageRecord]) -> bool:
    placed: set[str | None] = {None}
    for message in messages:
        if message.parent_id not in placed:
            return False
        placed.add(message.message_id)
    return True


def branch(chat: Chat) -> list[MessageRecord]:
    """Return the messages of the branch that is shown, the first question first.

    Where the chat does not say which branch that is, it is the one of the newest message.
    """
    by_id = {message.message_id: message for message in chat.messages}
    newest = chat.messages[-1] if chat.messages else None
    message = by_id.get(chat.current_id or "", newest)
    path: list[MessageRecord] = []
    while message is not None and len(path) < len(by_id):
        path.append(message)
        message = by_id.get(message.parent_id or "")
    return path[::-1]
