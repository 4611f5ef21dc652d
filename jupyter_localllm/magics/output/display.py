"""Where an answer appears while it streams: updated Markdown outputs, or plain text on stdout.

Mime bundles are built by hand and published raw: model text never reaches IPython's display
classes, which would take it for a path or an address.

Called by ``answer.py``. Loaded with the first question.
"""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from IPython.display import display, update_display

from ..answers.formats import Shape, Shown, as_markdown
from .answer_display import METADATA_KEY, UPDATE_INTERVAL_S, AnswerDisplay
from .fences import folded, safe_and_closed
from .plain_output import write

if TYPE_CHECKING:
    from ..diagrams.value import Diagram

#: A growing output is sent whole each time. What an answer's updates may weigh: a stock, spent by
#: quick answers, and so much more a second. A thousand tokens at 20 a second then stay below a
#: megabyte, with the messages around them.
STOCK_BYTES = 180_000
BYTES_PER_S = 14_000
#: What a message weighs without its text: header, parent header, signature.
_MESSAGE_BYTES = 900


class ProgressView(Protocol):
    """A line that shows progress outside of the output, as ``progress_widget`` does."""

    @property
    def hides_waiting(self) -> bool:
        """Whether the output needs no line about waiting now."""
        ...

    def tick(self, line: str) -> None:
        """Show a line; called often."""
        ...


class RichDisplay(AnswerDisplay):
    """Outputs with a ``display_id``, for front ends that update outputs.

    The answer is one output. Thinking before it gets one of its own, which is not touched any more
    once it has ended, so that it stays open where the user opened it.
    """

    def __init__(
        self,
        *,
        is_streaming: bool = True,
        shape: Shape = as_markdown,
        is_concluded_by_caller: bool = False,
        progress: ProgressView | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(
            is_streaming=is_streaming,
            shape=shape,
            is_concluded_by_caller=is_concluded_by_caller,
            clock=clock,
        )
        self._progress = progress
        self._display_id: str | None = None
        self._last_paint = -1.0
        self._last_bytes = 0
        self._stock = float(STOCK_BYTES)
        self._painted = ""
        self._last: tuple[Shown, dict[str, Any]] | None = None

    def show(self, event: Any) -> None:
        """Take one event; see :meth:`AnswerDisplay.show`."""
        super().show(event)
        if self._progress is not None and self.done is None:
            self._progress.tick(self.progress_line)

    def _is_due(self) -> bool:
        if self._display_id is None:
            return True
        passed = self._clock() - self._last_paint
        return passed >= UPDATE_INTERVAL_S and self._stock + passed * BYTES_PER_S > self._last_bytes

    def _paint_text(self, added: str) -> None:
        if self._is_due() and self.text != self._painted:
            self._publish(self._shape(self.text), {})
            self._painted = self.text

    def _paint_thinking(self, *, is_over: bool = False) -> None:
        if not self.thinking:
            return
        if is_over:
            summary = f"Thought for {self._thought_s:,.0f} s"
            plain = f"[{summary}; _llm.last.thinking has the text.]"
            markdown = folded(summary, safe_and_closed(self.thinking))
            facts = {"kind": "thinking", "model": self.model}
            self._publish(Shown(markdown, plain), {METADATA_KEY: facts})
            # The answer goes into an output of its own, below.
            self._display_id, self._painted = None, ""
        elif self._is_due() and self.thinking != self._painted:
            markdown = folded("Thinking …", safe_and_closed(self.thinking), is_open=True)
            self._publish(Shown(markdown, "Thinking …"), {})
            self._painted = self.thinking

    def _paint_waiting(self, line: str) -> None:
        if self._progress is not None and self._progress.hides_waiting:
            return
        if line != self._painted and self._is_due():
            self._publish(Shown(f"*{line}*", line), {})
            self._painted = line

    def _end(self, shown: Shown | None, note: str, facts: dict[str, Any]) -> None:
        if shown is None:
            shown = self._shape(self.text)
        if not shown.plain and not note:
            if self._display_id is None:
                return
            note = "No answer."
        if shown.picture is not None:
            self._end_with_picture(shown, shown.picture, note, facts)
            return
        if note:
            shown = with_note(shown, note)
        self._publish(shown, {METADATA_KEY: facts})

    def _end_with_picture(
        self, shown: Shown, picture: Diagram, note: str, facts: dict[str, Any]
    ) -> None:
        """Show what was changed in it, the picture, and the note below, each where there is one."""
        about = {METADATA_KEY: {"kind": "diagram", "model": facts.get("model", self.model)}}
        if picture.changes:
            from ..diagrams.errors import folded_changes

            self._publish(folded_changes(picture.changes, picture.source), about)
            self._display_id = None
        self._publish(shown, about if note else {METADATA_KEY: facts})
        if note:
            self._display_id = None
            self._publish(with_note(Shown("", ""), note), {METADATA_KEY: facts})

    def show_again(self) -> None:
        """Show the last output anew, where code has cleared the outputs of the cell."""
        if self._display_id is not None and self._last is not None:
            publish_output(self._display_id, *self._last, is_new=True)

    def _publish(self, shown: Shown, metadata: dict[str, Any]) -> None:
        self._last = (shown, metadata)
        is_new = self._display_id is None
        self._display_id = self._display_id or f"localllm-{uuid.uuid4().hex}"
        publish_output(self._display_id, shown, metadata, is_new=is_new)
        # A picture is sent once; it must not stop the text behind it.
        texts = [] if shown.picture else [shown.plain, shown.markdown or "", shown.html or ""]
        self._spend(_MESSAGE_BYTES + sum(len(text.encode()) for text in texts))

    def _spend(self, n_bytes: int) -> None:
        now = self._clock()
        earned = (now - self._last_paint) * BYTES_PER_S if self._last_paint >= 0 else 0
        self._stock = min(STOCK_BYTES, self._stock + earned) - n_bytes
        self._last_paint, self._last_bytes = now, n_bytes


def publish_output(
    display_id: str | None, shown: Shown, metadata: dict[str, Any], *, is_new: bool
) -> None:
    """Show an output, or another state of one that is there; without an id it stays as it is."""
    bundle: dict[str, Any] = {"text/plain": shown.plain}
    if shown.picture is not None:
        bundle, sizes = shown.picture._repr_mimebundle_()
        metadata = {**sizes, **metadata}
    elif shown.markdown is not None:
        bundle = {"text/markdown": shown.markdown, **bundle}
    if shown.html is not None:
        bundle["text/html"] = shown.html
    # IPython leaves them untyped.
    publish: Callable[..., Any] = display if is_new else update_display
    publish(bundle, raw=True, metadata=metadata, display_id=display_id)


def with_note(shown: Shown, note: str) -> Shown:
    """Return the output with a line below it, outside of whatever its text left open."""
    markdown, plain = shown.markdown, shown.plain
    if markdown is not None:
        fence = f"\n{shown.open_fence}" if shown.open_fence else ""
        markdown = f"{markdown}{fence}\n\n*{note}*".lstrip("\n") if markdown else f"*{note}*"
    plain = f"{plain}\n\n[{note}]" if plain else f"[{note}]"
    return Shown(markdown, plain, html=shown.html)


class PlainDisplay(AnswerDisplay):
    """Text on standard output, for terminals.

    Parameters
    ----------
    can_erase : bool
        The output goes to a terminal, where a line about waiting can be taken away again.
    by_line : bool
        A line is written when it is complete, so that one that was cut can be left out.
    """

    def __init__(
        self,
        *,
        can_erase: bool,
        by_line: bool = False,
        is_streaming: bool = True,
        shape: Shape = as_markdown,
        is_concluded_by_caller: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(
            is_streaming=is_streaming,
            shape=shape,
            is_concluded_by_caller=is_concluded_by_caller,
            clock=clock,
        )
        self._can_erase = can_erase
        self._by_line = by_line
        self._held = ""
        self._shown_waiting = ""
        self._last_flush = -1.0
        self._is_flushed = True
        self._ended_with: str | None = None

    def _paint_text(self, added: str) -> None:
        self._erase_waiting()
        if self._by_line:
            added, self._held = _whole_lines(self._held + added)
        if added:
            write(terminal_text(added))
            self._is_flushed = False
        if not self._is_flushed and self._clock() - self._last_flush >= UPDATE_INTERVAL_S:
            sys.stdout.flush()
            self._last_flush = self._clock()
            self._is_flushed = True

    def _paint_thinking(self, *, is_over: bool = False) -> None:
        if is_over:
            self._erase_waiting()
            if self.thinking:
                write(f"[Thought for {self._thought_s:,.0f} s.]\n")
        else:
            self._paint_waiting("Thinking …")

    def _paint_waiting(self, line: str) -> None:
        if self._can_erase and line != self._shown_waiting:
            self._erase_waiting()
            write(f"\r{line}")
            sys.stdout.flush()
            self._shown_waiting = line

    def _erase_waiting(self) -> None:
        if self._shown_waiting:
            write("\r" + " " * len(self._shown_waiting) + "\r")
            self._shown_waiting = ""

    def _end(self, shown: Shown | None, note: str, facts: dict[str, Any]) -> None:
        self._erase_waiting()
        if shown is None or facts.get("finish_reason") != "length":
            write(terminal_text(self._held))
        self._held = ""
        text = terminal_text(self.text if shown is None else shown.plain)
        if text == self._ended_with:
            text = ""
        elif not self.is_streaming or self._ended_with is not None:
            write(text)
        self._ended_with = text or self._ended_with or ""
        if text and not text.endswith("\n"):
            write("\n")
        if note:
            write(f"[{note}]\n")
        sys.stdout.flush()


def _whole_lines(text: str) -> tuple[str, str]:
    """Return the lines that are complete, and what is left."""
    end = text.rfind("\n") + 1
    return text[:end], text[end:]


#: Control characters drive a terminal (colours, titles, the clipboard); shown, they are harmless.
_VISIBLE = (
    {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t\r"}
    | {ord("\r"): None, 0x7F: 0x2421}
    | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)
)


def terminal_text(text: str) -> str:
    """Return the text with control characters made visible; only newlines and tabs act."""
    return text.translate(_VISIBLE)
