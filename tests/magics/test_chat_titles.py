"""Chats by their titles: which one is meant where several could be."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_localllm.assistant.history import ChatHistory
from jupyter_localllm.chat_protocol import NewChat
from jupyter_localllm.magics.chats.conversations import NamedChats
from tests.magics.chat_samples import ask, only_chat, questions, turn


@pytest.mark.parametrize(
    ("kept", "typed"),
    [
        ("My trip", "my TRIP"),
        ("  My   trip ", "My trip"),
        ("My trip", " My \u00a0 trip"),
        ("Gr\u00fc\u00dfe", "Gru\u0308\u00dfe"),
        ("Gr\u00fc\u00dfe", "GRU\u0308SSE"),
        ("caf\u00e9", "CAFE\u0301"),
    ],
)
def test_titles_that_look_alike_are_one_chat(
    chats_file: Path, sidebar: ChatHistory, kept: str, typed: str
) -> None:
    sidebar.create_chat("local", NewChat("c1", title=kept))
    chats = NamedChats(chats_file)
    ask(chats, typed, "a")
    assert questions(only_chat(sidebar)) == ["a"]
    assert chats.existing(typed).chat_id == "c1"


def test_chats_that_differ_in_capitals_alone_are_each_reached(
    chats_file: Path, sidebar: ChatHistory, capsys: pytest.CaptureFixture[str]
) -> None:
    for chat_id, title in (("c1", "Trip"), ("c2", "TRIP")):
        sidebar.create_chat("local", NewChat(chat_id, title=title))
    chats = NamedChats(chats_file)
    assert [chats.existing(title).chat_id for title in ("Trip", "TRIP")] == ["c1", "c2"]
    assert capsys.readouterr().out == ""
    assert chats.existing("trip").chat_id == "c2"
    assert "2 chats have the title" in capsys.readouterr().out


def test_of_two_chats_of_one_title_the_newest_is_taken_and_the_other_told(
    chats_file: Path, sidebar: ChatHistory, capsys: pytest.CaptureFixture[str]
) -> None:
    for chat_id in ("c1", "c2"):
        sidebar.create_chat("local", NewChat(chat_id, title="shared"))
    sidebar.add_messages("local", "c1", turn("a"))
    ask(NamedChats(chats_file), "shared", "b")
    assert questions(sidebar.get_chat("local", "c1")) == ["a", "b"]
    assert capsys.readouterr().out == (
        "2 chats have the title “shared”; this is the one that was used last. To reach the other, "
        "give it a title of its own in the sidebar.\n"
    )


def test_a_chat_older_than_the_sidebars_list_is_not_begun_again(
    chats_file: Path, sidebar: ChatHistory
) -> None:
    sidebar.create_chat("local", NewChat("old", title="old"))
    sidebar.add_messages("local", "old", turn("a"))
    with sidebar.together():
        for number in range(500):
            sidebar.create_chat("local", NewChat(f"c{number}", title=f"newer {number}"))
    assert "old" not in [chat.chat_id for chat in sidebar.list_chats("local")]
    ask(NamedChats(chats_file), "old", "b")
    assert questions(sidebar.get_chat("local", "old")) == ["a", "b"]
