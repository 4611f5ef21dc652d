"""A chat from a file is kept as a new one; what makes no tree is not kept at all."""

from __future__ import annotations

import msgspec
import pytest

from jupyter_localllm.assistant.history import ChatHistory
from jupyter_localllm.chat_protocol import Chat, MessageRecord, MessageState
from jupyter_localllm.errors import RequestError

from .history_samples import OWNER, answer, begin_chat, full_answer, question


def sample_chat() -> Chat:
    return Chat(
        "c1",
        "Imported",
        5,
        6,
        "tiny",
        "Be kind.",
        "a2",
        [
            question("q1"),
            full_answer("a1", "q1"),
            answer("a2", "q1", "half", MessageState.WRITING),
        ],
    )


def test_an_imported_chat_is_a_new_one_with_fresh_ids(history: ChatHistory) -> None:
    begin_chat(history, "c1")
    made = sample_chat()
    summary = history.import_chat(OWNER, made)
    twin = history.import_chat(OWNER, made)
    chat = history.get_chat(OWNER, summary.chat_id)
    assert len({"c1", summary.chat_id, twin.chat_id}) == 3
    assert (chat.title, chat.model, chat.system_prompt) == ("Imported", "tiny", "Be kind.")
    q1, a1, a2 = chat.messages
    assert not {q1.message_id, a1.message_id, a2.message_id} & {"q1", "a1", "a2"}
    assert (a1.parent_id, a2.parent_id, chat.current_id) == (q1.message_id,) * 2 + (a2.message_id,)
    assert a1.first_sent_id == q1.message_id
    assert (a2.state, a2.content) == (MessageState.INTERRUPTED, "half")
    same = {"message_id": "a1", "parent_id": "q1", "first_sent_id": "q1"}
    assert msgspec.structs.replace(a1, **same) == made.messages[1]


def test_an_empty_chat_can_be_imported(history: ChatHistory) -> None:
    summary = history.import_chat(OWNER, Chat("c1", "", 1, 1))
    assert history.get_chat(OWNER, summary.chat_id).messages == []


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([question("q1", parent_id="a1"), answer("a1", "q1")], "circle"),
        ([question("q1", parent_id="q1")], "circle"),
        ([question("q1"), answer("a1", "nowhere")], "not in the file"),
        ([question("q1"), answer("q1", "q1")], "same id"),
        ([MessageRecord("q1", "user", "", 2**63)], "out of range"),
        ([MessageRecord("q1", "user", "", -1)], "out of range"),
    ],
)
def test_what_is_no_tree_is_not_imported(
    history: ChatHistory, messages: list[MessageRecord], reason: str
) -> None:
    with pytest.raises(RequestError, match=reason) as raised:
        history.import_chat(OWNER, Chat("c1", "", 1, 1, messages=messages))
    assert raised.value.error_code == "invalid_chat_file"
    assert history.list_chats(OWNER) == []
