"""The engine: one thread that owns a model, and the thread-safe door to it.

The worker submits :class:`Generation` objects and gets events back through their sinks, in
batches, by :attr:`Engine.deliver`. Nothing else may touch llama.cpp.
"""

from __future__ import annotations

import concurrent.futures
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from .. import errors
from ..models.gguf import read_header
from ..protocol import Embeddings, ModelInfo, ModelState
from . import llama
from .chat_template import ChatTemplate, choose_template
from .embedder import Embedder
from .llama import Context, Model
from .scheduler import Scheduler
from .slot import EngineEvent, Generation
from .threads import ThreadCount

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Default upper bound of the context window: what a laptop's memory bears.
DEFAULT_CONTEXT_WINDOW = 8192


@dataclass(frozen=True)
class EngineConfig:
    """How to run a model. Zero means: choose.

    Attributes
    ----------
    context_window : int
        Tokens one request may use, and cells of the shared cache.
    n_slots : int
        Requests computed at the same time.
    n_kept_prefixes : int
        Finished requests whose prefix may stay in the cache.
    n_batch : int
        Most rows of one decode.
    n_threads : int
        Zero: follow the cores and the load beside this process.
    """

    context_window: int = 0
    n_slots: int = 4
    n_kept_prefixes: int = 12
    n_batch: int = 512
    n_threads: int = 0
    max_waiting: int = 64
    chat_template: str = ""


class Engine:
    """A model, its scheduler and their thread.

    Parameters
    ----------
    path : Path
    config : EngineConfig
    alias : str
        The model's name in replies; default: the file's stem.
    deliver : callable
        Called on the engine thread with the events of one step, in order.
    """

    def __init__(
        self,
        path: Path,
        config: EngineConfig,
        *,
        alias: str = "",
        deliver: Callable[[list[tuple[Generation, EngineEvent]]], None],
        on_progress: Callable[[float], None] | None = None,
    ) -> None:
        self.path = path
        self.config = config
        self.alias = alias or path.stem
        self.deliver = deliver
        self.ready: concurrent.futures.Future[ModelInfo] = concurrent.futures.Future()
        self.chat_template: ChatTemplate | None = None
        self.bos_token = self.eos_token = ""
        self.step_started: float | None = None
        self._on_progress = on_progress
        self._wake = threading.Condition()
        self._commands: deque[Callable[[], None]] = deque()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._model: Model | None = None
        self._context: Context | None = None
        self._scheduler: Scheduler | None = None
        self._embedder: Embedder | None = None

    # --- the door: any thread ---------------------------------------------------------------

    def start(self) -> None:
        """Load the model on the engine thread; :attr:`ready` tells how it went."""
        self._thread.start()

    def submit(self, generation: Generation) -> None:
        """Queue a request; its sink gets one terminal event, whatever happens."""
        self._command(lambda: self._submit(generation))

    def cancel(self, generation: Generation) -> None:
        """End a request with ``cancelled`` at the next step; idempotent.

        A prompt pass under way is aborted, a decode of one token is left to finish.
        """
        generation.is_cancelled = True
        context = self._context
        if context is not None and not generation.is_finished and not generation.n_generated:
            context.request_abort()
        self._command(lambda: None)

    def call(self, function: Callable[[], T]) -> concurrent.futures.Future[T]:
        """Run a function on the engine thread, between two steps."""
        future: concurrent.futures.Future[T] = concurrent.futures.Future()

        def run() -> None:
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)

        self._command(run)
        return future

    def tokenize(self, text: str, *, add_special: bool, parse_special: bool) -> Any:
        """Return a future of token ids."""
        return self.call(
            lambda: self._loaded_model().tokenize(
                text, add_special=add_special, parse_special=parse_special
            )
        )

    def detokenize(self, tokens: list[int]) -> concurrent.futures.Future[str]:
        """Return a future of the tokens' text."""

        def run() -> str:
            model = self._loaded_model()
            if any(token_id >= model.n_vocab for token_id in tokens):
                raise errors.InvalidParameter(
                    f"`tokens` holds ids beyond the vocabulary of {model.n_vocab:,}.",
                    "Make token ids with this model's /tokenize.",
                    param="tokens",
                )
            return b"".join(map(model.piece, tokens)).decode("utf-8", "replace")

        return self.call(run)

    def embed(self, texts: list[str]) -> concurrent.futures.Future[Embeddings]:
        """Return a future of one vector per text."""

        def run() -> Embeddings:
            if self._embedder is None:
                raise errors.Unsupported(
                    f"{self.alias} is a chat model and makes no embeddings.",
                    "Load an embedding model, for example a MiniLM or BGE GGUF file.",
                    code="embeddings_unsupported",
                )
            return self._embedder.embed(texts, self.alias)

        return self.call(run)

    def close(self) -> None:
        """End all requests, free everything, wait for the thread; idempotent."""
        with self._wake:
            self._is_closing = True
            self._wake.notify()
        if self._context is not None:
            self._context.request_abort()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def scheduler(self) -> Scheduler | None:
        """For counters only: read, never call, from other threads."""
        return self._scheduler

    @property
    def last_step_age_s(self) -> float:
        """Seconds the step under way has taken; 0 when idle. A large value means: stuck."""
        started = self.step_started
        return time.monotonic() - started if started is not None else 0.0

    def _command(self, command: Callable[[], None]) -> None:
        with self._wake:
            self._commands.append(command)
            self._wake.notify()

    # --- the engine thread ------------------------------------------------------------------

    def _run(self) -> None:
        try:
            info = self._load()
        except BaseException as error:
            self._free()
            self.ready.set_exception(error)
            return
        self.ready.set_result(info)
        try:
            while self._step():
                pass
        except BaseException as error:
            # A bug of ours must end every request, not leave them waiting for ever.
            log.exception("the engine stopped")
            self._fail_everything(error)
        finally:
            if self._scheduler is not None:
                self._scheduler.close()
                self._flush()
            self._free()

    def _step(self) -> bool:
        scheduler = self._scheduler
        context = self._context
        with self._wake:
            busy = scheduler is not None and scheduler.has_work
            while not (self._commands or self._is_closing or busy):
                self._wake.wait()
            # Cleared before the commands are read: a cancel that comes later aborts this step.
            if context is not None:
                context.clear_abort()
            commands = list(self._commands)
            self._commands.clear()
            if self._is_closing:
                return False
        for command in commands:
            command()
        if scheduler is not None:
            # How long a prompt is, is told before the time that reading it takes.
            scheduler.admit()
            self._flush()
            self.step_started = time.monotonic()
            scheduler.step()
            self.step_started = None
            self._flush()
        return True

    def _flush(self) -> None:
        if self._scheduler is not None and self._scheduler.outbox:
            events, self._scheduler.outbox = self._scheduler.outbox, []
            self.deliver(events)

    def _fail_everything(self, error: BaseException) -> None:
        self.step_started = None
        if self._scheduler is not None:
            failure = errors.InternalError(
                "The engine stopped on an internal error.", "The worker's log has the details."
            )
            for generation in [*self._scheduler.running, *self._scheduler.waiting]:
                self._scheduler.outbox.append((generation, failure))
            self._scheduler.running.clear()
            self._scheduler.waiting.clear()

    def _submit(self, generation: Generation) -> None:
        if self._scheduler is not None:
            self._scheduler.submit(generation)
            return
        error = errors.Unsupported(
            f"{self.alias} is an embedding model and writes no text.",
            "Use a chat model for questions, and this one with /v1/embeddings.",
            code="completions_unsupported",
        )
        self.deliver([(generation, error)])

    def _loaded_model(self) -> Model:
        assert self._model is not None, "commands run after loading"
        return self._model

    def _load(self) -> ModelInfo:
        header = read_header(self.path)
        llama.initialise()
        model = self._model = Model(self.path, self._on_progress)
        if model.has_encoder and model.has_decoder:
            raise errors.ModelFileError(
                f"{self.path.name} is an encoder-decoder model (such as T5), which is not "
                "supported yet.",
                "Choose a decoder-only chat model.",
                code="model_encoder_decoder",
            )
        if model.has_empty_vocab:
            raise errors.ModelFileError(
                f"{self.path.name} has no tokenizer, so it cannot read text.",
                "Fetch a complete GGUF file of this model.",
                code="model_file_corrupt",
            )
        is_embedding = bool(header.pooling_type) or model.has_encoder
        window = self.config.context_window or min(model.n_ctx_train, DEFAULT_CONTEXT_WINDOW)
        threads = ThreadCount(self.config.n_threads)
        if is_embedding:
            self._load_embedder(model, window, threads)
        else:
            window = self._load_scheduler(model, window, threads)
        info = ModelInfo(
            id=self.alias,
            state=ModelState.READY,
            size_bytes=self.path.stat().st_size,
            context_window=window,
            architecture=header.architecture,
            can_embed=is_embedding,
            can_chat=not is_embedding,
        )
        if not is_embedding:
            template = self._choose_template(model)
            info.chat_template = template.name
            info.warnings = [template.warning] if template.warning else []
        return info

    def _load_embedder(self, model: Model, window: int, threads: ThreadCount) -> None:
        context = self._context = Context(
            model,
            n_ctx=window,
            n_batch=window,
            n_seq_max=1,
            n_threads=threads.current,
            is_embedding=True,
        )
        self._embedder = Embedder(model, context, n_batch=window)

    def _load_scheduler(self, model: Model, window: int, threads: ThreadCount) -> int:
        config = self.config
        n_sequences = config.n_slots + config.n_kept_prefixes
        context = self._context = Context(
            model,
            n_ctx=window,
            n_batch=config.n_batch,
            n_seq_max=n_sequences,
            n_threads=threads.current,
        )
        window = min(window, context.n_ctx)
        self._scheduler = Scheduler(
            model,
            context,
            threads,
            context_window=window,
            n_slots=config.n_slots,
            n_batch=config.n_batch,
            n_sequences=n_sequences,
            max_waiting=config.max_waiting,
        )
        return window

    def _choose_template(self, model: Model) -> ChatTemplate:
        marker = model.tokenize("<|im_start|>", add_special=False, parse_special=True)
        self.chat_template = choose_template(
            model.chat_template(),
            has_chatml_tokens=len(marker) == 1,
            override=self.config.chat_template,
        )
        self.bos_token, self.eos_token = model.bos_text, model.eos_text
        return self.chat_template

    def _free(self) -> None:
        for part in (self._embedder, self._context, self._model):
            if part is not None:
                part.close()
