"""Who is writing an answer: the mark that a server leaves at it, and whether it still lives.

An answer whose writer has ended is interrupted; two live servers on one file must not interrupt
each other's. ``history`` calls it.
"""

from __future__ import annotations

import contextlib
import os
import platform
import uuid

#: The open histories of this process.
_open_here: set[str] = set()

#: The start of a process is told to different readers with some error after the clock was set.
_START_TOLERANCE_S = 5.0

#: On a network file system another machine's writer cannot be looked at, but it saves often.
_SILENCE_MS = 10 * 60_000


class Writer:
    """One open history as the writer of answers.

    Attributes
    ----------
    mark : str
        Machine, process, its start and this history; kept at every answer it writes.
    """

    def __init__(self) -> None:
        import psutil

        self._machine = platform.node().replace("|", "")
        self._pid = os.getpid()
        self._started_s = psutil.Process(self._pid).create_time()
        self._instance = uuid.uuid4().hex
        _open_here.add(self._instance)
        self.mark = f"{self._machine}|{self._pid}|{self._started_s:.3f}|{self._instance}"

    def close(self) -> None:
        """Leave what is still being written to be found as interrupted."""
        _open_here.discard(self._instance)

    def is_gone(self, mark: str | None, touched_ms: int, *, now_ms: int, is_shared: bool) -> bool:
        """Tell whether the writer of an answer has ended.

        Parameters
        ----------
        mark : str, optional
            As it stands at the answer.
        touched_ms : int
            When the answer was last saved.
        is_shared : bool
            Whether other machines may use the same file.
        """
        try:
            machine, pid_text, started_text, instance = (mark or "").split("|")
            pid, started_s = int(pid_text), float(started_text)
        except ValueError:
            return True
        if machine != self._machine:
            # A local file has one machine: the other name is an earlier container's.
            return not is_shared or now_ms - touched_ms > _SILENCE_MS
        if pid == self._pid and abs(started_s - self._started_s) < _START_TOLERANCE_S:
            return instance not in _open_here
        return not _runs(pid, started_s)


def _runs(pid: int, started_s: float) -> bool:
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess, ValueError, OverflowError):
        try:
            process = psutil.Process(pid)
            is_same = abs(process.create_time() - started_s) < _START_TOLERANCE_S
            return bool(is_same and process.status() != psutil.STATUS_ZOMBIE)
        except psutil.AccessDenied:
            return True
    return False
