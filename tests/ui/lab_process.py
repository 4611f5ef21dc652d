"""A real JupyterLab in a process of its own, with folders, port and token of its own.

It runs this checkout's package and this checkout's built front end, whatever is installed.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar
from urllib.request import Request, urlopen

ROOT = Path(__file__).parents[2]
FRONT_END = ROOT / "jupyter_localllm" / "labextension"
TOKEN = "secret-of-the-tests"
READY_TIMEOUT_S = 60
STOP_TIMEOUT_S = 20


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _prepare_folders(home: Path) -> dict[str, str]:
    """Lay out Jupyter's folders below ``home``; return the environment that names them."""
    config, data = home / "config", home / "share" / "jupyter"
    shutil.copytree(FRONT_END, data / "labextensions" / "jupyter-localllm")
    (config / "labconfig").mkdir(parents=True)
    # The news toast covers the lower right of the page.
    disabled = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (config / "labconfig" / "page_config.json").write_text(json.dumps(disabled))
    source = ROOT / "jupyter-config" / "server-config" / "jupyter_localllm.json"
    target = config / "jupyter_server_config.d" / source.name
    target.parent.mkdir()
    shutil.copy(source, target)
    (home / "notebooks").mkdir()
    search_path = filter(None, [os.environ.get("PYTHONPATH"), str(ROOT)])
    return {
        "PYTHONPATH": os.pathsep.join(search_path),
        "JUPYTER_PATH": str(data),
        "JUPYTER_CONFIG_DIR": str(config),
        "JUPYTER_DATA_DIR": str(home / "data"),
        # Short, because sockets lie below it.
        "JUPYTER_RUNTIME_DIR": str(home / "run"),
        "IPYTHONDIR": str(home / "ipython"),
    }


@dataclass
class LabProcess:
    """A running JupyterLab; use as a context manager.

    ``options`` are added to the command line, such as ``--LocalLLMExtension.model=…``.
    """

    home: Path
    options: list[str] = field(default_factory=list)
    port: int = field(default_factory=_free_port)
    lines: list[str] = field(default_factory=list)

    #: What ``python -m`` runs, and the class of its settings.
    application: ClassVar[tuple[str, ...]] = ("jupyter", "lab")
    settings_class: ClassVar[str] = "LabApp"

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> LabProcess:
        self._environment = {**os.environ, **_prepare_folders(self.home)}
        self.start()
        return self

    def start(self) -> None:
        """Start the server; again, after :meth:`kill`."""
        command = [
            *(sys.executable, "-m", *self.application, "--no-browser", "--allow-root"),
            f"--ServerApp.port={self.port}",
            "--ServerApp.port_retries=0",
            "--ServerApp.ip=127.0.0.1",
            f"--IdentityProvider.token={TOKEN}",
            f"--ServerApp.root_dir={self.home / 'notebooks'}",
            f"--{self.settings_class}.expose_app_in_browser=True",
            *self.options,
        ]
        self._process = subprocess.Popen(
            command,
            env=self._environment,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._is_ready = threading.Event()
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        is_ready = self._is_ready.wait(READY_TIMEOUT_S)
        if not is_ready or self._process.poll() is not None:
            self.__exit__(None, None, None)
            raise RuntimeError("JupyterLab did not start:\n" + "".join(self.lines))
        self._wait_until_it_listens()

    def _wait_until_it_listens(self) -> None:
        """The line that says so comes a moment before the port is open."""
        while self._process.poll() is None:
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", self.port), READY_TIMEOUT_S).close()
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.02)

    def kill(self) -> None:
        """End the server at once, as a crash of the machine would (``kill -9``)."""
        self._process.kill()
        self._end()

    def _read_log(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.lines.append(line)
            if "is running at:" in line:
                self._is_ready.set()
        self._is_ready.set()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._end()

    def _end(self) -> None:
        self._process.wait()
        self._reader.join(STOP_TIMEOUT_S)
        if self._process.stderr is not None:
            self._process.stderr.close()

    def get_json(self, path: str) -> Any:
        """Ask the server with its token."""
        request = Request(f"{self.url}/{path}", headers={"Authorization": f"token {TOKEN}"})
        with urlopen(request, timeout=30) as reply:
            return json.load(reply)
