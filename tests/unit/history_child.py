"""A server's part in the history's tests, as a process of its own.

``python -m tests.unit.history_child FILE save CHAT`` saves turn after turn and prints the id of
each message when it is acknowledged; ``… write CHAT`` begins an answer, says so, and finishes it
when it is told a line.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from jupyter_localllm.assistant.history import ChatHistory
from jupyter_localllm.chat_protocol import MessageState, NewChat

from .history_samples import OWNER, answer, question


def save(history: ChatHistory, chat_id: str) -> None:
    """Save turns until killed."""
    history.create_chat(OWNER, NewChat(chat_id))
    parent = None
    for number in itertools.count():
        asked = f"q{number}"
        written = f"a{number}"
        begun = answer(written, asked, "", MessageState.WRITING)
        history.add_messages(OWNER, chat_id, [question(asked, f"Question {number}", parent), begun])
        print(asked, flush=True)
        history.save_draft(OWNER, chat_id, written, "draft " * number)
        history.finish_message(OWNER, chat_id, answer(written, asked, "text " * number))
        print(written, flush=True)
        parent = written


def write(history: ChatHistory, chat_id: str) -> None:
    """Write one answer, as slowly as the test wants."""
    history.create_chat(OWNER, NewChat(chat_id))
    begun = answer("a1", "q1", "", MessageState.WRITING)
    history.add_messages(OWNER, chat_id, [question("q1"), begun])
    print("writing", flush=True)
    for line in sys.stdin:
        history.save_draft(OWNER, chat_id, "a1", line.strip())
        print("saved", flush=True)
    history.finish_message(OWNER, chat_id, answer("a1", "q1", "whole"))


if __name__ == "__main__":
    opened = ChatHistory(Path(sys.argv[1]))
    opened.open()
    {"save": save, "write": write}[sys.argv[2]](opened, sys.argv[3])
    opened.close()
