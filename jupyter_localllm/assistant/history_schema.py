"""The tables of the history file and how an older file becomes a newer one.

A migration is a tuple of statements; all that are missing run in one transaction. A released
migration is never changed: what is new is appended.
"""

from __future__ import annotations

import sqlite3

#: "LLMc": tells our files from other programs' (PRAGMA application_id).
APPLICATION_ID = 0x4C4C4D63

_FIRST = (
    # AUTOINCREMENT: a row number is never used again, so that the search's index cannot take
    # a new message for a purged one.
    """CREATE TABLE chats (
        row INTEGER PRIMARY KEY AUTOINCREMENT,
        chat_id TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL,
        title TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        updated_ms INTEGER NOT NULL,
        position INTEGER NOT NULL,
        model TEXT NOT NULL,
        system_prompt TEXT NOT NULL,
        current_id TEXT,
        deleted_ms INTEGER,
        is_indexed INTEGER NOT NULL DEFAULT 0
    )""",
    "CREATE INDEX chats_by_owner ON chats (owner, position)",
    """CREATE TABLE messages (
        row INTEGER PRIMARY KEY AUTOINCREMENT,
        chat_row INTEGER NOT NULL REFERENCES chats (row) ON DELETE CASCADE,
        message_id TEXT NOT NULL,
        parent_id TEXT,
        role TEXT NOT NULL,
        state TEXT NOT NULL,
        content TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        details TEXT NOT NULL,
        writer TEXT,
        touched_ms INTEGER NOT NULL,
        is_indexed INTEGER NOT NULL DEFAULT 0,
        UNIQUE (chat_row, message_id)
    )""",
    "CREATE INDEX messages_writing ON messages (chat_row) WHERE state = 'writing'",
    "CREATE INDEX messages_pending ON messages (chat_row) WHERE is_indexed = 0",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST,)
SCHEMA_VERSION = len(MIGRATIONS)

_MAX_FAULTS = 20

CHAT_COLUMNS = (
    "row, chat_id, owner, title, created_ms, updated_ms, position, model, system_prompt, "
    "current_id, deleted_ms, is_indexed"
)
MESSAGE_COLUMNS = (
    "row, chat_row, message_id, parent_id, role, state, content, created_ms, details, writer, "
    "touched_ms, is_indexed"
)


def version_of(connection: sqlite3.Connection) -> int:
    """Return the schema version of the open file; 0 is a new one."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def is_too_new(connection: sqlite3.Connection) -> bool:
    """Tell whether a newer version made the file; reads no more than its first page."""
    application_id = int(connection.execute("PRAGMA application_id").fetchone()[0])
    return application_id == APPLICATION_ID and version_of(connection) > SCHEMA_VERSION


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the file to :data:`SCHEMA_VERSION`, wholly or not at all."""
    if version_of(connection) >= SCHEMA_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statements in MIGRATIONS[version_of(connection) :]:
            for statement in statements:
                connection.execute(statement)
        # PRAGMA takes no parameters; both are numbers of ours.
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def faults_of(connection: sqlite3.Connection, *, is_thorough: bool = False) -> str:
    """Say what is wrong with the open file; "" where nothing is.

    Parameters
    ----------
    is_thorough : bool
        Whether to compare the indexes with the tables too, which takes several times as long.

    Raises
    ------
    sqlite3.DatabaseError
        The file cannot be read: not a database, damaged, locked.
    """
    application_id = int(connection.execute("PRAGMA application_id").fetchone()[0])
    has_tables = connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None
    if version_of(connection) == 0 and not has_tables:
        return ""
    if application_id != APPLICATION_ID:
        return "it is another program's"
    check = "integrity_check" if is_thorough else "quick_check"
    for (found,) in connection.execute(f"PRAGMA {check}({_MAX_FAULTS})").fetchall():
        # Newer SQLites look into the search's index too, which a search makes again by itself.
        if found != "ok" and "FTS5" not in found:
            return str(found)
    try:
        connection.execute(f"SELECT {CHAT_COLUMNS} FROM chats LIMIT 0")
        connection.execute(f"SELECT {MESSAGE_COLUMNS} FROM messages LIMIT 0")
    except sqlite3.OperationalError as error:
        if "no such" not in str(error):
            raise
        return str(error)
    return ""
