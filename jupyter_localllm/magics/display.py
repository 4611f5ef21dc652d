"""Where an answer appears while it streams: one updated Markdown output, or plain text on stdout.

A display is fed events and ``None`` for "nothing new"; it decides by the clock when to paint. It
knows nothing of hosts and requests. Mime bundles are built by hand and published raw: model text
never reaches IPython's display classes, which would take it for a path or an address.

Called by ``answer.py``. Loaded with the first question.
"""

from __future__ import annotations

import sys
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import msgspec
from IPython.display import display, update_display

from ..protocol import (
    CompletionChunk,
    CompletionDone,
    CompletionEvent,
    CompletionProgress,
    FinishReason,
    ModelState,
)
from .safe_markdown import safe_markdown

#: A little under 15 updates a second.
UPDATE_INTERVAL_S = 0.07
#: Long answers are painted less often, so that updates stay under this many characters a second.
_CHARACTERS_PER_S = 200_000
#: How long nothing may be seen before the wait is explained.
PATIENCE_S = 1.0

METADATA_KEY = "jupyter_localllm"


class AnswerDisplay(ABC):
    """What both displays share: the text so far, what is being waited for, and the last word.

    Parameters
    ----------
    is_streaming : bool
        ``False`` holds the text back until the answer has ended.
    clock : callable, optional
        Monotonic seconds.
    """

    def __init__(
        self, *, is_streaming: bool = True, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.is_streaming = is_streaming
        self.model = ""
        self._clock = clock
        self._started = clock()
        self._parts: list[str] = []
        self._waiting = "Waiting for the model …"
        self._max_tokens: int | None = None

    @property
    def text(self) -> str:
        """The answer so far, exactly as it came."""
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0] if self._parts else ""

    def expect(self, *, model: str, max_tokens: int | None) -> None:
        """Note what was asked for; shown with an answer that breaks off."""
        self.model = model
        self._max_tokens = max_tokens

    def show(self, event: CompletionEvent | None) -> None:
        """Take one event of the answer; ``None`` means that time has passed."""
        if isinstance(event, CompletionChunk):
            self._parts.append(event.text)
            if self.is_streaming:
                self._paint_text(event.text)
                return
        elif isinstance(event, CompletionProgress):
            self._waiting = waiting_text(event) or self._waiting
        elif isinstance(event, CompletionDone):
            self._finish(event)
            return
        has_shown_text = self.is_streaming and bool(self._parts)
        if has_shown_text:
            self._paint_text("")
        elif self._clock() - self._started > PATIENCE_S:
            self._paint_waiting(f"{self._waiting}{self._written()}")

    def stop(self) -> None:
        """The person stopped the answer; what is there stays."""
        self._end("Stopped.", {"model": self.model, "finish_reason": "cancelled"})

    def fail(self, code: str) -> None:
        """The answer ended in an error, which is shown after this."""
        note = "The answer broke off here." if self._parts else ""
        self._end(note, {"model": self.model, "finish_reason": "error", "error_code": code})

    def _written(self) -> str:
        """Return how much of an answer that is held back exists."""
        return f" {len(self.text):,} characters so far." if self._parts else ""

    def _finish(self, done: CompletionDone) -> None:
        note = ""
        if done.finish_reason is FinishReason.LENGTH:
            note = _length_note(done, self._max_tokens)
        elif done.finish_reason is FinishReason.CANCELLED:
            note = "The answer was stopped by the model host."
        elif not self.text:
            note = "The model gave an empty answer."
        facts: dict[str, Any] = {
            "model": done.model or self.model,
            "finish_reason": done.finish_reason.value,
            "usage": msgspec.to_builtins(done.usage),
            "timings": msgspec.to_builtins(done.timings),
        }
        if done.seed is not None:
            facts["seed"] = done.seed
        self._end(note, facts)

    @abstractmethod
    def _paint_text(self, added: str) -> None:
        """Show what came; ``added`` is the new part."""

    @abstractmethod
    def _paint_waiting(self, line: str) -> None:
        """Show what is being waited for."""

    @abstractmethod
    def _end(self, note: str, facts: dict[str, Any]) -> None:
        """Show the end of the answer with a note, and keep the facts."""


class RichDisplay(AnswerDisplay):
    """One output with a ``display_id``, for front ends that update outputs."""

    def __init__(
        self, *, is_streaming: bool = True, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(is_streaming=is_streaming, clock=clock)
        self._display_id: str | None = None
        self._last_paint = -1.0
        self._painted = ""

    def _paint_text(self, added: str) -> None:
        interval = max(UPDATE_INTERVAL_S, len(self.text) / _CHARACTERS_PER_S)
        if self._clock() - self._last_paint >= interval and self.text != self._painted:
            text = self.text
            self._publish(safe_markdown(text).text, text, {})
            self._painted = text

    def _paint_waiting(self, line: str) -> None:
        if line != self._painted and self._clock() - self._last_paint >= UPDATE_INTERVAL_S:
            self._publish(f"*{line}*", line, {})
            self._painted = line

    def _end(self, note: str, facts: dict[str, Any]) -> None:
        text = self.text
        if not text and not note:
            if self._display_id is None:
                return
            note = "No answer."
        safe = safe_markdown(text)
        markdown, plain = safe.text, text
        if note:
            fence = f"\n{safe.open_fence}" if safe.open_fence else ""
            markdown = f"{markdown}{fence}\n\n*{note}*".lstrip("\n") if text else f"*{note}*"
            plain = f"{plain}\n\n[{note}]" if text else f"[{note}]"
        self._publish(markdown, plain, {METADATA_KEY: facts})

    def _publish(self, markdown: str, plain: str, metadata: dict[str, Any]) -> None:
        bundle = {"text/markdown": markdown, "text/plain": plain}
        publish: Callable[..., Any] = update_display
        if self._display_id is None:
            self._display_id = f"localllm-{uuid.uuid4().hex}"
            publish = display
        publish(bundle, raw=True, metadata=metadata, display_id=self._display_id)
        self._last_paint = self._clock()


class PlainDisplay(AnswerDisplay):
    """Text on standard output, for terminals.

    Parameters
    ----------
    can_erase : bool
        The output goes to a terminal, where a line about waiting can be taken away again.
    """

    def __init__(
        self,
        *,
        can_erase: bool,
        is_streaming: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(is_streaming=is_streaming, clock=clock)
        self._can_erase = can_erase
        self._shown_waiting = ""
        self._last_flush = -1.0
        self._is_flushed = True

    def _paint_text(self, added: str) -> None:
        self._erase_waiting()
        if added:
            _write(terminal_text(added))
            self._is_flushed = False
        if not self._is_flushed and self._clock() - self._last_flush >= UPDATE_INTERVAL_S:
            sys.stdout.flush()
            self._last_flush = self._clock()
            self._is_flushed = True

    def _paint_waiting(self, line: str) -> None:
        if self._can_erase and line != self._shown_waiting:
            self._erase_waiting()
            _write(f"\r{line}")
            sys.stdout.flush()
            self._shown_waiting = line

    def _erase_waiting(self) -> None:
        if self._shown_waiting:
            _write("\r" + " " * len(self._shown_waiting) + "\r")
            self._shown_waiting = ""

    def _end(self, note: str, facts: dict[str, Any]) -> None:
        self._erase_waiting()
        text = terminal_text(self.text)
        if not self.is_streaming:
            _write(text)
        if text and not text.endswith("\n"):
            _write("\n")
        if note:
            _write(f"[{note}]\n")
        sys.stdout.flush()


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


def _length_note(done: CompletionDone, max_tokens: int | None) -> str:
    count = done.usage.completion_tokens
    if max_tokens is None or count < max_tokens:
        total = done.usage.prompt_tokens + count
        return (
            f"The answer was cut: question and answer fill the model's context window "
            f"({total:,} tokens). Ask for less, or use a model with a larger one."
        )
    return (
        f"The answer was cut after {count:,} tokens. "
        f"For a longer one, write %%llm --max-tokens {2 * max_tokens}."
    )


#: Control characters drive a terminal (colours, titles, the clipboard); shown, they are harmless.
_VISIBLE = (
    {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t\r"}
    | {ord("\r"): None, 0x7F: 0x2421}
    | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)
)


def terminal_text(text: str) -> str:
    """Return the text with control characters made visible; only newlines and tabs act."""
    return text.translate(_VISIBLE)


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "ascii"
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
