"""Token bytes -> whole UTF-8 text, with stop strings withheld until they are decided.

A character may be spread over several tokens, and a stop string over several chunks; neither may
be seen in part (DESIGN invariant 2). One instance per request.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class Detokenizer:
    """Incremental text of one answer.

    Parameters
    ----------
    stops : sequence of str
        Strings that end the answer; none is empty.
    """

    def __init__(self, stops: Sequence[str] = ()) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stops = tuple(stops)
        self._longest = max((len(stop) for stop in self._stops), default=0)
        self._held = ""
        self.is_stopped = False

    def feed(self, piece: bytes) -> str:
        """Take a token's bytes; return the text that is certain now (may be empty).

        After a stop string was found, :attr:`is_stopped` is true and nothing more comes out.
        """
        if self.is_stopped:
            return ""
        return self._release(self._decoder.decode(piece))

    def flush(self) -> str:
        """Return what was withheld: the answer is over. Invalid bytes become U+FFFD."""
        if self.is_stopped:
            return ""
        text = self._release(self._decoder.decode(b"", final=True))
        text, self._held = text + self._held, ""
        return text

    def _release(self, text: str) -> str:
        if not self._stops:
            return text
        self._held += text
        first = min(
            (at for stop in self._stops if (at := self._held.find(stop)) >= 0), default=None
        )
        if first is not None:
            released, self._held = self._held[:first], ""
            self.is_stopped = True
            return released
        keep = self._possible_start()
        cut = len(self._held) - keep
        released, self._held = self._held[:cut], self._held[cut:]
        return released

    def _possible_start(self) -> int:
        """Return how many characters at the end may be the start of a stop string."""
        for length in range(min(self._longest - 1, len(self._held)), 0, -1):
            tail = self._held[-length:]
            if any(stop.startswith(tail) for stop in self._stops):
                return length
        return 0
