"""Search over titles and messages, with and without SQLite's trigram index."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_localllm.assistant import history_search
from jupyter_localllm.assistant.history import KEEP_DELETED_MS, ChatHistory
from jupyter_localllm.chat_protocol import Chat, ChatChange, MessageState, NewChat

from .history_samples import OWNER, Clock, answer, begin_chat, question, rows


@pytest.fixture(params=["index", "no index"])
def searched(
    request: pytest.FixtureRequest, history: ChatHistory, monkeypatch: pytest.MonkeyPatch
) -> ChatHistory:
    """A history whose SQLite has, or has not, the trigram index."""
    if request.param == "no index":
        monkeypatch.setattr(ChatHistory, "_has_fresh_index", lambda history: False)
    else:
        history.list_chats(OWNER, "make the index")
        with history._file.reading() as connection:
            if not history_search.has_index(connection):
                pytest.skip("this SQLite has no FTS5 with trigrams")
    return history


def keep(history: ChatHistory, chat_id: str, *texts: str) -> None:
    """Make a chat whose first text is its title and whose others are messages."""
    history.create_chat(OWNER, NewChat(chat_id, title=texts[0]))
    for number, text in enumerate(texts[1:]):
        history.add_messages(OWNER, chat_id, [question(f"q{number}", text)])


def found(history: ChatHistory, query: str) -> list[str]:
    return [chat.chat_id for chat in history.list_chats(OWNER, query)]


@pytest.mark.parametrize(
    ("query", "chats"),
    [
        ("loop", ["b", "a"]),
        ("LOOP", ["b", "a"]),
        ("for loops", ["a"]),
        ("loops for", ["a"]),
        ("or", ["b", "a"]),
        ("x", ["c", "b"]),
        ("schleife straße", ["c"]),
        ("ÄRGER", ["c"]),
        ("привет", ["c"]),
        ("日本語", ["c"]),
        ("本語", ["c"]),
        ("語", ["c"]),
        ("c++", ["b"]),
        ("50%", ["c"]),
        ("5_%", []),
        ("nowhere", []),
        ("loop nowhere", []),
        ('"', ["b"]),
        ('say "x"', ["b"]),
        ('loop" OR "a', []),
        ("loop*", []),
        ("text:loop", []),
        ("NEAR(loop for)", []),
        ("loop AND for", []),
        ("^loop", []),
        ("-loop", []),
        ("(", []),
        ("\0", ["c", "b", "a"]),
        ("\ud800", []),
        ("   ", ["c", "b", "a"]),
    ],
)
def test_every_word_must_occur_and_is_taken_as_it_is(
    searched: ChatHistory, query: str, chats: list[str]
) -> None:
    keep(searched, "a", "About loops", "What is for about?")
    keep(searched, "b", "C++", 'A Loop or say "x"', "nothing")
    keep(searched, "c", "Schleife", "Die Straße, Ärger, ПРИВЕТ", "50% sind 日本語 Text")
    assert found(searched, query) == chats


def test_the_words_may_be_in_different_messages(searched: ChatHistory) -> None:
    keep(searched, "a", "First", "second", "third")
    assert found(searched, "third first second") == ["a"]


def test_what_was_changed_is_found_as_it_is_now(searched: ChatHistory) -> None:
    begin_chat(searched)
    assert found(searched, "because") == ["c1"]
    searched.add_messages(OWNER, "c1", [answer("a2", "q1", "", MessageState.WRITING)])
    searched.save_draft(OWNER, "c1", "a2", "an early draft")
    assert found(searched, "early") == ["c1"]
    searched.finish_message(OWNER, "c1", answer("a2", "q1", "a late answer"))
    assert (found(searched, "early"), found(searched, "late answer")) == ([], ["c1"])
    searched.change_chat(OWNER, "c1", ChatChange(title="Renamed chat"))
    assert (found(searched, "renamed"), found(searched, "why")) == (["c1"], ["c1"])
    searched.delete_chat(OWNER, "c1")
    assert found(searched, "renamed") == found(searched, "late") == found(searched, "re") == []
    searched.restore_chat(OWNER, "c1")
    assert found(searched, "renamed") == ["c1"]


def test_the_snippet_is_the_place_that_was_found(searched: ChatHistory) -> None:
    text = "one two three\nfour " * 20 + "the **needle** is here " + "five six seven " * 20
    keep(searched, "a", "Title", "first", text)
    (chat,) = searched.list_chats(OWNER, "NEEDLE")
    assert "the **needle** is here" in chat.snippet
    assert (chat.snippet[0], chat.snippet[-1]) == ("…", "…")
    assert "\n" not in chat.snippet
    assert 60 <= len(chat.snippet) <= 82
    assert searched.list_chats(OWNER, "title")[0].snippet == ""
    assert searched.list_chats(OWNER)[0].snippet == ""


@pytest.mark.parametrize(
    ("text", "word", "snippet"),
    [
        ("short", "short", "short"),
        ("a" * 300, "a" * 200, "a" * 80 + "…"),
        ("x" * 100 + " end", "end", "…end"),
        ("", "gone", ""),
    ],
)
def test_a_snippet_is_about_eighty_characters(text: str, word: str, snippet: str) -> None:
    assert history_search.cut_around(text, word) == snippet


words = st.text(st.sampled_from("abAB\"*%_ 'ßüÜ本\0"), min_size=0, max_size=12)


@settings(
    max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(text=words, query=words)
def test_index_and_reading_find_the_same(history: ChatHistory, text: str, query: str) -> None:
    chat_id = history.import_chat(OWNER, _chat_of(text)).chat_id
    by_index = chat_id in found(history, query)
    expected = all(word in text.lower() for word in history_search.words_of(query))
    history.delete_chat(OWNER, chat_id)
    assert by_index == expected


def _chat_of(text: str) -> Chat:
    return Chat("x", "", 1, 1, messages=[question("q", text)])


# --- an index that is missing or broken -------------------------------------------------------


class WithoutTrigrams(sqlite3.Connection):
    """SQLite as it was before it had the trigram index."""

    def execute(self, sql: str, *parameters: object) -> sqlite3.Cursor:
        return super().execute(sql.replace("fts5", "fts_of_the_future"), *parameters)


def test_search_works_on_a_sqlite_without_fts5(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda *a, **k: connect(*a, **k, factory=WithoutTrigrams)
    )
    history = ChatHistory(path)
    begin_chat(history)
    assert found(history, "because") == ["c1"]
    assert rows(path, "SELECT 1 FROM sqlite_master WHERE name = 'search'") == []
    history.close()


#: Of the index: what it is made of, and its texts. Neither is what the chats are made of.
BROKEN = {
    "structure": "UPDATE search_data SET block = x'ff00ff00ff'",
    "terms": "UPDATE search_data SET block = x'0000ffff' WHERE id > 10",
    "rows": "DELETE FROM search_docsize",
}


@pytest.mark.parametrize("is_pending", [False, True])
@pytest.mark.parametrize("part", BROKEN)
def test_a_broken_index_is_made_again(
    history: ChatHistory, path: Path, clock: Clock, part: str, is_pending: bool
) -> None:
    for chat_id in ("c0", "c1"):
        begin_chat(history, chat_id)
    assert found(history, "because") == ["c1", "c0"]
    with history._file.writing() as connection:
        if not history_search.has_index(connection):
            pytest.skip("this SQLite has no FTS5 with trigrams")
        connection.execute(BROKEN[part])
    history.delete_chat(OWNER, "c0")
    history.close()
    expected = ["c1"]
    if is_pending:
        begin_chat(history, "c2")
        expected = ["c2", "c1"]
    for _ in range(3):
        assert found(history, "because") == expected
    match = """SELECT count(*) FROM search WHERE search MATCH '"because"'"""
    if part == "structure":
        # Nothing can be done with such an index: it was made again. The deleted chat is in it.
        assert rows(path, match) == [(len(expected) + 1,)]
    # The purge meets the index too.
    history.close()
    clock.now_ms += 2 * KEEP_DELETED_MS
    history.open()
    assert rows(path, "SELECT count(*) FROM chats") == [(len(expected),)]
    assert found(history, "because") == expected
    assert rows(path, match) == [(len(expected),)]
    assert history.notices == []


@pytest.mark.parametrize("part", BROKEN)
def test_a_purge_is_not_stopped_by_a_broken_index(
    history: ChatHistory, path: Path, clock: Clock, part: str
) -> None:
    begin_chat(history)
    assert found(history, "because") == ["c1"]
    history.delete_chat(OWNER, "c1")
    with history._file.writing() as connection:
        if not history_search.has_index(connection):
            pytest.skip("this SQLite has no FTS5 with trigrams")
        connection.execute(BROKEN[part])
    history.close()
    clock.now_ms += 2 * KEEP_DELETED_MS
    history.open()
    assert rows(path, "SELECT count(*) FROM chats") == [(0,)]
    begin_chat(history, "c2")
    assert found(history, "because") == ["c2"]


def test_a_file_with_an_index_is_used_where_there_is_no_fts5(
    history: ChatHistory, path: Path, clock: Clock
) -> None:
    begin_chat(history)
    assert found(history, "because") == ["c1"]
    history.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = replace(sql, 'fts5', 'fts9')")
        connection.commit()
    assert found(history, "because") == ["c1"]
    history.add_messages(OWNER, "c1", [question("q2", "later", "a1")])
    assert found(history, "later") == ["c1"]
    history.delete_chat(OWNER, "c1")
    history.close()
    clock.now_ms += 2 * KEEP_DELETED_MS
    history.open()
    assert rows(path, "SELECT count(*) FROM chats") == [(0,)]
    assert history.notices == []
