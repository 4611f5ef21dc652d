"""What is remembered: the turns of a session, and the sidebar's own chats by their titles."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell

from jupyter_localllm.assistant.chat_tree import branch
from jupyter_localllm.assistant.history import ChatHistory
from jupyter_localllm.assistant.history_disk import HISTORY_FILE_ENV
from jupyter_localllm.chat_protocol import ChatChange, MessageRecord, MessageState, NewChat
from jupyter_localllm.errors import HistoryError, InvalidParameter, NotFound
from jupyter_localllm.magics.answers.last_answer import LastAnswer
from jupyter_localllm.magics.chats.conversations import (
    KEPT_TURNS,
    Memory,
    NamedChats,
    answer_record,
    default_history_file,
    new_question,
)
from jupyter_localllm.magics.lines.commands import Ask
from jupyter_localllm.magics.report import conversation_text
from tests.gguf_builders.scripted import SCRIPTS
from tests.magics.chat_samples import questions, turn
from tests.magics.conftest import owner_of


def texts(messages: list[MessageRecord]) -> list[str]:
    return [message.content for message in messages]


# --- the session ----------------------------------------------------------------------------


def test_the_newest_turns_are_sent() -> None:
    memory = Memory()
    for text in ("a", "b", "c"):
        memory.keep(*turn(text), "")
    question = turn("d")[0]
    assert texts(memory.before(question, "", 2)) == ["b", "Re: b", "c", "Re: c"]
    assert memory.before(question, "", 0) == []
    assert memory.clear() == 3
    assert memory.before(question, "", 2) == []


@pytest.mark.parametrize(
    ("reason", "mark"), [("stop", ""), ("cancelled", " (stopped)"), ("error", " (broke off)")]
)
def test_an_answer_that_is_not_whole_is_marked_and_its_model_has_a_name(
    tmp_path: Path, reason: str, mark: str
) -> None:
    memory = Memory()
    question = turn("a")[0]
    answer = LastAnswer(
        question="a", text="Half", model=str(tmp_path / "smol.gguf"), finish_reason=reason
    )
    memory.keep(question, answer_record(answer, question), "")
    assert f"\nsmol{mark}:\nHalf" in conversation_text(memory.as_chat())


def test_a_question_that_is_an_action_alone_takes_one_line() -> None:
    memory = Memory()
    question, answer = turn("a")
    memory.keep(msgspec.structs.replace(question, action="fix", content=""), answer, "")
    assert conversation_text(memory.as_chat()).startswith("You: fix\n\nAnswer:\nRe: a")


def test_a_cell_run_again_sees_what_was_before_it_and_replaces_its_turn() -> None:
    memory = Memory()
    for text, cell in (("a", "one"), ("b", "two"), ("c", "three")):
        memory.keep(*turn(text), cell)
    again = turn("b")
    assert texts(memory.before(again[0], "two", 9)) == ["a", "Re: a"]
    memory.keep(*again, "two")
    assert texts(branch(memory.as_chat())) == ["a", "Re: a", "b", "Re: b", "c", "Re: c"]
    # A new question in the same cell goes on with the conversation.
    assert len(memory.before(turn("other")[0], "two", 9)) == 6


def test_turns_that_a_session_no_longer_keeps_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    memory = Memory()
    for number in range(KEPT_TURNS + 3):
        assert capsys.readouterr().out == ""
        memory.keep(*turn(f"t{number}"), "")
    assert questions(memory.as_chat())[0] == "t3"
    assert "The first 3 turns are no longer here" in capsys.readouterr().out
    memory.clear()
    memory.as_chat()
    assert capsys.readouterr().out == ""


def test_thoughts_are_kept_with_an_answer_and_a_broken_one_says_so() -> None:
    question = turn("a")[0]
    thinking = LastAnswer(question="a", text="42", thinking="Hm.", finish_reason="stop", seed=3)
    record = answer_record(thinking, question)
    assert record.content == "<think>\nHm.\n</think>\n\n42"
    assert (record.state, record.seed) == (MessageState.COMPLETE, 3)
    broken = LastAnswer(question="a", text="4", finish_reason="error", error_code="worker_crashed")
    record = answer_record(broken, question)
    assert record.state is MessageState.FAILED
    assert record.error is not None
    assert record.error["code"] == "worker_crashed"
    stopped = LastAnswer(question="a", text="4", finish_reason="cancelled")
    assert answer_record(stopped, question).state is MessageState.STOPPED


# --- the sidebar's chats --------------------------------------------------------------------


@pytest.fixture
def history(private_folders: Path) -> Iterator[ChatHistory]:
    """The server's view of the same file."""
    history = ChatHistory(private_folders / "jupyter_data_dir" / "localllm" / "chats.sqlite3")
    yield history
    history.close()


def run(shell: InteractiveShell, cell: str) -> None:
    result = shell.run_cell(cell, store_history=True)
    assert result.success


def test_a_magics_chat_is_the_sidebars_and_goes_on_there_and_back(
    asking: InteractiveShell, history: ChatHistory, capsys: pytest.CaptureFixture[str]
) -> None:
    run(asking, "%%llm --chat 'My trip' --system 'Be brief.' --seed 5\nHELLO")
    [summary] = history.list_chats("local")
    assert (summary.title, summary.n_messages) == ("My trip", 2)
    chat = history.get_chat("local", summary.chat_id)
    question, answer = branch(chat)
    assert (chat.system_prompt, question.content) == ("Be brief.", "HELLO")
    assert (answer.content, answer.state) == (SCRIPTS["HELLO"], MessageState.COMPLETE)
    assert answer.usage is not None
    assert answer.timings is not None
    assert answer.usage.completion_tokens > 0
    assert answer.seed == 5
    # The sidebar goes on ...
    more = new_question("In the sidebar", "", (), answer.message_id)
    told = LastAnswer(question="", text="From the sidebar", finish_reason="stop")
    history.add_messages("local", chat.chat_id, [more, answer_record(told, more)])
    # ... and the magic goes on from there, whatever the title's case.
    capsys.readouterr()
    run(asking, "%%llm --chat 'my TRIP' --show-prompt\nAnd back")
    shown = capsys.readouterr().out
    expected = ["Be brief.", "HELLO", SCRIPTS["HELLO"], "In the sidebar", "From the sidebar"]
    places = [shown.index(text) for text in expected]
    assert places == sorted(places)
    run(asking, "%%llm --chat 'my trip'\nHELLO")
    assert [s.title for s in history.list_chats("local")] == ["My trip"]
    assert len(branch(history.get_chat("local", chat.chat_id))) == 6
    # The session's own turns are others.
    run(asking, "%%llm --show-prompt\nHi")
    assert "sidebar" not in capsys.readouterr().out.partition("---")[2].replace(shown, "")


def test_under_jupyterhub_the_chats_are_the_users(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "chats.sqlite3"
    monkeypatch.setenv("JUPYTERHUB_USER", "ada")
    ada = NamedChats(file)
    ada.keep(ada.open("Notes"), "", *turn("a"))
    assert ada.titles() == ["Notes"]
    history = ChatHistory(file)
    assert [chat.title for chat in history.list_chats("user:ada")] == ["Notes"]
    history.close()
    monkeypatch.delenv("JUPYTERHUB_USER")
    assert NamedChats(file).titles() == []


def test_the_file_is_the_one_of_the_server(private_folders: Path) -> None:
    from jupyter_localllm.server.app import LocalLLMExtension

    assert default_history_file() == LocalLLMExtension()._history_path()


def test_a_kernel_uses_the_file_that_its_server_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(HISTORY_FILE_ENV, str(tmp_path / "elsewhere.sqlite3"))
    assert default_history_file() == tmp_path / "elsewhere.sqlite3"


def test_where_the_server_keeps_no_chats_a_cell_says_so(
    asking: InteractiveShell, monkeypatch: pytest.MonkeyPatch, private_folders: Path
) -> None:
    monkeypatch.setenv(HISTORY_FILE_ENV, "")
    assert owner_of(asking).chats().titles() == []
    with pytest.raises(HistoryError, match="keeps no chats"):
        asking.run_cell("%%llm --chat Notes\nHELLO").raise_error()
    assert not list(private_folders.rglob("*.sqlite3"))


def test_a_new_turn_hangs_below_the_last_answer(tmp_path: Path) -> None:
    """A question in the sidebar without an answer is left as it is."""
    chats = NamedChats(tmp_path / "chats.sqlite3")
    chats.keep(chats.open("c"), "", *turn("a"))
    opened = chats.open("c")
    assert opened.chat is not None
    history = ChatHistory(tmp_path / "chats.sqlite3")
    history.add_messages(
        "local", opened.chat.chat_id, [new_question("unanswered", "", (), opened.parent_id)]
    )
    history.close()
    assert texts(chats.open("c").path) == ["a", "Re: a"]
    assert chats.open("c").parent_id == opened.parent_id


def test_a_chat_in_which_the_sidebar_writes_is_busy(tmp_path: Path) -> None:
    history = ChatHistory(tmp_path / "chats.sqlite3")
    history.create_chat("local", NewChat(chat_id="c1", title="Busy"))
    question = new_question("a", "", (), None)
    writing = MessageRecord("a1", "assistant", "", 1, question.message_id, MessageState.WRITING)
    history.add_messages("local", "c1", [question, writing])
    with pytest.raises(InvalidParameter) as caught:
        NamedChats(tmp_path / "chats.sqlite3").open("busy")
    assert caught.value.error_code == "chat_busy"
    assert caught.value.hint
    history.close()


def test_a_chat_that_is_not_there_says_which_are(tmp_path: Path) -> None:
    chats = NamedChats(tmp_path / "chats.sqlite3")
    with pytest.raises(NotFound, match="Begin one with %%llm --chat 'x'"):
        chats.existing("x")
    chats.keep(chats.open("Notes"), "", *turn("a"))
    with pytest.raises(NotFound, match="There are “Notes”"):
        chats.existing("x")


def test_an_answer_that_cannot_be_kept_is_shown_and_it_is_said(
    asking: InteractiveShell, history: ChatHistory, capsys: pytest.CaptureFixture[str]
) -> None:
    run(asking, "%%llm --chat c\nHELLO")
    owner = owner_of(asking)
    named = owner.chats().open("c")
    assert named.chat is not None
    with closing(sqlite3.connect(history.path)) as file:
        file.execute("PRAGMA user_version = 99")
    composed = owner._composer()
    keeper = composed._keeper(Ask(chat="c"), turn("b")[0], named, "")
    assert keeper is not None
    keeper(LastAnswer(question="b", text="text", finish_reason="stop"))
    told = capsys.readouterr().err
    assert told.startswith("This turn is not kept in the chat “c”: The chats were saved by a newer")


# --- history, reset, save -------------------------------------------------------------------


def test_history_reset_and_save(
    asking: InteractiveShell, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(asking, "%llm history")
    assert "Nothing was asked" in capsys.readouterr().out
    run(asking, "%%llm\nHELLO one")
    run(asking, "%%llm --no-history\nHELLO two")
    run(asking, "%%llm --chat c\nHELLO three")
    capsys.readouterr()
    run(asking, "%llm history")
    shown = capsys.readouterr().out
    assert "HELLO one" in shown
    assert "two" not in shown.replace("2 turns", "")
    assert "three" not in shown
    assert "last 2 turns are sent" in shown
    run(asking, "%llm history --chat C")
    assert "HELLO three" in capsys.readouterr().out
    for name in ("talk.md", "talk.ipynb", "talk.chat"):
        run(asking, f"%llm save '{tmp_path / name}'")
        assert "HELLO one" in (tmp_path / name).read_text()
    nbformat.validate(nbformat.read(tmp_path / "talk.ipynb", as_version=4))
    assert json.loads((tmp_path / "talk.chat").read_text())["chat"]["messages"]
    capsys.readouterr()
    assert not asking.run_cell(f"%llm save '{tmp_path / 'talk.md'}'").success
    assert "is there already" in capsys.readouterr().err
    run(asking, f"%llm save --force '{tmp_path / 'talk.md'}' --chat c")
    assert "HELLO three" in (tmp_path / "talk.md").read_text()
    run(asking, "%llm reset")
    assert "Forgot 1 turn." in capsys.readouterr().out
    run(asking, "%llm reset")
    assert "nothing to forget" in capsys.readouterr().out
    assert not asking.run_cell("%llm save x.md").success


def test_old_turns_that_do_not_fit_are_left_out_and_it_is_said(
    asking: InteractiveShell, history: ChatHistory, capsys: pytest.CaptureFixture[str]
) -> None:
    chats = owner_of(asking).chats()
    for number in range(3):
        named = chats.open("long")
        chats.keep(named, "", *turn(f"part {number} " + "x" * 1200, named.parent_id))
    capsys.readouterr()
    run(asking, "%%llm --chat long\nHELLO")
    assert "fit into the context window any more" in capsys.readouterr().out
    [summary] = history.list_chats("local")
    answer = branch(history.get_chat("local", summary.chat_id))[-1]
    assert answer.content == SCRIPTS["HELLO"]
    assert answer.n_left_out > 0
    assert answer.first_sent_id
    history.change_chat("local", summary.chat_id, ChatChange(title="still there"))
