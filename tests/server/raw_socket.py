"""A websocket client that does only what a test tells it: it need not read, nor answer pings."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import socket
from typing import Any

from .page import TIMEOUT_S, Visitor

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class RawSocket:
    """One connection, frame by frame."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, visitor: Visitor) -> RawSocket:
        """Open with a small receive buffer, so that not reading is felt soon."""
        host, port = visitor.address.split(":")
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, (host, int(port)))
        reader, writer = await asyncio.open_connection(sock=sock, limit=4096)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {visitor.base_url}localllm/chat HTTP/1.1",
            f"Host: {visitor.address}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            f"Authorization: token {visitor.token}",
        ]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), TIMEOUT_S)
        assert b" 101 " in answer.split(b"\r\n")[0], answer
        return cls(reader, writer)

    def send(self, opcode: int, payload: bytes = b"") -> None:
        """Send one frame, masked with zeros."""
        length = len(payload)
        head = bytes([0x80 | opcode])
        head += bytes([0x80 | length]) if length < 126 else b"\xfe" + length.to_bytes(2, "big")
        self.writer.write(head + bytes(4) + payload)

    def send_json(self, frame: dict[str, Any]) -> None:
        self.send(TEXT, json.dumps(frame).encode())

    async def receive(self, timeout_s: float = TIMEOUT_S) -> tuple[int, bytes]:
        """Return the next frame; (CLOSE, b"") where the connection just ended."""
        return await asyncio.wait_for(self._receive(), timeout_s)

    async def _receive(self) -> tuple[int, bytes]:
        try:
            first, length = await self.reader.readexactly(2)
            if length >= 126:
                n_bytes = 2 if length == 126 else 8
                length = int.from_bytes(await self.reader.readexactly(n_bytes), "big")
            return first & 15, await self.reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return CLOSE, b""

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()
