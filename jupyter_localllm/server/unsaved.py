"""What could not be written to the history yet: kept in order, shown as if it were there.

A full disk must not cost an answer. No asyncio, no file. Called by ``chat_history``.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from .. import errors
from ..chat_protocol import Chat, ChatSummary, MessageRecord, NewChat

if TYPE_CHECKING:
    from ..assistant.history import ChatHistory

#: Characters and writes that are held; more is refused.
MAX_HELD_CHARS = 32_000_000
MAX_HELD_WRITES = 2000


@dataclass(frozen=True)
class Write:
    """One write to the history; done twice, it does no more than once.

    Attributes
    ----------
    new_chat : NewChat, optional
        A chat to make.
    added : sequence of MessageRecord
        Messages to add together.
    final : MessageRecord, optional
        An answer as it is at its end.
    """

    owner: str
    chat_id: str
    new_chat: NewChat | None = None
    added: Sequence[MessageRecord] = ()
    final: MessageRecord | None = None

    def apply(self, history: ChatHistory) -> None:
        """Do it."""
        if self.new_chat is not None:
            history.create_chat(self.owner, self.new_chat)
        if self.added:
            history.add_messages(self.owner, self.chat_id, self.added)
        if self.final is not None:
            history.finish_message(self.owner, self.chat_id, self.final)

    def shown(self, chat: Chat | None) -> Chat | None:
        """Return the chat as it looks with this done."""
        if chat is None and self.new_chat is not None:
            new = self.new_chat
            now_ms = time.time_ns() // 1_000_000
            chat = Chat(new.chat_id, new.title, now_ms, now_ms, new.model, new.system_prompt)
        if chat is None:
            return None
        known = {message.message_id for message in chat.messages}
        added = [message for message in self.added if message.message_id not in known]
        messages = [*chat.messages, *added]
        if self.final is not None:
            final = self.final
            messages = [final if m.message_id == final.message_id else m for m in messages]
        current_id = added[-1].message_id if added else chat.current_id
        return msgspec.structs.replace(chat, messages=messages, current_id=current_id)

    @property
    def n_chars(self) -> int:
        """How much text it holds."""
        records = [*self.added, *([self.final] if self.final is not None else [])]
        return sum(
            len(record.content) + sum(len(item.text) for item in record.context)
            for record in records
        )


class UnsavedWrites:
    """Writes in the order in which they are to be done, each with what to do afterwards."""

    def __init__(self) -> None:
        self._writes: deque[tuple[Write, Callable[[], None]]] = deque()
        self._n_chars = 0

    def __len__(self) -> int:
        return len(self._writes)

    def add(self, write: Write, on_saved: Callable[[], None], why: errors.HistoryError) -> None:
        """Hold a write.

        Raises
        ------
        HistoryError
            ``why``, where too much is held already.
        """
        n_chars = write.n_chars
        is_full = len(self._writes) >= MAX_HELD_WRITES or self._n_chars + n_chars > MAX_HELD_CHARS
        # The end of an answer is always taken: its beginning was.
        if is_full and write.final is None:
            raise why
        self._n_chars += n_chars
        self._writes.append((write, on_saved))

    def first(self) -> tuple[Write, Callable[[], None]]:
        """Return what is to be done next."""
        return self._writes[0]

    def drop_first(self) -> None:
        """Forget what was done, or can never be."""
        write, _ = self._writes.popleft()
        self._n_chars -= write.n_chars

    def shown(self, owner: str, chat_id: str, chat: Chat | None) -> Chat | None:
        """Return a chat of the file as it looks with everything done."""
        for write, _ in self._writes:
            if (write.owner, write.chat_id) == (owner, chat_id):
                chat = write.shown(chat)
        return chat

    def new_chats(self, owner: str) -> list[Chat]:
        """Return the owner's chats that are not in the file at all, newest first."""
        ids = {
            write.chat_id: None
            for write, _ in self._writes
            if write.owner == owner and write.new_chat is not None
        }
        shown = [self.shown(owner, chat_id, None) for chat_id in reversed(ids)]
        return [chat for chat in shown if chat is not None]


def summary_of(chat: Chat) -> ChatSummary:
    """Return a chat as lists show it."""
    return ChatSummary(
        chat.chat_id,
        chat.title,
        chat.created_ms,
        chat.updated_ms,
        len(chat.messages),
        chat.model,
    )
