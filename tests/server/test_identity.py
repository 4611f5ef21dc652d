"""Who owns streams and chats: everybody, each login, or each person."""

from __future__ import annotations

from typing import Any

import pytest
from jupyter_server.auth.identity import IdentityProvider, PasswordIdentityProvider

from jupyter_localllm.server.identity import makes_names_up
from tests.model_fixtures import REPLIES

from .identities import NAMED_PEOPLE, NamedPeople
from .page import Visitor, text_of

QUESTION = {"messages": [{"role": "user", "content": "HELLO"}], "max_tokens": 1}


class FakeCookie(IdentityProvider):
    def get_user_cookie(self, handler: Any) -> None:
        return None


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (IdentityProvider, True),
        (PasswordIdentityProvider, True),
        (NamedPeople, False),
        (FakeCookie, False),
    ],
)
def test_where_names_are_made_up(kind: type[IdentityProvider], expected: bool) -> None:
    assert makes_names_up(kind()) is expected


async def users_of_requests(
    visitor: Visitor, open_page: Any, extension: Any, monkeypatch: Any, knocks: list[dict[str, str]]
) -> list[str | None]:
    """Return the user that the host is told for a request and a page of each kind."""
    host = await extension.running_host()
    users: list[str | None] = []
    real_stream = host.stream

    def stream(request: Any, **kwargs: Any) -> Any:
        users.append(request.user)
        assert request.priority == 0
        return real_stream(request, **kwargs)

    monkeypatch.setattr(host, "stream", stream)
    question = {**QUESTION, "user": "somebody-else", "priority": 9}
    for headers in knocks:
        reply = await visitor.fetch(
            "localllm/v1/chat/completions", "POST", body=question, headers=headers
        )
        assert reply.code == 200
        page = await open_page(headers=headers)
        await page.frames(await page.ask("HELLO", user="somebody-else"))
    return users


async def test_where_jupyter_makes_names_up_all_are_one_owner(
    visitor: Visitor, open_page: Any, extension: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    xsrf = {"X-XSRFToken": "ab12"}
    cookies = [await visitor.login_cookie() for _ in range(2)]
    logins = [{**xsrf, "Cookie": f"{c['Cookie']}; _xsrf=ab12"} for c in cookies]
    knocks = [visitor.token_header, *logins]
    users = await users_of_requests(visitor, open_page, extension, monkeypatch, knocks)
    assert set(users) == {"local"} and len(users) == 6


class TestSeparateLogins:
    @pytest.fixture
    def server_options(self) -> dict[str, Any]:
        return {"LocalLLMExtension": {"separate_logins": True}}

    async def test_each_login_is_an_owner(
        self, visitor: Visitor, open_page: Any, extension: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        login = {**await visitor.login_cookie(), **visitor.token_header}
        other = {**await visitor.login_cookie(), **visitor.token_header}
        knocks = [visitor.token_header, visitor.token_header, login, other]
        users = await users_of_requests(visitor, open_page, extension, monkeypatch, knocks)
        # Jupyter makes up a new name for each request with only the token: one owner all the same.
        assert users[:4] == ["token"] * 4
        assert users[4] == users[5] != users[6] == users[7]
        assert all(user is not None and user.startswith("user:") for user in users[4:])

    async def test_nobody_else_can_follow_or_stop_an_answer(
        self, visitor: Visitor, open_page: Any
    ) -> None:
        alice = await open_page(headers=await visitor.login_cookie())
        others = [await open_page(headers=await visitor.login_cookie()), await open_page()]
        request_id = await alice.ask("x", model="slow", max_tokens=40)
        await alice.until("delta")
        for other in others:
            for kind in ("resume", "cancel"):
                await other.send({"type": kind, "request_id": request_id})
                frame = await other.frame()
                assert frame["error"]["code"] == "stream_not_found"
            await other.send({"type": "resume", "request_id": "never-existed"})
            unknown = (await other.frame())["error"]
            assert (
                unknown["message"].replace("never-existed", request_id) == frame["error"]["message"]
            )
            # The same id is free for everybody else.
            assert (
                text_of(await other.frames(await other.ask("HELLO", request_id)))
                == (REPLIES["HELLO"])
            )
        assert (await alice.until("done"))["finish_reason"] == "length"

    async def test_a_login_and_its_later_connections_are_one_user(
        self, visitor: Visitor, open_page: Any
    ) -> None:
        cookie = await visitor.login_cookie()
        page = await open_page(headers=cookie)
        request_id = await page.ask("HELLO")
        await page.frames(request_id)
        for headers in (cookie, {**cookie, **visitor.token_header}):
            page = await open_page(headers=headers)
            await page.send({"type": "resume", "request_id": request_id})
            assert text_of(await page.frames(request_id)) == REPLIES["HELLO"]


class TestNamedPeople:
    @pytest.fixture
    def server_options(self) -> dict[str, Any]:
        return NAMED_PEOPLE

    async def test_people_are_known_by_their_names(
        self, visitor: Visitor, open_page: Any, extension: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        knocks = [{**visitor.token_header, "X-Person": name} for name in ("ada", "grace")]
        users = await users_of_requests(visitor, open_page, extension, monkeypatch, knocks)
        assert users == ["user:ada", "user:ada", "user:grace", "user:grace"]
