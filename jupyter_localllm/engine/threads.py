"""How many threads llama.cpp may use: the cores this process has, less one while others compute.

Measured (DESIGN 6): with busy neighbours, OpenMP threads that wait for a descheduled partner cost
two thirds of the speed; one thread fewer gives it back. Called from the engine thread.
"""

from __future__ import annotations

import math
import os
import time
from pathlib import Path

import psutil

#: Seconds between two looks at the load.
CHECK_INTERVAL_S = 1.0
#: Cores' worth of others' work that cost us a thread, and below which we take it back.
BUSY_ABOVE, BUSY_BELOW = 0.6, 0.3


def usable_cores() -> int:
    """Return the physical cores this process may use: affinity, cgroup quota, no hyper-threads."""
    if hasattr(os, "sched_getaffinity"):
        allowed = len(os.sched_getaffinity(0))
    else:
        allowed = os.cpu_count() or 1
    logical = os.cpu_count() or allowed
    physical = psutil.cpu_count(logical=False) or logical
    # Two threads on one core's halves share its vector units: only physical cores count.
    cores = max(1, round(allowed * physical / logical))
    quota = _cgroup_quota()
    return max(1, min(cores, math.floor(quota) if quota else cores))


def _cgroup_quota() -> float | None:
    """Return the CPU quota of the container in cores, or ``None`` without one."""
    try:
        limit, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()[:2]
        return None if limit == "max" else int(limit) / int(period)
    except (OSError, ValueError):
        pass
    try:
        folder = Path("/sys/fs/cgroup/cpu")
        limit_us = int((folder / "cpu.cfs_quota_us").read_text())
        return limit_us / int((folder / "cpu.cfs_period_us").read_text()) if limit_us > 0 else None
    except (OSError, ValueError):
        return None


class ThreadCount:
    """Follows the load beside this process.

    Parameters
    ----------
    fixed : int
        Use exactly so many, whatever the load; 0: follow it, up to :func:`usable_cores`.
    """

    def __init__(self, fixed: int = 0) -> None:
        self._is_fixed = fixed > 0
        self.most = fixed or usable_cores()
        #: Cores this process would not use anyway: others' work there costs us nothing.
        self._spare = max(0, (os.cpu_count() or 1) - self.most)
        self.current = self.most
        self._process = psutil.Process()
        self._looked_at = time.monotonic()
        self._busy_s = self._total_busy()
        self._own_s = self._own_busy()

    def update(self) -> int:
        """Return the count to use now; looks at the load at most once a second."""
        now = time.monotonic()
        elapsed = now - self._looked_at
        if self._is_fixed or elapsed < CHECK_INTERVAL_S or self.most < 2:
            return self.current
        busy_s, own_s = self._total_busy(), self._own_busy()
        others = ((busy_s - self._busy_s) - (own_s - self._own_s)) / elapsed
        others -= self._spare
        self._looked_at, self._busy_s, self._own_s = now, busy_s, own_s
        if elapsed < 4 * CHECK_INTERVAL_S:
            self.current = self._decide(others)
        return self.current

    def _decide(self, others: float) -> int:
        if others > BUSY_ABOVE:
            return self.most - 1
        return self.most if others < BUSY_BELOW else self.current

    def _total_busy(self) -> float:
        times = psutil.cpu_times()
        idle: float = times.idle + getattr(times, "iowait", 0.0)
        return float(sum(times[:8]) - idle)

    def _own_busy(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)
