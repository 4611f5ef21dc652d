"""What a page may attach: a file of the server's folder as text, and how many tokens texts have.

Reading files is ``root_files``, what they say ``file_text``. Nothing is kept here: an attachment is
the page's until it is sent.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

from msgspec import Meta, Struct
from tornado import web

from ..openai_api.requests import decode_request
from ..openai_api.routes import write_json
from .base import LocalLLMHandler, authorized
from .openai import UserBackend


class FileRequest(Struct, forbid_unknown_fields=True):
    """The body of ``context/file``; the path is as the file browser shows it."""

    path: str


class CountRequest(Struct, forbid_unknown_fields=True):
    """The body of ``context/count``; an empty name means the default model."""

    texts: Annotated[list[str], Meta(max_length=64)]
    model: str = ""


class FileHandler(LocalLLMHandler):
    """``POST localllm/context/file``."""

    @web.authenticated
    @authorized("read")
    async def post(self) -> None:
        """Write a file as an attachment; who may not read files may not do so here."""
        await self.authorize("read", "contents")
        await self.answer(self._read)

    async def _read(self) -> None:
        from .file_text import file_item
        from .root_files import read_root_file

        path = decode_request(self.request.body, FileRequest).path
        content = await read_root_file(self.contents_manager, path)
        write_json(self, await asyncio.to_thread(file_item, path, content))


class CountHandler(LocalLLMHandler):
    """``POST localllm/context/count``; loads the model."""

    @web.authenticated
    @authorized("execute")
    async def post(self) -> None:
        """Write the number of tokens of each text."""
        await self.answer(self._count)

    async def _count(self) -> None:
        request = decode_request(self.request.body, CountRequest)
        backend = UserBackend(self.extension, self.owner)
        counter = self.extension.chats.counter
        write_json(
            self,
            {"tokens": [await counter.count(backend, request.model, t) for t in request.texts]},
        )


def context_rules() -> list[tuple[str, type[LocalLLMHandler]]]:
    """Return (path below the server's base URL, handler) of these routes."""
    return [
        ("/localllm/context/file", FileHandler),
        ("/localllm/context/count", CountHandler),
    ]
