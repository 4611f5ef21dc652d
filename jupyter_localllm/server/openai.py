"""The OpenAI routes under ``localllm/``, for scripts, other tools and the page.

Decoding, streaming and error shapes are ``openai_api.routes``; here they meet Jupyter's identity.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from tornado import web

from ..openai_api.routes import ROUTES, Route, close_events
from ..protocol import (
    ChatCompletionRequest,
    CompletionEvent,
    CompletionRequest,
    DetokenizeRequest,
    EmbeddingRequest,
    Embeddings,
    HostStatus,
    ModelInfo,
    TokenizeRequest,
)
from .base import LocalLLMHandler, authorized

if TYPE_CHECKING:
    from .app import LocalLLMExtension


class UserBackend:
    """The host as one Jupyter user sees it; a :class:`~jupyter_localllm.protocol.Backend`.

    The ``user`` of a request is always who Jupyter says it is, so that nobody can queue under
    another name or before others, and models are named, never given as paths.
    """

    def __init__(self, extension: LocalLLMExtension, owner: str) -> None:
        self._extension = extension
        self._owner = owner

    async def stream(
        self, request: ChatCompletionRequest | CompletionRequest
    ) -> AsyncIterator[CompletionEvent]:
        """Yield the host's events."""
        request.user = self._owner
        # People who share a server may stand back in the line, not push in.
        request.priority = min(request.priority or 0, 0)
        host = await self._extension.running_host()
        events = host.stream(request)
        try:
            async for event in events:
                yield event
        finally:
            await close_events(events)

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        """Embed with the host."""
        request.user = self._owner
        host = await self._extension.running_host()
        return await host.embed(request)

    async def status(self) -> HostStatus:
        """Return what the host runs; asks no outside server."""
        host = await self._extension.running_host()
        return await host.status()

    async def models(self) -> list[ModelInfo]:
        """List the host's models."""
        host = await self._extension.running_host()
        return await host.models()

    async def tokenize(self, request: TokenizeRequest) -> list[int]:
        """Tokenize with the host."""
        host = await self._extension.running_host()
        return await host.tokenize(request)

    async def detokenize(self, request: DetokenizeRequest) -> str:
        """Detokenize with the host."""
        host = await self._extension.running_host()
        return await host.detokenize(request)


class _RouteHandler(LocalLLMHandler):
    """One of ``openai_api.routes``, behind Jupyter's authentication."""

    # tornado gives each rule's arguments to its own handler's initialize.
    def initialize(self, **arguments: Route) -> None:
        super().initialize()
        self.route = arguments["route"]


class OpenAIReadHandler(_RouteHandler):
    """A route that only reads."""

    @web.authenticated
    @authorized("read")
    async def get(self) -> None:
        """Run the route."""
        backend = UserBackend(self.extension, self.owner)
        await self.answer(functools.partial(self.route, self, backend))


class OpenAIHandler(_RouteHandler):
    """A route that makes the model work."""

    @web.authenticated
    @authorized("execute")
    async def post(self) -> None:
        """Run the route."""
        backend = UserBackend(self.extension, self.owner)
        await self.answer(functools.partial(self.route, self, backend))


def openai_rules() -> list[tuple[str, type[LocalLLMHandler], dict[str, Any]]]:
    """Return (path below the server's base URL, handler, its arguments) of every OpenAI route."""
    return [
        (
            f"/localllm{path}",
            OpenAIReadHandler if verb == "GET" else OpenAIHandler,
            {"route": route},
        )
        for path, verb, route in ROUTES
    ]
