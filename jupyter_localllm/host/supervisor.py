"""One worker process from start to end: spawn, status lines, last words, stop, cause of death.

Knows how to run a worker, not when: that is ``served_model``. Knows nothing of requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from .. import errors
from ..client.client import OpenAIClient
from ..protocol import ModelInfo
from .connection_file import private_socket_path
from .worker_environment import worker_environment

#: The program of a worker; tests put one here whose faults they control.
WORKER_COMMAND = (sys.executable, "-m", "jupyter_localllm.worker")

_STDERR_BYTES = 64 * 1024
_MAX_LINE_BYTES = 1 << 20
_PIPE_TIMEOUT_S = 1.0


@dataclass(frozen=True)
class WorkerSpec:
    """What to start: a model file with its settings."""

    model_id: str
    model_path: Path
    context_window: int
    n_slots: int
    command: Sequence[str] = WORKER_COMMAND


class _StatusLine(msgspec.Struct):
    """A line on the worker's standard output."""

    event: str
    socket: str | None = None
    port: int | None = None
    progress: float | None = None
    model: ModelInfo | None = None
    error: dict[str, Any] | None = None


_status_decoder = msgspec.json.Decoder(_StatusLine)


class WorkerProcess:
    """One life of one worker.

    Parameters
    ----------
    spec : WorkerSpec
        The model and its settings.
    folder : Path
        The private folder for its socket; also its working directory, so that nothing lying in
        the user's folder is imported.
    number : int
        Makes its socket's name unique in the folder.
    on_change : callable
        Called, on the loop, whenever ``load_progress``, ``model`` or ``has_exited`` changed.
    """

    def __init__(
        self, spec: WorkerSpec, folder: Path, number: int, on_change: Callable[[], None]
    ) -> None:
        self.spec = spec
        self.number = number
        self.load_progress = 0.0
        self.model: ModelInfo | None = None
        self.client: OpenAIClient | None = None
        self.reported: errors.LocalLLMError | None = None
        self.exited = asyncio.Event()
        self.last_line_at = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self._folder = folder
        self._on_change = on_change
        self._stderr = bytearray()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: Path | None = None
        self._api_key = ""
        self.stop_reason: errors.LocalLLMError | None = None

    # --- life ---------------------------------------------------------------------------

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        process = self._process
        return process.pid if process is not None and not self.exited.is_set() else None

    @property
    def is_ready(self) -> bool:
        """Whether it has loaded its model and nobody has ended it."""
        return self.model is not None and self.stop_reason is None and not self.exited.is_set()

    def start(self) -> None:
        """Spawn the process; returns before it has loaded anything.

        Plain ``Popen`` with reader threads: asyncio's subprocesses do not work on the event loop
        that Jupyter uses on Windows, and wait for pipes that a grandchild may hold open.

        Raises
        ------
        WorkerStartFailed
            The program cannot be run at all.
        """
        environment = worker_environment(os.environ)
        command = self._command(environment)
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                cwd=self._folder,
                # Ctrl-C in the server's terminal is for the server.
                start_new_session=True,
            )
        except OSError as error:
            self.exited.set()
            raise errors.WorkerStartFailed(
                f"The model's process could not be started: {error}.",
                "Check that this Python can start programs.",
            ) from None
        self._process = process
        readers = [
            threading.Thread(target=read, args=(process,), name="localllm-worker-pipe", daemon=True)
            for read in (self._read_stdout, self._read_stderr)
        ]
        for thread in readers:
            thread.start()
        threading.Thread(
            target=self._wait, args=(process, readers), name="localllm-worker-wait", daemon=True
        ).start()

    def _command(self, environment: dict[str, str]) -> list[str]:
        spec = self.spec
        command = [*spec.command, "--supervised", "--model", str(spec.model_path)]
        command += ["--context-window", str(spec.context_window), "--slots", str(spec.n_slots)]
        command += ["--alias", spec.model_id]
        if hasattr(socket, "AF_UNIX"):
            self._socket = private_socket_path(self._folder, f"worker-{self.number}.sock")
            return [*command, "--socket", str(self._socket)]
        self._api_key = secrets.token_urlsafe(32)
        environment["LOCALLLM_API_KEY"] = self._api_key
        return [*command, "--port", "0"]

    async def stop(self, reason: errors.LocalLLMError, *, grace_s: float) -> None:
        """End it in good order: close its stdin, wait, then kill. Returns when it is gone.

        Parameters
        ----------
        reason : LocalLLMError
            What requests still running on it are told.
        grace_s : float
            Seconds until it is killed.
        """
        self.stop_reason = self.stop_reason or reason
        process = self._process
        if process is not None and not self.exited.is_set():
            if process.stdin is not None:
                with contextlib.suppress(OSError):
                    process.stdin.close()
            await self._kill_after(grace_s)

    async def terminate(self, reason: errors.LocalLLMError, *, grace_s: float) -> None:
        """End a worker that does not answer: ask, wait, kill."""
        self.stop_reason = self.stop_reason or reason
        process = self._process
        if process is not None and not self.exited.is_set():
            if _is_suspended(process.pid):
                # A stopped process cannot obey; only SIGKILL reaches it.
                process.kill()
            else:
                process.terminate()
            await self._kill_after(grace_s)

    def kill(self, reason: errors.LocalLLMError) -> None:
        """Kill it without waiting."""
        self.stop_reason = self.stop_reason or reason
        self._kill()

    def _kill(self) -> None:
        if self._process is not None and not self.exited.is_set():
            self._process.kill()

    async def _kill_after(self, grace_s: float) -> None:
        try:
            await asyncio.wait_for(self.exited.wait(), grace_s)
        except asyncio.TimeoutError:
            self._kill()
            await self.exited.wait()

    # --- what it says; the methods down to `_wait` run on threads of their own -------------

    def _read_stdout(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdout is None:
            return
        with process.stdout:
            while line := process.stdout.readline(_MAX_LINE_BYTES):
                self._on_loop(self._read_line, line)

    def _read_stderr(self, process: subprocess.Popen[bytes]) -> None:
        if process.stderr is None:
            return
        with process.stderr:
            while data := process.stderr.readline(4096):
                self._on_loop(self._keep, data)

    def _wait(self, process: subprocess.Popen[bytes], readers: list[threading.Thread]) -> None:
        process.wait()
        if os.name == "posix":
            # Its own children may hold the pipes open and run on.
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
        for thread in readers:
            thread.join(_PIPE_TIMEOUT_S)
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        self._on_loop(self._note_exit)

    def _on_loop(self, function: Callable[..., None], *arguments: bytes) -> None:
        # A loop that has ended has nobody left to tell.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, *arguments)

    # --- back on the loop -------------------------------------------------------------------

    def _note_exit(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.unlink()
        self.exited.set()
        self._on_change()

    def _keep(self, data: bytes) -> None:
        self._stderr += data
        del self._stderr[:-_STDERR_BYTES]

    def _read_line(self, data: bytes) -> None:
        self.last_line_at = time.monotonic()
        try:
            line = _status_decoder.decode(data)
        except msgspec.DecodeError:
            self._keep(data)
            return
        if line.event == "listening":
            self.client = self._make_client(line)
        elif line.event == "loading":
            self.load_progress = min(1.0, max(0.0, line.progress or 0.0))
        elif line.event == "ready" and self.client is not None:
            self.load_progress = 1.0
            self.model = line.model or ModelInfo(self.spec.model_id)
        elif line.event == "failed":
            body = line.error or {}
            is_about_file = str(body.get("code")).startswith("model_")
            self.reported = errors.error_from_body(body, 422 if is_about_file else 502)
        self._on_change()

    def _make_client(self, line: _StatusLine) -> OpenAIClient:
        if line.port is not None:
            return OpenAIClient(f"http://127.0.0.1:{line.port}", api_key=self._api_key)
        path = line.socket or str(self._socket)
        return OpenAIClient("http://localhost", socket_path=path)

    # --- why it ended -------------------------------------------------------------------

    def last_words(self, n_lines: int = 5) -> list[str]:
        """Return its last lines on standard error, without the model's path."""
        text = self._stderr.decode("utf-8", "replace")
        text = text.replace(str(self.spec.model_path), self.spec.model_path.name)
        lines = [line.strip()[:300] for line in text.splitlines() if line.strip()]
        return lines[-n_lines:]

    def cause_of_death(self) -> errors.LocalLLMError:
        """Return the error for whoever needed this worker, once it has ended."""
        if self.reported is not None:
            return self.reported
        if self.stop_reason is not None:
            return self.stop_reason
        status = self._process.returncode if self._process is not None else None
        details: dict[str, Any] = {"model": self.spec.model_id, "exit_status": status}
        words = self.last_words()
        if words:
            details["stderr"] = words
        how = f"ended with exit status {status}"
        hint = "Send the request again: the model is loaded anew."
        if status is not None and status < 0:
            name = _signal_name(-status)
            details["signal"] = name
            how = f"was ended by {name}"
            if name == "SIGKILL":
                hint += " If this repeats, the machine may be short of memory."
        if words:
            how += f" (it last said: {words[-1]})"
        cls = errors.WorkerStartFailed if self.model is None else errors.WorkerCrashed
        when = "while it was loading" if self.model is None else "while it was running"
        return cls(
            f"The process of the model {self.spec.model_id} {how} {when}.", hint, details=details
        )

    @property
    def has_crashed(self) -> bool:
        """Whether it ended by itself, or hung, and without naming a defect of the model."""
        is_wanted = self.stop_reason is not None and not isinstance(
            self.stop_reason, errors.WorkerHung
        )
        return self.exited.is_set() and self.reported is None and not is_wanted


def _is_suspended(pid: int) -> bool:
    import psutil

    try:
        status: str = psutil.Process(pid).status()
    except psutil.Error:
        return False
    return status in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
