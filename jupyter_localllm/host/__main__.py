"""``python -m jupyter_localllm.host``: a host in a process of its own.

Started by ``launch`` where no Jupyter server runs (terminals, nbclient, scripts). Prints one JSON
line with the path of its connection file once it listens. With ``--supervised`` it ends when its
stdin ends, so that it never outlives the process that started it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from .. import errors
from .config import HostConfig


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m jupyter_localllm.host",
        description="Run local models for this user's kernels; prints its connection file's path.",
    )
    parser.add_argument("--model", default="", help="default model: name or path")
    parser.add_argument(
        "--model-dir", action="append", default=[], type=Path, help="folder with GGUF files"
    )
    parser.add_argument("--context-window", type=int, default=0, help="tokens per request")
    parser.add_argument("--slots", type=int, default=4, help="answers computed at once")
    parser.add_argument(
        "--idle-unload-minutes", type=float, default=30.0, help="0: keep models loaded"
    )
    parser.add_argument("--supervised", action="store_true", help="end when stdin ends")
    options = parser.parse_args(argv)
    if options.context_window < 0 or options.slots < 1 or options.idle_unload_minutes < 0:
        parser.error("--slots must be at least 1, the other numbers not negative")
    return options


def make_config(options: argparse.Namespace) -> HostConfig:
    """Turn the command line into a configuration."""
    model = options.model
    if model.startswith("~"):
        model = str(Path(model).expanduser())
    return HostConfig(
        default_model=model,
        model_dirs=tuple(folder.expanduser().absolute() for folder in options.model_dir),
        context_window=options.context_window,
        n_slots=options.slots,
        idle_unload_s=options.idle_unload_minutes * 60,
    )


async def serve(options: argparse.Namespace) -> int:
    """Run until told to end; returns the exit status."""
    from .model_host import ModelHost

    stopping = asyncio.Event()
    _watch_for_end(asyncio.get_running_loop(), stopping, options.supervised)
    host = ModelHost(make_config(options), scope="child" if options.supervised else "server")
    try:
        await host.start()
        with contextlib.suppress(OSError):
            print(json.dumps({"connection_file": str(host.connection_file)}), flush=True)
        await stopping.wait()
    except errors.LocalLLMError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        await host.stop()
    return 0


def _watch_for_end(
    loop: asyncio.AbstractEventLoop, stopping: asyncio.Event, is_supervised: bool
) -> None:
    def stop() -> None:
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(stopping.set)

    def wait_for_parent() -> None:
        with contextlib.suppress(OSError):
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
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    sys.exit(asyncio.run(serve(options)))


if __name__ == "__main__":
    main()
