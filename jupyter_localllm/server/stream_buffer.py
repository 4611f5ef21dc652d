"""The numbered events of one answer, kept so that a lost connection can resume.

Only the buffer: who fills it is ``chat_stream``, who reads it is ``chat``. No asyncio and no
clock, so that its rules can be tested alone.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable

import msgspec

from .. import errors
from ..protocol import (
    CompletionProgress,
    DeltaFrame,
    DoneFrame,
    ErrorFrame,
    ProgressFrame,
    StartedFrame,
)

NumberedFrame = StartedFrame | ProgressFrame | DeltaFrame | DoneFrame | ErrorFrame

#: Characters of text in one merged frame; a slow reader gets several of them.
MAX_DELTA_CHARS = 64 * 1024

#: Pieces of text after which a new run begins, which bounds the cost of reading one piece.
_RUN_EVENTS = 256

#: Bytes that one frame, run or piece of text costs beside its text (measured roughly).
_FRAME_BYTES = 400
_PIECE_BYTES = 4


class _TextRun:
    """Consecutive pieces of text, joined; ``ends[i]`` is where piece ``first_seq + i`` ends."""

    def __init__(self, first_seq: int) -> None:
        self.first_seq = first_seq
        self.ends = array("I")
        self.size_bytes = _FRAME_BYTES
        self._parts: list[str] = []

    @property
    def last_seq(self) -> int:
        return self.first_seq + len(self.ends) - 1

    def append(self, text: str) -> int:
        """Add one piece; return the bytes it costs."""
        self._parts.append(text)
        self.ends.append(len(text) + (self.ends[-1] if self.ends else 0))
        cost = len(text.encode()) + _PIECE_BYTES
        self.size_bytes += cost
        if self.is_full:
            self._join()
        return cost

    @property
    def is_full(self) -> bool:
        return len(self.ends) >= _RUN_EVENTS

    def _join(self) -> None:
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]

    def start_of(self, seq: int) -> int:
        index = seq - self.first_seq
        return self.ends[index - 1] if index else 0

    def text(self, start: int, end: int) -> str:
        self._join()
        return self._parts[0][start:end]


class _Single:
    """Any other frame; it keeps its own number."""

    def __init__(self, frame: StartedFrame | ProgressFrame | DoneFrame | ErrorFrame, seq: int):
        self.frame = frame
        self.first_seq = self.last_seq = seq
        self.size_bytes = _FRAME_BYTES


class StreamBuffer:
    """The events of one answer, numbered from 1 without gaps.

    Readers hold nothing but the number of the last event they were sent, so a slow one costs no
    memory: its next frame merges all text that has piled up. Beyond ``max_bytes`` the oldest
    events are forgotten; a reader that still needs them is told so.

    Parameters
    ----------
    request_id : str
        Goes into every frame.
    max_bytes : int
        Memory of the events kept, book-keeping included.
    """

    def __init__(self, request_id: str, max_bytes: int) -> None:
        self.request_id = request_id
        self.max_bytes = max_bytes
        self.last_seq = 0
        self.size_bytes = 0
        self.is_ended = False
        self._items: list[_TextRun | _Single] = []
        self._listeners: set[Callable[[], None]] = set()

    # --- filling ---------------------------------------------------------------------------

    def add_start(self, model: str) -> None:
        """Add the frame that says the request was accepted."""
        self._add(lambda seq: StartedFrame(self.request_id, seq, model))

    def add_progress(self, progress: CompletionProgress) -> None:
        """Add a progress frame."""
        fields = {name: getattr(progress, name) for name in progress.__struct_fields__}
        self._add(lambda seq: ProgressFrame(self.request_id, seq, **fields))

    def add_text(self, text: str) -> None:
        """Add one piece of the answer's text; an empty one is no event."""
        if self.is_ended or not text:
            return
        run = self._items[-1] if self._items else None
        self.last_seq += 1
        if not isinstance(run, _TextRun) or run.is_full:
            run = _TextRun(self.last_seq)
            self._items.append(run)
            self.size_bytes += run.size_bytes
        self.size_bytes += run.append(text)
        self._forget_oldest()
        self._notify()

    def add_terminal(self, frame: DoneFrame | ErrorFrame) -> bool:
        """End the stream with this frame; ``False`` where it had ended before.

        The frame's ``request_id`` and ``seq`` are filled in here.
        """
        if self.is_ended:
            return False

        def numbered(seq: int) -> DoneFrame | ErrorFrame:
            return msgspec.structs.replace(frame, request_id=self.request_id, seq=seq)

        self._add(numbered)
        self.is_ended = True
        return True

    def _add(
        self, make: Callable[[int], StartedFrame | ProgressFrame | DoneFrame | ErrorFrame]
    ) -> None:
        if self.is_ended:
            return
        self.last_seq += 1
        item = _Single(make(self.last_seq), self.last_seq)
        self._items.append(item)
        self.size_bytes += item.size_bytes
        self._forget_oldest()
        self._notify()

    def _forget_oldest(self) -> None:
        while self.size_bytes > self.max_bytes and len(self._items) > 1:
            self.size_bytes -= self._items.pop(0).size_bytes

    # --- reading ---------------------------------------------------------------------------

    def listen(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after each event; it must not block."""
        self._listeners.add(listener)

    def unlisten(self, listener: Callable[[], None]) -> None:
        """Stop calling ``listener``."""
        self._listeners.discard(listener)

    def _notify(self) -> None:
        for listener in list(self._listeners):
            listener()

    def check_position(self, last_seq: int) -> None:
        """Refuse to resume after ``last_seq`` where that cannot be done without a gap."""
        if last_seq > self.last_seq:
            raise errors.InvalidParameter(
                f"`last_seq` is {last_seq}, but the answer has only {self.last_seq} events.",
                "Send the `seq` of the last frame that arrived, or 0.",
                param="last_seq",
            )
        if self._items and last_seq + 1 < self._items[0].first_seq:
            raise errors.NotFound(
                "The beginning of this answer is no longer kept.",
                "Ask again; the part that you have stays valid.",
                code="stream_not_found",
            )

    def next_frame(self, after_seq: int) -> NumberedFrame | None:
        """Return the frame that follows event ``after_seq``, or ``None`` where there is none yet.

        Consecutive pieces of text come merged, up to ``MAX_DELTA_CHARS``.

        Raises
        ------
        NotFound
            The event has been forgotten.
        """
        if after_seq >= self.last_seq:
            return None
        self.check_position(after_seq)
        first = after_seq + 1
        index = bisect_left(self._items, first, key=lambda item: item.last_seq)
        item = self._items[index]
        if isinstance(item, _Single):
            return item.frame
        texts: list[str] = []
        n_chars = 0
        last = after_seq
        while isinstance(item, _TextRun) and n_chars < MAX_DELTA_CHARS:
            begin = item.start_of(last + 1)
            end_index = bisect_left(item.ends, begin + MAX_DELTA_CHARS - n_chars)
            last = min(item.first_seq + end_index, item.last_seq)
            end = item.ends[last - item.first_seq]
            texts.append(item.text(begin, end))
            n_chars += end - begin
            index += 1
            if last < item.last_seq or index == len(self._items):
                break
            item = self._items[index]
        return DeltaFrame(self.request_id, first, last, "".join(texts))
