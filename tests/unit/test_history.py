"""The kept chats on a real file: what goes in comes out, in order, also after a restart."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from jupyter_localllm.assistant.history import KEEP_DELETED_MS, ChatHistory
from jupyter_localllm.chat_protocol import (
    ChatChange,
    ContextItem,
    MessageRecord,
    MessageState,
    NewChat,
)
from jupyter_localllm.errors import (
    HistoryError,
    InvalidParameter,
    InvalidText,
    NotFound,
)

from .history_samples import (
    OWNER,
    Clock,
    answer,
    begin_chat,
    full_answer,
    ids,
    question,
    rows,
)


def test_a_message_comes_back_as_it_was_also_after_a_restart(
    history: ChatHistory, path: Path
) -> None:
    begin_chat(history)
    made = full_answer("a2", "q1")
    history.add_messages(OWNER, "c1", [made])
    history.close()
    again = ChatHistory(path)
    assert again.get_chat(OWNER, "c1").messages[-1] == made
    assert again.notices == []
    again.close()


def test_a_new_chat_is_listed_and_made_once(history: ChatHistory) -> None:
    new = NewChat("c1", model="tiny", system_prompt="Be short.")
    first = history.create_chat(OWNER, new)
    history.add_messages(OWNER, "c1", [question("q1")])
    again = history.create_chat(OWNER, NewChat("c1", title="Other"))
    assert (first.n_messages, again.n_messages) == (0, 1)
    assert again.title == "Why?"
    chat = history.get_chat(OWNER, "c1")
    assert (chat.model, chat.system_prompt) == ("tiny", "Be short.")
    assert [each.chat_id for each in history.list_chats(OWNER)] == ["c1"]


def test_the_chat_with_the_newest_message_is_first_though_the_clock_was_set_back(
    history: ChatHistory, clock: Clock
) -> None:
    begin_chat(history, "c1")
    clock.now_ms -= 24 * 3600 * 1000
    begin_chat(history, "c2")
    clock.now_ms -= 24 * 3600 * 1000
    assert [chat.chat_id for chat in history.list_chats(OWNER)] == ["c2", "c1"]
    history.add_messages(OWNER, "c1", [question("q2", parent_id="a1")])
    assert [chat.chat_id for chat in history.list_chats(OWNER)] == ["c1", "c2"]
    history.change_chat(OWNER, "c2", ChatChange(title="Renamed"))
    assert [chat.chat_id for chat in history.list_chats(OWNER, limit=1)] == ["c1"]


def test_the_list_of_all_chats_has_no_end(history: ChatHistory) -> None:
    with history.together():
        for number in range(501):
            history.create_chat(OWNER, NewChat(f"c{number}"))
    assert [len(history.list_chats(OWNER)), len(history.list_chats(OWNER, limit=-1))] == [500, 501]


def test_calls_together_are_done_or_none_is(history: ChatHistory, path: Path) -> None:
    begin_chat(history)
    other = ChatHistory(path)
    other.open()
    with pytest.raises(NotFound), history.together():
        history.create_chat(OWNER, NewChat("c2"))
        history.add_messages(OWNER, "c1", [question("q2", parent_id="a1")])
        # This one sees them, and nobody else does yet.
        assert ids(history) == ["q1", "a1", "q2"]
        assert ids(other) == ["q1", "a1"]
        history.get_chat(OWNER, "unknown")
    assert [ids(each) for each in (history, other)] == [["q1", "a1"]] * 2
    assert len(other.list_chats(OWNER)) == 1
    other.close()


def test_what_is_given_is_changed_and_nothing_else(history: ChatHistory) -> None:
    begin_chat(history)
    before = history.get_chat(OWNER, "c1")
    summary = history.change_chat(OWNER, "c1", ChatChange(title="Loops", current_id="q1"))
    assert (summary.title, summary.updated_ms) == ("Loops", before.updated_ms)
    after = history.get_chat(OWNER, "c1")
    assert after == msgspec.structs.replace(before, title="Loops", current_id="q1")
    history.change_chat(OWNER, "c1", ChatChange(model="", system_prompt="S"))
    assert history.get_chat(OWNER, "c1").system_prompt == "S"


def test_the_branch_to_show_must_be_in_the_chat(history: ChatHistory) -> None:
    begin_chat(history)
    with pytest.raises(NotFound) as raised:
        history.change_chat(OWNER, "c1", ChatChange(title="Lost", current_id="nowhere"))
    assert raised.value.error_code == "message_not_found"
    assert history.get_chat(OWNER, "c1").title == "Why?"


# --- messages ---------------------------------------------------------------------------------


def test_messages_are_added_all_or_none(history: ChatHistory) -> None:
    begin_chat(history)
    with pytest.raises(NotFound) as raised:
        history.add_messages(OWNER, "c1", [question("q2", parent_id="a1"), answer("a2", "q9")])
    assert raised.value.error_code == "message_not_found"
    assert ids(history) == ["q1", "a1"]
    assert history.get_chat(OWNER, "c1").current_id == "a1"


def test_sending_the_same_messages_twice_adds_nothing_twice(history: ChatHistory) -> None:
    begin_chat(history)
    both = [question("q2", parent_id="a1"), answer("a2", "q2", "", MessageState.WRITING)]
    history.add_messages(OWNER, "c1", both)
    history.finish_message(OWNER, "c1", answer("a2", "q2", "Done."))
    updated_ms = history.get_chat(OWNER, "c1").updated_ms
    history.add_messages(OWNER, "c1", both)
    chat = history.get_chat(OWNER, "c1")
    assert [message.message_id for message in chat.messages] == ["q1", "a1", "q2", "a2"]
    assert (chat.messages[-1].content, chat.updated_ms) == ("Done.", updated_ms)
    history.add_messages(OWNER, "c1", [])
    assert history.get_chat(OWNER, "c1") == chat


def test_an_id_cannot_change_its_role(history: ChatHistory) -> None:
    begin_chat(history)
    with pytest.raises(InvalidParameter) as raised:
        history.add_messages(OWNER, "c1", [answer("q1", "a1")])
    assert raised.value.error_code == "duplicate_request"


def test_an_id_of_another_chat_is_free_here(history: ChatHistory) -> None:
    begin_chat(history, "c1")
    begin_chat(history, "c2")
    assert ids(history, "c2") == ["q1", "a1"]


def test_a_parent_in_another_chat_is_none(history: ChatHistory) -> None:
    begin_chat(history, "c1")
    history.create_chat(OWNER, NewChat("c2"))
    with pytest.raises(NotFound):
        history.add_messages(OWNER, "c2", [question("q2", parent_id="a1")])


def test_half_a_character_is_refused_and_nothing_else_is_lost(history: ChatHistory) -> None:
    begin_chat(history)
    with pytest.raises(InvalidText):
        history.add_messages(OWNER, "c1", [question("q2", "\ud800", "a1")])
    item = ContextItem("cell", "@cell", "\udfff")
    with pytest.raises(InvalidText):
        history.add_messages(OWNER, "c1", [MessageRecord("q3", "user", "", 1, context=[item])])
    assert ids(history) == ["q1", "a1"]


@pytest.mark.parametrize(
    ("content", "title"),
    [
        ("Why?", "Why?"),
        ("\n\n## **What** is `x`?  \nmore", "What is x?"),
        ("- [ ] a list", "[ ] a list"),
        ("> 1. quoted", "quoted"),
        ("```python\nfor i in range(3):\n```", "for i in range(3):"),
        ("What is __init__ or 2**3 * 3**2?", "What is __init__ or 2**3 * 3**2?"),
        ("```\n!!!\nprint(1)", "print(1)"),
        ("[a link](http://example.org/x) here", "a link here"),
        ("snake_case and 2*3*4 stay", "snake_case and 2*3*4 stay"),
        ("1.5 is a number", "1.5 is a number"),
        ("word " * 20, "word " * 11 + "word…"),
        ("a" * 61, "a" * 59 + "…"),
        ("a" * 60, "a" * 60),
        ("日本語" * 30, ("日本語" * 30)[:59] + "…"),
        ("***", ""),
        ("", ""),
    ],
)
def test_the_first_question_gives_the_title(history: ChatHistory, content: str, title: str) -> None:
    history.create_chat(OWNER, NewChat("c1"))
    history.add_messages(OWNER, "c1", [question("q1", content)])
    assert history.get_chat(OWNER, "c1").title == title
    assert len(title) <= 60


def test_a_question_without_words_is_titled_by_what_was_asked_of_what(
    history: ChatHistory,
) -> None:
    history.create_chat(OWNER, NewChat("c1"))
    item = ContextItem("cell", "@cell 3", "x = 1")
    asked = MessageRecord("q1", "user", "", 1, action="explain", context=[item])
    history.add_messages(OWNER, "c1", [asked])
    assert history.get_chat(OWNER, "c1").title == "Explain @cell 3"


def test_a_title_is_kept(history: ChatHistory) -> None:
    history.create_chat(OWNER, NewChat("c1", title="Mine"))
    history.add_messages(OWNER, "c1", [question("q1")])
    assert history.get_chat(OWNER, "c1").title == "Mine"


# --- answers being written --------------------------------------------------------------------


def test_drafts_are_kept_until_the_answer_is_final(history: ChatHistory) -> None:
    begin_chat(history)
    history.add_messages(OWNER, "c1", [answer("a2", "q1", "", MessageState.WRITING)])
    history.save_draft(OWNER, "c1", "a2", "so f")
    assert history.get_chat(OWNER, "c1").messages[-1].content == "so f"
    final = full_answer("a2", "q1")
    history.finish_message(OWNER, "c1", final)
    history.save_draft(OWNER, "c1", "a2", "too late")
    history.finish_message(OWNER, "c1", answer("a2", "q1", "another end"))
    assert history.get_chat(OWNER, "c1").messages[-1] == final


def test_a_draft_does_not_wait_for_the_disk_and_what_follows_does(history: ChatHistory) -> None:
    begin_chat(history)
    history.add_messages(OWNER, "c1", [answer("a2", "q1", "", MessageState.WRITING)])
    history.save_draft(OWNER, "c1", "a2", "so far")
    with history._file.reading() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2


def test_only_an_answer_that_is_there_is_finished(history: ChatHistory) -> None:
    begin_chat(history)
    for write in (
        lambda: history.finish_message(OWNER, "c1", answer("a9", "q1")),
        lambda: history.save_draft(OWNER, "c1", "a9", "text"),
    ):
        with pytest.raises(NotFound) as raised:
            write()
        assert raised.value.error_code == "message_not_found"
    with pytest.raises(ValueError, match="not finished"):
        history.finish_message(OWNER, "c1", answer("a1", "q1", "", MessageState.WRITING))
    history.finish_message(OWNER, "c1", answer("q1", None, "a question is no answer"))
    assert history.get_chat(OWNER, "c1").messages[0] == question("q1")


def test_an_answer_is_whole_when_its_chat_was_deleted_meanwhile(history: ChatHistory) -> None:
    begin_chat(history)
    history.add_messages(OWNER, "c1", [answer("a2", "q1", "", MessageState.WRITING)])
    history.delete_chat(OWNER, "c1")
    history.save_draft(OWNER, "c1", "a2", "half")
    history.finish_message(OWNER, "c1", answer("a2", "q1", "whole"))
    history.restore_chat(OWNER, "c1")
    assert history.get_chat(OWNER, "c1").messages[-1].content == "whole"


# --- deleting ---------------------------------------------------------------------------------


def test_a_deleted_chat_is_gone_until_it_is_restored(history: ChatHistory) -> None:
    begin_chat(history)
    before = history.get_chat(OWNER, "c1")
    for _ in range(2):
        assert history.delete_chat(OWNER, "c1").title == "Why?"
    assert history.list_chats(OWNER) == []
    calls = [
        lambda: history.get_chat(OWNER, "c1"),
        lambda: history.create_chat(OWNER, NewChat("c1")),
        lambda: history.change_chat(OWNER, "c1", ChatChange(title="x")),
        lambda: history.add_messages(OWNER, "c1", [question("q2")]),
    ]
    for call in calls:
        with pytest.raises(NotFound) as raised:
            call()
        assert raised.value.error_code == "chat_not_found"
    for _ in range(2):
        history.restore_chat(OWNER, "c1")
    assert history.get_chat(OWNER, "c1") == before


def test_a_chat_deleted_more_than_a_day_ago_is_removed_at_the_next_start(
    path: Path, clock: Clock
) -> None:
    history = ChatHistory(path, now_ms=clock)
    begin_chat(history, "c1")
    history.add_messages(OWNER, "c1", [question("q2", "a secret sentence", "a1")])
    begin_chat(history, "c2")
    assert history.list_chats(OWNER, "secret")
    history.delete_chat(OWNER, "c1")
    history.close()
    for wait_ms, n_chats in ((KEEP_DELETED_MS - 1000, 2), (2000, 1)):
        clock.now_ms += wait_ms
        history.open()
        history.close()
        assert rows(path, "SELECT count(*) FROM chats") == [(n_chats,)]
    assert rows(path, "SELECT count(*) FROM messages") == [(2,)]
    # Of neither the table nor the search's index is anything left, also not in unused pages.
    assert b"secret" not in path.read_bytes()
    assert b"sec" not in path.read_bytes()


# --- the file ---------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_nobody_else_can_read_the_file(path: Path) -> None:
    old_mask = os.umask(0)
    try:
        history = ChatHistory(path)
        begin_chat(history)
        names = {each.name: each.stat().st_mode & 0o777 for each in path.parent.iterdir()}
    finally:
        os.umask(old_mask)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    companions = {"chats.sqlite3", "chats.sqlite3-wal", "chats.sqlite3-shm", "chats.lock"}
    assert names == dict.fromkeys(companions, 0o600)
    history.close()
    path.chmod(0o644)
    history.open()
    assert path.stat().st_mode & 0o777 == 0o600
    history.close()


def test_what_is_acknowledged_is_synced(history: ChatHistory) -> None:
    with history._file.reading() as connection:
        settings = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        }
        # sqlite3's own time-out is PRAGMA busy_timeout.
        busy_ms = connection.execute("PRAGMA busy_timeout").fetchone()[0]
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}
    assert (settings, busy_ms) == (wanted, 5000)


def test_a_network_file_system_gets_no_shared_memory(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psutil

    folder = path.parent.parent
    disks = [
        SimpleNamespace(mountpoint="/", fstype="ext4", opts="rw"),
        SimpleNamespace(mountpoint=str(folder), fstype="nfs4", opts="rw"),
    ]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: disks)
    history = ChatHistory(path)
    begin_chat(history)
    with history._file.reading() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "delete"
    assert sorted(each.name for each in path.parent.iterdir()) == ["chats.lock", "chats.sqlite3"]
    history.close()
    assert ids(history) == ["q1", "a1"]
    history.close()


@pytest.mark.parametrize("schema", ["as ours", "beyond this SQLite"])
def test_a_newer_versions_file_is_refused_and_left_as_it_is(
    history: ChatHistory, path: Path, schema: str
) -> None:
    begin_chat(history)
    history.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
        if schema != "as ours":
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute("UPDATE sqlite_master SET sql = 'CREATE FUTURE' WHERE rowid = 1")
            connection.commit()
    before = path.read_bytes()
    for _ in range(2):
        with pytest.raises(HistoryError, match="newer version") as raised:
            history.open()
    assert raised.value.error_code == "history_too_new"
    assert "Install the newer version" in raised.value.hint
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*damaged*"))
