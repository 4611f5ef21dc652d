"""Answers that outlive a connection: who makes them, who may follow them, when they are dropped.

``ChatStreams`` is the only gate to a stream: every look-up is by its owner, so an id alone opens
nothing. The websocket (``chat``) follows streams; nothing here writes to a socket.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

from .. import errors
from ..openai_api.routes import close_events
from ..protocol import (
    ChatCompletionRequest,
    CompletionChunk,
    CompletionDone,
    CompletionEvent,
    CompletionProgress,
    CompletionRequest,
    DoneFrame,
    ErrorFrame,
    FinishReason,
    Timings,
    Usage,
)
from .stream_buffer import StreamBuffer

log = logging.getLogger(__name__)

#: Seconds to wait for backends to let go of their requests when the server stops.
_CLOSE_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class StreamLimits:
    """How much is kept and for how long; the traits of ``server/app.py`` fill it.

    Attributes
    ----------
    buffer_bytes : int
        Memory of one answer's events.
    keep_s : float
        Seconds for which a finished answer can still be resumed.
    unattended_s : float
        Seconds for which an answer goes on with nobody connected.
    max_running, max_kept : int
        Running and finished streams of one user; the oldest finished ones go first.
    """

    buffer_bytes: int = 1 << 20
    keep_s: float = 300.0
    unattended_s: float = 60.0
    max_running: int = 16
    max_kept: int = 64


class AnswerSource(Protocol):
    """The part of a :class:`~jupyter_localllm.protocol.Backend` that makes answers."""

    def stream(
        self, request: ChatCompletionRequest | CompletionRequest
    ) -> AsyncIterator[CompletionEvent]: ...


class ChatStream:
    """One answer in the making, numbered into its buffer; made by :class:`ChatStreams`."""

    def __init__(
        self,
        owner: str,
        buffer: StreamBuffer,
        limits: StreamLimits,
        on_end: Callable[[ChatStream], None],
    ) -> None:
        self.owner = owner
        self.buffer = buffer
        self._limits = limits
        self._on_end = on_end
        self._task: asyncio.Task[None] | None = None
        self._followers: set[Callable[[], None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._model = ""

    @property
    def request_id(self) -> str:
        """The id that the page gave this request."""
        return self.buffer.request_id

    def begin(self, backend: AnswerSource, request: ChatCompletionRequest) -> None:
        """Ask the backend; the answer's events go into the buffer from now on."""
        self._model = request.model
        self.buffer.add_start(request.model)
        self._task = asyncio.ensure_future(self._run(backend, request))
        self._watch()

    async def _run(self, backend: AnswerSource, request: ChatCompletionRequest) -> None:
        events = None
        try:
            events = backend.stream(request)
            async for event in events:
                if isinstance(event, CompletionChunk):
                    self.buffer.add_text(event.text)
                elif isinstance(event, CompletionProgress):
                    self.buffer.add_progress(event)
                else:
                    self._end(_done_frame(event))
            self.fail(
                errors.InternalError(
                    "The answer ended without saying why.", "Send the request again."
                )
            )
        except asyncio.CancelledError:
            self.cancel()
            raise
        except errors.LocalLLMError as error:
            self.fail(error)
        except Exception:
            log.exception("an answer failed")
            self.fail(
                errors.InternalError(
                    "Something went wrong inside the assistant.",
                    "The server's log has the details.",
                )
            )
        finally:
            if events is not None:
                await close_events(events)

    def fail(self, error: errors.LocalLLMError) -> None:
        """End with an error frame, unless the stream has ended, and stop the backend."""
        self._end(ErrorFrame(error.to_body()))

    def cancel(self) -> None:
        """End as cancelled, unless the stream has ended, and stop the backend; idempotent.

        The frame's counts are zero: what a cancelled request used is not reported back.
        """
        reason = FinishReason.CANCELLED
        self._end(DoneFrame(self.request_id, 0, reason, Usage(), Timings(), self._model))

    def _end(self, frame: DoneFrame | ErrorFrame) -> None:
        if not self.buffer.add_terminal(frame):
            return
        self._stop_timer()
        task = self._task
        if task is not None and task is not asyncio.current_task():
            task.cancel()
        self._on_end(self)

    async def wait_closed(self) -> None:
        """Wait until the backend has let go of the request."""
        if self._task is not None:
            await asyncio.wait({self._task})

    # --- followers -------------------------------------------------------------------------

    def follow(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after each event, and keep the stream going while it listens."""
        self._stop_timer()
        self._followers.add(listener)
        self.buffer.listen(listener)

    def unfollow(self, listener: Callable[[], None]) -> None:
        """Stop calling; with nobody left, the answer goes on for ``unattended_s`` only."""
        self.buffer.unlisten(listener)
        self._followers.discard(listener)
        self._watch()

    def _watch(self) -> None:
        """Begin to count the time without a follower, where there is none."""
        if not self._followers and not self.buffer.is_ended and self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._limits.unattended_s, self.cancel)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _done_frame(event: CompletionDone) -> DoneFrame:
    return DoneFrame(
        "", 0, event.finish_reason, event.usage, event.timings, event.model, event.seed
    )


class ChatStreams:
    """All streams of the server, by owner and request id."""

    def __init__(self, limits: StreamLimits) -> None:
        self.limits = limits
        self._streams: dict[str, OrderedDict[str, ChatStream]] = {}
        self._expiries: dict[ChatStream, asyncio.TimerHandle] = {}
        self._closing: errors.LocalLLMError | None = None

    @property
    def n_running(self) -> int:
        """Streams that have not ended."""
        return sum(1 for stream in self._all() if not stream.buffer.is_ended)

    def _all(self) -> list[ChatStream]:
        return [stream for streams in self._streams.values() for stream in streams.values()]

    def start(
        self, owner: str, request_id: str, request: ChatCompletionRequest, backend: AnswerSource
    ) -> ChatStream:
        """Begin an answer for ``owner``.

        Raises
        ------
        RequestError
            ``duplicate_request``: the owner has a stream of that id.
        QueueFull
            ``too_many_streams``: the owner has as many running as are allowed.
        """
        self.check_room(owner, request_id)
        buffer = StreamBuffer(request_id, self.limits.buffer_bytes)
        stream = ChatStream(owner, buffer, self.limits, self._ended)
        self._streams.setdefault(owner, OrderedDict())[request_id] = stream
        stream.begin(backend, request)
        return stream

    def check_room(self, owner: str, request_id: str) -> None:
        """Refuse what :meth:`start` would refuse now."""
        if self._closing is not None:
            raise self._closing
        streams = self._streams.get(owner) or OrderedDict()
        if request_id in streams:
            raise errors.RequestError(
                f"The request id {request_id} is in use.",
                "Send `resume` to follow that answer, or make a new id.",
                code="duplicate_request",
                param="request_id",
            )
        running = sum(1 for stream in streams.values() if not stream.buffer.is_ended)
        if running >= self.limits.max_running:
            raise errors.QueueFull(
                f"{running} answers are being written for you; more are not taken.",
                "Wait for one to end, or stop one.",
                code="too_many_streams",
                details={"running": running, "limit": self.limits.max_running},
            )

    def get(self, owner: str, request_id: str) -> ChatStream:
        """Return the owner's stream; somebody else's does not exist for them."""
        streams = self._streams.get(owner)
        stream = streams.get(request_id) if streams else None
        if stream is None:
            raise errors.NotFound(
                f"There is no answer with the request id {request_id}.",
                "It may have been dropped some minutes after its end; ask again.",
                code="stream_not_found",
                param="request_id",
            )
        return stream

    def _ended(self, stream: ChatStream) -> None:
        if self._closing is not None:
            return
        loop = asyncio.get_running_loop()
        self._expiries[stream] = loop.call_later(self.limits.keep_s, self._drop, stream)
        ended = [s for s in self._streams[stream.owner].values() if s.buffer.is_ended]
        for old in ended[: max(0, len(ended) - self.limits.max_kept)]:
            self._drop(old)

    def _drop(self, stream: ChatStream) -> None:
        timer = self._expiries.pop(stream, None)
        if timer is not None:
            timer.cancel()
        streams = self._streams[stream.owner]
        streams.pop(stream.request_id, None)
        if not streams:
            del self._streams[stream.owner]

    async def close(self, error: errors.LocalLLMError) -> None:
        """End every running stream with ``error``, refuse new ones, wait until all are closed."""
        self._closing = error
        streams = self._all()
        for stream in streams:
            stream.fail(error)
        for timer in self._expiries.values():
            timer.cancel()
        self._expiries.clear()
        waits = [asyncio.ensure_future(stream.wait_closed()) for stream in streams]
        if waits:
            await asyncio.wait(waits, timeout=_CLOSE_TIMEOUT_S)
        self._streams.clear()
