"""Keeps an answer while it is written: drafts about once a second, its end in any case.

It reads the answer's buffer as a page would, but does not count as somebody who waits for the
answer. Made by ``chat_service``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from .. import errors
from ..chat_protocol import MessageFrame, MessageRecord, MessageState
from ..protocol import DeltaFrame, DoneFrame, ErrorFrame, FinishReason
from .outbox import After
from .unsaved import Write

if TYPE_CHECKING:
    from .chat_history import KeptChats
    from .chat_stream import ChatStream

log = logging.getLogger(__name__)

#: Seconds between drafts.
DRAFT_INTERVAL_S = 1.0

#: Characters of one kept answer; only a server gone wild writes more.
MAX_ANSWER_CHARS = 4_000_000

#: Errors after which an answer is not wrong, only not at its end.
_INTERRUPTIONS = {"server_stopping", "host_stopping"}


class AnswerRecorder:
    """One answer in the making.

    Parameters
    ----------
    kept : KeptChats
        Where it is kept.
    owner, chat_id : str
        Whose, and in which chat.
    record : MessageRecord
        As it was kept at its beginning.
    on_saved : callable
        Called once the end is kept, or held until it can be.

    Attributes
    ----------
    record : MessageRecord
        As it is now, but for the text.
    """

    def __init__(
        self,
        kept: KeptChats,
        owner: str,
        chat_id: str,
        record: MessageRecord,
        on_saved: Callable[[AnswerRecorder], None],
    ) -> None:
        self.owner = owner
        self.chat_id = chat_id
        self.record = record
        self._kept = kept
        self._on_saved = on_saved
        self._stream: ChatStream | None = None
        self._seq = 0
        self._texts: list[str] = []
        self._n_chars = 0
        self._timer: asyncio.TimerHandle | None = None
        self._drafting: asyncio.Task[None] | None = None
        self._finishing: asyncio.Task[None] | None = None

    def follow(self, stream: ChatStream) -> None:
        """Begin to read."""
        self._stream = stream
        stream.buffer.listen(self._read)
        self._read()

    def fail(self, frame: ErrorFrame) -> None:
        """End an answer that was not begun."""
        self._finishing = asyncio.ensure_future(self._finish(frame))

    @property
    def is_at_end(self) -> bool:
        """Whether the answer has ended, so that its end is being kept."""
        return self._finishing is not None

    async def wait_saved(self) -> None:
        """Wait until the end is kept; only where :attr:`is_at_end`."""
        if self._finishing is not None:
            await asyncio.shield(self._finishing)

    def tell_left_out(self, n_left_out: int, first_sent_id: str) -> None:
        """Tell the pages which earlier messages the model is not given."""
        self.record = msgspec.structs.replace(
            self.record, n_left_out=n_left_out, first_sent_id=first_sent_id
        )
        self._kept.tell(self.owner, MessageFrame(self.chat_id, self.record))

    # --- reading ---------------------------------------------------------------------------

    def _read(self) -> None:
        """Take what has been added; called after each event, so that nothing is forgotten."""
        stream = self._stream
        while stream is not None:
            frame = stream.buffer.next_frame(self._seq)
            if frame is None:
                break
            self._seq = frame.seq or self._seq
            if isinstance(frame, DeltaFrame):
                self._take(frame.text)
            elif isinstance(frame, (DoneFrame, ErrorFrame)):
                stream.buffer.unlisten(self._read)
                self._stream = None
                self._finishing = asyncio.ensure_future(self._finish(frame))
                return

    def _take(self, text: str) -> None:
        self._texts.append(text)
        self._n_chars += len(text)
        loop = asyncio.get_running_loop()
        if self._n_chars > MAX_ANSWER_CHARS and self._stream is not None:
            loop.call_soon(self._stream.cancel)
        elif self._timer is None:
            self._timer = loop.call_later(DRAFT_INTERVAL_S, self._begin_draft)

    @property
    def text(self) -> str:
        """The answer so far."""
        self._texts = ["".join(self._texts)]
        return self._texts[0]

    # --- keeping ---------------------------------------------------------------------------

    def _begin_draft(self) -> None:
        self._timer = None
        if self._drafting is not None and not self._drafting.done():
            # A slow disk: the next draft has this text too.
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(DRAFT_INTERVAL_S, self._begin_draft)
        elif self._finishing is None:
            self._drafting = asyncio.ensure_future(
                self._kept.save_draft(self.owner, self.chat_id, self.record.message_id, self.text)
            )

    async def _finish(self, frame: DoneFrame | ErrorFrame) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._drafting is not None:
            await asyncio.wait({self._drafting})
        self.record = msgspec.structs.replace(
            self.record, content=self.text, **_ending(frame, self.record.model)
        )
        after = After(self.record.message_id, self._seq)

        def tell() -> None:
            frame = MessageFrame(self.chat_id, self.record)
            self._kept.tell(self.owner, frame, after)

        try:
            await self._kept.write(Write(self.owner, self.chat_id, final=self.record), tell)
        except errors.LocalLLMError as error:
            # Its chat was deleted for good.
            log.warning("the end of an answer was not kept: %s", error)
        finally:
            self._on_saved(self)


def _ending(frame: DoneFrame | ErrorFrame, model: str) -> dict[str, Any]:
    """Return how an answer ended, as fields of its record."""
    if isinstance(frame, ErrorFrame):
        is_cut = frame.error.get("code") in _INTERRUPTIONS
        state = MessageState.INTERRUPTED if is_cut else MessageState.FAILED
        return {"state": state, "error": frame.error}
    if frame.finish_reason is FinishReason.CANCELLED:
        return {"state": MessageState.STOPPED, "finish_reason": frame.finish_reason}
    return {
        "state": MessageState.COMPLETE,
        "finish_reason": frame.finish_reason,
        "usage": frame.usage,
        "timings": frame.timings,
        "model": frame.model or model,
        "seed": frame.seed,
    }
