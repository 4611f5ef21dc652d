"""The one HTTP base and the one websocket base; no handler of this package has another.

Both authenticate as Jupyter does and ask Jupyter's authorizer on each request, with the action
and the resource spelt out: jupyter_server's bare ``@authorized`` remembers the resource of the
first class that used it. Neither looks at Origin or CORS: Jupyter does. What a route does stands
in ``openai``, ``models``, ``chats``, ``context``, ``diagrams`` and ``chat``.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import ws_authenticated
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado import web
from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketHandler

from .. import errors
from ..openai_api.answers import error_body
from ..openai_api.routes import is_streaming, write_error
from ..protocol import MAX_BODY_BYTES
from .identity import owner_of

if TYPE_CHECKING:
    from .app import LocalLLMExtension

#: What Jupyter's authorizer is asked about; actions are ``read``, ``write`` and ``execute``.
AUTH_RESOURCE = "localllm"

#: Seconds between pings; proxies in front of a hub drop a connection that is silent for 60 s.
PING_INTERVAL_S = 20.0

_Verb = TypeVar("_Verb", bound=Callable[..., Awaitable[None]])


def authorized(action: str) -> Callable[[_Verb], _Verb]:
    """Decorate a verb so that Jupyter's authorizer is awaited first, each time.

    It stands below ``@web.authenticated``, which must be the outermost.
    """

    def decorate(verb: _Verb) -> _Verb:
        @functools.wraps(verb)
        async def checked(self: _LocalLLMHandler, *args: Any, **kwargs: Any) -> None:
            await self.authorize(action)
            await verb(self, *args, **kwargs)

        # Read by the test that walks all routes; functions have no typed place for it.
        vars(checked)["localllm_action"] = action
        return cast("_Verb", checked)

    return decorate


class _LocalLLMHandler(JupyterHandler):
    """What both bases share: the extension, the owner, the authorizer, errors as JSON."""

    auth_resource = AUTH_RESOURCE

    @property
    def extension(self) -> LocalLLMExtension:
        """The extension application, which knows the host and the streams."""
        return cast("LocalLLMExtension", self.settings["jupyter_localllm"])

    @property
    def owner(self) -> str:
        """Whose streams and chats these are, and whom the queue is fair to; see ``identity``."""
        return owner_of(self, has_separate_logins=self.extension.separate_logins)

    async def authorize(self, action: str, resource: str = AUTH_RESOURCE) -> None:
        """Ask the authorizer; a refusal is status 403."""
        answer = self.authorizer.is_authorized(self, self.current_user, action, resource)
        if not await ensure_async(answer):
            raise web.HTTPError(403, f"not allowed to {action} {resource}")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Write what Jupyter or tornado refused in the shape that OpenAI clients read."""
        self.set_header("Content-Type", "application/json")
        self.finish(error_body(_refusal(status_code)))


def _refusal(status: int) -> errors.LocalLLMError:
    if status == 403:
        return errors.Unauthorized(
            "The Jupyter server does not let you use the assistant.",
            "Log in, or send the server's token as `Authorization: Bearer TOKEN`; in a page that "
            "is logged in, reload it.",
            code="forbidden",
        )
    if status == 404:
        return errors.NotFound("There is nothing at this address for you.", "Check the address.")
    if status == 405:
        return errors.RequestError(
            "This address does not take that method.",
            "Use GET for lists and status, POST for everything else.",
            code="method_not_allowed",
        )
    if status < 500:
        return errors.RequestError(
            "The Jupyter server refused the request.", "The server's log has the details."
        )
    return errors.InternalError(
        "Something went wrong inside the assistant.", "The server's log has the details."
    )


@web.stream_request_body
class LocalLLMHandler(_LocalLLMHandler, APIHandler):
    """The base of every HTTP handler.

    The body is taken in only after Jupyter has let the request in, and at most
    ``max_body_bytes`` of it are held; the rest is read and thrown away, so that the client gets
    to see the reason.
    """

    SUPPORTED_METHODS = ("GET", "POST", "OPTIONS")

    max_body_bytes = MAX_BODY_BYTES

    #: Of a reply that is neither JSON nor a stream of events.
    content_type = ""

    def initialize(self, **_: Any) -> None:
        """Start with an empty body."""
        self._chunks: list[bytes] = []
        self._n_body_bytes = 0

    def data_received(self, chunk: bytes) -> None:
        """Keep a piece of the body, within the limit."""
        self._n_body_bytes += len(chunk)
        if self._n_body_bytes <= self.max_body_bytes:
            self._chunks.append(chunk)
        else:
            self._chunks.clear()

    async def answer(self, route: Callable[[], Awaitable[None]]) -> None:
        """Run ``route`` and answer with its error where it raises one."""
        try:
            limit = self.max_body_bytes
            if self._n_body_bytes > limit:
                raise errors.RequestTooLarge(
                    f"The request has {self._n_body_bytes:,} bytes; at most {limit:,} are taken.",
                    "Send less text; long material belongs into a shorter excerpt.",
                    details={"size_bytes": self._n_body_bytes, "limit_bytes": limit},
                )
            self.request.body = b"".join(self._chunks)
            await route()
        except web.HTTPError:
            raise
        except Exception as error:
            with contextlib.suppress(StreamClosedError):
                write_error(self, error)

    def finish(self, *args: Any, **kwargs: Any) -> Any:
        """Keep the content type of an event stream or file; Jupyter's own is application/json."""
        if is_streaming(self):
            kwargs["set_content_type"] = "text/event-stream; charset=utf-8"
        elif self.content_type:
            kwargs["set_content_type"] = self.content_type
        return super().finish(*args, **kwargs)


class LocalLLMSocket(WebSocketMixin, WebSocketHandler, _LocalLLMHandler):
    """The base of every websocket handler; the order of its parents decides who checks Origin."""

    SUPPORTED_METHODS = ("GET",)

    #: Above ``MAX_BODY_BYTES``, so that a message that is too long is answered, not cut off.
    max_message_size = 4 * MAX_BODY_BYTES

    def set_default_headers(self) -> None:
        """None are meaningful on an upgrade."""

    @ws_authenticated
    @authorized("execute")
    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Upgrade the connection."""
        await super().get(*args, **kwargs)

    @property
    def ping_interval(self) -> float:
        """Seconds, as tornado counts; a shorter one may be set for the whole server."""
        configured = self.settings.get("websocket_ping_interval")
        return min(float(configured), PING_INTERVAL_S) if configured else PING_INTERVAL_S

    @property
    def ping_timeout(self) -> float:
        """Seconds without an answer to a ping after which the connection is closed."""
        return self.ping_interval

    async def open(self, *args: Any, **kwargs: Any) -> None:
        """Begin; ``WebSocketMixin.open`` is left out, as it pings in milliseconds of its own."""
        self.set_nodelay(True)
