"""The server extension: settings, wiring, start and stop. No logic of its own.

The host is imported and started once Jupyter's event loop runs, or at the first request, so that
starting a Jupyter server costs next to nothing; a model is started by the first question.
"""

from __future__ import annotations

import asyncio
import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from jupyter_core.paths import jupyter_data_dir
from jupyter_server.extension.application import ExtensionApp
from traitlets import Bool, Dict, Float, Int, List, Unicode

from .. import errors
from ..chat_protocol import ChatFrame, MessageFrame, NoticeFrame
from .chat import ChatSocket
from .chat_stream import ChatStreams, StreamLimits
from .chats import chat_rules
from .context import context_rules
from .diagrams import DrawingPlaces, diagram_rules
from .models import model_rules
from .openai import UserBackend, openai_rules
from .outbox import After

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

    from ..host.config import HostConfig
    from ..host.model_host import ModelHost
    from .chat_service import ChatService
    from .history_watch import HistoryWatch

#: Seconds given to pages to take the last frames of their answers when the server stops.
_FAREWELL_S = 1.0


_NOT_KEPT = NoticeFrame(
    "history_not_kept",
    "Chats are not kept on this server: they are gone when it stops.",
    "Export what you want to keep.",
)


class LocalLLMExtension(ExtensionApp):
    """Local language models for JupyterLab, kernels and OpenAI clients."""

    name = "jupyter_localllm"
    load_other_extensions = True

    model = Unicode(
        "",
        help="Name or path of the model used where a request names none. Empty: the model that "
        "was installed with the package, else the first one found.",
    ).tag(config=True)
    model_dirs = List(
        Unicode(),
        help="Folders with GGUF files. Empty: the folder localllm/models in Jupyter's data folder.",
    ).tag(config=True)
    context_window = Int(
        0,
        min=0,
        help="Tokens that one answer and its prompt may have together. 0: what the model was "
        "made for, at most 8192.",
    ).tag(config=True)
    n_slots = Int(
        4, min=1, max=64, help="Answers that one model writes at the same time (count)."
    ).tag(config=True)
    idle_unload_minutes = Float(
        30.0,
        min=0.0,
        help="Minutes without a request after which a model is unloaded and its memory given "
        "back. 0: never.",
    ).tag(config=True)
    max_waiting = Int(
        64, min=0, help="Requests that may wait for a model (count); more are refused."
    ).tag(config=True)
    max_waiting_per_user = Int(
        16, min=0, help="Requests of one user that may wait for a model (count)."
    ).tag(config=True)
    max_loaded_models = Int(
        2,
        min=1,
        help="Models that stay loaded (count); idle ones beyond are unloaded, the least recently "
        "used first.",
    ).tag(config=True)
    load_timeout_s = Float(
        300.0, min=1.0, help="Seconds of silence after which loading a model is given up."
    ).tag(config=True)
    hung_timeout_s = Float(
        30.0, min=1.0, help="Seconds of silence after which an answering model is restarted."
    ).tag(config=True)
    allow_paths = Bool(
        True,
        help="Whether kernels of this server may name a model by its path. Browsers and other "
        "HTTP clients never may.",
    ).tag(config=True)
    preload = Bool(
        False, help="Load the default model when the server starts, not at the first question."
    ).tag(config=True)
    backends = Dict(
        help="Outside OpenAI-compatible servers by name: {'lab': {'base_url': "
        "'http://localhost:11434/v1', 'api_key': '…', 'models': ['name', …]}}. Questions for "
        "their models leave this process, and this machine where the address says so.",
    ).tag(config=True)
    stream_buffer_bytes = Int(
        1 << 20,
        min=1 << 12,
        help="Bytes of one answer kept so that a page can resume after losing its connection.",
    ).tag(config=True)
    stream_keep_s = Float(
        300.0, min=0.0, help="Seconds for which a finished answer can still be resumed."
    ).tag(config=True)
    stream_unattended_s = Float(
        60.0, min=0.0, help="Seconds for which an answer goes on after its page has gone."
    ).tag(config=True)
    max_streams_per_user = Int(
        16, min=1, help="Answers being written at a time for one user's pages (count)."
    ).tag(config=True)

    history_file = Unicode(
        "",
        help="SQLite file that keeps the chats. Empty: localllm/chats.sqlite3 in Jupyter's data "
        "folder.",
    ).tag(config=True)
    keep_history = Bool(
        True,
        help="Whether chats outlive the server. False: they are gone when it stops.",
    ).tag(config=True)
    separate_logins = Bool(
        False,
        help="Whether each login has chats of its own where everybody uses the same password or "
        "token. Then a browser that lost its cookie, or another port, shows none. False: all who "
        "get in share one history, as they share files. Users that JupyterHub or an identity "
        "provider names always have their own.",
    ).tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sockets: set[ChatSocket] = set()
        self.drawing_places = DrawingPlaces()
        self._chats: ChatService | None = None
        self._watch: HistoryWatch | None = None
        self._host: asyncio.Task[ModelHost] | None = None
        self._preloading: asyncio.Task[None] | None = None
        self._is_stopping = False

    # --- hooks of ExtensionApp -------------------------------------------------------------

    def initialize_settings(self) -> None:
        """Set up what the handlers need; called once the traits have their values."""
        self.streams = ChatStreams(
            StreamLimits(
                buffer_bytes=self.stream_buffer_bytes,
                keep_s=self.stream_keep_s,
                unattended_s=self.stream_unattended_s,
                max_running=self.max_streams_per_user,
            )
        )

    def initialize_handlers(self) -> None:
        """Register every route."""
        self.handlers.extend(
            [
                *openai_rules(),
                *model_rules(),
                *chat_rules(),
                *context_rules(),
                *diagram_rules(),
                ("/localllm/chat", ChatSocket),
            ]
        )

    async def _start_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        """Start the host's private socket, so that kernels find it; Jupyter's loop is running."""
        host = await self.running_host()
        if self.preload:
            self._preloading = asyncio.ensure_future(self._preload(host))

    def current_activity(self) -> dict[str, int] | None:
        """Answers being written, which keep a server from being culled as idle."""
        n_running = self.streams.n_running
        return {"answers": n_running} if n_running else None

    async def stop_extension(self) -> None:
        """End all answers with an error, tell the pages, end the host and its workers."""
        self._is_stopping = True
        stopping = errors.HostUnavailable(
            "The Jupyter server is shutting down.",
            "Ask again when it is back.",
            code="server_stopping",
        )
        await self.streams.close(stopping)
        if self._watch is not None:
            await self._watch.close()
        if self._chats is not None:
            await self._chats.close()
        await self._close_sockets()
        if self._preloading is not None:
            self._preloading.cancel()
            await asyncio.wait({self._preloading})
        if self._host is not None:
            task, self._host = self._host, None
            try:
                await self._stop_host(await task)
            except Exception:
                self.log.exception("jupyter_localllm | the model host did not stop in order")

    # --- the chats -------------------------------------------------------------------------

    @property
    def chats(self) -> ChatService:
        """The kept chats; what they need is imported and opened at the first use."""
        if self._chats is None:
            from .chat_history import KeptChats
            from .chat_service import ChatService
            from .history_thread import HistoryThread

            thread = HistoryThread(
                self._history_path() if self.keep_history else None,
                lambda notice: self.tell(None, notice),
            )
            standing = () if self.keep_history else (_NOT_KEPT,)
            self._chats = ChatService(
                KeptChats(thread, self.tell, standing),
                self.streams,
                lambda owner: UserBackend(self, owner),
                self.context_window,
            )
        return self._chats

    def watch_history(self) -> None:
        """Tell the pages what other programs write into the history, while there are pages."""
        if self._watch is None:
            from .history_watch import HistoryWatch

            def owners() -> set[str]:
                return {socket.owner_name for socket in self.sockets}

            self._watch = HistoryWatch(self.chats.kept, owners)
        self._watch.begin()

    def _history_path(self) -> Path:
        if self.history_file:
            return Path(self.history_file).expanduser().absolute()
        return Path(jupyter_data_dir(), "localllm", "chats.sqlite3")

    def tell(
        self,
        owner: str | None,
        frame: MessageFrame | ChatFrame | NoticeFrame,
        after: After | None = None,
    ) -> None:
        """Send a frame to all pages of an owner, or of everybody; encoded once for all."""
        encoded = msgspec.json.encode(frame).decode()
        for socket in list(self.sockets):
            if owner in (None, socket.owner_name):
                socket.tell(encoded, after)

    # --- the host --------------------------------------------------------------------------

    async def running_host(self) -> ModelHost:
        """Return the host, started if it is not.

        Raises
        ------
        HostUnavailable
            It cannot be started, or the server is stopping. The next call tries again.
        """
        if self._is_stopping:
            raise errors.HostUnavailable(
                "The Jupyter server is shutting down.",
                "Ask again when it is back.",
                code="server_stopping",
            )
        if self._host is None:
            self._host = asyncio.ensure_future(self._start_host())
        task = self._host
        try:
            # Shielded: one caller who gives up must not stop the start for the others.
            return await asyncio.shield(task)
        except Exception:
            if self._host is task:
                self._host = None
            raise

    async def _start_host(self) -> ModelHost:
        from ..assistant.history_disk import HISTORY_FILE_ENV
        from ..host.connection_file import CONNECTION_FILE_ENV

        try:
            # In a thread: the HTTP client behind it takes a while to import.
            module = await asyncio.to_thread(
                importlib.import_module, "jupyter_localllm.host.model_host"
            )
            host: ModelHost = module.ModelHost(self.host_config())
            await host.start()
        except (ImportError, OSError) as error:
            raise errors.HostUnavailable(
                f"The model host could not be started: {error}.",
                "Check that the package is installed with its dependencies and that Jupyter's "
                "runtime folder can be written.",
            ) from error
        os.environ[CONNECTION_FILE_ENV] = str(host.connection_file)
        os.environ[HISTORY_FILE_ENV] = str(self._history_path()) if self.keep_history else ""
        self.log.info("jupyter_localllm | kernels find models through %s", host.connection_file)
        return host

    async def _stop_host(self, host: ModelHost) -> None:
        from ..assistant.history_disk import HISTORY_FILE_ENV
        from ..host.connection_file import CONNECTION_FILE_ENV

        if os.environ.get(CONNECTION_FILE_ENV) == str(host.connection_file):
            del os.environ[CONNECTION_FILE_ENV]
            os.environ.pop(HISTORY_FILE_ENV, None)
        await host.stop()

    async def _preload(self, host: ModelHost) -> None:
        try:
            await host.load("")
        except errors.LocalLLMError as error:
            self.log.warning("jupyter_localllm | the model was not preloaded: %s", error)

    def host_config(self) -> HostConfig:
        """Return the traits as the host takes them."""
        from ..host.config import HostConfig, OutsideServer

        return HostConfig(
            model_dirs=tuple(Path(folder).expanduser() for folder in self.model_dirs),
            default_model=self.model,
            context_window=self.context_window,
            n_slots=self.n_slots,
            idle_unload_s=60.0 * self.idle_unload_minutes,
            max_waiting=self.max_waiting,
            max_waiting_per_user=self.max_waiting_per_user,
            max_loaded_models=self.max_loaded_models,
            load_timeout_s=self.load_timeout_s,
            hung_timeout_s=self.hung_timeout_s,
            allow_paths=self.allow_paths,
            backends={
                name: OutsideServer(
                    base_url=outside["base_url"],
                    api_key=outside.get("api_key"),
                    models=tuple(outside.get("models", ())),
                )
                for name, outside in self.backends.items()
            },
        )

    async def _close_sockets(self) -> None:
        """Close the pages' connections, after they have taken what waits for them or a second."""
        await asyncio.gather(*(socket.say_farewell(_FAREWELL_S) for socket in self.sockets))
