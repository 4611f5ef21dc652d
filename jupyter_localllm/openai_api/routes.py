"""The OpenAI routes over any backend, for any tornado handler class.

Functions, not handler classes: the worker and the host use plain handlers behind a private
socket, the server extension uses Jupyter's authenticated ones, and all three answer alike.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import msgspec
from tornado.iostream import StreamClosedError
from tornado.web import RequestHandler

from .. import errors
from ..protocol import (
    Backend,
    ChatCompletionRequest,
    CompletionRequest,
    DetokenizeRequest,
    EmbeddingRequest,
    TokenizeRequest,
)
from .answers import SSE_KEEPALIVE, AnswerWriter, error_body, error_event
from .listings import embeddings_body, model_list_body
from .requests import decode_request

log = logging.getLogger(__name__)

#: Seconds without an event after which a keep-alive comment is sent.
KEEPALIVE_S = 10.0

Route = Callable[[RequestHandler, Backend], Awaitable[None]]


async def answer_completion(
    handler: RequestHandler, backend: Backend, kind: type[ChatCompletionRequest | CompletionRequest]
) -> None:
    """Serve ``/v1/chat/completions`` or ``/v1/completions``, streamed or whole.

    Closing the connection closes the event iterator, which cancels the request. Exactly one
    terminal event is written: ``[DONE]`` or an error.
    """
    request = decode_request(handler.request.body, kind)
    writer = AnswerWriter(is_chat=kind is ChatCompletionRequest, model=request.model)
    async with cancelled_on_close(handler):
        if request.stream:
            await _stream(handler, backend, request, writer)
        else:
            events = backend.stream(request)
            try:
                body = await writer.whole(events)
            finally:
                await close_events(events)
            write_json(handler, body)


async def _stream(
    handler: RequestHandler,
    backend: Backend,
    request: ChatCompletionRequest | CompletionRequest,
    writer: AnswerWriter,
) -> None:
    events = backend.stream(request)
    keep_alive = _KeepAlive(handler)
    try:
        async for event in events:
            _start_stream(handler)
            handler.write(writer.event(event))
            # Awaiting the flush is the back-pressure: nothing piles up behind a slow reader.
            with keep_alive.writing():
                await handler.flush()
    except errors.LocalLLMError as error:
        if not is_streaming(handler):
            raise
        handler.write(error_event(error))
        with keep_alive.writing():
            await handler.flush()
    finally:
        keep_alive.stop()
        await close_events(events)


class _KeepAlive:
    """Writes a comment where an answer has been silent for ``KEEPALIVE_S``.

    A timer beside the stream, not a time-out around each event: that would cost every token.
    """

    def __init__(self, handler: RequestHandler) -> None:
        self._handler = handler
        self._is_writing = False
        self._last = time.monotonic()
        self._schedule()

    def _schedule(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(KEEPALIVE_S, self._check)

    def _check(self) -> None:
        # Two writes at once would lose track of the first one's end.
        if not self._is_writing and time.monotonic() - self._last >= KEEPALIVE_S:
            _start_stream(self._handler)
            self._handler.write(SSE_KEEPALIVE)
            with contextlib.suppress(StreamClosedError):
                # Whether it arrived shows at the next event; a late failure is retrieved here.
                self._handler.flush().add_done_callback(lambda flushed: flushed.exception())
        self._schedule()

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the comment back while an event is being written."""
        self._is_writing = True
        try:
            yield
        finally:
            self._is_writing = False
            self._last = time.monotonic()

    def stop(self) -> None:
        """End the timer."""
        self._timer.cancel()


_STREAMING = "_localllm_streaming"


def _start_stream(handler: RequestHandler) -> None:
    if not is_streaming(handler):
        handler.set_header("Content-Type", "text/event-stream; charset=utf-8")
        handler.set_header("Cache-Control", "no-store")
        handler.set_header("X-Accel-Buffering", "no")
        # A mark on any tornado handler: the three surfaces share no class to hold it.
        vars(handler)[_STREAMING] = True


def is_streaming(handler: RequestHandler) -> bool:
    """Whether the reply's status line has gone out, so that an error must become an event."""
    return bool(vars(handler).get(_STREAMING))


async def close_events(events: Any) -> None:
    """Close an event iterator, which cancels what feeds it; generators only, others have none.

    A cancel that arrives meanwhile waits until it is closed: a write that fails and the closing of
    the connection are told apart from each other, and the second one, in the middle of closing the
    request to a worker, would leave that request running.
    """
    close = getattr(events, "aclose", None)
    if close is None:
        return
    closing = asyncio.ensure_future(close())
    is_cancelled = False
    while not closing.done():
        try:
            await asyncio.wait({closing})
        except asyncio.CancelledError:
            is_cancelled = True
    with contextlib.suppress(errors.LocalLLMError):
        closing.result()
    if is_cancelled:
        raise asyncio.CancelledError


@contextlib.asynccontextmanager
async def cancelled_on_close(handler: RequestHandler) -> Any:
    """Cancel the block when the client goes away, also while nothing is being written."""
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    gone = False

    def on_close() -> None:
        nonlocal gone
        gone = True
        if task is not None:
            loop.call_soon(task.cancel)

    connection: Any = handler.request.connection
    # Tornado has bound the handler's own method before this; setting that again has no effect.
    connection.set_close_callback(on_close)
    try:
        if connection.stream.closed():
            raise errors.Cancelled("The client closed the connection.")
        yield
    except (asyncio.CancelledError, StreamClosedError):
        if not gone and not connection.stream.closed():
            raise
        raise errors.Cancelled("The client closed the connection.") from None
    finally:
        connection.set_close_callback(handler.on_connection_close)


async def answer_chat(handler: RequestHandler, backend: Backend) -> None:
    """``POST /v1/chat/completions``."""
    await answer_completion(handler, backend, ChatCompletionRequest)


async def answer_text(handler: RequestHandler, backend: Backend) -> None:
    """``POST /v1/completions``."""
    await answer_completion(handler, backend, CompletionRequest)


async def answer_embeddings(handler: RequestHandler, backend: Backend) -> None:
    """``POST /v1/embeddings``."""
    request = decode_request(handler.request.body, EmbeddingRequest)
    async with cancelled_on_close(handler):
        embeddings = await backend.embed(request)
        write_json(handler, embeddings_body(embeddings, request.encoding_format))


async def answer_models(handler: RequestHandler, backend: Backend) -> None:
    """``GET /v1/models``."""
    write_json(handler, model_list_body(await backend.models()))


async def answer_tokenize(handler: RequestHandler, backend: Backend) -> None:
    """``POST /tokenize``."""
    request = decode_request(handler.request.body, TokenizeRequest)
    write_json(handler, {"tokens": await backend.tokenize(request)})


async def answer_detokenize(handler: RequestHandler, backend: Backend) -> None:
    """``POST /detokenize``."""
    request = decode_request(handler.request.body, DetokenizeRequest)
    write_json(handler, {"content": await backend.detokenize(request)})


#: (path below the surface's prefix, HTTP verb, route). ``/v1`` is OpenAI's, the rest llama.cpp's.
ROUTES: list[tuple[str, str, Route]] = [
    ("/v1/chat/completions", "POST", answer_chat),
    ("/v1/completions", "POST", answer_text),
    ("/v1/embeddings", "POST", answer_embeddings),
    ("/v1/models", "GET", answer_models),
    ("/tokenize", "POST", answer_tokenize),
    ("/detokenize", "POST", answer_detokenize),
]


def write_json(handler: RequestHandler, body: Any) -> None:
    """Write a value (structs included) as JSON."""
    handler.set_header("Content-Type", "application/json")
    handler.write(msgspec.json.encode(body))


def write_error(handler: RequestHandler, error: BaseException) -> None:
    """Write any exception as an OpenAI error; a foreign one is logged and told without detail."""
    if isinstance(error, errors.Cancelled):
        return
    if not isinstance(error, errors.LocalLLMError):
        log.error("request failed", exc_info=error)
        error = errors.InternalError(
            "Something went wrong inside the assistant.", "The server's log has the details."
        )
    if is_streaming(handler):
        handler.write(error_event(error))
        return
    handler.set_status(error.status if error.status != 499 else 400)
    if isinstance(error, errors.QueueFull):
        handler.set_header("Retry-After", "5")
    handler.set_header("Content-Type", "application/json")
    handler.write(error_body(error))


class PrivateHandler(RequestHandler):
    """Base of the handlers behind a private socket or a bearer key (worker and host).

    The server extension does not use it: there, Jupyter authenticates (``server/base.py``).
    """

    SUPPORTED_METHODS = ("GET", "POST")

    def initialize(self, backend: Backend, api_key: str, route: Route | None = None) -> None:
        self.backend = backend
        self.api_key = api_key
        self.route = route

    def prepare(self) -> None:
        if not self.api_key:
            return
        given = self.request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self.api_key}".encode()):
            self.fail(
                errors.Unauthorized(
                    "The API key is missing or wrong.",
                    "Send the header `Authorization: Bearer KEY` with the server's key.",
                )
            )

    async def get(self) -> None:
        await self.run("GET")

    async def post(self) -> None:
        await self.run("POST")

    async def run(self, verb: str) -> None:
        """Run the route and turn any exception into an error reply."""
        wanted = next((v for _, v, route in ROUTES if route is self.route), verb)
        try:
            if self.route is None:
                raise errors.NotFound(
                    f"There is nothing at {self.request.path[:200]}.",
                    "See /v1/models, /v1/chat/completions, /v1/completions, /health.",
                )
            if wanted != verb:
                raise errors.RequestError(
                    f"{self.request.path} takes {wanted}, not {verb}.",
                    f"Send a {wanted} request.",
                    code="method_not_allowed",
                )
            await self.route(self, self.backend)
        except Exception as error:
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """Answer with an error, where there is still someone to answer to."""
        with contextlib.suppress(StreamClosedError):
            write_error(self, error)
            if not self._finished:
                self.finish()

    def log_exception(self, *_: Any) -> None:
        """Errors are written by :func:`write_error`; tornado's own log line would repeat them."""


def private_routes(backend: Backend, api_key: str, extra: list[Any] | None = None) -> list[Any]:
    """Return tornado rules for every OpenAI route, ``extra`` ones first, a JSON 404 last."""
    rules = [
        (path, PrivateHandler, {"backend": backend, "api_key": api_key, "route": route})
        for path, _, route in ROUTES
    ]
    missing = (r".*", PrivateHandler, {"backend": backend, "api_key": api_key})
    return [*(extra or []), *rules, missing]
