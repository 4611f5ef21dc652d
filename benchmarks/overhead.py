"""What the way from engine to reader costs: ``python -m benchmarks.overhead``.

Per piece of text: the time from leaving the engine to arriving at a client of the worker, of the
host and of the Jupyter server's websocket. And what starting costs: imports and server start.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from tornado.websocket import websocket_connect

from jupyter_localllm.client.client import OpenAIClient
from jupyter_localllm.host.connection_file import read_connection_file
from jupyter_localllm.protocol import ChatCompletionRequest, ChatMessage, CompletionChunk

from .servers import KEY, free_port, starter_model

STAMPS = Path(__file__).with_name("stamps")
TOKEN = "benchmark"
QUESTION = "Write a long story about a river with many details."
N_TOKENS = 200

#: (seconds, characters so far) of each piece that left the engine, or that arrived.
Trace = list[tuple[float, int]]


def read_stamps(folder: Path) -> Trace:
    """Return the engine's trace since the last call."""
    lines: list[str] = []
    for path in folder.glob("stamps-*.log"):
        lines += path.read_text().splitlines()
        os.truncate(path, 0)
    return [(float(at), int(sent)) for at, sent in map(str.split, lines)]


def added_ms(left: Trace, arrived: Trace) -> list[float]:
    """Return, for each piece that left, how long until it had arrived."""
    delays = []
    arrivals = iter(arrived)
    at, so_far = next(arrivals)
    for left_at, sent in left:
        while so_far < sent:
            at, so_far = next(arrivals)
        delays.append((at - left_at) * 1e3)
    return delays


async def follow(texts: AsyncIterator[str]) -> Trace:
    """Note when each piece arrives."""
    trace: Trace = []
    total = 0
    async for text in texts:
        total += len(text)
        trace.append((time.monotonic(), total))
    return trace


async def through_client(client: OpenAIClient, turn: int) -> Trace:
    """Ask over HTTP: the worker's or the host's socket."""
    request = ChatCompletionRequest(
        messages=[ChatMessage("user", f"{turn}. {QUESTION}")], max_tokens=N_TOKENS, temperature=0
    )

    async def texts() -> AsyncIterator[str]:
        async for event in client.stream(request):
            if isinstance(event, CompletionChunk):
                yield event.text

    return await follow(texts())


async def through_websocket(url: str, turn: int) -> Trace:
    """Ask as a page does."""
    connection = await websocket_connect(f"{url}/localllm/chat?token={TOKEN}")
    request: dict[str, Any] = {
        "messages": [{"role": "user", "content": f"{turn}. {QUESTION}"}],
        "max_tokens": N_TOKENS,
        "temperature": 0,
    }
    frame = {"type": "start", "request_id": f"r{turn}", "request": request}
    await connection.write_message(json.dumps(frame))

    async def texts() -> AsyncIterator[str]:
        while message := await connection.read_message():
            got = json.loads(message)
            if got["type"] == "delta":
                yield got["text"]
            elif got["type"] in ("done", "error"):
                return

    trace = await follow(texts())
    connection.close()
    return trace


@contextlib.contextmanager
def jupyter_server(folder: Path) -> Iterator[str]:
    """A Jupyter server with its own folders; yields its address."""
    port = free_port()
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(STAMPS), os.environ.get("PYTHONPATH", "")]),
        "TMPDIR": str(folder),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
    }
    options = ["--no-browser", f"--port={port}", f"--IdentityProvider.token={TOKEN}"]
    options += [f"--ServerApp.root_dir={folder}", "--allow-root", "--log-level=ERROR"]
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyter_server", *options], env=environment, cwd=folder
    )
    try:
        yield f"ws://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


async def until_listening(url: str) -> None:
    """Wait for the server to take connections."""
    for _ in range(600):
        with contextlib.suppress(OSError):
            connection = await websocket_connect(f"{url}/localllm/chat?token={TOKEN}")
            connection.close()
            return
        await asyncio.sleep(0.05)
    raise SystemExit("the Jupyter server did not start")


async def measure_hops(rounds: int, folder: Path) -> dict[str, list[float]]:
    """Ask over each hop in turn; returns the added milliseconds of every piece."""
    delays: dict[str, list[float]] = {"worker": [], "host": [], "websocket": []}
    with jupyter_server(folder) as url:
        await until_listening(url)
        await through_websocket(url, 0)
        (connection_file,) = (folder / "runtime").glob("localllm-*.json")
        info = read_connection_file(connection_file)
        if info is None:
            raise SystemExit("the connection file cannot be read")
        host = OpenAIClient(info.url, socket_path=info.socket or None, api_key=info.api_key)
        socket = next(path for path in worker_sockets(folder, info.socket))
        worker = OpenAIClient("http://worker", socket_path=str(socket), api_key=KEY)
        read_stamps(folder)
        for turn in range(1, rounds + 1):
            for name in delays:
                if name == "websocket":
                    arrived = await through_websocket(url, turn)
                else:
                    arrived = await through_client(worker if name == "worker" else host, turn)
                delays[name] += added_ms(read_stamps(folder), arrived)
        await host.aclose()
        await worker.aclose()
    return delays


def worker_sockets(folder: Path, host_socket: str) -> Iterator[Path]:
    """Find the worker's socket beside the host's or below the server's folders."""
    for parent in (Path(host_socket).parent, folder):
        yield from (p for p in parent.rglob("worker-*.sock") if p.is_socket())


def milliseconds(code: str) -> float:
    """Run a program that prints one number."""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(ran.stdout.split()[-1])


_LOAD_EXT = """
import time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
start = time.perf_counter()
import jupyter_localllm
shell.run_line_magic("load_ext", "jupyter_localllm")
print((time.perf_counter() - start) * 1e3)
"""
_SERVER_START = """
import os, tempfile, time
folder = tempfile.mkdtemp()
for name in ("CONFIG", "DATA", "RUNTIME"):
    os.environ[f"JUPYTER_{{name}}_DIR"] = folder
from jupyter_server.serverapp import ServerApp
extensions = {{"jupyter_localllm": {is_on}}}
app = ServerApp(jpserver_extensions=extensions, root_dir=folder, open_browser=False)
app.log_level = "ERROR"
start = time.perf_counter()
app.initialize(argv=["--allow-root", "--port=0"])
print((time.perf_counter() - start) * 1e3)
"""
_FIRST_TOKEN = """
import time
start = time.perf_counter()
from jupyter_localllm.client import bridge
from jupyter_localllm.client.host_client import HostClient
from jupyter_localllm.host.launch import start_host
from jupyter_localllm.protocol import ChatCompletionRequest, ChatMessage, CompletionChunk
info = start_host()
client = HostClient(info.url, socket_path=info.socket or None, api_key=info.api_key)
question = ChatCompletionRequest(messages=[ChatMessage("user", "Hello")], max_tokens=4)
for event in bridge.iterate(client.stream(question)):
    if isinstance(event, CompletionChunk):
        took = time.perf_counter() - start
        break
print(took * 1e3)
"""


def measure_starts(rounds: int) -> dict[str, list[float]]:
    """Return milliseconds that loading adds, in interleaved fresh processes."""
    found: dict[str, list[float]] = {"load_ext": [], "server": [], "first_token": []}
    with_it = _SERVER_START.format(is_on=True)
    without = _SERVER_START.format(is_on=False)
    for _ in range(rounds):
        found["load_ext"].append(milliseconds(_LOAD_EXT))
        found["server"].append(milliseconds(with_it) - milliseconds(without))
        found["first_token"].append(milliseconds(_FIRST_TOKEN))
    return found


def main() -> None:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write all values to this file")
    options = parser.parse_args()
    starter_model()
    starts = measure_starts(options.rounds)
    with tempfile.TemporaryDirectory(prefix="llm-") as folder:
        hops = asyncio.run(measure_hops(options.rounds, Path(folder)))
    print(f"{'added per piece of text, engine to …':40} {'median':>8} {'p95':>8}  target")
    for name, values in hops.items():
        p95 = statistics.quantiles(values, n=20)[-1]
        target = "median <= 1.5, p95 <= 5" if name == "websocket" else ""
        print(f"  {name + ' client [ms]':38} {statistics.median(values):8.2f} {p95:8.2f}  {target}")
    load, server, first = (statistics.median(values) for values in starts.values())
    print(f"import and %load_ext, over bare IPython [ms] {load:8.1f}  target <= 120")
    print(f"server extension, over server start [ms]     {server:8.1f}  target <= 60")
    print(f"first token, no host or worker running [ms]  {first:8.1f}  target <= 2500")
    if options.json is not None:
        options.json.write_text(json.dumps({**hops, **starts}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
