"""When a crashed worker may be started again. A pure rule over a clock that only goes forward.

Called by ``served_model``.
"""

from __future__ import annotations

from collections import deque

_FIRST_DELAY_S = 0.5
_MAX_DELAY_S = 10.0


class RestartPolicy:
    """Counts crashes: at once after the first, then 0.5, 1, 2 … seconds, then not at all.

    Parameters
    ----------
    crash_limit : int
        That many crashes within the window stop the model.
    window_s : float
        Older crashes are forgotten.
    """

    def __init__(self, crash_limit: int, window_s: float) -> None:
        self.crash_limit = crash_limit
        self.window_s = window_s
        self._crashes: deque[float] = deque(maxlen=crash_limit)

    def record_crash(self, now: float) -> None:
        """Note a crash at ``now`` (seconds of a monotonic clock)."""
        self._crashes.append(now)

    def reset(self) -> None:
        """Forget every crash: someone asked for the model by hand."""
        self._crashes.clear()

    def n_crashes(self, now: float) -> int:
        """Return the crashes within the window."""
        return sum(now - crash < self.window_s for crash in self._crashes)

    def is_stopped(self, now: float) -> bool:
        """Whether the limit is reached."""
        return self.n_crashes(now) >= self.crash_limit

    def delay_s(self, now: float) -> float:
        """Return the seconds to wait from ``now`` before the next start."""
        n_crashes = self.n_crashes(now)
        if n_crashes <= 1:
            return 0.0
        backoff = min(_MAX_DELAY_S, _FIRST_DELAY_S * 2.0 ** (n_crashes - 2))
        return max(0.0, self._crashes[-1] + backoff - now)
