"""What was drawn or refused lately. ``renderer`` asks it before it asks the child."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

from ... import errors
from .nouns import DiagramKind, DiagramTheme, Drawing

#: Bytes of drawings that are kept.
CACHE_BYTES = 24 << 20
#: Seconds that a "too large" is believed: a busy machine may have been the reason.
TOO_LARGE_KEPT_S = 60.0

#: Source, kind and theme as they were asked for.
Key = tuple[str, DiagramKind | None, DiagramTheme]
Outcome = Drawing | errors.LocalLLMError


class KeptOutcomes:
    """What was drawn or refused lately, by request; bounded in bytes. Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outcomes: OrderedDict[Key, tuple[float, int, Outcome]] = OrderedDict()
        self._size_bytes = 0

    def get(self, key: Key) -> Outcome | None:
        with self._lock:
            found = self._outcomes.get(key)
            if found is None:
                return None
            end_s, size, outcome = found
            if end_s < time.monotonic():
                del self._outcomes[key]
                self._size_bytes -= size
                return None
            self._outcomes.move_to_end(key)
            return outcome

    def put(self, key: Key, outcome: Outcome) -> None:
        end_s = float("inf")
        # Twice: a text may take four bytes a character, and the key has it too.
        size = 2 * len(key[0]) + 1024
        if isinstance(outcome, Drawing):
            size += len(outcome.svg) + len(outcome.png) + len(outcome.pdf) + 2 * len(outcome.given)
        elif isinstance(outcome, errors.DiagramTooLarge):
            end_s = time.monotonic() + TOO_LARGE_KEPT_S
        elif not isinstance(outcome, errors.DiagramInvalid):
            return
        with self._lock:
            if key in self._outcomes:
                self._size_bytes -= self._outcomes.pop(key)[1]
            self._outcomes[key] = (end_s, size, outcome)
            self._size_bytes += size
            while self._size_bytes > CACHE_BYTES:
                _, (_, dropped, _) = self._outcomes.popitem(last=False)
                self._size_bytes -= dropped
