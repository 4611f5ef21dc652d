"""The host: all models and backends behind one :class:`~jupyter_localllm.protocol.Backend`.

Finds the model of a request, hands the request to it, and decides which models stay loaded. Made
by the server extension, or by ``__main__`` in a process of its own; runs on one event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import os
import shutil
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path

from .. import __version__, errors
from ..models.catalog import Catalog, CatalogEntry
from ..models.gguf import read_header
from ..models.memory import available_bytes
from ..protocol import (
    PROTOCOL_VERSION,
    ChatCompletionRequest,
    CompletionEvent,
    CompletionRequest,
    DetokenizeRequest,
    EmbeddingRequest,
    Embeddings,
    HostStatus,
    ModelInfo,
    TokenizeRequest,
    WorkerStatus,
)
from .backends import OutsideBackends, OutsideModel
from .config import HostConfig
from .connection_file import (
    ConnectionInfo,
    make_private_folder,
    remove_connection,
    write_connection_file,
)
from .lifecycle import Launcher, WorkerLifecycle
from .room import context_window_of, make_room, memory_bytes, surplus
from .served_model import ServedModel
from .serving import PrivateServer
from .supervisor import WORKER_COMMAND, WorkerProcess, WorkerSpec

_STATUS_TIMEOUT_S = 1.0


class ModelHost:
    """Answers requests with local models, each in a worker process, and outside servers.

    Parameters
    ----------
    config : HostConfig, optional
        Settings.
    scope : str
        ``server``, or ``child`` where the host belongs to one other process.
    available_memory : callable, optional
        Bytes free for models; the machine's (and container's) by default.
    worker_command : sequence of str, optional
        The program of a worker.
    """

    def __init__(
        self,
        config: HostConfig | None = None,
        *,
        scope: str = "server",
        available_memory: Callable[[], int] = available_bytes,
        worker_command: Sequence[str] = WORKER_COMMAND,
    ) -> None:
        self.config = config or HostConfig()
        self._scope = scope
        self._available_memory = available_memory
        self._worker_command = worker_command
        self._catalog = Catalog(
            list(self.config.model_dirs) or None, default=self.config.default_model
        )
        self._backends = OutsideBackends(self.config.backends)
        self._models: dict[Path, ServedModel] = {}
        self._by_name: dict[tuple[str, bool], ServedModel] = {}
        self._launcher = Launcher(asyncio.Lock(), self._prepare, self._unload_surplus)
        self._worker_numbers = itertools.count(1)
        self._folder: Path | None = None
        self._server: PrivateServer | None = None
        self._connection: ConnectionInfo | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopped = False

    # --- life -----------------------------------------------------------------------------

    @property
    def connection_file(self) -> Path | None:
        """Where kernels find this host; ``None`` while it is not started."""
        return self._connection.path if self._connection is not None else None

    async def start(self) -> None:
        """Listen on the private socket and write the connection file; loads no model.

        Raises
        ------
        HostUnavailable
            No private socket can be made.
        """
        self._server = PrivateServer(self, self.config.allow_paths)
        info = dataclasses.replace(
            self._server.listen(self._private_folder()),
            pid=os.getpid(),
            protocol_version=PROTOCOL_VERSION,
            server_version=__version__,
            scope=self._scope,
        )
        path = await asyncio.to_thread(write_connection_file, info)
        self._connection = dataclasses.replace(info, path=path)

    async def stop(self) -> None:
        """End every answer with an error, every worker, and the private socket; idempotent."""
        self._is_stopped = True
        reason = _stopping()
        if self._server is not None:
            self._server.stop_listening()
        await asyncio.gather(*(model.unload(reason) for model in self._models.values()))
        if self._server is not None:
            await self._server.close()
            self._server = None
        await self._backends.aclose()
        if self._connection is not None:
            await asyncio.to_thread(remove_connection, self._connection)
            self._connection = None
        if self._folder is not None:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
            self._folder = None

    # --- answering ------------------------------------------------------------------------

    async def stream(
        self, request: ChatCompletionRequest | CompletionRequest, *, allow_path: bool = False
    ) -> AsyncGenerator[CompletionEvent, None]:
        """Yield the events of one answer; closing the generator cancels the request.

        Parameters
        ----------
        request : ChatCompletionRequest or CompletionRequest
            ``user`` is the key of fair queueing.
        allow_path : bool
            Whether ``request.model`` may be a path: for kernels of this user, never for the web.

        Raises
        ------
        LocalLLMError
            The one terminal event of a request that failed.
        """
        outside = self._outside(request.model)
        if outside is not None:
            async with contextlib.aclosing(outside.stream(request)) as events:
                async for event in events:
                    yield event
            return
        model = await self._served(request.model, allow_path)
        try:
            async with contextlib.aclosing(model.answer(request)) as events:
                async for event in events:
                    yield event
        finally:
            self._unload_surplus()

    async def embed(self, request: EmbeddingRequest, *, allow_path: bool = False) -> Embeddings:
        """Return one vector per input; queues as an answer does."""
        outside = self._outside(request.model)
        if outside is not None:
            return await outside.embed(request)
        model = await self._served(request.model, allow_path)
        return await model.embed(request)

    async def models(self) -> list[ModelInfo]:
        """List the installed models, those loaded by path, and those of outside servers."""
        return [*await self._local_models(), *await self._backends.models()]

    async def tokenize(self, request: TokenizeRequest, *, allow_path: bool = False) -> list[int]:
        """Return the token ids of a text."""
        outside = self._outside(request.model)
        if outside is not None:
            return await outside.tokenize(request)
        model = await self._served(request.model, allow_path)
        return await model.tokenize(request)

    async def detokenize(self, request: DetokenizeRequest, *, allow_path: bool = False) -> str:
        """Return the text of token ids."""
        outside = self._outside(request.model)
        if outside is not None:
            return await outside.detokenize(request)
        model = await self._served(request.model, allow_path)
        return await model.detokenize(request)

    # --- models by hand -------------------------------------------------------------------

    async def load(self, name: str, *, allow_path: bool = False) -> ModelInfo:
        """Load a model (empty: the default one) and return what it is.

        Also starts one again that was stopped after repeated crashes.
        """
        outside = self._outside(name)
        if outside is not None:
            return ModelInfo(name or self.config.default_model, source="server")
        model = await self._served(name, allow_path)
        await model.load()
        return model.info()

    async def unload(self, name: str, *, allow_path: bool = False) -> None:
        """End a model's worker; answers under way end with the error ``model_unloaded``."""
        if self._outside(name) is None:
            model = await self._served(name, allow_path)
            await model.unload()

    async def status(self) -> HostStatus:
        """Return the models, the workers with their memory, and the queues."""
        served = list(self._models.values())
        return HostStatus(
            PROTOCOL_VERSION,
            __version__,
            models=[*await self._local_models(), *self._named_models()],
            workers=[s for s in await asyncio.gather(*map(_worker_status, served)) if s],
            running=sum(model.queue.n_running for model in served),
            waiting=sum(model.queue.n_waiting for model in served),
        )

    # --- which models there are -----------------------------------------------------------

    def _outside(self, name: str) -> OutsideModel | None:
        """Return the outside server's model of this name, which may be the default, too."""
        return self._backends.find(name or self.config.default_model)

    async def _served(self, name: str, allow_path: bool) -> ServedModel:
        if self._is_stopped:
            raise _stopping()
        known = self._by_name.get((name, allow_path))
        if known is not None and known.life.is_ready:
            # The hot path: nothing is looked up on disk while the worker has the file open.
            return known
        try:
            entry = await asyncio.to_thread(self._catalog.resolve, name, allow_path=allow_path)
        except errors.ModelNotFound:
            # One that a kernel loaded by its path is listed by its name, and found by it.
            for model in self._models.values():
                if model.source.id == name and model.life.has_process:
                    return model
            raise
        found = self._models.get(entry.path)
        if found is None:
            found = self._models[entry.path] = ServedModel(entry, self.config, self._launcher)
        self._by_name[name, allow_path] = found
        return found

    def _named_models(self) -> list[ModelInfo]:
        infos = self._backends.named_models()
        for info in infos:
            default = self.config.default_model
            info.is_default = bool(default) and default in (info.id, info.id.partition("/")[2])
        return infos

    async def _local_models(self) -> list[ModelInfo]:
        entries, default = await asyncio.to_thread(self._entries)
        infos = []
        for entry in entries:
            served = self._models.get(entry.path)
            if served is not None:
                info = served.info()
                info.id = entry.id
            else:
                info = ModelInfo(entry.id, size_bytes=entry.size_bytes, source=entry.source)
            info.is_default = default is not None and entry.path == default.path
            infos.append(info)
        listed = {entry.path for entry in entries}
        others = (model for path, model in self._models.items() if path not in listed)
        return [*infos, *(model.info() for model in others if model.life.has_process)]

    def _entries(self) -> tuple[list[CatalogEntry], CatalogEntry | None]:
        """Return the catalog, with the default model also where that is a path, and the default."""
        entries = self._catalog.list()
        try:
            default = self._catalog.default_model()
        except errors.LocalLLMError:
            return entries, None
        if all(entry.path != default.path for entry in entries):
            entries.append(default)
        return entries, default

    async def _prepare(self, life: WorkerLifecycle) -> WorkerProcess:
        """Check the file, make room, and return a worker to start; the lock is held."""
        source = life.source
        header = await asyncio.to_thread(read_header, source.path)
        window = context_window_of(header, self.config.context_window)
        alternatives: list[CatalogEntry] = await asyncio.to_thread(self._catalog.list)
        await make_room(
            self._models[source.path],
            header,
            context_window=window,
            others=lambda: list(self._models.values()),
            available_bytes=self._available_memory,
            alternatives=alternatives,
        )
        if self._is_stopped:
            raise _stopping()
        spec = WorkerSpec(
            source.id,
            source.path,
            window,
            self.config.n_slots,
            self._worker_command,
        )
        number = next(self._worker_numbers)
        return WorkerProcess(spec, self._private_folder(), number, life.worker_changed)

    def _unload_surplus(self) -> None:
        for model in surplus(self._models.values(), self.config.max_loaded_models):
            task = asyncio.create_task(model.life.release())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _private_folder(self) -> Path:
        if self._folder is None:
            self._folder = make_private_folder()
        return self._folder


async def _worker_status(model: ServedModel) -> WorkerStatus | None:
    life = model.life
    worker, pid = life.worker, life.pid
    if worker is None or pid is None:
        return None
    status = WorkerStatus(
        model.source.id,
        pid,
        life.state,
        memory_bytes=memory_bytes(pid),
        running=model.queue.n_running,
        waiting=model.queue.n_waiting,
        idle_s=None if life.is_in_use else round(time.monotonic() - life.last_used, 1),
    )
    if worker.is_ready and worker.client is not None:
        # A worker that is busy with one long batch still answers this from its other thread.
        with contextlib.suppress(errors.LocalLLMError):
            health = await worker.client.health(_STATUS_TIMEOUT_S)
            busy = health.get("slots_busy")
            status.slots_busy = busy if isinstance(busy, int) else None
    return status


def _stopping() -> errors.HostStopping:
    return errors.HostStopping(
        "The server that runs the models is stopping.",
        "Start it again and send the request anew.",
    )
