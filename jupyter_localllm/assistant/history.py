"""The kept chats: one SQLite file, keyed by owner; nothing acknowledged is ever lost.

The one door to the history, for one thread at a time. The file itself is ``history_file``, search
``history_search``, rows ``history_rows``. A call of another owner's chat is answered as if there
were none.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ..chat_protocol import (
    Chat,
    ChatChange,
    ChatSummary,
    MessageRecord,
    MessageState,
    NewChat,
    NoticeFrame,
)
from ..errors import HistoryError
from . import history_search
from . import history_tables as tables
from .chat_tree import in_order
from .history_file import HistoryFile
from .history_rows import message_of, message_values, renamed, summary_of, title_of
from .history_writers import Writer

#: How long a deleted chat can be brought back.
KEEP_DELETED_MS = 24 * 3600 * 1000

_MAX_TITLE = 200


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class ChatHistory:
    """All chats of all owners in one file.

    Every method raises :class:`~jupyter_localllm.errors.HistoryError` where the file cannot be
    read or written; what was there before is intact then, and the next call tries again. Each
    call opens the file where it is not open.

    Parameters
    ----------
    path : Path
        The file. Its folder is made with mode 0700, itself with 0600.
    now_ms : callable
        The time in milliseconds since 1970.

    Attributes
    ----------
    notices : list of NoticeFrame
        What the users have to know (``history_damaged``); may grow with every call.
    """

    def __init__(self, path: Path, *, now_ms: Callable[[], int] = _now_ms) -> None:
        self._now_ms = now_ms
        self._file = HistoryFile(path)
        self._file.on_connect = history_search.prepare
        self._file.on_open = self._begin
        self._writer: Writer | None = None

    @property
    def path(self) -> Path:
        return self._file.path

    @property
    def notices(self) -> list[NoticeFrame]:
        return self._file.notices

    def open(self) -> None:
        """Open, check and, where needed, make, migrate or replace the file.

        Answers whose server has ended become interrupted; chats that were deleted more than a
        day ago are removed.

        Raises
        ------
        HistoryError
            ``history_not_saved``, or ``history_too_new`` where a newer version made the file.
        """
        self._file.open()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    @property
    def _writing(self) -> Writer:
        if self._writer is None:
            self._writer = Writer()
        return self._writer

    def _begin(self, connection: sqlite3.Connection) -> None:
        tables.interrupt_lost(connection, self._is_gone)
        tables.purge(connection, self._now_ms() - KEEP_DELETED_MS)

    def _sign(self) -> tables.Sign:
        return tables.Sign(self._writing.mark, self._now_ms())

    def _is_gone(self, mark: str | None, touched_ms: int) -> bool:
        return self._writing.is_gone(
            mark, touched_ms, now_ms=self._now_ms(), is_shared=self._file.is_shared
        )

    def version(self) -> int:
        """Return a number that changes when another connection has written into the file."""
        with self._file.reading() as connection:
            found: int = connection.execute("PRAGMA data_version").fetchone()[0]
        return found

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Make all calls in the block one: nobody else writes in between; all are done or none."""
        with self._file.writing():
            yield

    # --- chats ------------------------------------------------------------------------------

    def list_chats(self, owner: str, query: str = "", limit: int = 500) -> list[ChatSummary]:
        """Return the owner's chats, the one with the newest message first.

        Parameters
        ----------
        query : str
            Where given, only chats in which every word of it occurs, in the title or a message,
            without regard to case.
        limit : int
            How many at most; all where it is negative.
        """
        words = history_search.words_of(query)
        is_indexed = bool(words) and self._has_fresh_index()
        is_broken = False
        with self._file.reading() as connection:
            try:
                rows = self._matches(connection, owner, words, limit, is_indexed=is_indexed)
            except sqlite3.DatabaseError as error:
                if not is_indexed or not history_search.is_index_fault(error):
                    raise
                is_broken = True
                rows = self._matches(connection, owner, words, limit, is_indexed=False)
            found = [
                summary_of(row, history_search.snippet_of(connection, row["row"], words))
                for row in rows
            ]
        if is_broken:
            with contextlib.suppress(HistoryError), self._file.writing() as connection:
                history_search.drop_index(connection)
        return found

    def _has_fresh_index(self) -> bool:
        """Bring the search's index up to date; tell whether it can be used."""
        try:
            with self._file.writing() as connection:
                try:
                    history_search.update_index(connection)
                except sqlite3.DatabaseError as error:
                    if not history_search.is_index_fault(error):
                        raise
                    # If it is more than the index, the texts cannot be read either.
                    history_search.drop_index(connection)
                    return False
        except HistoryError:
            # A full disk, or a SQLite without such an index: the texts themselves are read.
            return False
        return True

    def _matches(
        self,
        connection: sqlite3.Connection,
        owner: str,
        words: list[str],
        limit: int,
        *,
        is_indexed: bool,
    ) -> list[sqlite3.Row]:
        where, parameters = history_search.condition(words, is_indexed=is_indexed)
        query = (
            f"{tables.SUMMARY} AND c.deleted_ms IS NULL AND {where} "
            "ORDER BY c.position DESC LIMIT ?"
        )
        return connection.execute(query, [owner, *parameters, limit]).fetchall()

    def get_chat(self, owner: str, chat_id: str, *, with_deleted: bool = False) -> Chat:
        """Return a whole chat; with ``with_deleted``, also one that can still be restored.

        Raises
        ------
        NotFound
            ``chat_not_found``: unknown, deleted, or somebody else's.
        """
        with self._file.reading() as connection:
            chat = tables.chat_row(connection, owner, chat_id, with_deleted=with_deleted)
            rows = connection.execute(
                "SELECT * FROM messages WHERE chat_row = ? ORDER BY row", (chat["row"],)
            ).fetchall()
        return Chat(
            chat_id=chat["chat_id"],
            title=chat["title"],
            created_ms=chat["created_ms"],
            updated_ms=chat["updated_ms"],
            model=chat["model"],
            system_prompt=chat["system_prompt"],
            current_id=chat["current_id"],
            messages=[message_of(row, self._is_gone) for row in rows],
        )

    def create_chat(self, owner: str, chat: NewChat) -> ChatSummary:
        """Make a chat; where the owner has it already, leave it as it is.

        Raises
        ------
        NotFound
            ``chat_not_found``: the id is a deleted chat's or somebody else's.
        """
        with self._file.writing() as connection:
            known = connection.execute("SELECT 1 FROM chats WHERE chat_id = ?", (chat.chat_id,))
            if known.fetchone() is None:
                tables.insert_chat(connection, owner, chat, self._now_ms())
            return summary_of(tables.chat_row(connection, owner, chat.chat_id))

    def change_chat(self, owner: str, chat_id: str, change: ChatChange) -> ChatSummary:
        """Change what is given; the chat keeps its place in the list.

        Raises
        ------
        NotFound
            ``chat_not_found``, or ``message_not_found`` for ``current_id``.
        """
        with self._file.writing() as connection:
            row = tables.chat_row(connection, owner, chat_id)["row"]
            if change.current_id is not None:
                tables.role_of(connection, row, change.current_id, must_exist=True)
            for column in ("title", "model", "system_prompt", "current_id"):
                value = getattr(change, column)
                if value is not None:
                    connection.execute(
                        f"UPDATE chats SET {column} = ?, is_indexed = 0 WHERE row = ?",
                        (value, row),
                    )
            return summary_of(tables.chat_row(connection, owner, chat_id))

    def delete_chat(self, owner: str, chat_id: str) -> ChatSummary:
        """Take a chat out of the list; for a day it can be restored.

        Raises
        ------
        NotFound
        """
        return self._set_deleted(owner, chat_id, self._now_ms())

    def restore_chat(self, owner: str, chat_id: str) -> ChatSummary:
        """Bring a deleted chat back.

        Raises
        ------
        NotFound
        """
        return self._set_deleted(owner, chat_id, None)

    def _set_deleted(self, owner: str, chat_id: str, deleted_ms: int | None) -> ChatSummary:
        with self._file.writing() as connection:
            chat = tables.chat_row(connection, owner, chat_id, with_deleted=True)
            # Deleting twice does not keep it longer.
            if (chat["deleted_ms"] is None) != (deleted_ms is None):
                connection.execute(
                    "UPDATE chats SET deleted_ms = ? WHERE row = ?", (deleted_ms, chat["row"])
                )
            return summary_of(chat)

    # --- messages ---------------------------------------------------------------------------

    def add_messages(
        self,
        owner: str,
        chat_id: str,
        messages: Sequence[MessageRecord],
        *,
        with_deleted: bool = False,
    ) -> None:
        """Add messages below those that are there, all or none; show the branch of the last.

        A message that is there already is left as it is. An answer in state ``writing`` is this
        process's to finish. The first question gives a chat without one its title. With
        ``with_deleted``, a chat that can still be restored gets them too.

        Raises
        ------
        NotFound
            ``chat_not_found``, or ``message_not_found`` where a parent is not in the chat.
        InvalidParameter
            ``duplicate_request``: the id is that of a message with the other role.
        """
        if not messages:
            return
        with self._file.writing() as connection:
            chat = tables.chat_row(connection, owner, chat_id, with_deleted=with_deleted)
            n_before = connection.total_changes
            for message in messages:
                tables.add_message(connection, chat["row"], message, self._sign())
            if connection.total_changes > n_before:
                tables.make_newest(connection, chat["row"], self._now_ms())
            connection.execute(
                "UPDATE chats SET current_id = ? WHERE row = ?",
                (messages[-1].message_id, chat["row"]),
            )
            question = next((each for each in messages if each.role == "user"), None)
            if question is not None and not chat["title"]:
                connection.execute(
                    "UPDATE chats SET title = ?, is_indexed = 0 WHERE row = ?",
                    (title_of(question), chat["row"]),
                )

    def save_draft(self, owner: str, chat_id: str, message_id: str, content: str) -> None:
        """Keep the text so far of an answer that this process is writing.

        Does not wait for the disk. Nothing happens where the answer is finished. Works in a
        deleted chat too, so that it is whole when it is restored.

        Raises
        ------
        NotFound
            ``chat_not_found``, ``message_not_found``.
        """
        with self._file.writing(is_draft=True) as connection:
            row = tables.chat_row(connection, owner, chat_id, with_deleted=True)["row"]
            tables.role_of(connection, row, message_id, must_exist=True)
            # Another machine may have taken a long silence for the end.
            connection.execute(
                "UPDATE messages SET content = ?, touched_ms = ?, state = 'writing' "
                "WHERE chat_row = ? AND message_id = ? "
                "AND state IN ('writing', 'interrupted') AND writer = ?",
                (content, self._now_ms(), row, message_id, self._writing.mark),
            )

    def finish_message(self, owner: str, chat_id: str, message: MessageRecord) -> None:
        """Keep an answer as it is at its end. One that is final already stays as it is.

        Works in a deleted chat too.

        Raises
        ------
        NotFound
            ``chat_not_found``, ``message_not_found``.
        """
        if message.state is MessageState.WRITING:
            raise ValueError("an answer that is still being written is not finished")
        with self._file.writing() as connection:
            row = tables.chat_row(connection, owner, chat_id, with_deleted=True)["row"]
            tables.role_of(connection, row, message.message_id, must_exist=True)
            values = {**message_values(message), "touched_ms": self._now_ms(), "chat_row": row}
            done = connection.execute(
                "UPDATE messages SET content = :content, state = :state, created_ms = :created_ms, "
                "details = :details, touched_ms = :touched_ms, writer = NULL, is_indexed = 0 "
                "WHERE chat_row = :chat_row AND message_id = :message_id AND role = :role "
                "AND state IN ('writing', 'interrupted')",
                values,
            )
            if done.rowcount:
                tables.make_newest(connection, row, self._now_ms())

    def import_chat(self, owner: str, chat: Chat) -> ChatSummary:
        """Keep a chat from elsewhere as a new one, with fresh ids throughout.

        Raises
        ------
        RequestError
            ``invalid_chat_file``: its messages make no tree.
        """
        messages = in_order(chat.messages)
        new_ids: dict[str | None, str] = {m.message_id: uuid.uuid4().hex for m in messages}
        new = NewChat(
            chat_id=uuid.uuid4().hex,
            title=chat.title[:_MAX_TITLE],
            model=chat.model,
            system_prompt=chat.system_prompt,
        )
        with self._file.writing() as connection:
            tables.insert_chat(connection, owner, new, self._now_ms())
            row = tables.chat_row(connection, owner, new.chat_id)["row"]
            for message in messages:
                tables.insert_message(connection, row, renamed(message, new_ids), self._sign())
            last = messages[-1].message_id if messages else None
            current_id = new_ids.get(chat.current_id) or new_ids.get(last)
            connection.execute("UPDATE chats SET current_id = ? WHERE row = ?", (current_id, row))
            return summary_of(tables.chat_row(connection, owner, new.chat_id))
