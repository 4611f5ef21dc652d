"""``python -m jupyter_localllm.worker``: arguments, process limits, start and end of the worker.

Under a host (``--supervised``) stdout is the status channel, one JSON object a line
(listening, loading, ready, failed), and the worker ends when stdin ends, so that no orphan
outlives its parent. In a terminal it prints plain lines and ends on Ctrl-C.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from .. import errors

EXIT_MODEL_FAILED = 3
#: Seconds between the wish to end and the end by force.
FORCED_EXIT_S = 3.0


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m jupyter_localllm.worker",
        description="Serve one GGUF model over an OpenAI-compatible HTTP API.",
    )
    parser.add_argument("--model", required=True, type=Path, help="GGUF file")
    parser.add_argument("--alias", default="", help="name of the model in replies")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--socket", type=Path, help="Unix socket to listen on")
    where.add_argument("--port", type=int, help="TCP port; 0 lets the system choose")
    parser.add_argument("--host", default="127.0.0.1", help="address for --port")
    parser.add_argument("--context-window", type=int, default=0, help="tokens per request")
    parser.add_argument("--slots", type=int, default=4, help="requests computed at once")
    parser.add_argument("--threads", type=int, default=0, help="0: follow the cores and load")
    parser.add_argument("--max-waiting", type=int, default=64, help="requests that may wait")
    parser.add_argument("--chat-template", default="", help="built-in template: chatml, plain")
    parser.add_argument("--supervised", action="store_true", help="for the host; see the source")
    options = parser.parse_args(argv)
    if options.socket is None and options.port is None:
        parser.error("say where to listen: --socket PATH or --port N")
    for name, least in (("context_window", 0), ("slots", 1), ("threads", 0), ("max_waiting", 1)):
        if getattr(options, name) < least:
            parser.error(f"--{name.replace('_', '-')} must be at least {least}")
    if options.port is not None and not os.environ.get("LOCALLLM_API_KEY"):
        parser.error(
            "a TCP port is open to every user of this machine: set the environment variable "
            "LOCALLLM_API_KEY to a key that clients must send"
        )
    return options


def limit_process(is_supervised: bool) -> None:
    """Set what must be set before llama.cpp is loaded."""
    # A short spin: threads that sleep at once lose the next graph node, threads that spin on hold
    # up whoever computes beside them. Measured: README, benchmarks.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    # The engine thread and the loop take turns; the default 5 ms would show in every token.
    sys.setswitchinterval(0.0005)
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if is_supervised:
        # When memory runs out, the system should end the worker, not the notebook.
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("800")


class StatusChannel:
    """Tells whoever started the worker how it goes."""

    def __init__(self, is_supervised: bool) -> None:
        self._is_supervised = is_supervised
        self._told = -1

    def tell(self, event: str, **facts: Any) -> None:
        """Write one status line; the host reads JSON, a person words."""
        if self._is_supervised:
            line = json.dumps({"event": event, **facts})
        elif event == "listening":
            line = f"Listening on {facts.get('socket') or facts.get('url')}"
        elif event == "ready":
            line = f"Ready: {facts['model']['id']}"
        elif event == "failed":
            line = f"{facts['error']['message']} {facts['error']['hint']}"
        else:
            return
        with contextlib.suppress(OSError):
            print(line, flush=True)

    def loading(self, progress: float) -> None:
        """Tell whole percents, each once; called on the engine thread."""
        percent = int(progress * 100)
        if percent != self._told:
            self._told = percent
            self.tell("loading", progress=progress)


async def serve(options: argparse.Namespace, status: StatusChannel) -> int:
    """Run until told to end; returns the exit code."""
    from ..engine.engine import Engine, EngineConfig
    from .app import listen_on_path, listen_on_port, make_server
    from .backend import EngineBackend

    stopping = asyncio.Event()
    watch_for_end(asyncio.get_running_loop(), stopping, options.supervised)
    backend = EngineBackend()
    # The socket's folder keeps others out; a port is open to every user, so it asks for the key.
    api_key = os.environ.get("LOCALLLM_API_KEY", "") if options.port is not None else ""
    server = make_server(backend, api_key)
    if options.socket is not None:
        listen_on_path(server, options.socket)
        status.tell("listening", socket=str(options.socket))
    else:
        port = listen_on_port(server, options.host, options.port)
        status.tell("listening", port=port, url=f"http://{options.host}:{port}/v1")

    def on_progress(progress: float) -> None:
        backend.load_progress = progress
        status.loading(progress)

    config = EngineConfig(
        context_window=options.context_window,
        n_slots=options.slots,
        n_threads=options.threads,
        max_waiting=options.max_waiting,
        chat_template=options.chat_template,
    )
    engine = Engine(
        options.model,
        config,
        alias=options.alias,
        deliver=backend.deliver,
        on_progress=on_progress,
    )
    try:
        info = await backend.load(engine)
    except errors.LocalLLMError as error:
        status.tell("failed", error=error.to_body())
        return EXIT_MODEL_FAILED
    import msgspec

    status.tell("ready", model=msgspec.to_builtins(info))
    await stopping.wait()
    server.stop()
    await backend.close()
    await server.close_all_connections()
    return 0


def watch_for_end(
    loop: asyncio.AbstractEventLoop, stopping: asyncio.Event, is_supervised: bool
) -> None:
    """Set ``stopping`` on a signal, or when the parent's pipe ends; then insist."""

    def stop() -> None:
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(stopping.set)
        timer = threading.Timer(FORCED_EXIT_S, os._exit, args=(0,))
        timer.daemon = True
        timer.start()

    def wait_for_parent() -> None:
        with contextlib.suppress(OSError, ValueError):
            while os.read(0, 4096):
                pass
        stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop())
    if is_supervised:
        threading.Thread(target=wait_for_parent, name="parent", daemon=True).start()


def main() -> None:
    """Entry point."""
    options = parse_arguments()
    limit_process(options.supervised)
    status = StatusChannel(options.supervised)
    code = asyncio.run(serve(options, status))
    if options.socket is not None:
        options.socket.unlink(missing_ok=True)
    sys.stdout.flush()
    # Native threads may still be winding down; nothing of ours is left to save.
    os._exit(code)


if __name__ == "__main__":
    main()
