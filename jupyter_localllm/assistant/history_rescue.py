"""A damaged history file: set aside under another name, its readable chats copied over.

``history_file`` calls it. The damaged file itself is only ever renamed; what is read is a copy.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..chat_protocol import NoticeFrame
from .history_disk import COMPANIONS, beside, is_no_room
from .history_schema import CHAT_COLUMNS, MESSAGE_COLUMNS

#: A table that cannot be read this far behind its last readable row has nothing more.
_MAX_STEP = 1 << 40

_log = logging.getLogger(__name__)


def set_aside(path: Path) -> Path:
    """Rename the file and its companions; return the new name. Overwrites nothing.

    The companions go first: a log left behind would be played into the file that comes next.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S")
    stem = f"{path.stem}-damaged-{stamp}"
    aside = path.with_name(stem + path.suffix)
    number = 1
    while any(beside(aside, suffix).exists() for suffix in ("", *COMPANIONS)):
        number += 1
        aside = path.with_name(f"{stem}-{number}{path.suffix}")
    for suffix in (*COMPANIONS, ""):
        with contextlib.suppress(FileNotFoundError):
            beside(path, suffix).rename(beside(aside, suffix))
    return aside


def damaged_notice(aside: Path, n_kept: int, n_found: int) -> NoticeFrame:
    """Say what happened, where the old file is and what could be read of it."""
    if n_kept:
        kept = (
            f"{n_kept} of the {n_found} chats found in it are here again, with those of their "
            "messages that could be read."
        )
    else:
        kept = "No chat could be read from it."
    return NoticeFrame(
        code="history_damaged",
        message=f"The file with the kept chats was damaged. {kept}",
        hint=f"The damaged file was set aside as {aside}; a backup of it may hold the rest.",
    )


def copy_readable(path: Path, into: sqlite3.Connection) -> tuple[int, int]:
    """Copy every chat that can be read into the new file.

    Returns
    -------
    tuple of int
        Chats that were copied, chats that were found.

    Raises
    ------
    OSError, sqlite3.Error
        There is no room for the copy. Whatever else is wrong only ends the copying.
    """
    try:
        if not path.is_file():
            return 0, 0
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".rescue-") as folder:
            copy = Path(folder, path.name)
            # Without -shm: SQLite makes it again from the log.
            for suffix in ("", "-wal", "-journal"):
                if beside(path, suffix).is_file():
                    shutil.copyfile(beside(path, suffix), beside(copy, suffix))
            with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as source:
                source.row_factory = sqlite3.Row
                source.text_factory = lambda raw: raw.decode("utf-8", "replace")
                source.execute("PRAGMA trusted_schema = OFF")
                # So SQLite reads a file that is shorter than it says.
                source.execute("PRAGMA writable_schema = ON")
                return _copy(source, into)
    except UnicodeDecodeError as error:
        # SQLite's sentence about a damaged name.
        _log.warning("Nothing could be read from %s: %s", path, error)
        return 0, 0
    except (OSError, sqlite3.Error) as error:
        if is_no_room(error):
            raise
        _log.warning("Nothing could be read from %s: %s", path, error)
        return 0, 0


def _copy(source: sqlite3.Connection, into: sqlite3.Connection) -> tuple[int, int]:
    chats = {row["row"]: row for row in _rows(source, "chats", CHAT_COLUMNS) if _is_chat(row)}
    messages: dict[int, list[sqlite3.Row]] = {row: [] for row in chats}
    lost: set[int] = set()
    for message in filter(_is_message, _rows(source, "messages", MESSAGE_COLUMNS)):
        if message["chat_row"] in messages:
            messages[message["chat_row"]].append(message)
        else:
            # Of its chat nothing else is left, not even the owner.
            lost.add(message["chat_row"])
    n_kept = 0
    for row, chat in chats.items():
        into.execute("BEGIN IMMEDIATE")
        try:
            _insert(into, "chats", CHAT_COLUMNS, {**chat, "is_indexed": 0})
            for values in _with_parents(messages[row]):
                _insert(into, "messages", MESSAGE_COLUMNS, {**values, "is_indexed": 0})
            into.execute("COMMIT")
            n_kept += 1
        except (sqlite3.IntegrityError, sqlite3.InterfaceError, OverflowError):
            # Two rows of one id, a value that is no value: the other chats are still good.
            into.execute("ROLLBACK")
        except BaseException:
            if into.in_transaction:
                into.execute("ROLLBACK")
            raise
    return n_kept, len(chats) + len(lost)


def _with_parents(rows: list[sqlite3.Row]) -> Iterator[dict[str, Any]]:
    """Hang a message whose parent was lost below the last one before it of the other role."""
    last: dict[str, str] = {}
    known: set[str] = set()
    for row in rows:
        values = dict(row)
        if values["message_id"] in known:
            continue
        if values["parent_id"] is not None and values["parent_id"] not in known:
            values["parent_id"] = last.get("user" if values["role"] == "assistant" else "assistant")
        known.add(values["message_id"])
        last[values["role"]] = values["message_id"]
        yield values


def _insert(into: sqlite3.Connection, table: str, columns: str, values: dict[str, Any]) -> None:
    names = columns.split(", ")
    marks = ", ".join("?" for _ in names)
    into.execute(
        f"INSERT INTO {table} ({columns}) VALUES ({marks})", [values[name] for name in names]
    )


def _rows(source: sqlite3.Connection, table: str, columns: str) -> list[sqlite3.Row]:
    """Read every row that can be reached.

    Where a page is lost, it is jumped over, in steps that grow; from behind it the rows are read
    backwards, up to the page again, and then on.
    """
    # The table's own order; an index may be what is damaged.
    select = f"SELECT {columns} FROM {table} NOT INDEXED"
    found: dict[int, sqlite3.Row] = {}

    def read(query: str, *bounds: int) -> bool:
        """Take the rows of a query up to the first fault; tell whether there was none."""
        try:
            for row in source.execute(query, bounds):
                found[row["row"]] = row
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            return False
        return True

    last, step = 0, 0
    while step < _MAX_STEP:
        n_found = len(found)
        if read(f"{select} WHERE row > ? ORDER BY row", last + step):
            break
        if len(found) > n_found:
            behind = max(found)
            if step:
                read(f"{select} WHERE row > ? AND row <= ? ORDER BY row DESC", last, last + step)
            last, step = behind, 0
        else:
            step = max(1, step * 2)
    if step:
        read(f"{select} WHERE row > ? AND row <= ? ORDER BY row DESC", last, last + step)
    return [found[key] for key in sorted(found)]


def _is_chat(row: sqlite3.Row) -> bool:
    texts = ("chat_id", "owner", "title", "model", "system_prompt")
    numbers = ("created_ms", "updated_ms", "position")
    return all(isinstance(row[name], str) for name in texts) and all(
        isinstance(row[name], int) for name in numbers
    )


def _is_message(row: sqlite3.Row) -> bool:
    texts = ("message_id", "role", "state", "content", "details")
    numbers = ("chat_row", "created_ms", "touched_ms")
    return all(isinstance(row[name], str) for name in texts) and all(
        isinstance(row[name], int) for name in numbers
    )
