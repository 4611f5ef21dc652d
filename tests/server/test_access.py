"""Who gets in: every route and verb, and the websocket, against eleven ways to knock.

The expected codes were measured on jupyter_server with decorated handlers; both settings of
``allow_unauthenticated_access`` must give the same.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from jupyter_server.auth.authorizer import Authorizer
from tornado import web
from tornado.web import RequestHandler
from tornado.websocket import WebSocketClientConnection

from jupyter_localllm.server.base import LocalLLMHandler, LocalLLMSocket
from jupyter_localllm.server.chat import ChatSocket
from jupyter_localllm.server.chats import chat_rules
from jupyter_localllm.server.context import context_rules
from jupyter_localllm.server.diagrams import diagram_rules
from jupyter_localllm.server.models import model_rules
from jupyter_localllm.server.openai import openai_rules

from .page import Visitor

RULES: list[Any] = [
    *openai_rules(),
    *model_rules(),
    *chat_rules(),
    *context_rules(),
    *diagram_rules(),
    ("/localllm/chat", ChatSocket),
]


def verbs(handler: type[RequestHandler]) -> list[str]:
    """Return the verbs a handler implements; OPTIONS is Jupyter's, it only names methods."""
    return [
        verb
        for verb in handler.SUPPORTED_METHODS
        if verb != "OPTIONS"
        and getattr(handler, verb.lower()) is not RequestHandler._unimplemented_method
    ]


def path_of(rule: Any) -> str:
    """Return a path below the base URL; the id in it is nobody's."""
    return str(rule[0]).lstrip("/").replace("([A-Za-z0-9_-]{1,64})", "nobodys-id")


#: (path below the base URL, verb), the websocket apart.
HTTP_ROUTES = [(path_of(rule), verb) for rule in RULES[:-1] for verb in verbs(rule[1])]


def action_of(path: str, verb: str) -> str:
    """Return what the authorizer is asked about a route."""
    if verb == "GET" or path == "localllm/context/file":
        return "read"
    return "write" if path.startswith(("localllm/models/", "localllm/chats")) else "execute"


EVIL = "http://evil.example"
Headers = dict[str, str]
Knock = Callable[[Visitor], Awaitable[tuple[Headers, Headers]]]


def with_token(**extra: str) -> Knock:
    async def knock(visitor: Visitor) -> tuple[Headers, Headers]:
        return {**visitor.token_header, **extra}, {}

    return knock


def with_cookie(origin: str | None = None) -> Knock:
    async def knock(visitor: Visitor) -> tuple[Headers, Headers]:
        headers = await visitor.login_cookie()
        if origin is not None:
            headers["Origin"] = origin.format(address=visitor.address)
        return headers, {}

    return knock


async def no_token(_: Visitor) -> tuple[Headers, Headers]:
    return {"Accept": "*/*"}, {}


async def wrong_token(_: Visitor) -> tuple[Headers, Headers]:
    return {"Authorization": "token wrong"}, {}


async def bearer(visitor: Visitor) -> tuple[Headers, Headers]:
    return {"Authorization": f"Bearer {visitor.token}"}, {}


async def query_token(visitor: Visitor) -> tuple[Headers, Headers]:
    return {"Accept": "*/*"}, {"token": visitor.token}


OK = 0
#: name: (how to knock, GET, POST without XSRF token, POST with one, websocket)
CASES: dict[str, tuple[Knock, int, int, int, int]] = {
    "no token": (no_token, 403, 403, 403, 403),
    "wrong token": (wrong_token, 403, 403, 403, 403),
    "token": (with_token(), OK, OK, OK, OK),
    "bearer token": (bearer, OK, OK, OK, OK),
    "query token": (query_token, OK, OK, OK, OK),
    "token, evil origin": (with_token(Origin=EVIL), OK, OK, OK, OK),
    "cookie, same origin": (with_cookie("http://{address}"), OK, 403, OK, OK),
    "cookie, evil origin": (with_cookie(EVIL), 404, 404, 404, 403),
    "cookie, no origin": (with_cookie(), OK, 403, OK, OK),
    "cookie, null origin": (with_cookie("null"), 404, 404, 404, 403),
    "cookie, other port": (with_cookie("http://127.0.0.1:1"), 404, 404, 404, 403),
    "evil host": (with_token(Host="evil.example", Origin=EVIL), 403, 403, 403, 403),
}


@pytest.fixture(params=[True, False], ids=["allow", "deny"])
def server_options(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {"ServerApp": {"allow_unauthenticated_access": request.param}}


async def status_of(visitor: Visitor, path: str, verb: str, headers: Headers, query: Any) -> int:
    """Return 0 where the request got in. A wrong body keeps it from doing anything there."""
    body = "not json" if verb == "POST" else None
    response = await visitor.fetch(path, verb, body=body, headers=headers, query=query)
    inside = (b'"invalid_json"', b'"chat_not_found"', b'"invalid_chat_file"')
    got_in = response.code == 200 or any(code in (response.body or b"") for code in inside)
    if not got_in:
        assert response.body.startswith(b'{"error":{"message":"')
    return OK if got_in else int(response.code)


async def socket_status(visitor: Visitor, headers: Headers, query: Any) -> int:
    connection = await visitor.connect(headers=headers, query=query)
    if not isinstance(connection, WebSocketClientConnection):
        return connection
    assert b"hello" in str(await connection.read_message()).encode()
    connection.close()
    return OK


@pytest.mark.parametrize("case", CASES)
async def test_who_gets_in(visitor: Visitor, case: str) -> None:
    knock, get, post, post_xsrf, socket = CASES[case]
    headers, query = await knock(visitor)
    cookies = "; ".join(filter(None, [headers.get("Cookie"), "_xsrf=ab12"]))
    with_xsrf = {**headers, "Cookie": cookies, "X-XSRFToken": "ab12"}
    found: dict[Any, int] = {}
    wanted: dict[Any, int] = {}
    for path, verb in HTTP_ROUTES:
        wanted[path, verb] = get if verb == "GET" else post
        found[path, verb] = await status_of(visitor, path, verb, headers, query)
        if verb == "POST":
            wanted[path, "POST, XSRF"] = post_xsrf
            found[path, "POST, XSRF"] = await status_of(visitor, path, verb, with_xsrf, query)
    wanted["socket"] = socket
    found["socket"] = await socket_status(visitor, headers, query)
    assert found == wanted


class DenyAll(Authorizer):
    """Refuses our resource, and remembers what it was asked."""

    asked: list[tuple[str, str]] = []  # noqa: RUF012

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> Any:
        self.asked.append((action, resource))
        return resource != "localllm"


class DenyAllLater(DenyAll):
    """As ``DenyAll``, as a coroutine: never awaited, it would be true."""

    async def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return bool(super().is_authorized(handler, user, action, resource))


@pytest.mark.parametrize("authorizer", [DenyAll, DenyAllLater])
async def test_the_authorizer_is_asked_for_every_verb(
    visitor: Visitor, jp_serverapp: Any, authorizer: type[DenyAll]
) -> None:
    app = jp_serverapp
    app.web_app.settings["authorizer"] = authorizer(parent=app)
    authorizer.asked.clear()
    for _ in range(2):
        for path, verb in HTTP_ROUTES:
            assert await status_of(visitor, path, verb, visitor.token_header, {}) == 403
            assert authorizer.asked.pop() == (action_of(path, verb), "localllm")
        assert await socket_status(visitor, visitor.token_header, {}) == 403
        assert authorizer.asked.pop() == ("execute", "localllm")
    assert (await visitor.fetch("api/status")).code == 200


def is_guarded(method: Any) -> bool:
    """Whether a verb is authenticated outermost and then authorized with an explicit action."""
    first = method.__code__.co_filename
    from_tornado = first == inspect.getsourcefile(web.authenticated)
    from_jupyter = first.endswith("decorator.py") and "jupyter_server" in first
    inner = getattr(method, "__wrapped__", None)
    action = inner is not None and inner.__dict__.get("localllm_action")
    return (from_tornado or from_jupyter) and action in ("read", "write", "execute")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule[0])
def test_every_verb_is_decorated(rule: Any) -> None:
    handler = rule[1]
    assert issubclass(handler, (LocalLLMHandler, LocalLLMSocket))
    assert verbs(handler)
    for verb in verbs(handler):
        assert is_guarded(getattr(handler, verb.lower())), f"{verb} {rule[0]} is open"


def test_the_route_table_test_sees_a_missing_decorator() -> None:
    async def open_verb(self: Any) -> None: ...

    assert not is_guarded(open_verb)
    assert not is_guarded(web.authenticated(open_verb))
    for rule in RULES:
        for verb in verbs(rule[1]):
            assert not is_guarded(getattr(rule[1], verb.lower()).__wrapped__)


def test_all_routes_of_the_package_are_in_the_table(jp_serverapp: Any, extension: Any) -> None:
    registered = {rule[0] for rule in extension.handlers}
    assert registered == {rule[0] for rule in RULES}
    assert all(path.startswith("/localllm/") for path in registered)


async def test_a_verb_that_a_route_lacks_is_refused(visitor: Visitor) -> None:
    both = {path for path, verb in HTTP_ROUTES if (path, "POST") in HTTP_ROUTES and verb == "GET"}
    for path, verb in [route for route in HTTP_ROUTES if route[0] not in both]:
        other = "POST" if verb == "GET" else "GET"
        response = await visitor.fetch(path, other, body="{}" if other == "POST" else None)
        assert response.code == 405
        assert b'"method_not_allowed"' in response.body
        anonymous = await visitor.fetch(path, "DELETE", headers={"Accept": "*/*"})
        assert anonymous.code in (403, 405)
