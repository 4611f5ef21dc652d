"""A kernel's part in a chat that two notebooks share, as a process of its own.

``python -m tests.magics.chat_child FILE`` reads orders, one a line: ``open TITLE`` finds the chat
as a cell does before its question, ``keep TEXT`` keeps a turn there as a cell does after its
answer, ``many TITLE COUNT NAME`` does both again and again. After each it prints ``done``; what
the person would be told stands before that.
"""

from __future__ import annotations

import sys
from pathlib import Path

from jupyter_localllm.magics.chats.conversations import NamedChat, NamedChats
from tests.magics.chat_samples import ask, keep


def main(file: Path) -> None:
    """Obey until there are no more orders."""
    chats = NamedChats(file)
    opened = NamedChat("", None)
    for line in sys.stdin:
        order, _, rest = line.strip().partition(" ")
        if order == "open":
            opened = chats.open(rest)
        elif order == "keep":
            keep(chats, opened, rest)
        else:
            title, count, name = rest.split()
            for number in range(int(count)):
                ask(chats, title, f"{name}{number}")
        print("done", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
