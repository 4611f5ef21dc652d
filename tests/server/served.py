"""A Jupyter server in a process of its own, as users run it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from jupyter_localllm.host.connection_file import CONNECTION_FILE_ENV

TOKEN = "canary-4f1d7c2e9b"
START_TIMEOUT_S = 180.0


class Served:
    """The process, its address and what it wrote."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )
        self.lines: list[str] = []
        self.url = ""
        self._is_ready = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._is_ready.wait(START_TIMEOUT_S) and self.url, "".join(self.lines)
        self._wait_until_it_listens()

    def _wait_until_it_listens(self) -> None:
        """Jupyter tells its address a moment before it listens there."""
        port = int(self.url.split(":")[2].split("/")[0])
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            threading.Event().wait(0.02)
        raise AssertionError("".join(self.lines))

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if "http://127.0.0.1" in line and not self.url:
                self.url = line[line.index("http://") :].split("?")[0].strip()
                self._is_ready.set()
        self._is_ready.set()

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self._reader.join(10)
        assert self.process.stderr is not None
        self.process.stderr.close()

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self.process.wait(10)
        self._reader.join(10)
        assert self.process.stderr is not None
        self.process.stderr.close()


def start_server(folder: Path, model_dir: Path, without: Sequence[str] = ()) -> Served:
    """Start a server whose files are all below ``folder``; what is there from before is kept.

    ``without`` names other extensions that are not loaded.
    """
    extensions = {"jupyter_localllm": True, **dict.fromkeys(without, False)}
    environment = dict(os.environ)
    for kind in ("CONFIG", "DATA", "RUNTIME"):
        environment[f"JUPYTER_{kind}_DIR"] = str(folder / kind.lower())
    environment.pop(CONNECTION_FILE_ENV, None)
    environment["JUPYTER_TOKEN"] = TOKEN
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(Path(__file__).parents[2]), environment.get("PYTHONPATH", "")]
    )
    return Served(
        [
            sys.executable,
            "-m",
            "jupyter_server",
            "--no-browser",
            "--allow-root",
            "--ServerApp.port=0",
            f"--ServerApp.jpserver_extensions={extensions}",
            f"--LocalLLMExtension.model_dirs={model_dir}",
            "--LocalLLMExtension.model=scripted",
            f"--ServerApp.root_dir={folder}",
        ],
        environment,
    )
