"""The diagrams in an answer that streams: which fences have closed, and what became of them.

Knows offsets and drawings, shows nothing. Fed by ``display.py``.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...assistant.diagrams.extract import split_answer
from ...assistant.diagrams.nouns import DiagramKind, DiagramTheme
from ...errors import DiagramsUnavailable, LocalLLMError
from .drawing import PendingDrawing

if TYPE_CHECKING:
    from .value import Diagram

#: Of one answer; what is more stays text.
MAX_DIAGRAMS = 20
_FENCES = ("```", "~~~")


@dataclass(frozen=True)
class DiagramPart:
    """A diagram that has its outcome.

    Attributes
    ----------
    before : str
        The answer from the end of the diagram before it.
    is_last : bool
        The answer has ended, and nothing follows.
    """

    before: str
    kind: DiagramKind
    source: str
    outcome: Diagram | LocalLLMError
    is_last: bool


@dataclass(frozen=True)
class _Fence:
    kind: DiagramKind
    source: str
    start: int
    end: int
    drawing: PendingDrawing


class DiagramParts:
    """Follows the text of one answer.

    Attributes
    ----------
    start : int
        Where the text begins that is in no part yet, in characters.
    unavailable : DiagramsUnavailable or None
        Why diagrams stay text here.
    """

    def __init__(self, theme: DiagramTheme) -> None:
        self.start = 0
        self.unavailable: DiagramsUnavailable | None = None
        self._theme = theme
        self._fences: deque[_Fence] = deque()
        self._n_found = 0
        #: How far the text is searched, and how far its lines were looked at.
        self._found_to = 0
        self._seen_to = 0
        self._may_have_more = False

    @property
    def has_pending(self) -> bool:
        """Whether diagrams wait to be drawn or shown."""
        return bool(self._fences)

    def look(self, text: str, *, is_due: bool) -> None:
        """Find the fences that have closed for certain, and begin to draw them.

        Nothing is done for text without new marks of fences, so it may be called for each token;
        ``is_due`` says that it may take a moment.
        """
        whole = text.rfind("\n") + 1
        if whole > self._seen_to:
            new = text[self._seen_to : whole]
            self._may_have_more = self._may_have_more or any(mark in new for mark in _FENCES)
            self._seen_to = whole
        if self._may_have_more and is_due:
            self._may_have_more = False
            # In its last line, a fence may still turn out to be none.
            self._find(text[:whole], is_over=False)

    def look_at_end(self, text: str, *, is_whole: bool) -> None:
        """Find the rest when the answer has ended.

        Parameters
        ----------
        is_whole : bool
            The model ended it, so that a fence it left open is a whole diagram.
        """
        if any(mark in text for mark in _FENCES):
            self._find(text, is_over=is_whole)

    def ready(self, text: str, *, is_over: bool) -> DiagramPart | None:
        """Return the next diagram if it is drawn, and it is known whether anything follows."""
        while self._fences and self._fences[0].drawing.is_done:
            fence = self._fences[0]
            has_more = bool(text[fence.end :].strip())
            if not has_more and not is_over:
                return None
            self._fences.popleft()
            outcome = fence.drawing.outcome
            if isinstance(outcome, DiagramsUnavailable):
                self.unavailable = outcome
                continue
            before, self.start = text[self.start : fence.start], fence.end
            return DiagramPart(before, fence.kind, fence.source, outcome, not has_more)
        return None

    def wait(self, timeout_s: float) -> bool:
        """Wait a little for the next drawing; return whether it is done."""
        return not self._fences or self._fences[0].drawing.wait(timeout_s)

    def cancel(self) -> None:
        """End what is being drawn."""
        for fence in self._fences:
            fence.drawing.cancel()
        self._fences.clear()

    def _find(self, text: str, *, is_over: bool) -> None:
        position = 0
        for piece in split_answer(text):
            start, position = position, position + len(piece.raw)
            if piece.kind == "text" or start < self._found_to or not piece.text.strip():
                continue
            if self.unavailable is not None or self._n_found >= MAX_DIAGRAMS:
                return
            if not piece.is_closed and not is_over:
                return
            drawing = PendingDrawing(piece.text, piece.kind, self._theme)
            self._fences.append(_Fence(piece.kind, piece.text, start, position, drawing))
            self._found_to = position
            self._n_found += 1
