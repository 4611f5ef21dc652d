"""The engine as a :class:`~jupyter_localllm.protocol.Backend`: asyncio in front, one thread behind.

Requests cross to the engine thread as :class:`Generation` objects; events come back in batches, one
wake-up of the loop per engine step, into one mailbox per request.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections import deque
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

from .. import errors
from ..engine.chat_template import TemplateRenderer
from ..engine.engine import Engine
from ..engine.sampler import sampling_params
from ..engine.slot import EngineEvent, Generation
from ..protocol import (
    ChatCompletionRequest,
    CompletionChunk,
    CompletionDone,
    CompletionEvent,
    CompletionProgress,
    CompletionRequest,
    DetokenizeRequest,
    EmbeddingRequest,
    Embeddings,
    ModelInfo,
    ModelState,
    TokenizeRequest,
)


class Mailbox:
    """Events waiting for one reader. A slow reader finds them merged, so it never grows long."""

    def __init__(self) -> None:
        self._waiting: deque[EngineEvent] = deque()
        self._filled = asyncio.Event()

    def put(self, event: EngineEvent) -> None:
        """Add an event; on the loop's thread only."""
        last = self._waiting[-1] if self._waiting else None
        if isinstance(event, CompletionChunk) and isinstance(last, CompletionChunk):
            logprobs = [*(last.logprobs or ()), *(event.logprobs or ())]
            self._waiting[-1] = CompletionChunk(last.text + event.text, logprobs or None)
        elif isinstance(event, CompletionProgress) and isinstance(last, CompletionProgress):
            self._waiting[-1] = event
        else:
            self._waiting.append(event)
        self._filled.set()

    async def get(self) -> EngineEvent:
        """Wait for the next event."""
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        return self._waiting.popleft()


class EngineBackend:
    """One engine behind the OpenAI routes.

    Parameters
    ----------
    engine : Engine
        Made with this object's :meth:`deliver`.
    """

    def __init__(self) -> None:
        self.engine: Engine | None = None
        self.info: ModelInfo | None = None
        self.load_progress = 0.0
        self._loop = asyncio.get_running_loop()
        self._renderer: TemplateRenderer | None = None
        # Templates render in a child; this thread waits for it. Schemas compile here too.
        self._preparing = ThreadPoolExecutor(1, thread_name_prefix="prepare")

    def deliver(self, events: list[tuple[Generation, EngineEvent]]) -> None:
        """Hand a step's events to the loop; called on the engine thread."""
        self._loop.call_soon_threadsafe(self._dispatch, events)

    @staticmethod
    def _dispatch(events: list[tuple[Generation, EngineEvent]]) -> None:
        for generation, event in events:
            generation.sink(event)

    async def load(self, engine: Engine) -> ModelInfo:
        """Start the engine and wait until its model is ready.

        Raises
        ------
        LocalLLMError
            The file is not usable, or there is no memory for it.
        """
        self.engine = engine
        engine.start()
        info = await asyncio.wrap_future(engine.ready)
        if engine.chat_template is not None:
            self._renderer = TemplateRenderer(
                engine.chat_template,
                bos_token=engine.bos_token,
                eos_token=engine.eos_token,
                context_window=info.context_window or 0,
            )
            await self._loop.run_in_executor(self._preparing, self._renderer.start)
        self.info = info
        return info

    async def close(self) -> None:
        """End the engine and the template child."""
        if self.engine is not None:
            await asyncio.to_thread(self.engine.close)
        if self._renderer is not None:
            self._renderer.close()
        self._preparing.shutdown(wait=False)

    def _ready_engine(self) -> Engine:
        if self.engine is None or self.info is None:
            raise errors.WorkerError(
                f"The model is still loading ({self.load_progress:.0%}).",
                "Try again in a moment.",
                code="model_loading",
            )
        return self.engine

    async def stream(
        self, request: ChatCompletionRequest | CompletionRequest
    ) -> AsyncIterator[CompletionEvent]:
        """Yield the events of an answer; closing the iterator cancels it."""
        engine = self._ready_engine()
        mailbox = Mailbox()
        generation = await self._generation(request, mailbox)
        engine.submit(generation)
        is_over = False
        try:
            while not is_over:
                event = await mailbox.get()
                if isinstance(event, errors.LocalLLMError):
                    is_over = True
                    raise event
                if isinstance(event, CompletionDone):
                    is_over = True
                    event.model = engine.alias
                yield event
        finally:
            if not is_over:
                engine.cancel(generation)

    async def _generation(
        self, request: ChatCompletionRequest | CompletionRequest, mailbox: Mailbox
    ) -> Generation:
        params = await self._loop.run_in_executor(self._preparing, sampling_params, request)
        prompt: str | list[int]
        is_chat = isinstance(request, ChatCompletionRequest)
        if isinstance(request, ChatCompletionRequest):
            prompt = await self._render(request)
            stops = self._renderer.template.stops if self._renderer is not None else ()
            params = dataclasses.replace(params, stop=(*params.stop, *stops))
        else:
            prompt = request.prompt
        return Generation(
            prompt,
            params,
            mailbox.put,
            parse_special=is_chat,
            may_reuse=request.cache_prompt is not False,
            wants_progress=bool(request.return_progress),
            priority=request.priority or 0,
        )

    async def _render(self, request: ChatCompletionRequest) -> str:
        renderer = self._renderer
        if renderer is None:
            raise errors.Unsupported(
                "This model makes embeddings and writes no text.",
                "Use a chat model for questions, and this one with /v1/embeddings.",
                code="completions_unsupported",
            )
        return await self._loop.run_in_executor(self._preparing, renderer.render, request.messages)

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        """Return one vector per input text."""
        texts = [request.input] if isinstance(request.input, str) else request.input
        return await asyncio.wrap_future(self._ready_engine().embed(texts))

    async def models(self) -> list[ModelInfo]:
        """Return the one model this worker has."""
        if self.info is not None:
            return [self.info]
        engine = self.engine
        name = engine.alias if engine is not None else ""
        return [ModelInfo(name, state=ModelState.LOADING, load_progress=self.load_progress)]

    async def tokenize(self, request: TokenizeRequest) -> list[int]:
        """Return the token ids of a text."""
        future = self._ready_engine().tokenize(
            request.content, add_special=request.add_special, parse_special=request.parse_special
        )
        tokens: list[int] = await asyncio.wrap_future(future)
        return tokens

    async def detokenize(self, request: DetokenizeRequest) -> str:
        """Return the text of token ids; bytes that are no UTF-8 become U+FFFD."""
        return await asyncio.wrap_future(self._ready_engine().detokenize(request.tokens))
