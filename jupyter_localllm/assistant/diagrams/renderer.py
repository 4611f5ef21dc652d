"""Draw a diagram: what kernel and server call.

:func:`draw` sends the source to a child process and waits for the picture. There is one child per
process, started with the first diagram, reused, and replaced when it dies or runs over its
limits. One thread feeds it, so that no event loop is ever held, whatever the diagram.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextlib
import logging
import os
import queue
import subprocess
import threading
from collections import deque
from collections.abc import Callable

import msgspec

from ... import errors
from . import child
from .kept import KeptOutcomes, Key, Outcome
from .nouns import DiagramKind, DiagramTheme, Drawing, DrawRequest

log = logging.getLogger(__name__)

#: Seconds for one diagram.
LIMIT_S = 5.0
#: Seconds until a new child says that it is there; a cold disk on a busy machine takes long.
START_LIMIT_S = 20.0
#: Bytes of one request; what is more than any kind takes is not sent at all.
MAX_SOURCE_BYTES = 256 * 1024
#: Diagrams that may wait for their turn.
MAX_WAITING = 64
_STDERR_LINES = 40


async def draw(
    source: str, kind: DiagramKind | None = None, theme: DiagramTheme = "neutral"
) -> Drawing:
    """Check, repair where needed, sanitise and draw one diagram.

    Works from any event loop and any thread. Cancelling the task ends the drawing.

    Parameters
    ----------
    source : str
        The text of one diagram; what a model wrote around it may still be there.
    kind : str or None
        ``None``: told from the text.
    theme : str
        Colours of the picture.

    Raises
    ------
    DiagramInvalid
        It does not parse, and the repairs do not help. ``details`` say where.
    DiagramTooLarge
        It is over a limit of size, time or memory.
    DiagramsUnavailable
        What draws is not installed or does not run here, or it failed.
    """
    return await _shared_renderer().draw(source, kind, theme)


class _Job:
    """One request in the queue, with the future that its caller waits for."""

    def __init__(self, key: Key) -> None:
        self.key = key
        self.future: concurrent.futures.Future[Drawing] = concurrent.futures.Future()
        #: Set once the thread has it; before that it holds a place among those that wait.
        self.is_taken = False
        self.is_dropped = False


class DiagramRenderer:
    """Owns one child that draws, the thread that feeds it, and what was drawn lately.

    Parameters
    ----------
    limit_s : float
        Seconds for one diagram.
    start_child : callable
        Returns the running child.
    """

    def __init__(
        self,
        *,
        limit_s: float = LIMIT_S,
        start_child: Callable[[], subprocess.Popen[bytes]] = child.start,
    ) -> None:
        self.limit_s = limit_s
        self._start_child = start_child
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._n_waiting = 0
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._running: _Job | None = None
        self._is_closed = False
        self._stderr: deque[str] = deque(maxlen=_STDERR_LINES)
        self._kept = KeptOutcomes()

    async def draw(
        self, source: str, kind: DiagramKind | None = None, theme: DiagramTheme = "neutral"
    ) -> Drawing:
        """See :func:`draw`."""
        # A half of a surrogate pair cannot be sent, and no font has a glyph for it.
        text = source.encode("utf-8", "replace").decode()
        if len(text.encode()) > MAX_SOURCE_BYTES:
            raise errors.DiagramTooLarge(
                f"The diagram's source has {len(source):,} characters, more than can be drawn.",
                "Ask for a smaller diagram, or split it.",
            )
        key = (text, kind, theme)
        kept = self._kept.get(key)
        if isinstance(kept, Drawing):
            return kept
        if kept is not None:
            raise _again(kept)
        job = _Job(key)
        self._put(job)
        try:
            return await asyncio.wrap_future(job.future)
        except asyncio.CancelledError:
            self._drop(job)
            raise

    @property
    def process_id(self) -> int | None:
        """Of the child, while there is one."""
        process = self._process
        return None if process is None else process.pid

    def close(self) -> None:
        """End the child; idempotent. Diagrams that wait are told so."""
        with self._lock:
            self._is_closed = True
            process = self._process
        if process is not None:
            child.kill(process)
        self._jobs.put(None)

    def _put(self, job: _Job) -> None:
        with self._lock:
            if self._is_closed:
                raise _closed()
            if self._thread is None:
                # A daemon: a diagram in work must not keep the interpreter from ending.
                self._thread = threading.Thread(
                    target=self._serve, name="localllm-diagrams", daemon=True
                )
                self._thread.start()
            if self._n_waiting >= MAX_WAITING:
                raise errors.DiagramsUnavailable(
                    f"{MAX_WAITING} diagrams are waiting to be drawn already.",
                    "Wait a few seconds and try again.",
                )
            self._n_waiting += 1
        self._jobs.put(job)

    def _drop(self, job: _Job) -> None:
        """Forget a request; the child's answer to it would be taken for the next one's."""
        with self._lock:
            if not job.is_taken and not job.is_dropped:
                # Its place is free at once; the rest goes when the thread comes to it.
                self._n_waiting -= 1
                job.key = ("", None, "neutral")
            job.is_dropped = True
            if self._running is job and self._process is not None:
                child.kill(self._process)

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            with self._lock:
                job.is_taken = True
                self._n_waiting -= not job.is_dropped
            if self._is_closed:
                _settle(job, _closed())
            elif job.future.set_running_or_notify_cancel():
                try:
                    outcome = self._kept.get(job.key) or self._ask(job)
                except Exception as error:  # the thread must outlive any mistake of ours
                    log.exception("The thread that draws diagrams failed.")
                    outcome = _failed(str(error))
                _settle(job, outcome)
        self._end_child()

    def _ask(self, job: _Job) -> Outcome:
        source, kind, theme = job.key
        request = msgspec.msgpack.encode(DrawRequest(source, kind, theme))
        process = self._living_child(job)
        if isinstance(process, errors.LocalLLMError):
            return process
        payload, is_late = self._exchange(process, request, self.limit_s)
        with self._lock:
            self._running = None
        outcome: Outcome
        if payload is None or is_late or job.is_dropped:
            outcome = self._lost_child(job, is_late=is_late)
        else:
            outcome = _outcome(payload)
        if not job.is_dropped:
            self._kept.put(job.key, outcome)
        return outcome

    def _exchange(
        self, process: subprocess.Popen[bytes], request: bytes | None, limit_s: float
    ) -> tuple[bytes | None, bool]:
        """Send a request, if any, and return the answer and whether the time was over."""
        requests, replies = process.stdin, process.stdout
        assert requests is not None and replies is not None
        is_late = threading.Event()

        def end() -> None:
            is_late.set()
            child.kill(process)

        timer = threading.Timer(limit_s, end)
        timer.daemon = True
        timer.start()
        try:
            if request is not None:
                child.write_message(requests, request)
            return child.read_message(replies), is_late.is_set()
        except OSError:
            return None, is_late.is_set()
        finally:
            timer.cancel()

    def _living_child(self, job: _Job) -> subprocess.Popen[bytes] | errors.LocalLLMError:
        if self._process is None or self._process.poll() is not None:
            self._end_child()
            try:
                process = self._start_child()
            except OSError as error:
                return _failed(f"its program could not be started ({error})")
            reader = threading.Thread(
                target=self._read_stderr, args=(process,), name="localllm-diagram-log", daemon=True
            )
            reader.start()
            with self._lock:
                self._process = process
            # Its imports are not counted in anybody's time.
            greeting, _ = self._exchange(process, None, START_LIMIT_S)
            if greeting is None:
                return self._lost_child(job, is_late=False)
        with self._lock:
            if job.is_dropped or self._is_closed:
                return _closed()
            self._running = job
            return self._process

    def _lost_child(self, job: _Job, *, is_late: bool) -> errors.LocalLLMError:
        status = self._end_child()
        if self._is_closed or job.is_dropped:
            return _closed()
        if is_late:
            return errors.DiagramTooLarge(
                f"The diagram could not be laid out within {self.limit_s:g} seconds.",
                "Ask for fewer nodes and edges, or split the diagram.",
            )
        lines = "\n".join(self._stderr)
        log.warning("The process that draws diagrams ended with status %s: %s", status, lines)
        return _failed("its process ended without an answer")

    def _end_child(self) -> int | None:
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            return None
        child.kill(process)
        status = process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                # What could not be written is still in the buffer.
                with contextlib.suppress(OSError):
                    pipe.close()
        return status

    def _read_stderr(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        with process.stderr:
            while line := process.stderr.readline(4096):
                text = line.decode("utf-8", "replace").rstrip()
                self._stderr.append(text)
                log.debug("diagram process: %s", text)


def _outcome(payload: bytes) -> Outcome:
    try:
        reply = msgspec.msgpack.decode(payload, type=child.Reply)
    except msgspec.MsgspecError as error:
        return _failed(str(error))
    if reply.drawing is not None:
        return reply.drawing
    if reply.failure is not None:
        return child.error_of(reply.failure)
    return _failed("it gave an empty answer")


def _settle(job: _Job, outcome: Outcome) -> None:
    if job.future.done():
        return
    if isinstance(outcome, Drawing):
        job.future.set_result(outcome)
    else:
        # One exception object is never raised twice: each raise adds to its traceback.
        job.future.set_exception(_again(outcome))


def _again(error: errors.LocalLLMError) -> errors.LocalLLMError:
    return type(error)(error.message, error.hint, details=dict(error.details))


def _failed(reason: str) -> errors.DiagramsUnavailable:
    return errors.DiagramsUnavailable(
        f"The diagram could not be drawn: {reason.rstrip('.')}.",
        "Try again; if it happens again, the diagram can be read as text.",
    )


def _closed() -> errors.DiagramsUnavailable:
    return errors.DiagramsUnavailable("Diagrams are not drawn any more: this process ends.", "")


_shared: DiagramRenderer | None = None
_shared_lock = threading.Lock()


def _shared_renderer() -> DiagramRenderer:
    global _shared
    with _shared_lock:
        if _shared is None:
            _shared = DiagramRenderer()
        return _shared


def close() -> None:
    """End the shared child; the next :func:`draw` starts another."""
    global _shared
    with _shared_lock:
        renderer, _shared = _shared, None
    if renderer is not None:
        renderer.close()


def _forget_after_fork() -> None:
    """A copy of this process must not talk on its pipes: the child belongs to the original."""
    global _shared, _shared_lock
    _shared, _shared_lock = None, threading.Lock()


atexit.register(close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
