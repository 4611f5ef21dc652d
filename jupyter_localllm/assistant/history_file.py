"""The open history file: connection, transactions, permissions, and what happens at a fault.

``history`` alone calls it; what stands in the tables is not known here. A file that cannot be
opened or written is an error and is left alone; a file that is damaged is set aside
(``history_rescue``) and a new one begun.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from ..chat_protocol import NoticeFrame
from ..errors import HistoryError, HistoryFull, InvalidText
from .history_disk import (
    COMPANIONS,
    beside,
    identity_of,
    is_no_room,
    is_on_network,
    make_private,
    size_of,
    sync_folder,
)
from .history_rescue import copy_readable, damaged_notice, set_aside
from .history_schema import faults_of, is_too_new, migrate

#: How long a statement waits for another server on the same file.
BUSY_TIMEOUT_MS = 5_000
#: How long an open waits for another server that opens, checks or repairs the same file.
_OPENING_TIMEOUT_S = 30.0

#: What SQLite takes for empty, and would write over, where it is shorter.
_HEADER_BYTES = 512

#: SQLite's sentences for a file that is no (whole) database, whatever the version of Python.
_DAMAGE = ("malformed", "not a database", "unsupported file format")

_log = logging.getLogger(__name__)


class _Damaged(Exception):
    """What is wrong with the file."""


class HistoryFile:
    """One SQLite file and the one connection to it.

    Parameters
    ----------
    path : Path
        The file; its folder is made where it is missing.

    Attributes
    ----------
    notices : list of NoticeFrame
        What the users have to know; grows.
    is_shared : bool
        Whether the file is on a network file system; known once it was opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notices: list[NoticeFrame] = []
        self.is_shared = False
        #: Called with each new connection.
        self.on_connect: Callable[[sqlite3.Connection], None] = lambda connection: None
        #: Called within a transaction when the file was opened; may fail where there is no room.
        self.on_open: Callable[[sqlite3.Connection], None] = lambda connection: None
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        #: Damage was met after the quick check had found none.
        self._is_suspect = False

    # --- opening ----------------------------------------------------------------------------

    def open(self) -> None:
        """Open the file; make, migrate or replace it as needed. Nothing where it is open.

        Raises
        ------
        HistoryError
            ``history_not_saved``: no permission, no room, locked; ``history_too_new``.
        """
        if self._connection is not None:
            return
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.is_shared = is_on_network(self.path.parent)
            with self._opening():
                connection = self._open_or_replace()
        except (OSError, sqlite3.Error) as error:
            raise history_error(error, self.path) from error
        self._connection = connection
        try:
            with self.writing() as open_connection:
                self.on_open(open_connection)
        except HistoryError as error:
            if self._connection is None:
                raise
            # What is there can still be read.
            _log.warning("The chat history cannot be written: %s", error)

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        connection, self._connection = self._connection, None
        self._identity = None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    @contextlib.contextmanager
    def _opening(self) -> Iterator[None]:
        """Let one process at a time open, so that none sets another's new file aside.

        The lock is SQLite's own, on an empty file: it works wherever the history itself does
        and goes with the process.
        """
        lock_path = self.path.with_suffix(".lock")
        make_private(lock_path)
        lock = sqlite3.connect(lock_path, timeout=_OPENING_TIMEOUT_S, isolation_level=None)
        try:
            lock.execute("BEGIN EXCLUSIVE")
            yield
        finally:
            lock.close()

    def _open_or_replace(self) -> sqlite3.Connection:
        fault = self._fault_before_opening()
        if not fault and self.path.exists():
            try:
                return self._open_existing()
            except (_Damaged, UnicodeDecodeError) as damaged:
                # SQLite's own sentence may hold a damaged name, which Python cannot read.
                fault = str(damaged)
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
                fault = str(error) or "it cannot be read"
        self._begin_anew(fault)
        return self._open_existing()

    def _open_existing(self) -> sqlite3.Connection:
        connection = self._connect(self.path)
        try:
            fault = faults_of(connection, is_thorough=self._is_suspect)
            if fault:
                raise _Damaged(fault)
            # WAL needs memory that all its users share; across machines there is none.
            wanted = "DELETE" if self.is_shared else "WAL"
            (mode,) = connection.execute(f"PRAGMA journal_mode = {wanted}").fetchone()
            migrate(connection)
        except BaseException:
            connection.close()
            raise
        self._is_suspect = False
        self._identity = identity_of(self.path)
        _log.info("Chat history: %s, journal mode %s", self.path, mode)
        return connection

    def _begin_anew(self, fault: str) -> None:
        """Put a new file in place, whole; what was there is set aside where it has a fault.

        Until the new one is complete nothing is renamed: on a full disk all stays as it was.
        """
        new = self.path.with_name(f"{self.path.stem}-new{self.path.suffix}")
        for suffix in ("", *COMPANIONS):
            beside(new, suffix).unlink(missing_ok=True)
        with contextlib.closing(self._connect(new)) as connection:
            migrate(connection)
            copied = copy_readable(self.path, connection) if fault else (0, 0)
        # Nothing is ever renamed over what is there.
        if fault or self.path.exists():
            aside = set_aside(self.path)
            _log.error("The chat history was damaged (%s); it is kept as %s", fault, aside)
            self.notices.append(damaged_notice(aside, *copied))
        new.rename(self.path)
        sync_folder(self.path.parent)

    def _fault_before_opening(self) -> str:
        """Find what SQLite would not see as a fault.

        The file is not opened for that: closing it would drop the locks that SQLite holds on it
        for another history in this process.
        """
        try:
            found = self.path.stat()
        except FileNotFoundError:
            # A log without its file would be played into the new one.
            logs = (beside(self.path, suffix) for suffix in COMPANIONS)
            return "its file is missing" if any(size_of(log) for log in logs) else ""
        if not stat.S_ISREG(found.st_mode):
            return "it is not a file"
        if found.st_size < _HEADER_BYTES:
            return "it is empty" if found.st_size == 0 else "it is cut off"
        return ""

    def _connect(self, path: Path) -> sqlite3.Connection:
        make_private(path)
        connection = sqlite3.connect(
            path,
            timeout=BUSY_TIMEOUT_MS / 1000,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=64,
        )
        try:
            # Before anything else is read: a newer version's tables may be beyond this SQLite.
            if is_too_new(connection):
                raise _too_new(path)
            connection.row_factory = sqlite3.Row
            # A flipped bit in a text must not make its chat unreadable.
            connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA secure_delete = ON")
            # What stands in the file is data; it may not call functions by itself.
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("PRAGMA synchronous = FULL")
            self.on_connect(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    # --- transactions -----------------------------------------------------------------------

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read in one transaction: what is read belongs together.

        Raises
        ------
        HistoryError
        """
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self, *, is_draft: bool = False) -> Iterator[sqlite3.Connection]:
        """Write in one transaction, which is on disk when the block is left.

        Within another such block it is a part of that one, and on disk with it.

        Parameters
        ----------
        is_draft : bool
            Do not wait for the disk: a loss of power may take the last drafts, never the file.

        Raises
        ------
        HistoryError
        """
        with self._transaction("BEGIN IMMEDIATE", is_draft=is_draft) as connection:
            yield connection
        if not connection.in_transaction and not self._is_in_place():
            self.close()
            raise _not_saved("The file was moved or deleted in the meantime.")

    @contextlib.contextmanager
    def _transaction(self, begin: str, *, is_draft: bool = False) -> Iterator[sqlite3.Connection]:
        if self._connection is not None and self._connection.in_transaction:
            yield self._connection
            return
        if self._connection is not None and not self._is_in_place():
            _log.warning("The chat history is no longer at %s; opening it again", self.path)
            self.close()
        self.open()
        connection = self._connection
        if connection is None:
            raise RuntimeError("the history is not open after it was opened")
        try:
            if is_draft:
                connection.execute("PRAGMA synchronous = NORMAL")
            try:
                connection.execute(begin)
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    with contextlib.suppress(sqlite3.Error):
                        connection.execute("ROLLBACK")
                if is_draft:
                    connection.execute("PRAGMA synchronous = FULL")
        except UnicodeEncodeError as error:
            raise InvalidText(
                "The text holds half of a character (a lone surrogate).",
                "Send text that is whole Unicode.",
            ) from error
        except sqlite3.Error as error:
            if is_damage(error):
                # The next use opens it again, finds the damage and sets the file aside.
                self._is_suspect = True
                self.close()
            raise history_error(error, self.path) from error

    def _is_in_place(self) -> bool:
        """Tell whether the open file is still the one at the path."""
        return self._identity is not None and self._identity == identity_of(self.path)


# --- faults -----------------------------------------------------------------------------------


def is_damage(error: sqlite3.Error) -> bool:
    """Tell a damaged file from one that cannot be used now."""
    # Python 3.10 leaves a sentence with a damaged name in it out altogether.
    is_unsaid = type(error) is sqlite3.DatabaseError and not str(error)
    return is_unsaid or any(sentence in str(error) for sentence in _DAMAGE)


def history_error(error: sqlite3.Error | OSError, path: Path) -> HistoryError:
    """Say in the user's words why the history cannot be read or saved."""
    text = str(error)
    if is_no_room(error):
        return HistoryFull(
            "The chat cannot be saved: the disk is full.",
            "Make room on the disk; saving goes on by itself then.",
        )
    if isinstance(error, sqlite3.Error) and is_damage(error):
        return _not_saved("Its file is damaged; it will be set aside and a new one begun.")
    if "locked" in text or "busy" in text:
        return _not_saved("Another program is using the history.", "Try again in a moment.")
    if "readonly" in text or isinstance(error, PermissionError):
        return _not_saved("The history may not be written.", f"Allow this user to write {path}.")
    return _not_saved(f"{text[:1].upper()}{text[1:]}.", f"See that {path} can be read and written.")


def _not_saved(why: str, hint: str = "Try again.") -> HistoryError:
    return HistoryError(f"The chats cannot be read or saved. {why}", hint)


def _too_new(path: Path) -> HistoryError:
    return HistoryError(
        "The chats were saved by a newer version of jupyter_localllm than this one.",
        f"Install the newer version, or move {path} away to begin a new history.",
        code="history_too_new",
    )
