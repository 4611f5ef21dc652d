"""A kept chat as a page drives it, for the tests."""

from __future__ import annotations

import itertools
import json
from typing import Any

from .page import Page, Visitor

_ids = itertools.count(1)


def fresh_id(kind: str) -> str:
    return f"{kind}-{next(_ids)}"


async def ask_json(
    visitor: Visitor,
    path: str,
    body: Any = None,
    *,
    headers: dict[str, str] | None = None,
    status: int = 200,
    **query: str,
) -> Any:
    """GET, or POST where there is a body; return the decoded reply."""
    verb = "GET" if body is None else "POST"
    headers = {**visitor.token_header, **(headers or {})}
    reply = await visitor.fetch(f"localllm/{path}", verb, body=body, headers=headers, query=query)
    assert reply.code == status, reply.body
    return json.loads(reply.body)


class Conversation:
    """One chat and the page that shows it."""

    def __init__(
        self, visitor: Visitor, page: Page, chat_id: str, headers: dict[str, str] | None = None
    ) -> None:
        self.visitor = visitor
        self.page = page
        self.chat_id = chat_id
        self.headers = headers

    async def create(self, **fields: Any) -> Conversation:
        await ask_json(
            self.visitor, "chats", {"chat_id": self.chat_id, **fields}, headers=self.headers
        )
        return self

    async def get(self) -> Any:
        return await ask_json(self.visitor, f"chats/{self.chat_id}", headers=self.headers)

    async def messages(self) -> dict[str, Any]:
        return {
            message["message_id"]: message for message in (await self.get()).get("messages", [])
        }

    async def send(self, content: str | None, parent_id: str | None = None, **fields: Any) -> Any:
        """Send an ask frame and return it; without content it asks for another answer."""
        frame: dict[str, Any] = {
            "type": "ask",
            "request_id": fresh_id("answer"),
            "chat_id": self.chat_id,
            "temperature": 0,
        }
        if parent_id is not None:
            frame["parent_id"] = parent_id
        if content is not None:
            frame["message"] = {"message_id": fresh_id("question"), "content": content}
            frame["message"] |= fields.pop("message", {})
        frame |= fields
        await self.page.send(frame)
        return frame

    async def ask(self, content: str | None, parent_id: str | None = None, **fields: Any) -> Any:
        """Ask and return the answer as it is kept at its end."""
        frame = await self.send(content, parent_id, **fields)
        return await self.final(frame["request_id"])

    async def final(self, message_id: str) -> Any:
        """Wait for the end of an answer."""
        return await final_message(self.page, message_id)


async def final_message(page: Page, message_id: str) -> Any:
    """Wait until a page is told that an answer is kept as it is at its end."""
    while True:
        frame = await page.frame()
        if frame["type"] == "error" and frame.get("request_id") == message_id:
            assert "seq" in frame, frame["error"]
        if frame["type"] == "message":
            message = frame["message"]
            if message["message_id"] == message_id and message.get("state") != "writing":
                return message


def state_of(message: dict[str, Any]) -> str:
    return str(message.get("state", "complete"))
