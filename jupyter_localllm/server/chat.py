"""The page's websocket ``localllm/chat``: many answers over one connection, each resumable.

A socket holds a position in each answer it follows, and an outbox of what is told to all pages of
its owner. One task sends: it awaits every write, so a slow page merges text and slows nobody down.
Frames are nouns of ``protocol`` and ``chat_protocol``, answers live in ``chat_stream``, kept chats
in ``chat_service``.

An error frame with ``seq`` ends its answer. One without ``seq`` answers a frame of the page that
was refused; an answer of that id, if there is one, goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

import msgspec
from tornado.websocket import WebSocketClosedError

from .. import __version__, errors
from ..chat_protocol import AskFrame, PageFrame, SocketFrame
from ..protocol import (
    PROTOCOL_VERSION,
    CancelFrame,
    DoneFrame,
    ErrorFrame,
    HelloFrame,
    StartFrame,
)
from .base import LocalLLMSocket
from .chat_frames import read_client_frame, request_id_of
from .chat_stream import ChatStream
from .openai import UserBackend
from .outbox import After, Outbox

log = logging.getLogger(__name__)

_encoder = msgspec.json.Encoder()

#: Answers that one socket may follow; a page shows a few.
MAX_FOLLOWED = 64


class _Position:
    """How far one socket has sent one answer."""

    def __init__(self, stream: ChatStream, last_seq: int) -> None:
        self.stream = stream
        self.last_seq = last_seq


class ChatSocket(LocalLLMSocket):
    """One page's connection."""

    def initialize(self) -> None:
        """Start with no answers."""
        self._positions: dict[str, _Position] = {}
        self._wake = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None
        self._outbox = Outbox()
        #: ``owner`` as it was at the beginning.
        self.owner_name = ""
        self._is_leaving = False
        self._is_closed = False

    async def open(self, *args: Any, **kwargs: Any) -> None:
        """Say hello and begin to send."""
        await super().open(*args, **kwargs)
        self.owner_name = self.owner
        self.extension.sockets.add(self)
        self.extension.watch_history()
        if not await self._send(HelloFrame(PROTOCOL_VERSION, __version__)):
            return
        self._sender = asyncio.ensure_future(self._send_waiting())

    async def on_message(self, message: str | bytes) -> None:
        """Do what the frame asks, or say why not; the connection stays open."""
        try:
            await self._obey(read_client_frame(message))
        except errors.LocalLLMError as error:
            await self._send(ErrorFrame(error.to_body(), request_id_of(message)))
        except Exception:
            log.exception("a frame of a page failed")
            bug = errors.InternalError(
                "Something went wrong inside the assistant.", "The server's log has the details."
            )
            await self._send(ErrorFrame(bug.to_body(), request_id_of(message)))

    async def _obey(self, frame: PageFrame) -> None:
        if isinstance(frame, AskFrame):
            await self._ask(frame)
        elif isinstance(frame, StartFrame):
            self._start(frame)
        else:
            stream = self.extension.streams.get(self.owner_name, frame.request_id)
            if isinstance(frame, CancelFrame):
                stream.cancel()
            else:
                self._follow(stream, frame.last_seq)

    async def _ask(self, frame: AskFrame) -> None:
        self._check_room()
        answer = await self.extension.chats.ask(self.owner_name, frame)
        if isinstance(answer, ChatStream):
            self._follow(answer, 0)
        else:
            self.tell(_encoder.encode(answer).decode())

    def _start(self, frame: StartFrame) -> None:
        request = frame.request
        request.stream = True
        request.return_progress = True
        self._check_room()
        backend = UserBackend(self.extension, self.owner_name)
        streams = self.extension.streams
        stream = streams.start(self.owner_name, frame.request_id, request, backend)
        self._follow(stream, 0)

    def _follow(self, stream: ChatStream, last_seq: int) -> None:
        stream.buffer.check_position(last_seq)
        if self._is_closed:
            return
        if stream.buffer.is_ended and last_seq == stream.buffer.last_seq:
            return
        if stream.request_id not in self._positions:
            self._check_room()
        self._positions[stream.request_id] = _Position(stream, last_seq)
        stream.follow(self._wake.set)
        self._wake.set()

    def _check_room(self) -> None:
        if len(self._positions) >= MAX_FOLLOWED:
            raise errors.QueueFull(
                f"This connection follows {MAX_FOLLOWED} answers; more are not taken.",
                "Wait for one to end.",
                code="too_many_streams",
            )

    # --- sending ---------------------------------------------------------------------------

    def tell(self, frame: str, after: After | None = None) -> None:
        """Send an encoded frame in its turn; a page that is far behind is sent away instead.

        It connects again and fetches what it missed.
        """
        if self._is_closed:
            return
        if not self._outbox.put(frame, after):
            self.close(1013, "The page reads too slowly; it has to connect again.")
        self._wake.set()

    async def _send(self, frame: SocketFrame) -> bool:
        """Send one frame and wait until it is out; ``False`` where the page is gone."""
        return await self._write(_encoder.encode(frame).decode())

    async def _write(self, frame: str) -> bool:
        with contextlib.suppress(WebSocketClosedError):
            await self.write_message(frame)
            return True
        return False

    async def _send_waiting(self) -> None:
        """Send what waits: the outbox first, then one frame of each followed answer in turn."""
        while True:
            self._wake.clear()
            frame = self._outbox.take(self._is_reached) or self._next_of_answers()
            if frame is not None:
                if not await self._write(frame):
                    return
            elif self._is_leaving:
                return
            else:
                await self._wake.wait()

    def _is_reached(self, place: After) -> bool:
        position = self._positions.get(place.request_id)
        return position is None or position.last_seq >= place.seq

    def _next_of_answers(self) -> str | None:
        for request_id, position in list(self._positions.items()):
            frame = self._next_frame(position)
            if frame is None:
                continue
            if request_id in self._positions:
                # To the end of the line.
                self._positions[request_id] = self._positions.pop(request_id)
            return _encoder.encode(frame).decode()
        return None

    def _next_frame(self, position: _Position) -> SocketFrame | None:
        stream = position.stream
        try:
            frame = stream.buffer.next_frame(position.last_seq)
        except errors.NotFound as error:
            self._leave(position)
            return ErrorFrame(error.to_body(), stream.request_id)
        if frame is None:
            return None
        position.last_seq = frame.seq or position.last_seq
        if isinstance(frame, (DoneFrame, ErrorFrame)):
            self._leave(position)
        return frame

    def _leave(self, position: _Position) -> None:
        del self._positions[position.stream.request_id]
        position.stream.unfollow(self._wake.set)

    async def say_farewell(self, timeout_s: float) -> None:
        """Send what is left, for at most ``timeout_s`` seconds, and close: the server stops."""
        self._is_leaving = True
        self._wake.set()
        if self._sender is not None:
            await asyncio.wait({self._sender}, timeout=timeout_s)
        self.close(1001, "The Jupyter server is shutting down.")

    def on_close(self) -> None:
        """Let go of the answers, which go on for a while."""
        self._is_closed = True
        self._outbox.clear()
        self.extension.sockets.discard(self)
        if self._sender is not None:
            self._sender.cancel()
        for position in list(self._positions.values()):
            self._leave(position)
        super().on_close()
