"""The nouns of kept conversations: chats, messages, context, and their websocket frames.

A chat is a tree of messages: editing a sent message, or asking for another answer, adds a sibling.
What an answer is made of while it streams stands in ``protocol``; an answer's ``request_id`` there
is its ``message_id`` here. Imported by everyone; imports ``protocol`` only.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from .protocol import (
    ClientFrame,
    FinishReason,
    Positive,
    RequestId,
    ServerFrame,
    Timings,
    Usage,
)

#: What a page may attach to a question.
ContextKind = Literal["cell", "selection", "error", "notebook", "output", "variable", "file"]

Label = Annotated[str, Meta(max_length=300)]
Title = Annotated[str, Meta(min_length=1, max_length=200)]


class ContextItem(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One attachment of a question: what its chip shows is what the model is given.

    ``label`` is what the person chose (``@cell 3``, ``@file:notes.md``), ``source`` where it comes
    from (a notebook's or file's path); ``language`` names the code's language where it is code.
    """

    kind: ContextKind
    label: Label
    text: str
    source: Annotated[str, Meta(max_length=2000)] = ""
    language: Annotated[str, Meta(max_length=40)] = ""
    tokens: int | None = None
    is_truncated: bool = False


class MessageState(Enum):
    """How far a message is. Only answers are ever anything but complete."""

    COMPLETE = "complete"
    WRITING = "writing"
    STOPPED = "stopped"
    FAILED = "failed"
    #: The server ended while the answer was being written.
    INTERRUPTED = "interrupted"


class MessageRecord(Struct, omit_defaults=True):
    """One message as it is kept.

    Attributes
    ----------
    action : str
        Of a question: the name of the prompt in ``assistant/prompts`` it was asked with.
    error : dict, optional
        Of a failed answer: the body of the error.
    n_left_out : int
        Of an answer: earlier messages that no longer fitted and were not sent.
    first_sent_id : str, optional
        Where some were left out: the oldest message that was sent.
    """

    message_id: str
    role: Literal["user", "assistant"]
    content: str
    created_ms: int
    parent_id: str | None = None
    state: MessageState = MessageState.COMPLETE
    action: str = ""
    context: list[ContextItem] = []
    model: str = ""
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    timings: Timings | None = None
    seed: int | None = None
    error: dict[str, Any] | None = None
    n_left_out: int = 0
    first_sent_id: str | None = None


class ChatSummary(Struct, omit_defaults=True):
    """One chat as lists show it; ``snippet`` is the place a search found."""

    chat_id: str
    title: str
    created_ms: int
    updated_ms: int
    n_messages: int = 0
    model: str = ""
    snippet: str = ""


class Chat(Struct, omit_defaults=True):
    """A whole conversation; ``messages`` in the order in which they were made.

    ``current_id`` is the last message of the branch that is shown.
    """

    chat_id: str
    title: str
    created_ms: int
    updated_ms: int
    model: str = ""
    system_prompt: str = ""
    current_id: str | None = None
    messages: list[MessageRecord] = []


# --- requests -------------------------------------------------------------------------------


class NewChat(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The body of ``POST localllm/chats``; the page makes the id, so that it may ask twice."""

    chat_id: RequestId
    title: Annotated[str, Meta(max_length=200)] = ""
    model: str = ""
    system_prompt: str = ""


class ChatChange(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The body of ``POST localllm/chats/ID``: what is given is changed."""

    title: Title | None = None
    model: str | None = None
    system_prompt: str | None = None
    current_id: RequestId | None = None


class NewMessage(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A question as the page sends it."""

    message_id: RequestId
    content: str
    action: Annotated[str, Meta(max_length=40)] = ""
    context: Annotated[list[ContextItem], Meta(max_length=32)] = []


class AskFrame(Struct, forbid_unknown_fields=True, omit_defaults=True, tag_field="type", tag="ask"):
    """Page to server: keep a question and answer it.

    With ``message`` it is added below ``parent_id`` (an answer, or nothing at the beginning of a
    chat). Without, ``parent_id`` is a question that gets another answer. Sending the same frame
    twice adds nothing twice.
    """

    request_id: RequestId
    chat_id: RequestId
    parent_id: RequestId | None = None
    message: NewMessage | None = None
    model: str = ""
    max_tokens: Positive | None = None
    temperature: Annotated[float, Meta(ge=0, le=5)] | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None


# --- server to page -------------------------------------------------------------------------


class MessageFrame(Struct, omit_defaults=True, tag_field="type", tag="message"):
    """A message is on disk, as new or as changed; sent to every page of its owner."""

    chat_id: str
    message: MessageRecord
    #: The branch to show, where the message is a new one.
    current_id: str | None = None


#: What happened to a chat.
ChatChangeKind = Literal["created", "changed", "deleted", "restored"]


class ChatFrame(Struct, omit_defaults=True, tag_field="type", tag="chat"):
    """A chat was made, changed, deleted or brought back; sent to every page of its owner."""

    chat_id: str
    change: ChatChangeKind
    summary: ChatSummary | None = None


class NoticeFrame(Struct, omit_defaults=True, tag_field="type", tag="notice"):
    """Something about the history that its owner has to know.

    ``history_damaged``, ``history_not_saved`` and, when that is over, ``history_saved``.
    """

    code: str
    message: str
    hint: str = ""


# --- all frames of the page's websocket -----------------------------------------------------

PageFrame = ClientFrame | AskFrame
SocketFrame = ServerFrame | MessageFrame | ChatFrame | NoticeFrame

page_frame_decoder: msgspec.json.Decoder[PageFrame] = msgspec.json.Decoder(PageFrame)
socket_frame_decoder: msgspec.json.Decoder[SocketFrame] = msgspec.json.Decoder(SocketFrame)
