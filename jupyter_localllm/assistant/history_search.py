"""Full-text search over titles and messages, with SQLite's trigram index where it has one.

The index is a copy that may lag behind or be missing: a search brings it up to date first, and
reads the texts themselves where there is none. What the user types is only ever bound as a value;
of FTS5's language it can use nothing.
"""

from __future__ import annotations

import re
import sqlite3

_MAX_WORDS = 16
_MAX_QUERY = 500
#: Shorter words have no trigram.
_TRIGRAM = 3
_SNIPPET_LENGTH = 80

#: The tables in which FTS5 keeps an index.
_PARTS = ("data", "idx", "content", "docsize", "config")


def words_of(query: str) -> list[str]:
    """Return the words that must all occur, in lower case, each once."""
    # NUL would end the text inside SQLite; a lone surrogate cannot be bound.
    clean = query[:_MAX_QUERY].encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    clean = clean.replace("\0", " ")
    return list(dict.fromkeys(clean.lower().split()))[:_MAX_WORDS]


def prepare(connection: sqlite3.Connection) -> None:
    """Give the connection the function that compares without regard to case.

    SQLite's own LIKE knows capitals of ASCII only, and wildcards that would have to be escaped.
    """
    connection.create_function("has_word", 2, _has_word, deterministic=True)


def _has_word(text: object, word: object) -> bool:
    return isinstance(text, str) and isinstance(word, str) and word in text.lower()


def has_index(connection: sqlite3.Connection) -> bool:
    """Tell whether this file has the index and this SQLite knows how to read it."""
    try:
        connection.execute("SELECT rowid FROM search LIMIT 0")
    except sqlite3.OperationalError as error:
        if "no such" not in str(error):
            raise
        return False
    return True


def is_index_fault(error: sqlite3.DatabaseError) -> bool:
    """Tell a damaged index (or file) from a full disk, a lock, a SQLite without FTS5."""
    return not isinstance(error, sqlite3.OperationalError)


def update_index(connection: sqlite3.Connection) -> None:
    """Bring the index up to date, inside a transaction.

    Answers that are still being written are left out; they are read as they are.

    Raises
    ------
    sqlite3.OperationalError
        This SQLite has no FTS5, none with trigrams, or cannot read the index that is there.
    """
    if not has_index(connection):
        connection.execute("CREATE VIRTUAL TABLE search USING fts5(text, tokenize='trigram')")
        connection.execute("UPDATE chats SET is_indexed = 0")
        connection.execute("UPDATE messages SET is_indexed = 0")
    # A chat's title has its row's number with a minus.
    chats = "SELECT -row, title FROM chats WHERE is_indexed = 0"
    messages = "SELECT row, content FROM messages WHERE is_indexed = 0 AND state <> 'writing'"
    for select in (chats, messages):
        for row, text in connection.execute(select).fetchall():
            connection.execute("DELETE FROM search WHERE rowid = ?", (row,))
            # The index, too, would end the text at a NUL.
            values = (row, text.replace("\0", " "))
            connection.execute("INSERT INTO search (rowid, text) VALUES (?, ?)", values)
    connection.execute("UPDATE chats SET is_indexed = 1 WHERE is_indexed = 0")
    connection.execute(
        "UPDATE messages SET is_indexed = 1 WHERE is_indexed = 0 AND state <> 'writing'"
    )


def drop_index(connection: sqlite3.Connection) -> None:
    """Take a damaged index away; the next search makes a new one."""
    try:
        connection.execute("DROP TABLE IF EXISTS search")
    except sqlite3.DatabaseError:
        # FTS5 has to read an index to drop it. What it is made of are tables like any other.
        for part in _PARTS:
            connection.execute(f"DROP TABLE IF EXISTS search_{part}")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("DELETE FROM sqlite_master WHERE name = 'search' AND type = 'table'")
        connection.execute("PRAGMA writable_schema = RESET")
    connection.execute("UPDATE chats SET is_indexed = 0")
    connection.execute("UPDATE messages SET is_indexed = 0")


def forget_chats(connection: sqlite3.Connection, chat_rows: list[int]) -> None:
    """Take the chats' texts out of the index, before the chats themselves are removed."""
    try:
        if chat_rows and has_index(connection):
            for chat_row in chat_rows:
                query = "SELECT row FROM messages WHERE chat_row = ?"
                found = connection.execute(query, (chat_row,)).fetchall()
                for number in [-chat_row, *(row[0] for row in found)]:
                    connection.execute("DELETE FROM search WHERE rowid = ?", (number,))
            # Until its parts are merged, the index still holds what was taken out.
            connection.execute("INSERT INTO search (search) VALUES ('optimize')")
    except sqlite3.DatabaseError as error:
        if not is_index_fault(error):
            raise
        drop_index(connection)


_BY_INDEX = """(
    c.row IN (SELECT chat_row FROM messages WHERE row IN (
        SELECT rowid FROM search WHERE search MATCH ?))
    OR -c.row IN (SELECT rowid FROM search WHERE search MATCH ?)
    OR EXISTS (SELECT 1 FROM messages
        WHERE chat_row = c.row AND is_indexed = 0 AND has_word(content, ?))
)"""
_BY_READING = """(
    has_word(c.title, ?)
    OR EXISTS (SELECT 1 FROM messages WHERE chat_row = c.row AND has_word(content, ?))
)"""


def condition(words: list[str], *, is_indexed: bool) -> tuple[str, list[str]]:
    """Return SQL that holds for chats ``c`` with all the words, and its parameters."""
    parts, parameters = [], []
    for word in words:
        if is_indexed and len(word) >= _TRIGRAM:
            # Within quotes, which are doubled, FTS5 takes everything as text.
            phrase = '"' + word.replace('"', '""') + '"'
            parts.append(_BY_INDEX)
            parameters += [phrase, phrase, word]
        else:
            parts.append(_BY_READING)
            parameters += [word, word]
    return " AND ".join(parts) or "1", parameters


def snippet_of(connection: sqlite3.Connection, chat_row: int, words: list[str]) -> str:
    """Return the text around the first place where a word occurs in a message; "" if none."""
    query = (
        "SELECT content FROM messages WHERE chat_row = ? AND has_word(content, ?) "
        "ORDER BY row LIMIT 1"
    )
    for word in words:
        found = connection.execute(query, (chat_row, word)).fetchone()
        if found is not None:
            return cut_around(str(found[0]), word)
    return ""


def cut_around(text: str, word: str) -> str:
    """Return about 80 characters of the text around the word, on one line."""
    at = max(text.lower().find(word), 0)
    start = max(0, at - (_SNIPPET_LENGTH - min(len(word), _SNIPPET_LENGTH)) // 2)
    end = start + _SNIPPET_LENGTH
    piece = text[start:end]
    if start > 0:
        # Begin at a word, but never behind the one that was found.
        space = re.search(r"\s", piece[: at - start])
        piece = piece[space.end() :] if space else piece
    before = "…" if start > 0 else ""
    after = "…" if end < len(text) else ""
    return before + " ".join(piece.split()) + after
