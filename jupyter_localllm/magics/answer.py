"""One question: the request, its answer on a display, and the three ways it can end early.

Called by ``magics.py``. Loaded with the first question.
"""

from __future__ import annotations

import os
from contextlib import closing

from ..client import bridge
from ..errors import LocalLLMError
from ..protocol import ChatCompletionRequest, ChatMessage
from .display import AnswerDisplay
from .host_session import HostSession


class AnswerStopped(KeyboardInterrupt):
    """The person interrupted an answer. Ends a *Run All* as any interrupt does, in one line."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def chat_request(
    prompt: str,
    *,
    model: str,
    system: str,
    max_tokens: int | None,
    temperature: float | None,
    seed: int | None,
) -> ChatCompletionRequest:
    """Return the request of one question; an empty ``system`` is left out."""
    messages = [ChatMessage(role="system", content=system)] if system else []
    messages.append(ChatMessage(role="user", content=prompt))
    return ChatCompletionRequest(
        model=model,
        messages=messages,
        stream=True,
        max_tokens=max_tokens,
        temperature=temperature,
        seed=seed,
        return_progress=True,
        user=f"kernel-{os.getpid()}",
    )


def show_answer(
    session: HostSession, request: ChatCompletionRequest, display: AnswerDisplay
) -> None:
    """Stream the answer into the display until it has ended.

    Raises
    ------
    AnswerStopped
        On an interrupt; the model has been told to stop.
    LocalLLMError
        What went wrong; the partial answer stays on the display.
    """
    display.expect(model=request.model, max_tokens=request.max_tokens)
    try:
        # Also closed when the display, not the wait, is what was interrupted.
        with closing(bridge.iterate(session.stream(request))) as events:
            for event in events:
                display.show(event)
    except KeyboardInterrupt:
        display.stop()
        raise AnswerStopped("The answer was stopped.") from None
    except LocalLLMError as error:
        display.fail(error.error_code)
        raise error from None
