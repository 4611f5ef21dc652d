"""The one client of the OpenAI HTTP dialect: to a worker, a host, or any outside server.

Asyncio and httpx only. Never leaves the machine unless its ``base_url`` does: proxies and other
environment settings are not read. What the JSON looks like is ``openai_api``'s business.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncGenerator, Iterator
from typing import Any, cast

import httpx
import msgspec

from .. import errors
from ..openai_api.answers import AnswerReader, read_error
from ..openai_api.listings import read_embeddings, read_model_list
from ..openai_api.requests import encode_request
from ..protocol import (
    ChatCompletionRequest,
    CompletionDone,
    CompletionEvent,
    CompletionRequest,
    DetokenizeRequest,
    EmbeddingRequest,
    Embeddings,
    ModelInfo,
    TokenizeRequest,
)

CONNECT_TIMEOUT_S = 5.0
#: Keep-alives come every 10 s while an answer is on its way; six missed ones are a broken peer.
READ_TIMEOUT_S = 60.0
#: A whole reply may take as long as loading a model does.
WHOLE_REPLY_TIMEOUT_S = 600.0


class _Tokens(msgspec.Struct):
    tokens: list[int]


class _Content(msgspec.Struct):
    content: str


class ConnectionLost(errors.WorkerCrashed):
    """The peer went away, or fell silent, before its answer was complete."""

    code = "connection_lost"


class OpenAIClient:
    """Speaks to one server; implements :class:`~jupyter_localllm.protocol.Backend`.

    Parameters
    ----------
    base_url : str
        With or without ``/v1`` at the end.
    socket_path : str, optional
        Unix socket to connect to in place of the host in ``base_url``.
    api_key : str, optional
        Sent as bearer token.
    """

    def __init__(
        self, base_url: str, *, socket_path: str | None = None, api_key: str | None = None
    ) -> None:
        self.base_url = base_url.rstrip("/").removesuffix("/v1")
        self.socket_path = socket_path
        self._api_key = api_key
        self._http: httpx.AsyncClient | None = None
        self._owner: tuple[int, asyncio.AbstractEventLoop] | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.socket_path or self.base_url})"

    async def stream(
        self, request: ChatCompletionRequest | CompletionRequest
    ) -> AsyncGenerator[CompletionEvent, None]:
        """Yield the events of one answer; closing the generator cancels the request.

        Raises
        ------
        LocalLLMError
            The server's own error, :class:`ConnectionLost`, or ``HostUnavailable`` where nobody
            listens. Raised once; nothing follows it.
        """
        is_chat = isinstance(request, ChatCompletionRequest)
        path = "/v1/chat/completions" if is_chat else "/v1/completions"
        content = _encoded(msgspec.structs.replace(request, stream=True))
        reader = AnswerReader()
        with self._translated():
            async with (await self._client()).stream("POST", path, content=content) as response:
                if response.status_code != 200:
                    raise read_error(await response.aread(), response.status_code)
                pieces = cast("AsyncGenerator[bytes, None]", response.aiter_bytes())
                async with contextlib.aclosing(pieces):
                    async for piece in pieces:
                        for event in reader.feed(piece):
                            yield event
                            if isinstance(event, CompletionDone):
                                return
        raise self._lost("The connection ended before the answer was complete.")

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        """Return one vector per input."""
        plain = msgspec.structs.replace(request, encoding_format="float")
        body = await self._ask("POST", "/v1/embeddings", _encoded(plain))
        with self._translated():
            return read_embeddings(body)

    async def models(self) -> list[ModelInfo]:
        """List the server's models."""
        body = await self._ask("GET", "/v1/models")
        with self._translated():
            return read_model_list(body)

    async def tokenize(self, request: TokenizeRequest) -> list[int]:
        """Return the token ids of a text."""
        body = await self._ask("POST", "/tokenize", _encoded(request))
        with self._translated():
            return msgspec.json.decode(body, type=_Tokens).tokens

    async def detokenize(self, request: DetokenizeRequest) -> str:
        """Return the text of token ids."""
        body = await self._ask("POST", "/detokenize", _encoded(request))
        with self._translated():
            return msgspec.json.decode(body, type=_Content).content

    async def health(self, timeout_s: float) -> dict[str, Any]:
        """Return the server's ``/health`` object, whatever its status code.

        Raises
        ------
        LocalLLMError
            No answer within ``timeout_s``.
        """
        with self._translated():
            response = await (await self._client()).get("/health", timeout=timeout_s)
            return msgspec.json.decode(response.content, type=dict[str, Any])

    async def aclose(self) -> None:
        """Close idle and running connections; the client may be used again."""
        http, owner = self._http, self._owner
        self._http = self._owner = None
        if http is not None and owner == (os.getpid(), asyncio.get_running_loop()):
            await http.aclose()

    # --- the wire -----------------------------------------------------------------------

    async def _client(self) -> httpx.AsyncClient:
        """Return the connection pool of this process and loop: a forked child gets its own."""
        owner = (os.getpid(), asyncio.get_running_loop())
        if self._http is None or self._owner != owner:
            # Reading the certificates takes 0.2 s, and only https needs them.
            is_secure = self.base_url.startswith("https:")
            verify = await asyncio.to_thread(_certificates) if is_secure else False
            headers = {"Content-Type": "application/json"}
            if self._api_key:
                headers["Authorization"] = f"Bearer {self._api_key}"
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=8)
            self._http = httpx.AsyncClient(
                transport=httpx.AsyncHTTPTransport(
                    uds=self.socket_path, limits=limits, verify=verify, trust_env=False
                ),
                base_url=self.base_url,
                headers=headers,
                timeout=httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S, pool=None),
                trust_env=False,
                follow_redirects=False,
            )
            self._owner = owner
        return self._http

    async def _ask(self, verb: str, path: str, content: bytes | None = None) -> bytes:
        timeout = httpx.Timeout(WHOLE_REPLY_TIMEOUT_S, connect=CONNECT_TIMEOUT_S, pool=None)
        with self._translated():
            response = await (await self._client()).request(
                verb, path, content=content, timeout=timeout
            )
        if response.status_code != 200:
            raise read_error(response.content, response.status_code)
        return response.content

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn httpx's exceptions, and replies of the wrong shape, into ours."""
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise errors.HostUnavailable(
                f"Nothing answers at {self._place} ({error or type(error).__name__}).",
                "Check that the server runs, then send the request again.",
            ) from None
        except httpx.TimeoutException:
            raise self._lost(f"{self._place} has stopped answering.") from None
        except httpx.TransportError as error:
            reason = str(error) or type(error).__name__
            raise self._lost(f"The connection to {self._place} was lost ({reason}).") from None
        except msgspec.DecodeError as error:
            raise errors.WorkerError(
                f"The reply of {self._place} cannot be read: {error}.",
                "Check that the address belongs to an OpenAI-compatible server.",
                code="bad_backend_reply",
            ) from None
        except httpx.InvalidURL as error:
            raise errors.InvalidParameter(
                f"{self.base_url!r} is not a server address: {error}.",
                "Give one like http://localhost:8080/v1.",
                param="base_url",
            ) from None

    @property
    def _place(self) -> str:
        return "the model's server" if self.socket_path else self.base_url

    def _lost(self, message: str) -> ConnectionLost:
        return ConnectionLost(message, "Send the request again.")


def _certificates() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)


def _encoded(request: msgspec.Struct) -> bytes:
    try:
        return encode_request(request)
    except UnicodeEncodeError:
        raise errors.InvalidText(
            "The text contains half of a character (a lone surrogate).",
            "Remove the damaged character and send the request again.",
        ) from None
