"""What every display of an answer shares: the text so far, what is waited for, the last word.

A display is fed events and ``None`` for "nothing new"; it decides by the clock when to paint. It
knows nothing of hosts and requests. The displays themselves are in ``display.py``.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import msgspec

from ...protocol import (
    CompletionChunk,
    CompletionDone,
    CompletionEvent,
    CompletionProgress,
    FinishReason,
    ModelState,
)
from ..answers.formats import Shape, Shown, as_markdown
from ..answers.thinking import ThinkingSplitter

#: A little under 15 updates a second.
UPDATE_INTERVAL_S = 0.07
#: How long nothing may be seen before the wait is explained.
PATIENCE_S = 1.0

METADATA_KEY = "jupyter_localllm"


class AnswerDisplay(ABC):
    """Where one answer appears while it streams.

    Parameters
    ----------
    is_streaming : bool
        ``False`` holds the text back until the answer has ended.
    shape : callable
        How the text of the asked format is shown.
    is_concluded_by_caller : bool
        The end is painted by :meth:`conclude` alone, because it takes more than the text.
    clock : callable, optional
        Monotonic seconds.
    """

    def __init__(
        self,
        *,
        is_streaming: bool = True,
        shape: Shape = as_markdown,
        is_concluded_by_caller: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.is_streaming = is_streaming
        self.model = ""
        #: What is known about the answer once it has ended.
        self.facts: dict[str, Any] = {}
        #: The terminal event, once it has come.
        self.done: CompletionDone | None = None
        self.note = ""
        self._shape = shape
        self.is_concluded_by_caller = is_concluded_by_caller
        self._clock = clock
        self._started = clock()
        self._split = ThinkingSplitter()
        self._thought_since: float | None = None
        self._thought_s = 0.0
        self._is_thought_shown = False
        self._first_text: float | None = None
        self._n_pieces = 0
        self._waiting = "Waiting for the model …"
        self._max_tokens: int | None = None

    @property
    def text(self) -> str:
        """The answer so far, exactly as it came, without its thinking."""
        return self._split.text

    @property
    def thinking(self) -> str:
        """What the model thought so far."""
        return self._split.thinking.strip()

    @property
    def progress_line(self) -> str:
        """One line about what is going on, in numbers of this answer."""
        if not self._n_pieces or self._first_text is None:
            return self._waiting
        seconds = self._clock() - self._first_text
        speed = f", about {(self._n_pieces - 1) / seconds:,.0f} tokens/s" if seconds > 1 else ""
        doing = "Thinking" if self._split.is_thinking else "Writing"
        return f"{doing}: {self._n_pieces:,} tokens{speed}"

    def expect(self, *, model: str, max_tokens: int | None) -> None:
        """Note what was asked for; shown with an answer that breaks off."""
        self.model = model
        self._max_tokens = max_tokens

    def show(self, event: CompletionEvent | None) -> None:
        """Take one event of the answer; ``None`` means that time has passed."""
        if isinstance(event, CompletionChunk):
            self._take(event.text)
            return
        if isinstance(event, CompletionProgress):
            self._waiting = waiting_text(event) or self._waiting
        elif isinstance(event, CompletionDone):
            self._finish(event)
            return
        if self._split.is_thinking:
            self._paint_thinking()
        elif self.is_streaming and self.text:
            self._paint_text("")
        elif self._clock() - self._started > PATIENCE_S:
            self._paint_waiting(f"{self._waiting}{self._written()}")

    def stop(self) -> None:
        """The person stopped the answer; what is there stays."""
        self._note_end("Stopped.", {"model": self.model, "finish_reason": "cancelled"})
        self.conclude()

    def fail(self, code: str) -> None:
        """The answer ended in an error, which is shown after this."""
        note = "The answer broke off here." if self.text or self.thinking else ""
        facts = {"model": self.model, "finish_reason": "error", "error_code": code}
        self._note_end(note, facts)
        self.conclude()

    def conclude(
        self, shown: Shown | None = None, *, note: str | None = None, **facts: object
    ) -> None:
        """Paint the end of the answer.

        Parameters
        ----------
        shown : Shown, optional
            In place of the text.
        note : str, optional
            In place of what the end of the stream calls for.
        **facts
            Kept with the output beside what is known already.
        """
        self.facts.update(facts)
        self._end(shown, self.note if note is None else note, dict(self.facts))

    def _take(self, piece: str) -> None:
        self._n_pieces += 1
        self._first_text = self._first_text or self._clock()
        added = self._split.feed(piece)
        if self._split.is_thinking:
            self._thought_since = self._thought_since or self._clock()
            self._paint_thinking()
            return
        self._note_thought()
        if self.is_streaming:
            if added or self.text:
                self._paint_text(added)
        elif self._clock() - self._started > PATIENCE_S:
            self._paint_waiting(f"{self._waiting}{self._written()}")

    def _note_thought(self) -> None:
        if self.thinking and not self._is_thought_shown:
            self._is_thought_shown = True
            now = self._clock()
            self._thought_s = now - (self._thought_since or now)
            self._paint_thinking(is_over=True)

    def _written(self) -> str:
        """Return how much of an answer that is held back exists."""
        return f" {len(self.text):,} characters so far." if self.text else ""

    def _finish(self, done: CompletionDone) -> None:
        self.done = done
        note = ""
        if done.finish_reason is FinishReason.LENGTH:
            note = self._length_note(done)
        elif done.finish_reason is FinishReason.CANCELLED:
            note = "The answer was stopped by the model host."
        facts: dict[str, Any] = {
            "model": done.model or self.model,
            "finish_reason": done.finish_reason.value,
            "usage": msgspec.to_builtins(done.usage),
            "timings": msgspec.to_builtins(done.timings),
        }
        if done.seed is not None:
            facts["seed"] = done.seed
        self._note_end(note, facts)
        if not self.text and not note:
            thought = " after its thinking" if self.thinking else ""
            self.note = f"The model gave an empty answer{thought}."
        if not self.is_concluded_by_caller:
            self.conclude()

    def _note_end(self, note: str, facts: dict[str, Any]) -> None:
        rest = self._split.finish()
        self._note_thought()
        if rest and self.is_streaming:
            self._paint_text(rest)
        self.note = note
        self.facts = facts

    def _length_note(self, done: CompletionDone) -> str:
        count = done.usage.completion_tokens
        if self._max_tokens is None or count < self._max_tokens:
            total = done.usage.prompt_tokens + count
            return (
                f"The answer was cut: question and answer fill the model's context window "
                f"({total:,} tokens). Ask for less, or use a model with a larger one."
            )
        # As code: some exports make one long dash of two short ones.
        longer = self._longer(2 * self._max_tokens)
        return f"The answer was cut after {count:,} tokens. For a longer one, write `{longer}`."

    def _longer(self, max_tokens: int) -> str:
        """Return what asks for so long an answer here."""
        return f"%%llm --max-tokens {max_tokens}"

    @abstractmethod
    def _paint_text(self, added: str) -> None:
        """Show what came; ``added`` is the new part."""

    @abstractmethod
    def _paint_thinking(self, *, is_over: bool = False) -> None:
        """Show what is being thought, or that it was."""

    @abstractmethod
    def _paint_waiting(self, line: str) -> None:
        """Show what is being waited for."""

    @abstractmethod
    def _end(self, shown: Shown | None, note: str, facts: dict[str, Any]) -> None:
        """Show the end of the answer with a note, and keep the facts."""


def waiting_text(progress: CompletionProgress) -> str:
    """Return one line about what is being waited for, or nothing."""
    if progress.prompt_tokens_total:
        done = progress.prompt_tokens_done or 0
        return f"Reading the question: {done:,} of {progress.prompt_tokens_total:,} tokens …"
    if progress.model_state in (ModelState.LOADING, ModelState.NOT_LOADED):
        if progress.load_progress:
            return f"Loading the model: {progress.load_progress:.0%} …"
        return "Loading the model …"
    if progress.queue_position:
        before = progress.queue_position
        return (
            f"In the queue: {before} {'request' if before == 1 else 'requests'} before this one …"
        )
    return ""
