"""A page and a visitor, as the tests play them: real HTTP and websockets, no browser."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any
from urllib.parse import urlencode

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse
from tornado.websocket import WebSocketClientConnection, websocket_connect

from jupyter_localllm.chat_protocol import socket_frame_decoder

TIMEOUT_S = 30.0
_ids = itertools.count(1)


class Page:
    """One open websocket; every frame it gets is checked against the protocol."""

    def __init__(self, connection: WebSocketClientConnection) -> None:
        self.connection = connection

    async def send(self, frame: dict[str, Any] | str) -> None:
        text = frame if isinstance(frame, str) else json.dumps(frame)
        await self.connection.write_message(text)

    async def ask(self, content: str, request_id: str = "", **request: Any) -> str:
        """Start an answer and return its id."""
        request_id = request_id or f"r{next(_ids)}"
        message = {"role": "user", "content": content}
        body = {"messages": [message], "temperature": 0, **request}
        await self.send({"type": "start", "request_id": request_id, "request": body})
        return request_id

    async def frame(self, timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
        """Return the next frame; the connection must be open."""
        message = await asyncio.wait_for(self.connection.read_message(), timeout_s)
        assert message is not None, "the server closed the connection"
        socket_frame_decoder.decode(message)
        frame: dict[str, Any] = json.loads(message)
        return frame

    async def frames(self, request_id: str) -> list[dict[str, Any]]:
        """Return the frames of one answer up to its terminal one."""
        frames = []
        while True:
            frame = await self.frame()
            if frame.get("request_id") == request_id:
                frames.append(frame)
                if frame["type"] in ("done", "error"):
                    return frames

    async def until(self, kind: str, request_id: str = "") -> dict[str, Any]:
        """Skip to the next frame of a type."""
        while True:
            frame = await self.frame()
            if frame["type"] == kind and request_id in ("", frame.get("request_id")):
                return frame

    async def is_closed(self, timeout_s: float = TIMEOUT_S) -> bool:
        """Wait for the server to close the connection; what it sends before is dropped."""
        while (await asyncio.wait_for(self.connection.read_message(), timeout_s)) is not None:
            pass
        return True

    def drop(self) -> None:
        """Lose the connection without a closing handshake."""
        protocol = self.connection.protocol
        assert protocol is not None
        protocol._abort()
        self.connection.close()


def text_of(frames: list[dict[str, Any]]) -> str:
    """Return the answer in some frames."""
    return "".join(frame["text"] for frame in frames if frame["type"] == "delta")


def check_numbers(frames: list[dict[str, Any]], last_seq: int = 0) -> None:
    """Check that the numbered frames follow each other without gap or repetition."""
    for frame in frames:
        assert frame.get("first_seq", frame["seq"]) == last_seq + 1
        last_seq = frame["seq"]


class Visitor:
    """Sends requests with chosen credentials.

    ``address`` goes into the Host header; Jupyter names its login cookie after it.
    """

    def __init__(self, client: AsyncHTTPClient, port: int, base_url: str, token: str) -> None:
        self.client = client
        self.address = f"127.0.0.1:{port}"
        self.base_url = base_url
        self.token = token

    def url(self, path: str, scheme: str = "http", **query: str) -> str:
        return f"{scheme}://{self.address}{self.base_url}{path}?{urlencode(query)}"

    @property
    def token_header(self) -> dict[str, str]:
        return {"Authorization": f"token {self.token}"}

    async def fetch(
        self,
        path: str,
        method: str = "GET",
        *,
        body: Any = None,
        headers: dict[str, str] | None = None,
        query: dict[str, str] | None = None,
    ) -> HTTPResponse:
        """Send one request; errors are returned like any other response."""
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        return await self.client.fetch(
            self.url(path, **(query or {})),
            method=method,
            headers=self.token_header if headers is None else headers,
            body=body,
            allow_nonstandard_methods=True,
            follow_redirects=False,
            raise_error=False,
            request_timeout=TIMEOUT_S,
        )

    async def login_cookie(self) -> dict[str, str]:
        """Return the cookie header of a browser that has logged in; each call is a new user."""
        response = await self.fetch("api/me")
        cookies = [c.split(";")[0] for c in response.headers.get_list("Set-Cookie")]
        return {"Cookie": "; ".join(c for c in cookies if c.startswith("username-"))}

    async def connect(
        self,
        path: str = "localllm/chat",
        *,
        headers: dict[str, str] | None = None,
        query: dict[str, str] | None = None,
    ) -> WebSocketClientConnection | int:
        """Open a websocket; where that is refused, return the status."""
        request = HTTPRequest(
            self.url(path, "ws", **(query or {})),
            headers=self.token_header if headers is None else headers,
            connect_timeout=TIMEOUT_S,
        )
        try:
            return await websocket_connect(request)
        except HTTPClientError as error:
            return int(error.code)

    async def open_page(self, **kwargs: Any) -> Page:
        """Open a websocket and take its hello."""
        connection = await self.connect(**kwargs)
        assert isinstance(connection, WebSocketClientConnection), connection
        page = Page(connection)
        assert (await page.frame())["type"] == "hello"
        return page
