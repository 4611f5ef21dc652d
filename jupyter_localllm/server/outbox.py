"""Frames that wait for one page beside the answers it follows: bounded, and kept in order.

Answers are read from their own buffers; what is told to all pages of an owner waits here. No
asyncio, no socket. Called by ``chat``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple


class After(NamedTuple):
    """Where in an answer a frame belongs: behind this event, for pages that follow the answer."""

    request_id: str
    seq: int


class Outbox:
    """A queue of encoded frames.

    Parameters
    ----------
    max_frames, max_bytes : int
        A page that lets more pile up has to fetch its chats anew.
    """

    def __init__(self, max_frames: int = 256, max_bytes: int = 4 << 20) -> None:
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._n_bytes = 0
        self._waiting: deque[tuple[str, After | None]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, frame: str, after: After | None = None) -> bool:
        """Add a frame; ``False`` where there is no room, and then nothing is kept any more."""
        self._n_bytes += len(frame)
        self._waiting.append((frame, after))
        if len(self._waiting) > self._max_frames or self._n_bytes > self._max_bytes:
            self.clear()
            return False
        return True

    def take(self, is_reached: Callable[[After], bool]) -> str | None:
        """Return the next frame, or ``None`` where there is none or its place is not reached."""
        if not self._waiting:
            return None
        frame, after = self._waiting[0]
        if after is not None and not is_reached(after):
            return None
        self._waiting.popleft()
        self._n_bytes -= len(frame)
        return frame

    def clear(self) -> None:
        """Forget everything."""
        self._waiting.clear()
        self._n_bytes = 0
