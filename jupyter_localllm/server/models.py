"""What the page shows about models, and loading and unloading them."""

from __future__ import annotations

import msgspec
from tornado import web

from ..openai_api.requests import decode_request
from ..openai_api.routes import write_json
from .base import LocalLLMHandler, authorized


class ModelRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a load or unload; an empty name means the default model."""

    model: str = ""


class StatusHandler(LocalLLMHandler):
    """``GET localllm/status``; asking does not start a model or keep an idle server alive."""

    _track_activity = False

    @web.authenticated
    @authorized("read")
    async def get(self) -> None:
        """Write the host's status."""
        await self.answer(self._status)

    async def _status(self) -> None:
        host = await self.extension.running_host()
        write_json(self, await host.status())


class LoadHandler(LocalLLMHandler):
    """``POST localllm/models/load``."""

    @web.authenticated
    @authorized("write")
    async def post(self) -> None:
        """Load a model and answer when it is ready."""
        await self.answer(self._load)

    async def _load(self) -> None:
        request = decode_request(self.request.body, ModelRequest)
        host = await self.extension.running_host()
        write_json(self, await host.load(request.model))


class UnloadHandler(LocalLLMHandler):
    """``POST localllm/models/unload``."""

    @web.authenticated
    @authorized("write")
    async def post(self) -> None:
        """End the worker of a model, which gives its memory back."""
        await self.answer(self._unload)

    async def _unload(self) -> None:
        request = decode_request(self.request.body, ModelRequest)
        host = await self.extension.running_host()
        await host.unload(request.model)
        write_json(self, {})


def model_rules() -> list[tuple[str, type[LocalLLMHandler]]]:
    """Return (path below the server's base URL, handler) of these routes."""
    return [
        ("/localllm/status", StatusHandler),
        ("/localllm/models/load", LoadHandler),
        ("/localllm/models/unload", UnloadHandler),
    ]
