"""What the magics remember: the turns of this session, and the chats of the sidebar.

The turns of this session are in the kernel's memory only. A named conversation is one of the
sidebar's own chats, in the same file under the same owner, so that either side goes on where the
other stopped. Nothing here asks a model. Called by ``composer.py`` and ``session_commands.py``.
"""

from __future__ import annotations

import os
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from ...assistant.chat_tree import branch
from ...assistant.history import ChatHistory
from ...assistant.history_disk import HISTORY_FILE_ENV
from ...chat_protocol import (
    Chat,
    ChatSummary,
    ContextItem,
    MessageRecord,
    MessageState,
    NewChat,
)
from ...errors import HistoryError, InvalidParameter, LocalLLMError, NotFound
from ...protocol import FinishReason
from ..lines.words import is_path
from ..output.display import terminal_text
from ..output.plain_output import print_line
from . import shared_chats

if TYPE_CHECKING:
    from ..answers.last_answer import LastAnswer

Result = TypeVar("Result")

#: Turns of the session that are kept to be shown and saved; ``max_history`` says how many are sent.
KEPT_TURNS = 200
#: No limit, for SQLite: a chat that is too old for the sidebar's list still has its title.
_ALL = -1

_STATES = {"cancelled": MessageState.STOPPED, "error": MessageState.FAILED}


def new_question(
    content: str, action: str, context: tuple[ContextItem, ...], parent_id: str | None
) -> MessageRecord:
    """Return a question as it is kept."""
    return MessageRecord(
        message_id=uuid.uuid4().hex,
        role="user",
        content=content,
        created_ms=_now_ms(),
        parent_id=parent_id,
        action=action,
        context=list(context),
    )


def answer_record(answer: LastAnswer, question: MessageRecord) -> MessageRecord:
    """Return an answer as it is kept, with its thoughts as the model wrote them."""
    thoughts = f"<think>\n{answer.thinking}\n</think>\n\n" if answer.thinking else ""
    reasons = {reason.value: reason for reason in FinishReason}
    # The host tells its name only at the end, which this answer may not have reached.
    model = Path(answer.model).stem if is_path(answer.model) else answer.model
    error = None
    if answer.finish_reason == "error":
        error = {
            "code": answer.error_code,
            "message": "This answer of a notebook cell broke off.",
            "hint": "Run the cell again.",
        }
    return MessageRecord(
        message_id=uuid.uuid4().hex,
        role="assistant",
        content=f"{thoughts}{answer.text}",
        created_ms=_now_ms(),
        parent_id=question.message_id,
        state=_STATES.get(answer.finish_reason, MessageState.COMPLETE),
        model=model,
        finish_reason=reasons.get(answer.finish_reason),
        usage=answer.usage,
        timings=answer.timings,
        seed=answer.seed,
        error=error,
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


# --- the session ----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Turn:
    cell_id: str
    question: MessageRecord
    answer: MessageRecord


class Memory:
    """The turns of this session.

    A cell that is run again with the same question replaces its turn and sees only what was
    before it, so that the same question has the same answer.
    """

    def __init__(self) -> None:
        self._turns: list[_Turn] = []
        self._n_dropped = 0

    def before(self, question: MessageRecord, cell_id: str, max_turns: int) -> list[MessageRecord]:
        """Return the newest messages that come before a question, oldest first."""
        place = self._place(question, cell_id)
        earlier = self._turns if place is None else self._turns[:place]
        kept = earlier[len(earlier) - max_turns :] if max_turns < len(earlier) else earlier
        return [message for turn in kept for message in (turn.question, turn.answer)]

    def keep(self, question: MessageRecord, answer: MessageRecord, cell_id: str) -> None:
        """Remember a turn."""
        turn = _Turn(cell_id, question, answer)
        place = self._place(question, cell_id)
        if place is None:
            self._turns.append(turn)
            n_over = max(0, len(self._turns) - KEPT_TURNS)
            del self._turns[:n_over]
            self._n_dropped += n_over
        else:
            self._turns[place] = turn

    def clear(self) -> int:
        """Forget everything; return how many turns there were."""
        n_turns = len(self._turns)
        self._turns.clear()
        self._n_dropped = 0
        return n_turns

    def as_chat(self) -> Chat:
        """Return the session as a chat, to be shown or saved; say what is no longer in it."""
        if self._n_dropped:
            turns = "turn is" if self._n_dropped == 1 else f"{self._n_dropped} turns are"
            _tell(f"The first {turns} no longer here: a session keeps its last {KEPT_TURNS}.")
        messages: list[MessageRecord] = []
        for turn in self._turns:
            parent_id = messages[-1].message_id if messages else None
            question = msgspec.structs.replace(turn.question, parent_id=parent_id)
            messages += [question, turn.answer]
        now = _now_ms()
        return Chat(
            chat_id=uuid.uuid4().hex,
            title="Questions of a notebook",
            created_ms=messages[0].created_ms if messages else now,
            updated_ms=messages[-1].created_ms if messages else now,
            current_id=messages[-1].message_id if messages else None,
            messages=messages,
        )

    def _place(self, question: MessageRecord, cell_id: str) -> int | None:
        if not cell_id:
            return None
        return next(
            (
                place
                for place, turn in enumerate(self._turns)
                if turn.cell_id == cell_id
                and (turn.question.content, turn.question.action)
                == (question.content, question.action)
            ),
            None,
        )


# --- the sidebar's chats --------------------------------------------------------------------


def default_history_file() -> Path | None:
    """Return the file in which the Jupyter server keeps the chats; ``None`` where it keeps none."""
    told = os.environ.get(HISTORY_FILE_ENV)
    if told is not None:
        return Path(told) if told else None
    from ...assistant.prompts import default_folder

    return default_folder().parent / "chats.sqlite3"


def owner_name() -> str:
    """Return whose chats these are: under JupyterHub the user's, else everybody's here."""
    user = os.environ.get("JUPYTERHUB_USER")
    return f"user:{user}" if user else "local"


@dataclass(frozen=True)
class NamedChat:
    """A chat as it was when a question was asked of it; ``chat`` is ``None`` for a new one."""

    title: str
    chat: Chat | None

    @property
    def path(self) -> list[MessageRecord]:
        """The branch that is shown, up to its last answer."""
        return [] if self.chat is None else shared_chats.path_of(self.chat)

    @property
    def parent_id(self) -> str | None:
        """Below which message a new question goes."""
        path = self.path
        return path[-1].message_id if path else None


class NamedChats:
    """The chats of one owner, by their titles. The file is open only while it is used.

    Parameters
    ----------
    path : Path or None
        The history file; ``None`` where chats are not kept.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._owner = owner_name()

    def titles(self) -> list[str]:
        """Return the titles, newest first; nothing where no chat was ever kept."""
        if self._path is None or not self._path.exists():
            return []
        return self._with(
            lambda history: [each.title for each in history.list_chats(self._owner) if each.title]
        )

    def open(self, title: str) -> NamedChat:
        """Return the newest chat of this title, or what will be one.

        Raises
        ------
        HistoryError
            The file cannot be read, or chats are not kept.
        InvalidParameter
            ``chat_busy``: an answer is being written in it.
        """

        def find(history: ChatHistory) -> tuple[Chat | None, int]:
            found = self._titled(history, title)
            chat = history.get_chat(self._owner, found[0].chat_id) if found else None
            return chat, len(found)

        is_new = self._path is not None and not self._path.exists()
        chat, n_chats = (None, 0) if is_new else self._with(find)
        _tell(shared_chats.of_one_title(title if chat is None else chat.title, n_chats))
        if chat is not None and any(m.state is MessageState.WRITING for m in branch(chat)):
            raise InvalidParameter(
                f"An answer is being written in the chat “{chat.title}”.",
                "Wait until it has ended, or stop it in the sidebar.",
                code="chat_busy",
            )
        return NamedChat(title if chat is None else chat.title, chat)

    def existing(self, title: str) -> Chat:
        """Return a chat that must be there; say what of it its branch does not show.

        Raises
        ------
        NotFound
            ``chat_not_found``; the ones that are there are told.
        """
        chat = self.open(title).chat
        if chat is None:
            titles = self.titles()
            known = ", ".join(f"“{each}”" for each in titles[:8])
            raise NotFound(
                f"There is no chat “{title}”.",
                f"There are {known}." if known else f"Begin one with %%llm --chat '{title}'.",
                code="chat_not_found",
            )
        _tell(shared_chats.beside(chat))
        return chat

    def keep(
        self, named: NamedChat, system: str, question: MessageRecord, answer: MessageRecord
    ) -> None:
        """Add a turn to a chat, which is made if it is a new one.

        The sidebar or another notebook may have made, continued, renamed or deleted it since it
        was opened: then the turn goes where none gets out of sight, and that is said.

        Raises
        ------
        LocalLLMError
            It could not be kept.
        """

        def add(history: ChatHistory) -> tuple[str, str]:
            # What is looked at here cannot change before the turn is in its place.
            with history.together():
                now, what_happened = self._now(history, named, system)
                parent_id, where = shared_chats.place(now, named.parent_id)
                asked = msgspec.structs.replace(question, parent_id=parent_id)
                messages = [asked, answer]
                history.add_messages(self._owner, now.chat_id, messages, with_deleted=True)
            return where, what_happened

        try:
            notes = self._with(add)
        except KeyboardInterrupt:
            _tell(f"Saving was interrupted: this turn may be missing in the chat “{named.title}”.")
            raise
        for note in notes:
            _tell(note)

    def _now(self, history: ChatHistory, named: NamedChat, system: str) -> tuple[Chat, str]:
        """Return the chat as it is now, made if it is a new one, and what happened to it."""
        if named.chat is None:
            # Another notebook may have made it meanwhile.
            found = self._titled(history, named.title)
            chat_id = found[0].chat_id if found else uuid.uuid4().hex
            if not found:
                new = NewChat(chat_id=chat_id, title=named.title, system_prompt=system)
                history.create_chat(self._owner, new)
            return history.get_chat(self._owner, chat_id), ""
        chat_id = named.chat.chat_id
        try:
            chat = history.get_chat(self._owner, chat_id)
        except NotFound:
            chat = history.get_chat(self._owner, chat_id, with_deleted=True)
            return chat, shared_chats.deleted(chat)
        return chat, shared_chats.renamed(named.title, chat)

    def _titled(self, history: ChatHistory, title: str) -> list[ChatSummary]:
        return shared_chats.titled(history.list_chats(self._owner, limit=_ALL), title)

    def _with(self, use: Callable[[ChatHistory], Result]) -> Result:
        if self._path is None:
            raise HistoryError(
                "This Jupyter server keeps no chats, so a cell has none to go on with.",
                "Leave --chat out; turns without it are remembered while this kernel runs.",
            )
        history = ChatHistory(self._path)
        try:
            return use(history)
        finally:
            history.close()
            for notice in history.notices:
                print(f"{notice.message} {notice.hint}", file=sys.stderr)


def warn_not_kept(title: str, error: LocalLLMError) -> None:
    """Say that an answer is on the page and not in its chat."""
    print(f"This turn is not kept in the chat “{title}”: {error}", file=sys.stderr)


def _tell(note: str) -> None:
    if note:
        print_line(terminal_text(note))
