"""Finding a host, or starting one as a child of this process: kernels, scripts, terminals.

Standard library only, because magics import it. The child holds the read end of a pipe that this
process keeps open: when this process is gone, however it went, the child ends.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path
from typing import IO

from .. import errors
from .connection_file import (
    ConnectionInfo,
    find_connection,
    is_alive,
    read_connection_file,
    runtime_dir,
)

START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 5.0
_KEPT_LINES = 40


class ChildHost:
    """A host process that this process started and that ends with it."""

    def __init__(self, model: str = "") -> None:
        self.owner_pid = os.getpid()
        self.info: ConnectionInfo | None = None
        self._stderr: deque[str] = deque(maxlen=_KEPT_LINES)
        self._first_line: queue.Queue[str] = queue.Queue(maxsize=1)
        command = [sys.executable, "-m", "jupyter_localllm.host", "--supervised"]
        if model:
            command += ["--model", model]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # Not where the user is: `-m` would import a json.py or httpx.py lying there.
                cwd=runtime_dir(),
                env=child_environment(dict(os.environ)),
                start_new_session=True,
                text=True,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            raise errors.HostUnavailable(
                f"The process that serves models could not be started: {error}.",
                "Check that this Python can start programs.",
            ) from None
        self._stderr_reader = threading.Thread(
            target=self._read_stderr, name="localllm-host-stderr", daemon=True
        )
        self._stderr_reader.start()
        threading.Thread(target=self._read_stdout, name="localllm-host-stdout", daemon=True).start()
        atexit.register(self.stop)

    @property
    def is_running(self) -> bool:
        """Whether the process lives (asked from the process that started it)."""
        return self._process.poll() is None

    def wait_listening(self, timeout_s: float) -> ConnectionInfo:
        """Wait until the child says where it listens.

        Raises
        ------
        HostUnavailable
            It ended or said nothing in time; with its last words.
        """
        reason = "ended at once"
        line = ""
        try:
            line = self._first_line.get(timeout=timeout_s)
        except queue.Empty:
            reason = f"did not answer within {timeout_s:.0f} s"
        if line:
            reason = "said something unexpected"
            with contextlib.suppress(ValueError, KeyError, TypeError):
                self.info = read_connection_file(Path(json.loads(line)["connection_file"]))
        if self.info is not None:
            return self.info
        self.stop()
        self._stderr_reader.join(1.0)
        last_words = " ".join(list(self._stderr)[-3:])[-600:]
        raise errors.HostUnavailable(
            f"The process that serves models {reason}" + (f": {last_words}" if last_words else "."),
            "Run `python -m jupyter_localllm.host` in a terminal to see why.",
            details={"stderr": list(self._stderr)[-10:]},
        )

    def stop(self) -> None:
        """End the child: close its stdin, wait, kill. Does nothing in a forked copy."""
        if os.getpid() != self.owner_pid:
            return
        atexit.unregister(self.stop)
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _read_stdout(self) -> None:
        stream: IO[str] | None = self._process.stdout
        if stream is None:
            return
        with stream:
            line = stream.readline()
            self._first_line.put(line)
            while stream.readline():
                pass

    def _read_stderr(self) -> None:
        stream: IO[str] | None = self._process.stderr
        if stream is None:
            return
        with stream:
            for line in stream:
                self._stderr.append(line.rstrip()[:500])


_child: ChildHost | None = None
_lock = threading.Lock()


def _forget_in_forked_child() -> None:
    # The lock may be held by a thread that does not exist in the copy.
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_forked_child)


def start_host(model: str = "", *, timeout_s: float = START_TIMEOUT_S) -> ConnectionInfo:
    """Return a running host, starting one as a child of this process where there is none.

    Parameters
    ----------
    model : str
        Default model of a host that has to be started; name or absolute path.
    timeout_s : float
        How long a new one may take until it listens; no model is loaded by then.

    Raises
    ------
    HostUnavailable
        It could not be started.
    """
    global _child
    found = find_host()
    if found is not None:
        return found
    with _lock:
        found = find_host()
        if found is not None:
            return found
        if _child is not None:
            _child.stop()
        _child = ChildHost(model)
        try:
            return _child.wait_listening(timeout_s)
        except BaseException:
            _child.stop()
            _child = None
            raise


def find_host() -> ConnectionInfo | None:
    """Return a running host, the server's or our own child, or ``None``."""
    found = find_connection()
    if found is not None:
        return found
    child = _child
    if child is not None and child.info is not None and is_alive(child.info):
        return child.info
    return None


def child_environment(environ: dict[str, str]) -> dict[str, str]:
    """Return the environment of a Python child that runs this very package.

    The child does not start in the current folder, so a package that is found through it (a
    source checkout) is put on the path.
    """
    given = environ.get("PYTHONPATH", "").split(os.pathsep)
    paths = [str(Path(path).absolute()) for path in given if path]
    root = Path(__file__).resolve().parents[2]
    if root.name not in ("site-packages", "dist-packages") and str(root) not in paths:
        paths.append(str(root))
    if paths:
        environ["PYTHONPATH"] = os.pathsep.join(paths)
    return environ
