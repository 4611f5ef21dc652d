"""Owners are kept apart: of somebody else's chat nothing is told, and nothing in it changes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_localllm.assistant.history import ChatHistory
from jupyter_localllm.chat_protocol import ChatChange, MessageState, NewChat
from jupyter_localllm.errors import NotFound

from .history_samples import OWNER, answer, begin_chat, question, rows

Call = Callable[[ChatHistory, str], object]

#: Every method that names a chat.
CALLS: dict[str, Call] = {
    "get_chat": lambda history, owner: history.get_chat(owner, "c1"),
    "get_chat with_deleted": lambda history, owner: history.get_chat(
        owner, "c1", with_deleted=True
    ),
    "create_chat": lambda history, owner: history.create_chat(owner, NewChat("c1")),
    "change_chat": lambda history, owner: history.change_chat(owner, "c1", ChatChange(title="x")),
    "delete_chat": lambda history, owner: history.delete_chat(owner, "c1"),
    "restore_chat": lambda history, owner: history.restore_chat(owner, "c1"),
    "add_messages": lambda history, owner: history.add_messages(owner, "c1", [question("q9")]),
    "add_messages with_deleted": lambda history, owner: history.add_messages(
        owner, "c1", [question("q9")], with_deleted=True
    ),
    "save_draft": lambda history, owner: history.save_draft(owner, "c1", "a2", "stolen"),
    "finish_message": lambda history, owner: history.finish_message(
        owner, "c1", answer("a2", "q1", "stolen")
    ),
}
#: Methods that need no chat to be there.
OTHERS = {"open", "close", "version", "together", "list_chats", "import_chat"}

OWNERS = ["student", "", OWNER.upper(), OWNER + " ", "%", "teacher' OR '1'='1"]


def everything(path: Path) -> list[list[tuple[object, ...]]]:
    return [rows(path, f"SELECT * FROM {table}") for table in ("chats", "messages")]


def test_every_method_is_tried() -> None:
    methods = {
        name
        for name, value in inspect.getmembers(ChatHistory, inspect.isfunction)
        if not name.startswith("_")
    }
    assert methods == {name.split()[0] for name in CALLS} | OTHERS


@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("is_deleted", [False, True])
@pytest.mark.parametrize("name", CALLS)
def test_a_strangers_call_is_answered_as_if_there_were_no_chat(
    history: ChatHistory, path: Path, name: str, is_deleted: bool, owner: str
) -> None:
    begin_chat(history)
    history.add_messages(OWNER, "c1", [answer("a2", "q1", "mine", MessageState.WRITING)])
    if is_deleted:
        history.delete_chat(OWNER, "c1")
    before = everything(path)
    with pytest.raises(NotFound) as raised:
        CALLS[name](history, owner)
    assert raised.value.error_code == "chat_not_found"
    assert everything(path) == before
    # The same sentence as for a chat that never was.
    if name != "create_chat":
        with pytest.raises(NotFound) as unknown:
            history.get_chat(owner, "never")
        assert unknown.value.to_body() == raised.value.to_body()


@pytest.mark.parametrize("owner", OWNERS)
def test_a_stranger_finds_nothing(history: ChatHistory, owner: str) -> None:
    begin_chat(history)
    for query in ("", "because", "y", "%", "Why OR Because"):
        assert history.list_chats(owner, query) == []
    begin_chat(history, "theirs", owner)
    assert [chat.chat_id for chat in history.list_chats(owner, "because")] == ["theirs"]
    assert [chat.chat_id for chat in history.list_chats(OWNER, "because")] == ["c1"]


def test_an_import_is_the_importers_alone(history: ChatHistory) -> None:
    begin_chat(history)
    summary = history.import_chat("student", history.get_chat(OWNER, "c1"))
    with pytest.raises(NotFound):
        history.get_chat(OWNER, summary.chat_id)
    assert history.get_chat("student", summary.chat_id).title == "Why?"
