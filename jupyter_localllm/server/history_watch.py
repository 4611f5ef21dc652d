"""Notices what other programs write into the history, and tells the pages.

A magic's conversation is a chat of the same file, and so is that of a second server. SQLite says
cheaply whether somebody else has written; only then the lists of the connected owners are read
and compared. Runs only while a page is connected. Called by ``app``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from .. import errors
from ..chat_protocol import ChatFrame, ChatSummary
from .chat_history import KeptChats

log = logging.getLogger(__name__)

#: Seconds between two looks.
LOOK_S = 2.0


class HistoryWatch:
    """Looks at the history file while there are pages.

    Parameters
    ----------
    kept : KeptChats
        The chats, and the way to the pages.
    owners : callable
        Returns the owners whose pages are connected.
    look_s : float
        Seconds between two looks.

    Attributes
    ----------
    has_looked : asyncio.Event
        Set once it knows what there was: what comes later is told.
    """

    def __init__(
        self, kept: KeptChats, owners: Callable[[], set[str]], look_s: float = LOOK_S
    ) -> None:
        self._kept = kept
        self._owners = owners
        self._look_s = look_s
        self._version: int | None = None
        self._known: dict[str, dict[str, ChatSummary]] = {}
        self._task: asyncio.Task[None] | None = None
        self.has_looked = asyncio.Event()

    def begin(self) -> None:
        """Look from now on until the last page has gone; called with each page that comes."""
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._run())

    async def close(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        self._known.clear()
        while owners := self._owners():
            try:
                await self._look(owners)
                self.has_looked.set()
            except errors.LocalLLMError as error:
                # Reading and writing chats tell it where it matters.
                log.debug("the history was not looked at: %s", error)
            await asyncio.sleep(self._look_s)

    async def _look(self, owners: set[str]) -> None:
        version = await self._kept.version()
        is_changed = version != self._version
        self._version = version
        for owner in owners:
            known = self._known.get(owner)
            if known is not None and not is_changed:
                continue
            listed = {chat.chat_id: chat for chat in await self._kept.list_chats(owner, "")}
            self._known[owner] = listed
            if known is not None:
                self._tell(owner, known, listed)

    def _tell(
        self, owner: str, known: dict[str, ChatSummary], listed: dict[str, ChatSummary]
    ) -> None:
        for chat_id, summary in listed.items():
            if chat_id not in known:
                self._kept.tell(owner, ChatFrame(chat_id, "created", summary))
            elif summary != known[chat_id]:
                self._kept.tell(owner, ChatFrame(chat_id, "changed", summary))
        for chat_id in known.keys() - listed.keys():
            self._kept.tell(owner, ChatFrame(chat_id, "deleted", known[chat_id]))
