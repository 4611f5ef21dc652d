"""The routes of kept chats under ``localllm/chats``, and of the prompts.

Every chat is looked for among those of the one who asks. What happens to chats is
``chat_history``'s matter, files are written by ``assistant.chat_export``.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from tornado import web

from .. import errors
from ..chat_protocol import ChatChange, ChatSummary, NewChat, NoticeFrame
from ..openai_api.requests import decode_request
from ..openai_api.routes import write_json
from .base import LocalLLMHandler, authorized

#: Bytes of an exported chat that can be imported.
MAX_IMPORT_BYTES = 16 << 20

_MAX_QUERY_CHARS = 200

_CHAT_ID = "([A-Za-z0-9_-]{1,64})"


class _Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a request that says everything with its address."""


class _ChatList(msgspec.Struct):
    chats: list[ChatSummary]
    notices: list[_Notice]


class _Notice(msgspec.Struct):
    """A notice as lists of chats tell it."""

    code: str
    message: str
    hint: str

    @classmethod
    def of(cls, frame: NoticeFrame) -> _Notice:
        return cls(frame.code, frame.message, frame.hint)


class ChatsHandler(LocalLLMHandler):
    """``localllm/chats``: the list of chats, and a new one."""

    @web.authenticated
    @authorized("read")
    async def get(self) -> None:
        """Write the owner's chats, newest first; with ``query``, those that have its words."""
        await self.answer(self._list)

    async def _list(self) -> None:
        query = self.get_query_argument("query", "")
        if len(query) > _MAX_QUERY_CHARS:
            raise errors.InvalidParameter(
                f"The search has {len(query):,} characters; at most {_MAX_QUERY_CHARS} are taken.",
                "Search for fewer words.",
                param="query",
            )
        kept = self.extension.chats.kept
        chats = await kept.list_chats(self.owner, query)
        write_json(self, _ChatList(chats, [_Notice.of(notice) for notice in kept.notices()]))

    @web.authenticated
    @authorized("write")
    async def post(self) -> None:
        """Make a chat, if the owner has none of that id."""
        await self.answer(self._create)

    async def _create(self) -> None:
        new = decode_request(self.request.body, NewChat)
        write_json(self, await self.extension.chats.kept.create(self.owner, new))


class ImportHandler(LocalLLMHandler):
    """``POST localllm/chats/import``."""

    max_body_bytes = MAX_IMPORT_BYTES

    @web.authenticated
    @authorized("write")
    async def post(self) -> None:
        """Keep an exported chat as a new one."""
        await self.answer(self._import)

    async def _import(self) -> None:
        from ..assistant.chat_export import from_json

        try:
            text = self.request.body.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise errors.InvalidText(
                "The file is not UTF-8 text.",
                "Choose a file that was exported from this chat as Chat.",
            ) from None
        chat = await asyncio.to_thread(from_json, text)
        write_json(self, await self.extension.chats.kept.import_chat(self.owner, chat))


class ChatHandler(LocalLLMHandler):
    """``localllm/chats/ID``."""

    @web.authenticated
    @authorized("read")
    async def get(self, chat_id: str) -> None:
        """Write the whole chat."""

        async def write() -> None:
            write_json(self, await self.extension.chats.kept.get_chat(self.owner, chat_id))

        await self.answer(write)

    @web.authenticated
    @authorized("write")
    async def post(self, chat_id: str) -> None:
        """Change what is given."""

        async def change() -> None:
            wanted = decode_request(self.request.body, ChatChange)
            kept = self.extension.chats.kept
            write_json(self, await kept.change(self.owner, chat_id, wanted))

        await self.answer(change)


class DeleteHandler(LocalLLMHandler):
    """``POST localllm/chats/ID/delete``; an answer that is being written is stopped."""

    @web.authenticated
    @authorized("write")
    async def post(self, chat_id: str) -> None:
        """Take a chat out of the list; it can be restored for a day."""

        async def delete() -> None:
            _check_nothing(self.request.body)
            summary = await self.extension.chats.kept.delete(self.owner, chat_id)
            self.extension.chats.stop(self.owner, chat_id)
            write_json(self, summary)

        await self.answer(delete)


class RestoreHandler(LocalLLMHandler):
    """``POST localllm/chats/ID/restore``."""

    @web.authenticated
    @authorized("write")
    async def post(self, chat_id: str) -> None:
        """Bring a deleted chat back."""

        async def restore() -> None:
            _check_nothing(self.request.body)
            write_json(self, await self.extension.chats.kept.restore(self.owner, chat_id))

        await self.answer(restore)


class ExportHandler(LocalLLMHandler):
    """``GET localllm/chats/ID/export``."""

    @web.authenticated
    @authorized("read")
    async def get(self, chat_id: str) -> None:
        """Write the chat as a file: ``format`` is ``md``, ``ipynb`` or ``chat``."""

        async def export() -> None:
            from ..assistant import chat_export

            writers: dict[str, tuple[Any, str]] = {
                "md": (chat_export.to_markdown, "text/markdown; charset=utf-8"),
                "ipynb": (chat_export.to_notebook, "application/x-ipynb+json"),
                "chat": (chat_export.to_json, "application/json"),
            }
            name = self.get_query_argument("format", "md")
            if name not in writers:
                raise errors.InvalidParameter(
                    f"Chats are not exported as {name[:40]!r}.",
                    f"Choose one of: {', '.join(writers)}.",
                    param="format",
                )
            writer, content_type = writers[name]
            chat = await self.extension.chats.kept.get_chat(self.owner, chat_id)
            text = await asyncio.to_thread(writer, chat)
            # A page opened at this address must not show what a model wrote as its own.
            self.set_header("Content-Disposition", f'attachment; filename="chat.{name}"')
            self.content_type = content_type
            self.write(text)

        await self.answer(export)


class PromptsHandler(LocalLLMHandler):
    """``GET localllm/prompts``."""

    @web.authenticated
    @authorized("read")
    async def get(self) -> None:
        """Write the prompts behind the actions."""
        await self.answer(self._prompts)

    async def _prompts(self) -> None:
        from ..assistant.prompts import load_prompts

        prompts = await asyncio.to_thread(load_prompts)
        write_json(self, {"prompts": list(prompts.values())})


def _check_nothing(body: bytes) -> None:
    if body.strip():
        decode_request(body, _Nothing)


def chat_rules() -> list[tuple[str, type[LocalLLMHandler]]]:
    """Return (path below the server's base URL, handler) of these routes."""
    return [
        ("/localllm/prompts", PromptsHandler),
        ("/localllm/chats", ChatsHandler),
        ("/localllm/chats/import", ImportHandler),
        (f"/localllm/chats/{_CHAT_ID}", ChatHandler),
        (f"/localllm/chats/{_CHAT_ID}/delete", DeleteHandler),
        (f"/localllm/chats/{_CHAT_ID}/restore", RestoreHandler),
        (f"/localllm/chats/{_CHAT_ID}/export", ExportHandler),
    ]
