"""One model as requests meet it: a turn in its queue, then its worker's events.

A request takes a ticket, waits for its turn and until the worker is ready, leases it, relays its
events and gives all of it back, whatever happens. Called by ``model_host``.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

import msgspec

from .. import errors
from ..client.client import OpenAIClient
from ..models.catalog import CatalogEntry
from ..protocol import (
    ChatCompletionRequest,
    CompletionDone,
    CompletionEvent,
    CompletionProgress,
    CompletionRequest,
    DetokenizeRequest,
    EmbeddingRequest,
    Embeddings,
    FinishReason,
    ModelInfo,
    ModelState,
    TokenizeRequest,
)
from .admission import FairQueue
from .config import HostConfig
from .lifecycle import Launcher, WorkerLifecycle, explained, unloaded
from .supervisor import WorkerProcess

Reply = TypeVar("Reply")


class ServedModel:
    """A model file with its queue and its worker's life.

    Parameters
    ----------
    source : CatalogEntry
        Its name and file.
    config : HostConfig
        Limits and times.
    launcher : Launcher
        The host's side of loading.
    """

    def __init__(self, source: CatalogEntry, config: HostConfig, launcher: Launcher) -> None:
        self.source = source
        self.queue = FairQueue(config.n_slots, config.max_waiting, config.max_waiting_per_user)
        # Those behind would only run into the same failure, one after the other.
        self.life = WorkerLifecycle(source, config, launcher, self.queue.fail_waiting)

    def info(self) -> ModelInfo:
        """Describe it as lists show it."""
        worker, state = self.life.worker, self.life.state
        known = worker.model if worker is not None and state is ModelState.READY else None
        info = msgspec.structs.replace(known) if known is not None else ModelInfo(self.source.id)
        info.id = self.source.id
        info.state = state
        info.size_bytes = info.size_bytes or self.source.size_bytes
        info.source = self.source.source
        if state is ModelState.LOADING and worker is not None:
            info.load_progress = worker.load_progress
        if state is ModelState.FAILED and self.life.last_error is not None:
            info.error = self.life.last_error.to_body()
        return info

    # --- answering ------------------------------------------------------------------------

    async def answer(
        self, request: ChatCompletionRequest | CompletionRequest
    ) -> AsyncGenerator[CompletionEvent, None]:
        """Yield the events of one answer; see :class:`~jupyter_localllm.protocol.Backend`."""
        wants_progress = bool(request.return_progress)
        own = msgspec.structs.replace(request, model=self.source.id)
        async with contextlib.aclosing(self._turn(request.user, request.priority)) as turn:
            async for progress in turn:
                if progress is None:
                    break
                if wants_progress:
                    yield progress
            with self.life.lease() as worker:
                try:
                    async with contextlib.aclosing(_client(worker).stream(own)) as events:
                        async for event in events:
                            _check_not_stopped(worker, event)
                            yield event
                except errors.LocalLLMError as error:
                    raise await explained(worker, error) from None

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        """Embed in a slot of the queue."""
        own = msgspec.structs.replace(request, model=self.source.id)
        async with contextlib.aclosing(self._turn(request.user, None)) as turn:
            async for progress in turn:
                if progress is None:
                    break
            return await self._ask(lambda client: client.embed(own))

    async def tokenize(self, request: TokenizeRequest) -> list[int]:
        """Tokenize; takes no slot."""
        await self.life.load()
        own = msgspec.structs.replace(request, model=self.source.id)
        return await self._ask(lambda client: client.tokenize(own))

    async def detokenize(self, request: DetokenizeRequest) -> str:
        """Detokenize; takes no slot."""
        await self.life.load()
        own = msgspec.structs.replace(request, model=self.source.id)
        return await self._ask(lambda client: client.detokenize(own))

    async def _ask(self, ask: Callable[[OpenAIClient], Awaitable[Reply]]) -> Reply:
        with self.life.lease() as worker:
            try:
                return await ask(_client(worker))
            except errors.LocalLLMError as error:
                raise await explained(worker, error) from None

    async def _turn(
        self, user: str | None, priority: int | None
    ) -> AsyncGenerator[CompletionProgress | None, None]:
        """Yield progress, then ``None`` when the worker may be leased; closing gives it back."""
        ticket = self.queue.enter(user or "", priority or 0)
        try:
            position = ticket.position
            while position > 0:
                yield CompletionProgress(queue_position=position)
                position = await ticket.changed(position)
            async with contextlib.aclosing(self.life.until_ready()) as loading:
                async for progress in loading:
                    yield progress
            yield None
        finally:
            ticket.leave()

    # --- by hand --------------------------------------------------------------------------

    async def load(self) -> None:
        """Wait until it is loaded, also where crashes had stopped it."""
        self.life.forgive()
        await self.life.load()

    async def unload(self, reason: errors.LocalLLMError | None = None) -> None:
        """End its worker and tell ``reason`` to everyone who needed it."""
        reason = reason or unloaded(self.source.id)
        self.queue.fail_waiting(reason)
        await self.life.unload(reason)


def _client(worker: WorkerProcess) -> OpenAIClient:
    if worker.client is None:
        raise errors.InternalError("A ready worker has no address.")
    return worker.client


def _check_not_stopped(worker: WorkerProcess, event: CompletionEvent) -> None:
    """Raise why a worker was ended where it only says that the answer was cancelled."""
    is_cancelled = (
        isinstance(event, CompletionDone) and event.finish_reason is FinishReason.CANCELLED
    )
    if is_cancelled and worker.stop_reason is not None:
        raise copy.copy(worker.stop_reason)
