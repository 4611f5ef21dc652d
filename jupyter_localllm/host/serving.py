"""The host's private HTTP server: OpenAI's routes, status, load and unload, for this user only.

On a Unix socket of mode 0600 in a 0700 folder; on Windows on loopback TCP with a random bearer key.
Started by ``model_host`` on the loop it runs in. Jupyter's own routes are ``server/``'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import struct
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream
from tornado.netutil import bind_sockets, bind_unix_socket
from tornado.web import Application, RequestHandler

from .. import errors
from ..openai_api.requests import decode_request
from ..openai_api.routes import PrivateHandler, Route, private_routes, write_json
from ..protocol import (
    Backend,
    ChatCompletionRequest,
    CompletionEvent,
    CompletionRequest,
    DetokenizeRequest,
    EmbeddingRequest,
    Embeddings,
    ModelInfo,
    TokenizeRequest,
)
from .connection_file import ConnectionInfo, private_socket_path

if TYPE_CHECKING:
    from .model_host import ModelHost

log = logging.getLogger(__name__)

#: Read so far, so that a body over the limit gets an error it can be told, not a reset.
_READ_LIMIT_BYTES = 64 << 20
_CLOSE_TIMEOUT_S = 1.0


class ModelName(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST /localllm/load`` and ``/localllm/unload``; empty: the default model."""

    model: str = ""


class KernelSurface:
    """The host as kernels of this user see it: models may be named by path."""

    def __init__(self, host: ModelHost, allow_paths: bool) -> None:
        self.host = host
        self.allow_paths = allow_paths
        self._n_active = 0
        self._all_ended = asyncio.Event()
        self._all_ended.set()

    async def stream(
        self, request: ChatCompletionRequest | CompletionRequest
    ) -> AsyncGenerator[CompletionEvent, None]:
        """Yield the host's events."""
        self._n_active += 1
        self._all_ended.clear()
        try:
            events = self.host.stream(request, allow_path=self.allow_paths)
            async with contextlib.aclosing(events):
                async for event in events:
                    yield event
        finally:
            self._n_active -= 1
            if not self._n_active:
                self._all_ended.set()

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        """Embed with the host."""
        return await self.host.embed(request, allow_path=self.allow_paths)

    async def models(self) -> list[ModelInfo]:
        """List the host's models."""
        return await self.host.models()

    async def tokenize(self, request: TokenizeRequest) -> list[int]:
        """Tokenize with the host."""
        return await self.host.tokenize(request, allow_path=self.allow_paths)

    async def detokenize(self, request: DetokenizeRequest) -> str:
        """Detokenize with the host."""
        return await self.host.detokenize(request, allow_path=self.allow_paths)

    async def wait_ended(self, timeout_s: float) -> None:
        """Wait until no answer is being written, at most ``timeout_s``."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._all_ended.wait(), timeout_s)


def _host_routes(surface: KernelSurface) -> list[tuple[str, str, Route]]:
    async def answer_status(handler: RequestHandler, _: Backend) -> None:
        write_json(handler, await surface.host.status())

    async def answer_load(handler: RequestHandler, _: Backend) -> None:
        name = decode_request(handler.request.body, ModelName).model
        write_json(handler, await surface.host.load(name, allow_path=surface.allow_paths))

    async def answer_unload(handler: RequestHandler, _: Backend) -> None:
        name = decode_request(handler.request.body, ModelName).model
        await surface.host.unload(name, allow_path=surface.allow_paths)
        write_json(handler, {})

    async def answer_health(handler: RequestHandler, _: Backend) -> None:
        write_json(handler, {"status": "ready"})

    return [
        ("/localllm/status", "GET", answer_status),
        ("/localllm/load", "POST", answer_load),
        ("/localllm/unload", "POST", answer_unload),
        ("/health", "GET", answer_health),
    ]


def _only(verb: str, route: Route) -> Route:
    async def answer(handler: RequestHandler, backend: Backend) -> None:
        if handler.request.method != verb:
            raise errors.RequestError(
                f"{handler.request.path} takes {verb}, not {handler.request.method}.",
                f"Send a {verb} request.",
                code="method_not_allowed",
            )
        await route(handler, backend)

    return answer


class _OwnUserServer(HTTPServer):
    """Refuses Unix-socket peers that belong to another user, whatever the file modes say."""

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        peer = peer_uid(stream.socket)
        if peer is not None and peer not in (os.getuid(), 0):
            log.warning("a connection of user %d to the private socket was refused", peer)
            stream.close()
            return
        super().handle_stream(stream, address)


def peer_uid(connection: socket.socket) -> int | None:
    """Return the user id at the other end of a Unix socket, where the system tells."""
    if not hasattr(socket, "SO_PEERCRED") or connection.family != socket.AF_UNIX:
        return None
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack(
        "3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    )
    return int(uid)


class PrivateServer:
    """The server on the private socket."""

    def __init__(self, host: ModelHost, allow_paths: bool) -> None:
        self._surface = KernelSurface(host, allow_paths)
        self._api_key = "" if hasattr(socket, "AF_UNIX") else secrets.token_urlsafe(32)
        settings = {"backend": self._surface, "api_key": self._api_key}
        extra = [
            (path, PrivateHandler, {**settings, "route": _only(verb, route)})
            for path, verb, route in _host_routes(self._surface)
        ]
        application = Application(
            private_routes(self._surface, self._api_key, extra),
            log_function=lambda handler: None,
        )
        self._http = _OwnUserServer(
            application, max_body_size=_READ_LIMIT_BYTES, max_buffer_size=_READ_LIMIT_BYTES
        )

    def listen(self, folder: Path) -> ConnectionInfo:
        """Listen in ``folder`` and return where; the caller says who it is."""
        if hasattr(socket, "AF_UNIX"):
            path = str(private_socket_path(folder, "host.sock"))
            self._http.add_socket(bind_unix_socket(path, mode=0o600))
            return ConnectionInfo(socket=path)
        sockets = bind_sockets(0, "127.0.0.1")
        self._http.add_sockets(sockets)
        port = sockets[0].getsockname()[1]
        return ConnectionInfo(url=f"http://127.0.0.1:{port}", api_key=self._api_key)

    def stop_listening(self) -> None:
        """Take no new connections; those open go on."""
        self._http.stop()

    async def close(self) -> None:
        """Close every connection, after its answer had a moment to end."""
        self._http.stop()
        await self._surface.wait_ended(_CLOSE_TIMEOUT_S)
        await self._http.close_all_connections()
