"""Turns and chats of the sidebar that the tests of conversations share."""

from __future__ import annotations

from jupyter_localllm.assistant.chat_tree import branch
from jupyter_localllm.assistant.history import ChatHistory
from jupyter_localllm.chat_protocol import Chat, MessageRecord
from jupyter_localllm.magics.answers.last_answer import LastAnswer
from jupyter_localllm.magics.chats.conversations import (
    NamedChat,
    NamedChats,
    answer_record,
    new_question,
)


def turn(text: str, parent_id: str | None = None) -> tuple[MessageRecord, MessageRecord]:
    """A question and its answer."""
    question = new_question(text, "", (), parent_id)
    answer = LastAnswer(question=text, text=f"Re: {text}", finish_reason="stop")
    return question, answer_record(answer, question)


def keep(chats: NamedChats, named: NamedChat, text: str) -> None:
    """Keep the turn of a cell that opened the chat earlier."""
    chats.keep(named, "", *turn(text, named.parent_id))


def ask(chats: NamedChats, title: str, text: str) -> None:
    """Run a whole cell, with nobody in between."""
    keep(chats, chats.open(title), text)


def only_chat(history: ChatHistory) -> Chat:
    [summary] = history.list_chats("local")
    return history.get_chat("local", summary.chat_id)


def questions(chat: Chat) -> list[str]:
    """Those of the branch that is shown."""
    return [message.content for message in branch(chat) if message.role == "user"]
