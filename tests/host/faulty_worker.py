"""A worker whose faults the tests choose: the model's file name says what goes wrong.

Speaks the status channel and listens like the real one. Standard library only.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path


def tell(event: str, **facts: object) -> None:
    print(json.dumps({"event": event, **facts}), flush=True)


def wait_for_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)


def listen(path: Path) -> socket.socket:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()
    return server


def answer(connection: socket.socket, fault: str) -> None:
    request = connection.recv(65536).decode()
    body = b'{"status":"ready","slots_busy":1,"last_step_age_s":%d}'
    if request.startswith("GET /health"):
        body %= 9999 if fault == "stuck_engine" else 0
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode() + body)
        connection.close()
        return
    connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    chunk = {"choices": [{"index": 0, "delta": {"content": "begun"}}]}
    connection.sendall(b"data: " + json.dumps(chunk).encode() + b"\n\n")
    if fault == "cut_stream":
        connection.close()
    elif fault == "garbage":
        connection.sendall(b"data: {nonsense\n\n")
    elif fault == "mute":
        # From now on nothing answers, not even /health, while the process lives.
        os.environ["MUTE"] = "1"


def serve(server: socket.socket, fault: str) -> None:
    held = []
    while True:
        connection, _ = server.accept()
        held.append(connection)
        if os.environ.get("MUTE"):
            continue
        threading.Thread(target=answer, args=(connection, fault), daemon=True).start()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path)
    parser.add_argument("--socket", type=Path)
    options, _ = parser.parse_known_args()
    fault = options.model.stem
    if fault == "deaf":
        # Neither the end of stdin nor SIGTERM ends it.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        threading.Thread(target=wait_for_parent, daemon=True).start()
    if fault == "environment":
        facts = {"environ": dict(os.environ), "cwd": str(Path.cwd()), "argv": sys.argv}
        print(json.dumps(facts), file=sys.stderr, flush=True)
        sys.exit(7)
    if fault == "silent":
        time.sleep(3600)
    if fault == "chatty":
        for number in range(20_000):
            print(f"line {number} " + "x" * 40, file=sys.stderr)
        print("the last word", file=sys.stderr, flush=True)
        os.abort()
    if fault == "noise":
        print("not a status line", flush=True)
        print("x" * 100_000, flush=True)
    server = listen(options.socket)
    tell("listening", socket=str(options.socket))
    tell("loading", progress=0.5)
    if fault == "refuses":
        error = {"message": "This file is odd.", "code": "model_file_corrupt", "hint": "Fetch it."}
        tell("failed", error=error)
        sys.exit(3)
    if fault == "has_child":
        # A child that keeps the pipes open after its parent is gone.
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print(child.pid, file=sys.stderr, flush=True)
        os.abort()
    if fault == "dies_loading":
        print("ggml assert failed: odd tensor", file=sys.stderr, flush=True)
        os.abort()
    tell("ready", model={"id": "faulty"})
    serve(server, fault)


if __name__ == "__main__":
    main()
