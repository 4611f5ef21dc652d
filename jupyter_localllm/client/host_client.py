"""A client of a host: everything an :class:`OpenAIClient` does, and the host's own routes.

Called by the magics through ``bridge``.
"""

from __future__ import annotations

import msgspec

from ..protocol import HostStatus, ModelInfo
from .client import OpenAIClient


class HostClient(OpenAIClient):
    """Speaks to a host on its private socket (see ``host/connection_file``)."""

    async def status(self) -> HostStatus:
        """Return what the host runs."""
        body = await self._ask("GET", "/localllm/status")
        with self._translated():
            return msgspec.json.decode(body, type=HostStatus)

    async def load(self, model: str) -> ModelInfo:
        """Load a model, by name or path, and return what it is; empty: the default one.

        Also starts a model again that was stopped after repeated crashes.
        """
        body = msgspec.json.encode({"model": model})
        reply = await self._ask("POST", "/localllm/load", body)
        with self._translated():
            return msgspec.json.decode(reply, type=ModelInfo)

    async def unload(self, model: str) -> None:
        """End a model's worker, which gives its memory back."""
        await self._ask("POST", "/localllm/unload", msgspec.json.encode({"model": model}))
