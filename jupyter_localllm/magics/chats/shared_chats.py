"""Chats that others write into too: which one a title means, and where a turn goes in it.

The sidebar and other notebooks change a chat while a cell waits for its answer. No turn may get
out of sight by that without a word. Pure; ``conversations`` calls it under the history's lock.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from ...assistant.chat_tree import branch
from ...chat_protocol import Chat, ChatSummary, MessageRecord


def path_of(chat: Chat) -> list[MessageRecord]:
    """Return the branch that is shown, up to its last answer."""
    messages = branch(chat)
    while messages and messages[-1].role == "user":
        # A question that was never answered is asked again, or not at all.
        messages.pop()
    return messages


# --- titles ---------------------------------------------------------------------------------


def titled(chats: Sequence[ChatSummary], title: str) -> list[ChatSummary]:
    """Return the chats of a title, in their order.

    Capitals count only where chats differ in nothing else; blanks around and between words, and
    the ways in which Unicode writes one letter, never do.
    """
    alike = [chat for chat in chats if chat.title and _folded(chat.title) == _folded(title)]
    return [chat for chat in alike if _plain(chat.title) == _plain(title)] or alike


def _plain(title: str) -> str:
    return " ".join(unicodedata.normalize("NFC", title).split())


def _folded(title: str) -> str:
    # Unicode's canonical caseless match: folding may leave what is to be put in order again.
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", _plain(title)).casefold())


def of_one_title(title: str, n_chats: int) -> str:
    """Say that there are several chats of a title; "" where there is one."""
    if n_chats < 2:
        return ""
    return (
        f"{n_chats} chats have the title “{title}”; this is the one that was used last. To reach "
        f"{'the other' if n_chats == 2 else 'another'}, give it a title of its own in the sidebar."
    )


# --- turns ----------------------------------------------------------------------------------


def place(now: Chat, seen_id: str | None) -> tuple[str | None, str]:
    """Return below which message a turn goes, and what its person has to know about that.

    Parameters
    ----------
    now : Chat
        As it is when the answer is kept.
    seen_id : str, optional
        The last message that the model saw.
    """
    path = path_of(now)
    newest = path[-1].message_id if path else None
    ids: list[str | None] = [None, *(message.message_id for message in path)]
    if seen_id in ids:
        missed = path[ids.index(seen_id) :]
    elif any(message.message_id == seen_id for message in now.messages):
        return seen_id, (
            f"While this answer was written, another branch of the chat “{now.title}” was chosen. "
            "This turn is on a branch of its own; the sidebar shows the other one at ‹1/2›."
        )
    else:
        # Messages are only ever lost with a damaged file.
        missed = path
    n_turns = sum(message.role == "user" for message in missed)
    if n_turns == 0:
        return newest, ""
    came = "1 turn" if n_turns == 1 else f"{n_turns} turns"
    unseen = "it; it stands" if n_turns == 1 else "them; they stand"
    return newest, (
        f"While this answer was written, {came} came into the chat “{now.title}”. "
        f"The model did not see {unseen} above this one."
    )


def renamed(title: str, now: Chat) -> str:
    """Say that a chat has another title meanwhile; "" where it has not."""
    if _folded(title) == _folded(now.title):
        return ""
    return f"The chat “{title}” has the title “{now.title}” now; this turn is in it."


def deleted(now: Chat) -> str:
    """Say that a chat was deleted meanwhile."""
    return (
        f"The chat “{now.title}” was deleted while this answer was written. "
        "This turn comes back with it if that is undone in the sidebar."
    )


def beside(chat: Chat) -> str:
    """Say that a chat has messages that its branch does not show; "" where it has none."""
    n_others = len(chat.messages) - len(branch(chat))
    if n_others == 0:
        return ""
    messages = "1 message" if n_others == 1 else f"{n_others} messages"
    return (
        f"The chat “{chat.title}” has {messages} more on other branches; the sidebar shows them "
        "at ‹1/2›."
    )
