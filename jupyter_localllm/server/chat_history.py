"""The kept chats as the server's loop uses them: reads, writes, and telling every page.

A write is told to the owner's pages once it is on disk. One that fails because of the disk is held
(``unsaved``) and tried again, so that the history can be late but an answer never waits for it.
Called by ``chats`` and ``chat_service``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from .. import errors
from ..chat_protocol import (
    Chat,
    ChatChange,
    ChatChangeKind,
    ChatFrame,
    ChatSummary,
    MessageFrame,
    NewChat,
    NoticeFrame,
)
from .history_thread import HistoryThread
from .outbox import After
from .unsaved import UnsavedWrites, Write, summary_of

if TYPE_CHECKING:
    from ..assistant.history import ChatHistory

log = logging.getLogger(__name__)

#: Seconds after which writes that failed are tried again.
RETRY_S = 5.0

Broadcast = MessageFrame | ChatFrame | NoticeFrame


class Tell(Protocol):
    """Sends a frame to all pages of an owner; of everybody, where that is ``None``."""

    def __call__(self, owner: str | None, frame: Broadcast, after: After | None = None) -> None: ...


class KeptChats:
    """All chats of the server's history file.

    Parameters
    ----------
    thread : HistoryThread
        Where the file is.
    tell : Tell
        To the pages.
    standing : sequence of NoticeFrame
        What lists of chats always tell.
    retry_s : float
        Seconds between attempts to write what could not be written.
    """

    def __init__(
        self,
        thread: HistoryThread,
        tell: Tell,
        standing: tuple[NoticeFrame, ...] = (),
        retry_s: float = RETRY_S,
    ) -> None:
        self.tell = tell
        self._thread = thread
        self._standing = standing
        self._retry_s = retry_s
        self._unsaved = UnsavedWrites()
        self._fault: errors.HistoryError | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._saving: asyncio.Task[None] | None = None
        self._is_closed = False

    # --- reading ---------------------------------------------------------------------------

    def notices(self) -> list[NoticeFrame]:
        """Return what somebody who opens the chat has to know."""
        fault = [] if self._fault is None else [_not_saved(self._fault)]
        return [*self._standing, *self._thread.notices, *fault]

    async def version(self) -> int:
        """Return a number that changes when another program has written into the file.

        Raises
        ------
        HistoryError
        """
        return await self._thread.run(lambda history: history.version())

    async def list_chats(self, owner: str, query: str) -> list[ChatSummary]:
        """Return the owner's chats, newest first; with ``query``, those that have its words.

        Raises
        ------
        HistoryError
        """
        try:
            listed = await self._thread.run(lambda history: history.list_chats(owner, query))
        except errors.HistoryError:
            if not self._unsaved:
                raise
            listed = []
        if query:
            return listed
        known = {summary.chat_id for summary in listed}
        new = [chat for chat in self._unsaved.new_chats(owner) if chat.chat_id not in known]
        return [*map(summary_of, new), *listed]

    async def get_chat(self, owner: str, chat_id: str) -> Chat:
        """Return a whole chat, with what is not written yet.

        Raises
        ------
        NotFound
            ``chat_not_found``: unknown, deleted, or somebody else's.
        HistoryError
        """
        try:
            saved = await self._thread.run(lambda history: history.get_chat(owner, chat_id))
            shown = self._unsaved.shown(owner, chat_id, saved)
            return saved if shown is None else shown
        except (errors.NotFound, errors.HistoryError):
            shown = self._unsaved.shown(owner, chat_id, None)
            if shown is None:
                raise
            return shown

    # --- changing chats --------------------------------------------------------------------

    async def create(self, owner: str, new: NewChat) -> ChatSummary:
        """Make a chat, if it is not there; see ``ChatHistory.create_chat``."""
        write = Write(owner, new.chat_id, new_chat=new)
        is_saved = await self.write(write, lambda: None)
        chat = await self.get_chat(owner, new.chat_id)
        summary = summary_of(chat)
        if is_saved and not chat.messages:
            self.tell(owner, ChatFrame(new.chat_id, "created", summary))
        return summary

    async def change(self, owner: str, chat_id: str, change: ChatChange) -> ChatSummary:
        """Change what is given."""
        return await self._changed(
            owner, chat_id, "changed", lambda history: history.change_chat(owner, chat_id, change)
        )

    async def delete(self, owner: str, chat_id: str) -> ChatSummary:
        """Take a chat out of the list."""
        return await self._changed(
            owner, chat_id, "deleted", lambda history: history.delete_chat(owner, chat_id)
        )

    async def restore(self, owner: str, chat_id: str) -> ChatSummary:
        """Bring a deleted chat back."""
        return await self._changed(
            owner, chat_id, "restored", lambda history: history.restore_chat(owner, chat_id)
        )

    async def import_chat(self, owner: str, chat: Chat) -> ChatSummary:
        """Keep a chat from elsewhere as a new one."""
        summary = await self._thread.run(lambda history: history.import_chat(owner, chat))
        self.tell(owner, ChatFrame(summary.chat_id, "created", summary))
        return summary

    async def _changed(
        self,
        owner: str,
        chat_id: str,
        change: ChatChangeKind,
        job: Callable[[ChatHistory], ChatSummary],
    ) -> ChatSummary:
        summary = await self._thread.run(job)
        self.tell(owner, ChatFrame(chat_id, change, summary))
        return summary

    # --- writing messages ------------------------------------------------------------------

    async def write(self, write: Write, on_saved: Callable[[], None]) -> bool:
        """Write; return whether that is done, or held until it can be.

        ``on_saved`` is called once it is on disk, before anything else can happen.

        Raises
        ------
        HistoryError
            It failed, and too much is held already.
        RequestError, NotFound
            It is refused.
        """
        why = self._fault
        if not self._unsaved:
            try:
                await self._thread.run(write.apply)
            except errors.HistoryError as error:
                why = error
            else:
                on_saved()
                return True
        if why is None:
            raise RuntimeError("writes are held for no reason")
        self._unsaved.add(write, on_saved, why)
        if self._fault is None:
            log.warning("the chats cannot be saved: %s", why)
            self.tell(None, _not_saved(why))
        self._fault = why
        self._try_later()
        return False

    async def save_draft(self, owner: str, chat_id: str, message_id: str, text: str) -> None:
        """Keep the text so far of an answer, where that can be done now."""
        if self._unsaved:
            return
        try:
            await self._thread.run(
                lambda history: history.save_draft(owner, chat_id, message_id, text)
            )
        except (errors.HistoryError, errors.NotFound) as error:
            # Its end is written in any case, and tells where that fails.
            log.debug("a draft was not saved: %s", error)

    def _try_later(self) -> None:
        if self._retry is None and self._saving is None and not self._is_closed:
            loop = asyncio.get_running_loop()
            self._retry = loop.call_later(self._retry_s, self._try_now)

    def _try_now(self) -> None:
        self._retry = None
        self._saving = asyncio.ensure_future(self._save_held())
        self._saving.add_done_callback(self._saving_ended)

    def _saving_ended(self, task: asyncio.Task[None]) -> None:
        self._saving = None
        if not task.cancelled() and task.exception() is not None:
            log.error("saving the chats failed", exc_info=task.exception())
        if self._unsaved:
            self._try_later()

    async def _save_held(self) -> None:
        """Do the held writes, in their order, as far as they can be done."""
        while self._unsaved:
            write, on_saved = self._unsaved.first()
            try:
                await self._thread.run(write.apply)
            except errors.HistoryError as error:
                self._fault = error
                return
            except errors.LocalLLMError as error:
                # The chat was deleted for good, or the id taken, in the meantime.
                log.warning("a message of the chat %s was not kept: %s", write.chat_id, error)
            else:
                on_saved()
            self._unsaved.drop_first()
        self._fault = None
        self.tell(
            None, NoticeFrame("history_saved", "The chats are saved again; nothing is missing.")
        )

    async def close(self) -> None:
        """Try a last time to write what is held, then close the file."""
        self._is_closed = True
        if self._retry is not None:
            self._retry.cancel()
        if self._saving is not None:
            await asyncio.wait({self._saving})
        if self._unsaved:
            await self._save_held()
        if self._unsaved:
            log.error(
                "%d messages or chats could not be saved: %s", len(self._unsaved), self._fault
            )
        await self._thread.close()


def _not_saved(why: errors.HistoryError) -> NoticeFrame:
    return NoticeFrame("history_not_saved", why.message, why.hint)
