"""A damaged history is set aside, never deleted, and what can be read of it is kept.

What merely cannot be opened or written now is an error, and stays where it is.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from jupyter_localllm.assistant import history_file
from jupyter_localllm.assistant.history import ChatHistory
from jupyter_localllm.chat_protocol import MessageState, NewChat
from jupyter_localllm.errors import HistoryError, HistoryFull, error_from_body

from .history_samples import OWNER, answer, begin_chat, full_answer, ids, question, rows

N_CHATS = 12
PAGE = 4096


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of some dozen pages, closed."""
    path = tmp_path_factory.mktemp("sound") / "chats.sqlite3"
    history = ChatHistory(path)
    for number in range(N_CHATS):
        history.create_chat(OWNER, NewChat(f"c{number}"))
        for turn in range(6):
            parent = f"a{turn - 1}" if turn else None
            text = f"{number} {turn} " + "some words to fill a page with " * 30
            asked = question(f"q{turn}", text, parent)
            history.add_messages(OWNER, f"c{number}", [asked, full_answer(f"a{turn}", f"q{turn}")])
    history.list_chats(OWNER, "words")
    history.close()
    return path


@pytest.fixture
def broken(sound: Path, path: Path) -> Path:
    """A copy of the file, to be damaged."""
    path.parent.mkdir()
    shutil.copy(sound, path)
    return path


def aside_of(path: Path) -> list[Path]:
    return sorted(path.parent.glob("chats-damaged-*"))


def check_usable(history: ChatHistory) -> None:
    """Write, read and check the file that is there now."""
    history.open()
    begin_chat(history, "new")
    assert ids(history, "new") == ["q1", "a1"]
    for chat in history.list_chats(OWNER, "words"):
        history.get_chat(OWNER, chat.chat_id)
    history.close()
    assert rows(history.path, "PRAGMA integrity_check") == [("ok",)]


def check_set_aside(path: Path, content: bytes) -> int:
    """Open a damaged file; return how many of its chats are there again."""
    history = ChatHistory(path)
    history.open()
    (aside,) = aside_of(path)
    assert aside.read_bytes() == content
    (notice,) = history.notices
    assert notice.code == "history_damaged"
    assert str(aside) in notice.hint
    n_kept = len(history.list_chats(OWNER))
    said = f"{n_kept} of the" if n_kept else "No chat could be read"
    assert said in notice.message
    check_usable(history)
    assert len(history.notices) == 1
    return n_kept


CONTENTS = {
    "zero bytes": b"",
    "one byte": b"S",
    "text": b"my notes\n" * 1000,
    "only a header": b"SQLite format 3\0" + bytes(84),
    "zeros": bytes(8 * PAGE),
    "random bytes": random.Random(1).randbytes(8 * PAGE),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_what_is_no_history_is_set_aside(path: Path, name: str) -> None:
    path.parent.mkdir()
    path.write_bytes(CONTENTS[name])
    assert check_set_aside(path, CONTENTS[name]) == 0


@pytest.mark.parametrize("percent", [1, 5, 10, 20, 35, 50, 65, 80, 90, 97, 99])
def test_a_truncated_file_gives_back_what_is_left(broken: Path, percent: int) -> None:
    content = broken.read_bytes()
    cut = content[: len(content) * percent // 100]
    broken.write_bytes(cut)
    n_kept = check_set_aside(broken, cut)
    assert n_kept == N_CHATS if percent > 50 else n_kept <= N_CHATS


@pytest.mark.parametrize("seed", range(30))
def test_flipped_pages_never_stop_the_history(broken: Path, seed: int) -> None:
    chance = random.Random(seed)
    content = bytearray(broken.read_bytes())
    for _ in range(chance.randint(1, 3)):
        start = chance.randrange(1, len(content) // PAGE) * PAGE
        content[start : start + PAGE] = chance.randbytes(PAGE)
    broken.write_bytes(content)
    history = ChatHistory(broken)
    history.open()
    n_kept = len(history.list_chats(OWNER))
    if history.notices:
        assert aside_of(broken)[0].read_bytes() == bytes(content)
    # Of three lost pages, at most one is that of the chats themselves.
    assert history.notices or n_kept == N_CHATS
    check_usable(history)


@pytest.mark.parametrize("seed", range(30))
def test_flipped_bits_never_stop_the_history(broken: Path, seed: int) -> None:
    chance = random.Random(seed)
    content = bytearray(broken.read_bytes())
    for _ in range(200):
        content[chance.randrange(100, len(content))] ^= 1 << chance.randrange(8)
    broken.write_bytes(content)
    history = ChatHistory(broken)
    check_usable(history)
    assert [aside.read_bytes() for aside in aside_of(broken)] == [content] * len(history.notices)


def test_a_lost_page_costs_its_own_messages_only(broken: Path) -> None:
    with closing(sqlite3.connect(broken)) as connection:
        query = "SELECT max(pageno) FROM dbstat WHERE name = 'messages' AND pagetype = 'leaf'"
        try:
            (page,) = connection.execute(query).fetchone()
        except sqlite3.OperationalError:
            pytest.skip("this SQLite does not tell what its pages hold")
    content = bytearray(broken.read_bytes())
    content[(page - 1) * PAGE : page * PAGE] = bytes(PAGE)
    broken.write_bytes(content)
    assert check_set_aside(broken, bytes(content)) == N_CHATS
    history = ChatHistory(broken)
    n_messages = sum(chat.n_messages for chat in history.list_chats(OWNER))
    assert N_CHATS * 12 - 8 <= n_messages < N_CHATS * 12 + 2
    for chat in history.list_chats(OWNER):
        known: set[str | None] = {None}
        for message in history.get_chat(OWNER, chat.chat_id).messages:
            assert message.parent_id in known
            known.add(message.message_id)
    history.close()


def test_a_chat_of_which_only_messages_are_left_is_counted(broken: Path) -> None:
    with closing(sqlite3.connect(broken)) as connection:
        connection.execute("DELETE FROM chats WHERE row = 1")
        connection.execute("PRAGMA application_id = 0")
        connection.commit()
    with closing(ChatHistory(broken)) as history:
        history.open()
        assert f"{N_CHATS - 1} of the {N_CHATS} chats" in history.notices[0].message


@pytest.mark.parametrize("table", ["chats", "messages"])
def test_a_missing_table_is_damage(broken: Path, table: str) -> None:
    with closing(sqlite3.connect(broken)) as connection:
        connection.execute(f"DROP TABLE {table}")
        connection.commit()
    assert check_set_aside(broken, broken.read_bytes()) == (N_CHATS if table == "messages" else 0)


def test_another_programs_database_is_set_aside(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE chats (row INTEGER)")
        connection.execute("PRAGMA user_version = 99")
        connection.commit()
    assert check_set_aside(path, path.read_bytes()) == 0


def test_a_directory_is_set_aside(path: Path) -> None:
    path.mkdir(parents=True)
    (path / "mine.txt").write_text("precious")
    check_usable(ChatHistory(path))
    (aside,) = aside_of(path)
    assert (aside / "mine.txt").read_text() == "precious"


def test_a_log_without_its_file_is_not_played_into_the_new_one(path: Path) -> None:
    history = ChatHistory(path)
    begin_chat(history)
    log = path.with_name("chats.sqlite3-wal")
    content = log.read_bytes()
    assert content
    twin = path.with_name("twin")
    twin.mkdir()
    (twin / log.name).write_bytes(content)
    history.close()
    other = ChatHistory(twin / path.name)
    check_usable(other)
    (aside,) = aside_of(other.path)
    assert aside.read_bytes() == content
    assert aside.name.endswith(".sqlite3-wal")


def test_nothing_that_was_set_aside_is_overwritten(path: Path) -> None:
    path.parent.mkdir()
    for number in range(3):
        path.write_bytes(f"not a database {number}".encode() * 100)
        history = ChatHistory(path)
        history.open()
        history.close()
    kept = {aside.read_bytes()[:16] for aside in aside_of(path)}
    assert kept == {f"not a database {number}".encode() for number in range(3)}


def test_damage_that_is_met_later_is_set_aside_at_the_next_call(broken: Path) -> None:
    history = ChatHistory(broken)
    history.open()
    with broken.open("r+b") as file:
        file.seek(2 * PAGE)
        file.write(random.Random(3).randbytes(broken.stat().st_size - 2 * PAGE))
    with history._file.reading() as connection:
        # What SQLite has in memory it does not read again.
        connection.execute("PRAGMA shrink_memory")
    with pytest.raises(HistoryError, match="damaged"):
        for number in range(N_CHATS):
            history.get_chat(OWNER, f"c{number}")
    check_usable(history)
    assert [notice.code for notice in history.notices] == ["history_damaged"]


@pytest.mark.skipif(os.name == "nt", reason="Windows lets nobody remove an open file")
@pytest.mark.parametrize("is_moved", [True, False])
def test_a_file_that_was_taken_away_meanwhile_swallows_nothing(
    history: ChatHistory, path: Path, is_moved: bool
) -> None:
    begin_chat(history)
    away = path.with_name("away.sqlite3")
    if is_moved:
        path.rename(away)
    else:
        path.unlink()
    begin_chat(history, "c2")
    with closing(ChatHistory(path)) as again:
        assert [chat.chat_id for chat in again.list_chats(OWNER)] == ["c2"]


@pytest.mark.skipif(os.name == "nt", reason="Windows lets nobody remove an open file")
def test_a_file_that_is_taken_away_while_it_is_written_is_not_acknowledged(
    history: ChatHistory, path: Path
) -> None:
    with (
        pytest.raises(HistoryError, match="moved or deleted"),
        history._file.writing() as connection,
    ):
        connection.execute("UPDATE chats SET title = ''")
        path.unlink()
    begin_chat(history)
    assert ids(history) == ["q1", "a1"]


# --- not damage -------------------------------------------------------------------------------


def test_a_full_disk_refuses_the_message_and_keeps_the_rest(
    history: ChatHistory, path: Path
) -> None:
    begin_chat(history)
    history.add_messages(OWNER, "c1", [answer("a2", "q1", "", MessageState.WRITING)])
    with history._file.reading() as connection:
        (n_pages,) = connection.execute("PRAGMA page_count").fetchone()
    with history._file.reading() as connection:
        connection.execute(f"PRAGMA max_page_count = {n_pages}")
    long_text = "x" * 10 * PAGE
    for write in (
        lambda: history.add_messages(OWNER, "c1", [question("q2", long_text, "a1")]),
        lambda: history.save_draft(OWNER, "c1", "a2", long_text),
        lambda: history.finish_message(OWNER, "c1", answer("a2", "q1", long_text)),
        lambda: history.create_chat(OWNER, NewChat("c2", system_prompt=long_text)),
    ):
        with pytest.raises(HistoryFull) as raised:
            write()
        assert (raised.value.error_code, raised.value.status) == ("history_not_saved", 507)
        read = error_from_body(raised.value.to_body(), raised.value.status)
        assert type(read) is HistoryFull
    assert ids(history) == ["q1", "a1", "a2"]
    assert [chat.chat_id for chat in history.list_chats(OWNER, "because")] == ["c1"]
    # Room again: saving goes on by itself.
    with history._file.reading() as connection:
        connection.execute("PRAGMA max_page_count = 1000000")
    history.finish_message(OWNER, "c1", answer("a2", "q1", long_text))
    assert history.get_chat(OWNER, "c1").messages[-1].content == long_text
    history.close()
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    assert aside_of(path) == []


def test_without_room_for_a_new_one_a_damaged_file_stays_where_it_is(
    broken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = broken.read_bytes()[: 20 * PAGE]
    broken.write_bytes(content)

    def no_room(*args: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "copyfile", no_room)
        for _ in range(2):
            with pytest.raises(HistoryFull):
                ChatHistory(broken).open()
    assert broken.read_bytes() == content
    assert aside_of(broken) == []
    assert check_set_aside(broken, content) > 0


def test_a_locked_file_is_an_error_and_not_damage(
    history: ChatHistory, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_chat(history)
    history.close()
    monkeypatch.setattr(history_file, "BUSY_TIMEOUT_MS", 50)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(HistoryError, match="Another program") as raised:
            history.open()
        assert (raised.value.error_code, raised.value.status) == ("history_not_saved", 503)
        other.execute("ROLLBACK")
    assert ids(history) == ["q1", "a1"]
    assert aside_of(path) == []


def test_a_file_where_its_folder_should_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "localllm").write_text("a file")
    with pytest.raises(HistoryError) as raised:
        ChatHistory(tmp_path / "localllm" / "chats.sqlite3").open()
    assert raised.value.error_code == "history_not_saved"
    assert str(tmp_path) in raised.value.hint


DENIED = """
import os, psutil, sys
from pathlib import Path
from jupyter_localllm.assistant.history import ChatHistory
from jupyter_localllm.errors import HistoryError
history = ChatHistory(Path(sys.argv[1]))
if os.geteuid() == 0:
    os.setuid(65534)
try:
    history.open()
except HistoryError as error:
    print(error.error_code, error.status)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
@pytest.mark.parametrize("denied", ["file", "folder"])
def test_without_permission_the_file_stays_as_it_is(sound: Path, denied: str) -> None:
    # pytest's own folders are closed to the other user that root has to become here.
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        path = Path(name, "localllm", sound.name)
        path.parent.mkdir()
        shutil.copy(sound, path)
        path.parent.chmod(0o555 if denied == "folder" else 0o777)
        path.chmod(0o000 if denied == "file" else 0o444)
        child = subprocess.run(
            [sys.executable, "-c", DENIED, str(path)], capture_output=True, text=True, timeout=60
        )
        path.chmod(0o600)
        path.parent.chmod(0o700)
        assert child.stdout.split() == ["history_not_saved", "503"], child.stderr
        assert path.read_bytes() == sound.read_bytes()
        assert aside_of(path) == []
