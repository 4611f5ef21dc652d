"""The thread in which the history file is used, for one event loop.

SQLite waits for the disk; the server's loop does not. The file is opened, and what that needs is
imported, at the first use. What is asked of the history stands in ``chat_history``.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from .. import errors
from ..chat_protocol import NoticeFrame

if TYPE_CHECKING:
    from ..assistant.history import ChatHistory

Result = TypeVar("Result")

#: Where a folder in memory is found on Linux.
_MEMORY_FOLDER = Path("/dev/shm")


class HistoryThread:
    """One history and the only thread that touches it.

    Parameters
    ----------
    path : Path, optional
        The file; ``None``: one that is removed when this is closed.
    on_notice : callable
        Called in the loop with each new notice of the history.
    """

    def __init__(self, path: Path | None, on_notice: Callable[[NoticeFrame], None]) -> None:
        self._path = path
        self._on_notice = on_notice
        self._executor: ThreadPoolExecutor | None = None
        self._history: ChatHistory | None = None
        self._folder: Path | None = None
        self._n_notices = 0
        self._is_closed = False

    @property
    def notices(self) -> list[NoticeFrame]:
        """What the history has had to tell since the server started."""
        return list(self._history.notices) if self._history is not None else []

    async def run(self, job: Callable[[ChatHistory], Result]) -> Result:
        """Run ``job`` with the history, after the jobs before it.

        Raises
        ------
        HistoryError
            The file cannot be used, or the server is stopping.
        """
        if self._is_closed:
            raise errors.HistoryError(
                "The Jupyter server is shutting down.", "Ask again when it is back."
            )
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, thread_name_prefix="chat-history")
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._executor, lambda: job(self._opened()))
        finally:
            self._tell_notices()

    def _opened(self) -> ChatHistory:
        if self._history is None:
            from ..assistant.history import ChatHistory

            path = self._path
            if path is None:
                folder = _MEMORY_FOLDER if _MEMORY_FOLDER.is_dir() else None
                self._folder = Path(tempfile.mkdtemp(prefix="localllm-chats-", dir=folder))
                path = self._folder / "chats.sqlite3"
            self._history = ChatHistory(path)
        return self._history

    def _tell_notices(self) -> None:
        notices = self.notices
        for notice in notices[self._n_notices :]:
            self._on_notice(notice)
        self._n_notices = len(notices)

    async def close(self) -> None:
        """Close the file once the jobs before are done; idempotent."""
        self._is_closed = True
        executor, self._executor = self._executor, None
        if executor is None:
            return
        await asyncio.get_running_loop().run_in_executor(executor, self._close)
        executor.shutdown(wait=False)

    def _close(self) -> None:
        if self._history is not None:
            self._history.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
