"""Several servers on one history: none disturbs another, and a dead one's answers are marked."""

from __future__ import annotations

import concurrent.futures
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from jupyter_localllm.assistant import history_writers
from jupyter_localllm.assistant.history import ChatHistory
from jupyter_localllm.assistant.history_writers import Writer
from jupyter_localllm.chat_protocol import MessageState, NewChat

from .history_samples import OWNER, answer, begin_chat, question, rows

ROOT = Path(__file__).parents[2]


@contextmanager
def child(path: Path, task: str, chat_id: str) -> Iterator[subprocess.Popen[str]]:
    """Another server's process; killed at the end where it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.unit.history_child", str(path), task, chat_id],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()


def say(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def state_in_file(path: Path) -> str:
    """As it is kept, not as it is shown."""
    ((state,),) = rows(path, "SELECT state FROM messages WHERE message_id = 'a1'")
    return str(state)


def test_a_living_servers_answer_is_not_interrupted(path: Path) -> None:
    with child(path, "write", "c1") as writer:
        assert hear(writer) == "writing"
        history = ChatHistory(path)
        history.open()
        assert history.get_chat(OWNER, "c1").messages[-1].state is MessageState.WRITING
        say(writer, "half")
        assert hear(writer) == "saved"
        seen = history.get_chat(OWNER, "c1").messages[-1]
        assert (seen.content, seen.state) == ("half", MessageState.WRITING)
        assert writer.stdin is not None
        writer.stdin.close()
        assert writer.wait(30) == 0
        seen = history.get_chat(OWNER, "c1").messages[-1]
        assert (seen.content, seen.state) == ("whole", MessageState.COMPLETE)
        history.close()


def test_a_dead_servers_answer_is_interrupted_and_keeps_its_text(path: Path) -> None:
    history = ChatHistory(path)
    with child(path, "write", "c1") as writer:
        assert hear(writer) == "writing"
        say(writer, "half")
        assert hear(writer) == "saved"
        history.open()
        writer.kill()
        writer.wait(30)
        # Without opening again.
        seen = history.get_chat(OWNER, "c1").messages[-1]
        assert (seen.content, seen.state) == ("half", MessageState.INTERRUPTED)
        assert state_in_file(path) == "writing"
    history.close()
    history.open()
    assert state_in_file(path) == "interrupted"
    history.close()


def test_the_answers_of_a_history_that_was_closed_are_interrupted(
    history: ChatHistory, path: Path
) -> None:
    history.create_chat(OWNER, NewChat("c1"))
    history.add_messages(
        OWNER, "c1", [question("q1"), answer("a1", "q1", "", MessageState.WRITING)]
    )
    twin = ChatHistory(path)
    assert twin.get_chat(OWNER, "c1").messages[-1].state is MessageState.WRITING
    history.close()
    assert twin.get_chat(OWNER, "c1").messages[-1].state is MessageState.INTERRUPTED
    twin.close()


def test_an_answer_that_was_taken_for_lost_is_still_finished(
    history: ChatHistory, path: Path
) -> None:
    history.create_chat(OWNER, NewChat("c1"))
    begun = answer("a1", "q1", "", MessageState.WRITING)
    history.add_messages(OWNER, "c1", [question("q1"), begun])
    with history._file.writing() as connection:
        connection.execute("UPDATE messages SET state = 'interrupted' WHERE message_id = 'a1'")
    history.save_draft(OWNER, "c1", "a1", "half")
    seen = history.get_chat(OWNER, "c1").messages[-1]
    assert (seen.content, seen.state) == ("half", MessageState.WRITING)
    with history._file.writing() as connection:
        connection.execute("UPDATE messages SET state = 'interrupted' WHERE message_id = 'a1'")
    # Another server's draft does not take it over.
    twin = ChatHistory(path)
    twin.save_draft(OWNER, "c1", "a1", "theirs")
    assert twin.get_chat(OWNER, "c1").messages[-1].state is MessageState.INTERRUPTED
    twin.close()
    history.finish_message(OWNER, "c1", answer("a1", "q1", "whole"))
    assert history.get_chat(OWNER, "c1").messages[-1].state is MessageState.COMPLETE


def test_two_servers_save_into_one_file_at_once(path: Path) -> None:
    history = ChatHistory(path)
    n_rounds = 15
    with child(path, "save", "theirs") as other:
        acknowledged = []
        for number in range(n_rounds):
            begin_chat(history, f"mine{number}")
            acknowledged += [hear(other), hear(other)]
    theirs = [message.message_id for message in history.get_chat(OWNER, "theirs").messages]
    assert theirs[: 2 * n_rounds] == acknowledged
    assert len(history.list_chats(OWNER)) == n_rounds + 1
    history.close()
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("content", [None, b"not a database" * 100])
def test_of_servers_that_start_together_none_takes_the_others_file_away(
    path: Path, content: bytes | None
) -> None:
    n_servers = 6
    if content is not None:
        path.parent.mkdir()
        path.write_bytes(content)

    def begin(number: int) -> int:
        history = ChatHistory(path)
        history.open()
        begin_chat(history, f"c{number}")
        n_notices = len(history.notices)
        history.close()
        return n_notices

    with concurrent.futures.ThreadPoolExecutor(n_servers) as servers:
        n_notices = sum(servers.map(begin, range(n_servers)))
    with closing(ChatHistory(path)) as history:
        assert len(history.list_chats(OWNER)) == n_servers
    assert n_notices == (content is not None)
    assert len(list(path.parent.glob("chats-damaged-*"))) == n_notices


# --- whose mark it is -------------------------------------------------------------------------


@pytest.fixture
def writer() -> Iterator[Writer]:
    writer = Writer()
    yield writer
    writer.close()


MINUTE = 60_000


@pytest.mark.parametrize(
    ("changed", "silence_ms", "is_shared", "is_gone"),
    [
        ({}, 0, False, False),
        ({}, 10**9, True, False),
        ({"pid": "1"}, 0, False, True),
        ({"pid": "999999999"}, 0, False, True),
        ({"pid": "-5"}, 0, False, True),
        ({"pid": "9" * 30}, 0, False, True),
        ({"started": "1.0"}, 0, False, True),
        ({"instance": "closed"}, 0, False, True),
        ({"machine": "other"}, 0, False, True),
        ({"machine": "other"}, 9 * MINUTE, True, False),
        ({"machine": "other"}, 11 * MINUTE, True, True),
        ({"machine": "a|b"}, 0, True, True),
        ({"pid": "x"}, 0, True, True),
    ],
)
def test_whether_a_writer_lives(
    writer: Writer, changed: dict[str, str], silence_ms: int, is_shared: bool, is_gone: bool
) -> None:
    names = ("machine", "pid", "started", "instance")
    parts = dict(zip(names, writer.mark.split("|"), strict=True)) | changed
    mark = "|".join(parts[name] for name in names)
    found = writer.is_gone(mark, 0, now_ms=silence_ms, is_shared=is_shared)
    assert found == is_gone


def test_an_answer_without_a_mark_has_no_writer(writer: Writer) -> None:
    assert writer.is_gone(None, 0, now_ms=0, is_shared=True)


def test_a_living_process_with_another_start_is_another_process(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psutil

    parent = psutil.Process().parent()
    assert parent is not None
    machine = writer.mark.split("|")[0]
    mark = f"{machine}|{parent.pid}|{parent.create_time() + 2:.3f}|x"
    assert not writer.is_gone(mark, 0, now_ms=0, is_shared=False)
    monkeypatch.setattr(history_writers, "_START_TOLERANCE_S", 1.0)
    assert writer.is_gone(mark, 0, now_ms=0, is_shared=False)
