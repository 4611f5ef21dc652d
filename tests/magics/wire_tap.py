"""A relay in front of a real host that keeps what is sent to it, byte for byte.

Shows which text left the kernel, without a double of anything: the real host answers.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import socket
import threading
from pathlib import Path
from typing import Any

from jupyter_localllm.host.connection_file import ConnectionInfo, write_connection_file


class WireTap:
    """Listens on a Unix socket of its own and passes everything on to the host of ``info``."""

    def __init__(self, info: ConnectionInfo, folder: Path) -> None:
        self._target = info.socket
        self._sent: list[bytearray] = []
        path = folder / "tap.sock"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self.connection_file = write_connection_file(
            dataclasses.replace(info, socket=str(path), path=None)
        )
        threading.Thread(target=self._accept, daemon=True).start()

    def chat_requests(self) -> list[dict[str, Any]]:
        """The JSON bodies of the chat requests so far."""
        bodies = []
        for sent in map(bytes, self._sent):
            for part in sent.split(b"POST /v1/chat/completions")[1:]:
                head, _, body = part.partition(b"\r\n\r\n")
                [length] = [
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length:")
                ]
                bodies.append(json.loads(body[:length]))
        return bodies

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(self._target)
            kept = bytearray()
            self._sent.append(kept)
            for source, sink, copy in ((near, far, kept), (far, near, None)):
                threading.Thread(target=_pump, args=(source, sink, copy), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket, copy: bytearray | None) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            if copy is not None:
                copy += data
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
            end.close()
