"""Reading the frames that a page sends, with errors that name the field.

Frames themselves are nouns of ``protocol``; what is done with them stands in ``chat``.
"""

from __future__ import annotations

import msgspec

from .. import errors
from ..chat_protocol import AskFrame, PageFrame
from ..openai_api.requests import decode_request
from ..protocol import (
    CancelFrame,
    ChatCompletionRequest,
    RequestId,
    ResumeFrame,
    StartFrame,
)

#: Bytes of a question with all that is attached; far more than any context window holds.
MAX_QUESTION_BYTES = 256 << 10

_KINDS: dict[str, type[PageFrame]] = {
    "ask": AskFrame,
    "start": StartFrame,
    "cancel": CancelFrame,
    "resume": ResumeFrame,
}


class _Outline(msgspec.Struct):
    """As much of any frame as is needed to tell what it is."""

    type: str
    request: msgspec.Raw = msgspec.Raw(b"null")


class _Sender(msgspec.Struct):
    request_id: RequestId


def read_client_frame(message: str | bytes) -> PageFrame:
    """Read one message of the page.

    Raises
    ------
    RequestTooLarge, RequestError
        What is wrong with it; the connection can stay open.
    """
    if isinstance(message, bytes):
        raise errors.InvalidJSON(
            "A binary message came; frames are JSON text.", "Send each frame as a text message."
        )
    body = message.encode()
    outline = decode_request(body, _Outline)
    kind = _KINDS.get(outline.type)
    if kind is None:
        raise errors.InvalidParameter(
            f"There is no frame of the type {outline.type[:40]!r}.",
            f"Send one of: {', '.join(_KINDS)}.",
            param="type",
        )
    if kind is StartFrame and bytes(outline.request) != b"null":
        # First by itself, so that errors name the fields as the HTTP routes do.
        check_page_request(decode_request(bytes(outline.request), ChatCompletionRequest))
    frame = decode_request(body, kind)
    if isinstance(frame, AskFrame):
        check_ask(frame)
    return frame


def check_ask(frame: AskFrame) -> None:
    """Refuse a question that says nothing, or too much."""
    message = frame.message
    if message is None:
        return
    if message.message_id == frame.request_id:
        raise errors.InvalidParameter(
            "The question and its answer have the same id.",
            "Make an id for each.",
            param="message.message_id",
        )
    texts = [message.content, *(item.text for item in message.context)]
    if not message.action and not any(text.strip() for text in texts):
        raise errors.InvalidParameter(
            "The question is empty.",
            "Write something, or attach something.",
            param="message.content",
        )
    size = sum(len(text.encode()) for text in texts)
    if size > MAX_QUESTION_BYTES:
        raise errors.RequestTooLarge(
            f"The question with all that is attached has {size:,} bytes; at most "
            f"{MAX_QUESTION_BYTES:,} are taken.",
            "Remove an attachment, or attach less of it.",
            param="message.context" if message.context else "message.content",
            details={"size_bytes": size, "limit_bytes": MAX_QUESTION_BYTES},
        )


def check_page_request(request: ChatCompletionRequest) -> None:
    """Refuse what the frames have no place for."""
    if request.logprobs or request.top_logprobs:
        raise errors.UnsupportedParameter(
            "Log probabilities are not sent over this connection.",
            "Leave `logprobs` out, or POST to localllm/v1/chat/completions.",
            param="logprobs",
        )


def request_id_of(message: str | bytes) -> str | None:
    """Return the id in a message that could not be read, so that its error can be matched."""
    try:
        return msgspec.json.decode(message, type=_Sender).request_id
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
