"""Questions of kept chats: checked, kept, answered, and the answer kept.

One answer of a chat is written at a time. Asking twice with one id asks once, whatever was lost in
between. The websocket (``chat``) calls it; where chats are kept is ``chat_history``, how an answer
is kept ``answer_recorder``, what the model is sent ``prompting``.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import errors
from ..assistant.context import compose
from ..assistant.fitting import TokenCounter
from ..assistant.prompts import load_prompts
from ..chat_protocol import (
    AskFrame,
    Chat,
    ChatFrame,
    MessageFrame,
    MessageRecord,
    MessageState,
    NewMessage,
)
from ..protocol import ChatCompletionRequest, ErrorFrame
from .answer_recorder import AnswerRecorder
from .chat_history import KeptChats
from .chat_stream import ChatStream, ChatStreams
from .openai import UserBackend
from .prompting import PromptingBackend
from .unsaved import Write, summary_of

if TYPE_CHECKING:
    from ..assistant.context import Conversation


@dataclass(frozen=True)
class _Asked:
    """A question and the beginning of its answer, as they are kept; ``path`` ends in the question.

    ``is_new`` is whether the question is kept with the answer, or was there before.
    """

    chat: Chat
    path: list[MessageRecord]
    answer: MessageRecord
    is_new: bool

    @property
    def added(self) -> list[MessageRecord]:
        return [self.path[-1], self.answer] if self.is_new else [self.answer]


class ChatService:
    """Answers questions of kept chats.

    Parameters
    ----------
    kept : KeptChats
        The chats.
    streams : ChatStreams
        Where answers are made.
    backend_of : callable
        Returns who answers an owner.
    configured_window : int
        The context window configured for all models, or 0.
    """

    def __init__(
        self,
        kept: KeptChats,
        streams: ChatStreams,
        backend_of: Callable[[str], UserBackend],
        configured_window: int,
    ) -> None:
        self.kept = kept
        self.counter = TokenCounter()
        self._streams = streams
        self._backend_of = backend_of
        self._configured_window = configured_window
        #: The answer of each chat that is being asked for or written.
        self._busy: dict[tuple[str, str], str] = {}
        self._beginning: dict[tuple[str, str], asyncio.Task[ChatStream | MessageFrame]] = {}
        self._recorders: dict[tuple[str, str], AnswerRecorder] = {}

    async def ask(self, owner: str, frame: AskFrame) -> ChatStream | MessageFrame:
        """Return the answer's stream; where the answer is finished, the message that it is.

        Raises
        ------
        NotFound
            ``chat_not_found``, ``message_not_found``.
        RequestError
            ``chat_busy``, ``invalid_parameter``, ``duplicate_request``.
        QueueFull
            ``too_many_streams``.
        HistoryError
            The chat cannot be read.
        """
        key = (owner, frame.chat_id)
        recorder = self._recorders.get(key)
        if recorder is not None and recorder.is_at_end:
            # Its page may know the end before it is kept.
            await recorder.wait_saved()
        running = self._busy.get(key)
        if running is None:
            self._busy[key] = frame.request_id
            self._beginning[key] = asyncio.ensure_future(self._begin(owner, frame))
            self._beginning[key].add_done_callback(functools.partial(self._begun, key))
        elif running != frame.request_id:
            raise _busy()
        if key in self._beginning:
            # Shielded: a page that goes away meanwhile must not leave half a question.
            return await asyncio.shield(self._beginning[key])
        return self._streams.get(owner, frame.request_id)

    def stop(self, owner: str, chat_id: str) -> None:
        """Stop the answer that is being written in a chat, where there is one."""
        recorder = self._recorders.get((owner, chat_id))
        if recorder is not None and not recorder.is_at_end:
            self._streams.get(owner, recorder.record.message_id).cancel()

    async def close(self) -> None:
        """Wait until all answers, which have ended, are kept; then close the history."""
        beginning = list(self._beginning.values())
        if beginning:
            await asyncio.wait(beginning)
        for recorder in list(self._recorders.values()):
            await recorder.wait_saved()
        await self.kept.close()

    # --- the beginning of an answer --------------------------------------------------------

    def _begun(self, key: tuple[str, str], task: asyncio.Task[ChatStream | MessageFrame]) -> None:
        del self._beginning[key]
        if task.cancelled() or task.exception() is not None or key not in self._recorders:
            self._busy.pop(key, None)

    async def _begin(self, owner: str, frame: AskFrame) -> ChatStream | MessageFrame:
        """Keep what is asked, tell the pages, and begin to answer."""
        chat = await self.kept.get_chat(owner, frame.chat_id)
        known = next((m for m in chat.messages if m.message_id == frame.request_id), None)
        if known is not None and known.role == "assistant":
            return MessageFrame(frame.chat_id, known)
        prompts = {p.name: p.text for p in (await asyncio.to_thread(load_prompts)).values()}
        asked = _asked(chat, frame, prompts)
        conversation = compose(asked.path, chat.system_prompt, prompts)
        self._streams.check_room(owner, frame.request_id)
        write = Write(owner, frame.chat_id, added=asked.added)
        is_kept = await self.kept.write(write, lambda: self._tell_added(owner, asked))
        stream = self._start(owner, frame, asked.answer, conversation)
        if is_kept and not chat.title:
            with contextlib.suppress(errors.LocalLLMError):
                await self._tell_title(owner, frame.chat_id)
        return stream

    def _start(
        self, owner: str, frame: AskFrame, answer: MessageRecord, conversation: Conversation
    ) -> ChatStream:
        """Begin the stream; where that is refused now, the answer has failed."""
        recorder = AnswerRecorder(self.kept, owner, frame.chat_id, answer, self._saved)
        self._recorders[owner, frame.chat_id] = recorder
        request = ChatCompletionRequest(
            messages=[conversation.question],
            model=answer.model,
            stream=True,
            return_progress=True,
            max_tokens=frame.max_tokens,
            temperature=frame.temperature,
            seed=frame.seed,
        )
        backend = PromptingBackend(
            self._backend_of(owner),
            conversation,
            self.counter,
            recorder.tell_left_out,
            self._configured_window,
        )
        try:
            stream = self._streams.start(owner, frame.request_id, request, backend)
        except errors.LocalLLMError as error:
            recorder.fail(ErrorFrame(error.to_body()))
            raise
        recorder.follow(stream)
        return stream

    # --- telling ---------------------------------------------------------------------------

    def _tell_added(self, owner: str, asked: _Asked) -> None:
        for record in asked.added:
            frame = MessageFrame(asked.chat.chat_id, record, current_id=record.message_id)
            self.kept.tell(owner, frame)

    async def _tell_title(self, owner: str, chat_id: str) -> None:
        """Tell the title that the first question gave the chat."""
        chat = await self.kept.get_chat(owner, chat_id)
        self.kept.tell(owner, ChatFrame(chat_id, "changed", summary_of(chat)))

    def _saved(self, recorder: AnswerRecorder) -> None:
        key = (recorder.owner, recorder.chat_id)
        del self._recorders[key]
        if key not in self._beginning:
            self._busy.pop(key, None)


def _asked(chat: Chat, frame: AskFrame, prompts: Mapping[str, str]) -> _Asked:
    """Return what a frame asks for in this chat.

    Raises
    ------
    NotFound, RequestError
        It does not fit there.
    """
    by_id = {message.message_id: message for message in chat.messages}
    parent = by_id.get(frame.parent_id or "")
    if frame.parent_id is not None and parent is None:
        raise errors.NotFound(
            f"There is no message {frame.parent_id} in this chat.",
            "Reload the chat and ask again.",
            code="message_not_found",
            param="parent_id",
        )
    if frame.message is not None:
        question = _question(frame.message, parent, prompts)
        if question.message_id in by_id:
            raise errors.InvalidParameter(
                "The id of this message is in use in this chat.",
                "Send it with a fresh id.",
                param="message.message_id",
                code="duplicate_request",
            )
    elif parent is not None and parent.role == "user":
        question = parent
    else:
        raise errors.InvalidParameter(
            "Only a question can be answered again.",
            "Give the id of a question as `parent_id`, or send a `message`.",
            param="parent_id",
        )
    answer = MessageRecord(
        frame.request_id,
        "assistant",
        "",
        _now_ms(),
        parent_id=question.message_id,
        state=MessageState.WRITING,
        model=frame.model or chat.model,
    )
    path = [*_path_to(question.parent_id, by_id), question]
    return _Asked(chat, path, answer, is_new=frame.message is not None)


def _question(
    message: NewMessage, parent: MessageRecord | None, prompts: Mapping[str, str]
) -> MessageRecord:
    if parent is not None and parent.role != "assistant":
        raise errors.InvalidParameter(
            "A new question stands below an answer, and this is a question.",
            "Give the id of an answer as `parent_id`, or none to begin the chat anew.",
            param="parent_id",
        )
    if parent is not None and parent.state is MessageState.WRITING:
        raise _busy()
    if message.action and message.action not in prompts:
        raise errors.InvalidParameter(
            f"There is no prompt of the name {message.action!r}.",
            f"There are: {', '.join(prompts)}.",
            param="message.action",
        )
    return MessageRecord(
        message.message_id,
        "user",
        message.content,
        _now_ms(),
        parent_id=parent.message_id if parent is not None else None,
        action=message.action,
        context=message.context,
    )


def _path_to(message_id: str | None, by_id: dict[str, MessageRecord]) -> list[MessageRecord]:
    """Return the messages from the first one down to this one."""
    path: list[MessageRecord] = []
    while message_id is not None and len(path) < len(by_id):
        message = by_id[message_id]
        path.append(message)
        message_id = message.parent_id
    return path[::-1]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _busy() -> errors.RequestError:
    return errors.RequestError(
        "An answer is being written in this chat.",
        "Wait until it is finished, or stop it.",
        code="chat_busy",
    )
