"""The backend of a kept answer: puts the prompt together, fits it into the window, asks the host.

The pages are told what was left out before the first token. Rules of composing and fitting are
``assistant.context`` and ``assistant.fitting``; this knows the host. Called by ``chat_service``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import TYPE_CHECKING

import msgspec

from .. import errors
from ..openai_api.routes import close_events
from ..protocol import (
    ChatCompletionRequest,
    CompletionChunk,
    CompletionEvent,
    CompletionProgress,
    CompletionRequest,
    ModelInfo,
    ModelState,
    TokenizeRequest,
)

if TYPE_CHECKING:
    from ..assistant.context import Conversation
    from ..assistant.fitting import TokenCounter
    from .openai import UserBackend

#: Bytes of a prompt that fits into the window of any model, so that no window need be known: the
#: host then tells how far loading is while it queues the request. A smaller window that was
#: configured is known before.
_SMALL_BYTES = 1024
_SMALL_WINDOW = 4 * _SMALL_BYTES

#: Seconds between looks at a model that is being loaded.
_LOADING_POLL_S = 0.25

#: What other servers call a prompt that is too long.
_TOO_LONG_CODES = {"prompt_too_long", "context_length_exceeded", "exceed_context_size_error"}

OnLeftOut = Callable[[int, str], None]


class PromptingBackend:
    """Answers one question of a conversation; an ``AnswerSource``.

    Parameters
    ----------
    backend : UserBackend
        Who answers.
    conversation : Conversation
        What is asked.
    counter : TokenCounter
        Shared by all answers.
    on_left_out : callable
        Called with the number of messages that are not sent and the id of the first that is,
        each time that changes.
    configured_window : int
        The context window that was configured for all models; 0: none was.
    """

    def __init__(
        self,
        backend: UserBackend,
        conversation: Conversation,
        counter: TokenCounter,
        on_left_out: OnLeftOut,
        configured_window: int,
    ) -> None:
        self._backend = backend
        self._conversation = conversation
        self._counter = counter
        self._on_left_out = on_left_out
        self._configured_window = configured_window
        self._first_turn = 0

    async def stream(
        self, request: ChatCompletionRequest | CompletionRequest
    ) -> AsyncIterator[CompletionEvent]:
        """Yield the events of the answer; what the request asks is replaced."""
        if not isinstance(request, ChatCompletionRequest):
            raise TypeError("a conversation is asked as chat")
        info = await self._info(request.model)
        is_local = info is not None and info.context_window is not None
        if info is not None and not is_local and not self._is_small:
            async with contextlib.aclosing(self._load(info)) as loading:
                async for progress in loading:
                    yield progress
            info = await self._info(request.model)
        if info is not None and info.context_window is not None:
            self._leave_out(await self._fit(info, request.max_tokens))
        while True:
            own = msgspec.structs.replace(
                request, messages=self._conversation.messages(self._first_turn)
            )
            has_text = False
            events = self._backend.stream(own)
            try:
                async for event in events:
                    has_text = has_text or isinstance(event, CompletionChunk)
                    yield event
                return
            except errors.LocalLLMError as error:
                if has_text or not is_too_long(error):
                    raise
                self._leave_out_more(error)
            finally:
                await close_events(events)

    @property
    def _is_small(self) -> bool:
        from ..assistant.fitting import bound

        is_any_window = not 0 < self._configured_window < _SMALL_WINDOW
        return is_any_window and bound(self._conversation) <= _SMALL_BYTES

    async def _info(self, model: str) -> ModelInfo | None:
        """Return what is known of the model; ``None`` for one that has no place in the list."""
        models = (await self._backend.status()).models
        if model:
            return next((info for info in models if info.id == model), None)
        return next((info for info in models if info.is_default), None)

    async def _load(self, info: ModelInfo) -> AsyncGenerator[CompletionProgress, None]:
        """Load a model of this host and tell how far that is; those of others are as they are."""
        if info.state is ModelState.READY:
            return
        request = TokenizeRequest(content="", model=info.id)
        loading = asyncio.ensure_future(self._backend.tokenize(request))
        told: tuple[ModelState, float | None] | None = None
        try:
            while not (await asyncio.wait({loading}, timeout=_LOADING_POLL_S))[0]:
                now = await self._info(info.id)
                state = (now.state, now.load_progress) if now is not None else told
                if state is not None and state != told and state[0] is ModelState.LOADING:
                    told = state
                    yield CompletionProgress(model_state=state[0], load_progress=state[1])
            await loading
        finally:
            loading.cancel()
            await asyncio.wait({loading})

    async def _fit(self, info: ModelInfo, max_tokens: int | None) -> int:
        from ..assistant.fitting import Room, fit

        async def count(text: str) -> int:
            return await self._counter.estimate(self._backend, info.id, text)

        return await fit(self._conversation, Room.of(info.context_window or 1, max_tokens), count)

    def _leave_out(self, first_turn: int) -> None:
        if first_turn > self._first_turn:
            self._first_turn = first_turn
            self._on_left_out(2 * first_turn, self._conversation.start_id(first_turn))

    def _leave_out_more(self, error: errors.LocalLLMError) -> None:
        """Leave out the oldest turns that are sent still; with none, say why not."""
        n_left = len(self._conversation.turns) - self._first_turn
        if n_left == 0:
            raise errors.PromptTooLong(
                error.message,
                "Remove an attachment or attach less, shorten the question or the system prompt, "
                "or choose a larger context window.",
                details=error.details,
            ) from error
        # Exact counts are short of the truth by little; where nobody knows the window, halving
        # gets there soon.
        is_known = isinstance(error, errors.PromptTooLong)
        self._leave_out(self._first_turn + (1 if is_known else -(-n_left // 2)))


def is_too_long(error: errors.LocalLLMError) -> bool:
    """Return whether a backend refused a prompt for its length."""
    return isinstance(error, errors.PromptTooLong) or error.error_code in _TOO_LONG_CODES
