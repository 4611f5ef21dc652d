"""What a model is sent: a kept conversation and its attachments, put together as chat messages.

Pure: no model is asked, nothing is read. The order is stable (system prompt, earlier turns,
question), so that the KV cache of one answer serves the next. How much of it fits into a context
window stands in ``fitting``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..chat_protocol import ContextItem, MessageRecord
from ..protocol import ChatMessage
from .code_blocks import fenced

_OPEN, _CLOSE = "<think>", "</think>"


@dataclass(frozen=True)
class Turn:
    """A question with its answer, as the model is given them."""

    question_id: str
    question: ChatMessage
    answer: ChatMessage


@dataclass(frozen=True)
class Conversation:
    """What a prompt is made of.

    Attributes
    ----------
    system : ChatMessage, optional
        The system prompt, where there is one.
    turns : tuple of Turn
        Earlier turns, oldest first. Questions that got no text for an answer are not among them:
        strict templates want the roles to alternate.
    question_id, question : str, ChatMessage
        What is to be answered.
    previous_start_id : str, optional
        The question with which the last prompt of this branch began where it was trimmed.
    examples : tuple of ChatMessage
        Turns that nobody said, which show how to answer; they are sent in any case.
    """

    system: ChatMessage | None
    turns: tuple[Turn, ...]
    question_id: str
    question: ChatMessage
    previous_start_id: str | None = None
    examples: tuple[ChatMessage, ...] = ()

    def messages(self, first_turn: int = 0) -> list[ChatMessage]:
        """Return the prompt that begins with the earlier turn of this index."""
        sent = [] if self.system is None else [self.system]
        sent += self.examples
        for turn in self.turns[first_turn:]:
            sent += [turn.question, turn.answer]
        return [*sent, self.question]

    def start_id(self, first_turn: int) -> str:
        """Return the id of the oldest message that such a prompt holds."""
        return [*(turn.question_id for turn in self.turns), self.question_id][first_turn]


def compose(
    path: Sequence[MessageRecord], system_prompt: str, prompts: Mapping[str, str]
) -> Conversation:
    """Put a branch of a chat together.

    Parameters
    ----------
    path : sequence of MessageRecord
        From the first message to the question that is to be answered.
    system_prompt : str
        Of the chat; empty: none.
    prompts : mapping
        Text of each action by its name; of an action that is not there nothing is sent.

    Raises
    ------
    ValueError
        The path does not end in a question: a bug of the caller.
    """
    if not path or path[-1].role != "user":
        raise ValueError("the path does not end in a question")
    turns = []
    asked: MessageRecord | None = None
    previous_start_id = None
    for record in path[:-1]:
        if record.role == "user":
            asked = record
            continue
        previous_start_id = record.first_sent_id or previous_start_id
        answer = without_thoughts(record.content)
        if asked is not None and answer:
            question = ChatMessage("user", question_text(asked, prompts))
            turns.append(Turn(asked.message_id, question, ChatMessage("assistant", answer)))
        asked = None
    return Conversation(
        ChatMessage("system", system_prompt) if system_prompt.strip() else None,
        tuple(turns),
        path[-1].message_id,
        ChatMessage("user", question_text(path[-1], prompts)),
        previous_start_id,
    )


def question_text(record: MessageRecord, prompts: Mapping[str, str]) -> str:
    """Return a question as it is sent: its attachments, its action's prompt, the user's words."""
    parts = [attachment_text(item) for item in record.context]
    parts += [prompts.get(record.action, ""), record.content]
    return "\n\n".join(part.strip("\n") for part in parts if part.strip())


def attachment_text(item: ContextItem) -> str:
    """Return an attachment with a line that says what it is, fenced so that it cannot get out."""
    place = f" from {_one_line(item.source)}" if item.source else ""
    shortened = ", shortened" if item.is_truncated else ""
    name = _one_line(item.label) or item.kind
    return f"{name}{place}{shortened}:\n{fenced(item.text, item.language)}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def without_thoughts(answer: str) -> str:
    """Return an answer without the thoughts at its beginning, which are not sent back.

    Some chat templates write the opening tag themselves, so that only the closing one is in the
    answer. Thoughts that never ended are all there is.
    """
    text = answer.strip()
    before, close, rest = text.partition(_CLOSE)
    if text.startswith(_OPEN):
        return rest.strip() if close else ""
    if close and _OPEN not in before:
        return rest.strip()
    return text
