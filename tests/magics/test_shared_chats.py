"""One chat, several writers: two notebooks and the sidebar, which know nothing of one another.

Whatever the order, every turn is in the chat of its title, and what a person cannot see at once is
said in one line.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from jupyter_localllm.assistant import history_file, history_tables
from jupyter_localllm.assistant.chat_tree import branch
from jupyter_localllm.assistant.history import KEEP_DELETED_MS, ChatHistory
from jupyter_localllm.chat_protocol import Chat, ChatChange, MessageRecord, MessageState
from jupyter_localllm.errors import HistoryError, LocalLLMError, NotFound
from jupyter_localllm.magics.answers.last_answer import LastAnswer
from jupyter_localllm.magics.chats import shared_chats
from jupyter_localllm.magics.chats.conversations import NamedChats
from jupyter_localllm.magics.lines.commands import Ask
from tests.magics.chat_samples import ask, keep, only_chat, questions, turn
from tests.magics.conftest import owner_of

ROOT = Path(__file__).parents[2]


# --- two notebooks --------------------------------------------------------------------------


def test_two_notebooks_that_begin_one_chat_at_once_make_one(
    chats_file: Path, sidebar: ChatHistory, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = NamedChats(chats_file), NamedChats(chats_file)
    seen_by_one, seen_by_two = one.open("shared"), two.open("Shared")
    keep(one, seen_by_one, "a")
    assert capsys.readouterr().out == ""
    keep(two, seen_by_two, "b")
    assert questions(only_chat(sidebar)) == ["a", "b"]
    assert capsys.readouterr().out == (
        "While this answer was written, 1 turn came into the chat “shared”. The model did not see "
        "it; it stands above this one.\n"
    )


def test_a_turn_that_came_while_an_answer_was_written_stays_in_sight(
    chats_file: Path, sidebar: ChatHistory, capsys: pytest.CaptureFixture[str]
) -> None:
    slow, quick = NamedChats(chats_file), NamedChats(chats_file)
    ask(slow, "c", "before")
    seen = slow.open("c")
    ask(quick, "c", "HELLO during")
    ask(quick, "c", "and again")
    assert capsys.readouterr().out == ""
    keep(slow, seen, "slow")
    assert questions(only_chat(sidebar)) == ["before", "HELLO during", "and again", "slow"]
    assert "2 turns came into the chat “c”" in capsys.readouterr().out
    ask(slow, "c", "after")
    assert questions(only_chat(sidebar))[-1] == "after"
    assert capsys.readouterr().out == ""


def test_both_notebooks_answers_are_in_the_history_of_a_cell(
    asking: InteractiveShell, private_folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the question to ``%llm history``."""
    composed = owner_of(asking)._composer().compose(Ask(chat="shared"), "slow")
    other = NamedChats(private_folders / "jupyter_data_dir" / "localllm" / "chats.sqlite3")
    ask(other, "shared", "HELLO during")
    assert composed.question.on_answer is not None
    composed.question.on_answer(LastAnswer("slow", "At last.", finish_reason="stop"))
    captured = capsys.readouterr()
    assert "1 turn came" in captured.out
    assert captured.err == ""
    asking.run_cell("%llm history --chat ' SHARED  '").raise_error()
    shown = capsys.readouterr().out
    assert [shown.count(text) for text in ("HELLO during", "slow", "At last.")] == [2, 1, 1]


def test_nobody_writes_between_the_last_look_and_the_turn(
    chats_file: Path, sidebar: ChatHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    chats, other = NamedChats(chats_file), NamedChats(chats_file)
    ask(chats, "c", "before")
    seen, seen_by_other = chats.open("c"), other.open("c")
    monkeypatch.setattr(history_file, "BUSY_TIMEOUT_MS", 20)
    look = shared_chats.place

    def look_slowly(now: Chat, seen_id: str | None) -> tuple[str | None, str]:
        with monkeypatch.context() as patch:
            patch.setattr(shared_chats, "place", look)
            with pytest.raises(HistoryError, match="Another program is using"):
                keep(other, seen_by_other, "in between")
        return look(now, seen_id)

    monkeypatch.setattr(shared_chats, "place", look_slowly)
    keep(chats, seen, "mine")
    assert questions(only_chat(sidebar)) == ["before", "mine"]


# --- two processes --------------------------------------------------------------------------


class Kernel:
    """A process that keeps turns as cells do; killed at the end where it still runs."""

    def __init__(self, chats_file: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-X", "utf8", "-m", "tests.magics.chat_child", str(chats_file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            cwd=ROOT,
        )

    def begin(self, order: str) -> None:
        """Give an order; ``end`` waits until it is carried out."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{order}\n")
        self._process.stdin.flush()

    def end(self) -> str:
        """Return what the person was told meanwhile."""
        assert self._process.stdout is not None
        told = []
        for line in self._process.stdout:
            if line == "done\n":
                return "".join(told)
            told.append(line)
        raise AssertionError(f"the process ended: {told}")

    def do(self, order: str) -> str:
        self.begin(order)
        return self.end()

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def kernels(chats_file: Path) -> Iterator[tuple[Kernel, Kernel]]:
    with closing(Kernel(chats_file)) as one, closing(Kernel(chats_file)) as two:
        yield one, two


def test_two_kernels_share_a_chat(kernels: tuple[Kernel, Kernel], sidebar: ChatHistory) -> None:
    one, two = kernels
    assert one.do("open shared") + two.do("open SHARED") + one.do("keep a") == ""
    assert "1 turn came into the chat “shared”" in two.do("keep b")
    assert one.do("open shared") + two.do("open shared") + two.do("keep during") == ""
    assert "1 turn came into the chat “shared”" in one.do("keep slow")
    assert questions(only_chat(sidebar)) == ["a", "b", "during", "slow"]
    # And at full speed, in an order that nobody knows.
    for kernel, name in ((one, "x"), (two, "y")):
        kernel.begin(f"many rush 8 {name}")
    told = one.end() + two.end()
    [rush] = [chat for chat in sidebar.list_chats("local") if chat.title == "rush"]
    asked = questions(sidebar.get_chat("local", rush.chat_id))
    assert [text for text in asked if text[0] == "x"] == [f"x{number}" for number in range(8)]
    assert [text for text in asked if text[0] == "y"] == [f"y{number}" for number in range(8)]
    assert "branch" not in told


# --- the sidebar meanwhile ------------------------------------------------------------------


def test_an_answer_that_the_sidebar_writes_meanwhile_stays_in_sight(
    chats_file: Path, sidebar: ChatHistory, capsys: pytest.CaptureFixture[str]
) -> None:
    chats = NamedChats(chats_file)
    ask(chats, "c", "before")
    seen = chats.open("c")
    question = turn("in the sidebar", seen.parent_id)[0]
    writing = MessageRecord("a1", "assistant", "", 1, question.message_id, MessageState.WRITING)
    chat_id = only_chat(sidebar).chat_id
    sidebar.add_messages("local", chat_id, [question, writing])
    keep(chats, seen, "in a cell")
    assert "1 turn came" in capsys.readouterr().out
    with pytest.raises(LocalLLMError, match="An answer is being written"):
        chats.open("c")
    sidebar.save_draft("local", chat_id, "a1", "half")
    done = MessageRecord("a1", "assistant", "whole", 1, question.message_id)
    sidebar.finish_message("local", chat_id, done)
    assert questions(only_chat(sidebar)) == ["before", "in the sidebar", "in a cell"]
    assert "whole" in [message.content for message in chats.open("c").path]


def test_a_turn_below_an_answer_that_was_replaced_meanwhile_is_a_branch_and_says_so(
    chats_file: Path, sidebar: ChatHistory, capsys: pytest.CaptureFixture[str]
) -> None:
    chats = NamedChats(chats_file)
    ask(chats, "c", "a")
    seen = chats.open("c")
    [question, first] = seen.path
    second = MessageRecord("a2", "assistant", "Other", 1, question.message_id)
    sidebar.add_messages("local", only_chat(sidebar).chat_id, [second])
    keep(chats, seen, "b")
    assert "another branch of the chat “c” was chosen" in capsys.readouterr().out
    chat = only_chat(sidebar)
    # It stands below what its model saw.
    assert [message.message_id for message in branch(chat)][:2] == [
        question.message_id,
        first.message_id,
    ]
    assert questions(chat) == ["a", "b"]
    assert chats.existing("c") == chat
    assert capsys.readouterr().out == (
        "The chat “c” has 1 message more on other branches; the sidebar shows them at ‹1/2›.\n"
    )


def test_a_turn_that_the_sidebar_put_beside_a_cells_is_told_of_in_the_history(
    asking: InteractiveShell, private_folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A page that had not heard of the cell's turn yet asks below the one before."""
    chats_file = private_folders / "jupyter_data_dir" / "localllm" / "chats.sqlite3"
    chats = NamedChats(chats_file)
    ask(chats, "c", "a")
    shown_in_page = chats.open("c")
    ask(chats, "c", "from a cell")
    with closing(ChatHistory(chats_file)) as sidebar:
        late = turn("from the page", shown_in_page.parent_id)
        sidebar.add_messages("local", only_chat(sidebar).chat_id, late)
    asking.run_cell("%llm history --chat c").raise_error()
    shown = capsys.readouterr().out
    assert "from the page" in shown
    assert "from a cell" not in shown
    assert "The chat “c” has 2 messages more on other branches" in shown


def test_a_chat_that_is_deleted_meanwhile_is_whole_after_undo(
    chats_file: Path, sidebar: ChatHistory, capsys: pytest.CaptureFixture[str]
) -> None:
    chats = NamedChats(chats_file)
    ask(chats, "c", "a")
    seen = chats.open("c")
    chat_id = only_chat(sidebar).chat_id
    sidebar.delete_chat("local", chat_id)
    keep(chats, seen, "b")
    assert "The chat “c” was deleted while" in capsys.readouterr().out
    assert sidebar.list_chats("local") == []
    sidebar.restore_chat("local", chat_id)
    assert questions(only_chat(sidebar)) == ["a", "b"]


def test_a_chat_that_is_gone_for_good_is_not_made_again(
    chats_file: Path, sidebar: ChatHistory
) -> None:
    chats = NamedChats(chats_file)
    ask(chats, "c", "a")
    seen = chats.open("c")
    sidebar.delete_chat("local", only_chat(sidebar).chat_id)
    a_day_later = time.time_ns() // 1_000_000 + KEEP_DELETED_MS + 1000
    with closing(ChatHistory(chats_file, now_ms=lambda: a_day_later)) as purging:
        purging.open()
    with pytest.raises(NotFound):
        keep(chats, seen, "b")
    assert sidebar.list_chats("local") == []


def test_a_chat_that_is_renamed_meanwhile_gets_the_turn_and_its_title_is_told(
    chats_file: Path, sidebar: ChatHistory, capsys: pytest.CaptureFixture[str]
) -> None:
    chats = NamedChats(chats_file)
    ask(chats, "old", "a")
    seen = chats.open("old")
    sidebar.change_chat("local", only_chat(sidebar).chat_id, ChatChange(title="new"))
    keep(chats, seen, "b")
    assert questions(only_chat(sidebar)) == ["a", "b"]
    told = capsys.readouterr().out
    assert told == "The chat “old” has the title “new” now; this turn is in it.\n"


# --- faults ---------------------------------------------------------------------------------


def test_a_locked_history_is_told_and_nothing_of_the_turn_is_kept(
    chats_file: Path, sidebar: ChatHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    chats = NamedChats(chats_file)
    ask(chats, "c", "a")
    seen, new = chats.open("c"), chats.open("new")
    monkeypatch.setattr(history_file, "BUSY_TIMEOUT_MS", 20)
    with sidebar.together():
        for named in (seen, new):
            with pytest.raises(HistoryError, match="Another program is using the history"):
                keep(chats, named, "b")
    assert questions(only_chat(sidebar)) == ["a"]
    keep(chats, seen, "again")
    assert questions(only_chat(sidebar)) == ["a", "again"]


def test_an_interrupt_while_saving_is_told_and_leaves_no_half_of_a_turn(
    chats_file: Path,
    sidebar: ChatHistory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    chats = NamedChats(chats_file)
    named = chats.open("c")
    with monkeypatch.context() as patch:
        # The chat is made and both messages are added, in a transaction that is not at its end.
        patch.setattr(history_tables, "make_newest", interrupt)
        with pytest.raises(KeyboardInterrupt):
            keep(chats, named, "a")
    assert "this turn may be missing in the chat “c”" in capsys.readouterr().out
    assert sidebar.list_chats("local") == []
    keep(chats, named, "a")
    assert questions(only_chat(sidebar)) == ["a"]


def test_chats_that_a_damaged_file_lost_are_told(
    chats_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chats_file.write_bytes(b"my notes\n" * 1000)
    assert NamedChats(chats_file).open("c").chat is None
    assert "No chat could be read from it." in capsys.readouterr().err
