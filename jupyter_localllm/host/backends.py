"""Outside servers: which model names belong to one, and asking it in plain OpenAI terms.

Nothing here runs unless the user configured a server. Called by ``model_host``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import TypeVar

import msgspec

from .. import errors
from ..client.client import OpenAIClient
from ..protocol import (
    ChatCompletionRequest,
    CompletionEvent,
    CompletionRequest,
    DetokenizeRequest,
    EmbeddingRequest,
    Embeddings,
    ModelInfo,
    ModelState,
    TokenizeRequest,
)
from .config import OutsideServer

RequestType = TypeVar("RequestType", bound=msgspec.Struct)

_LIST_TIMEOUT_S = 5.0
#: Fields of ours that others may refuse, or should not learn (who asks).
_OWN_FIELDS = ("return_progress", "priority", "user")


class OutsideModel:
    """One model of an outside server; a :class:`~jupyter_localllm.protocol.Backend`."""

    def __init__(self, client: OpenAIClient, model: str) -> None:
        self._client = client
        self._model = model

    def stream(
        self, request: ChatCompletionRequest | CompletionRequest
    ) -> AsyncGenerator[CompletionEvent, None]:
        """Yield the server's events; closing the generator closes the connection."""
        return self._client.stream(self._outside(request))

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        """Return the server's vectors."""
        return await self._client.embed(self._outside(request))

    async def models(self) -> list[ModelInfo]:
        """List the server's models."""
        return await self._client.models()

    async def tokenize(self, request: TokenizeRequest) -> list[int]:
        """Return token ids, where the server has such a route."""
        return await self._client.tokenize(self._outside(request))

    async def detokenize(self, request: DetokenizeRequest) -> str:
        """Return text, where the server has such a route."""
        return await self._client.detokenize(self._outside(request))

    def _outside(self, request: RequestType) -> RequestType:
        own = {name: None for name in _OWN_FIELDS if hasattr(request, name)}
        return msgspec.structs.replace(request, model=self._model, **own)


class OutsideBackends:
    """The configured servers by name.

    A model is asked for as ``NAME/model``, as ``NAME`` (its first configured model), or by a
    configured model's own name.
    """

    def __init__(self, servers: Mapping[str, OutsideServer]) -> None:
        self._servers = dict(servers)
        self._clients = {
            name: OpenAIClient(server.base_url, api_key=server.api_key)
            for name, server in servers.items()
        }

    def find(self, model: str) -> OutsideModel | None:
        """Return the model if its name belongs to an outside server.

        Raises
        ------
        ModelNotFound
            The name is that of a server with several models, or not one of its models.
        """
        for name, server in self._servers.items():
            if model in server.models:
                return OutsideModel(self._clients[name], model)
        name, _, rest = model.partition("/")
        found = self._servers.get(name)
        if found is None:
            return None
        rest = rest or (found.models[0] if found.models else "")
        if not rest or (found.models and rest not in found.models):
            known = ", ".join(f"{name}/{known}" for known in found.models) or f"{name}/MODEL"
            raise errors.ModelNotFound(
                f"The server {name} is not set up for {model!r}.", f"Ask for {known}."
            )
        return OutsideModel(self._clients[name], rest)

    def named_models(self) -> list[ModelInfo]:
        """List the configured model names; asks nobody."""
        return [
            ModelInfo(f"{name}/{model}", state=ModelState.READY, source=name)
            for name, server in self._servers.items()
            for model in server.models
        ]

    async def models(self) -> list[ModelInfo]:
        """List the models of all servers; one that does not answer is listed with its error."""
        unnamed = [name for name, server in self._servers.items() if not server.models]
        lists = await asyncio.gather(*map(self._ask_models, unnamed))
        return [*self.named_models(), *(model for models in lists for model in models)]

    async def _ask_models(self, name: str) -> list[ModelInfo]:
        try:
            found = await asyncio.wait_for(self._clients[name].models(), _LIST_TIMEOUT_S)
        except asyncio.TimeoutError:
            error = errors.HostUnavailable(
                f"The server {name} does not answer.", "Check that it runs."
            )
            return [ModelInfo(name, state=ModelState.FAILED, source=name, error=error.to_body())]
        except errors.LocalLLMError as error:
            return [ModelInfo(name, state=ModelState.FAILED, source=name, error=error.to_body())]
        return [
            ModelInfo(f"{name}/{model.id}", state=ModelState.READY, source=name) for model in found
        ]

    async def aclose(self) -> None:
        """Close all connections."""
        for client in self._clients.values():
            await client.aclose()
