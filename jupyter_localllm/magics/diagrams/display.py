"""An answer with diagrams as a sequence of outputs: text, picture, text.

While it streams, a fence is text in the output of its part. When it has closed and is drawn, that
output ends before the fence, the picture gets one of its own, and the text goes on in a third.
Drawing happens beside the stream and never holds it. Made by the magics' ``answer.py`` for Markdown
answers in notebooks; the ``answer.py`` beside this has the broken diagrams repaired.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...assistant.diagrams.nouns import DiagramTheme
from ...protocol import FinishReason
from ..answers.formats import Shown
from ..output.answer_display import METADATA_KEY, PATIENCE_S, UPDATE_INTERVAL_S
from ..output.display import RichDisplay, publish_output, with_note
from .errors import HOW_TO_FIX, BrokenDiagram, folded_attempts, folded_changes, sentence
from .parts import DiagramPart, DiagramParts
from .value import Diagram

_STEP_S = 0.05


@dataclass
class DiagramSlot:
    """The place of one diagram in the sequence.

    Attributes
    ----------
    diagram, broken : Diagram, BrokenDiagram
        What it is, or why it is none; one of the two.
    source_id, result_id : str
        The outputs of a broken one: the attempts, and below them the picture in the end.
    attempts : list
        The repairs that failed, each with its title.
    """

    diagram: Diagram | None = None
    broken: BrokenDiagram | None = None
    source_id: str = ""
    result_id: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    attempts: list[tuple[str, BrokenDiagram]] = field(default_factory=list)


class DiagramDisplay(RichDisplay):
    """See the module; ``theme`` is of the pictures, the rest as :class:`RichDisplay`."""

    def __init__(self, *, theme: DiagramTheme = "neutral", **settings: Any) -> None:
        super().__init__(is_concluded_by_caller=True, **settings)
        self.slots: list[DiagramSlot] = []
        self._parts = DiagramParts(theme)
        self._last_look = float("-inf")

    @property
    def undrawn_note(self) -> str:
        """Why diagrams of this answer are text, in a sentence; empty where none is."""
        error = self._parts.unavailable
        return "" if error is None else error.message

    def settle(self) -> None:
        """Show the diagrams that are left, when the answer has ended; waits for them.

        Raises
        ------
        KeyboardInterrupt
            The wait was interrupted; concluding the display ends what is being drawn.
        """
        is_whole = self.done is not None and self.done.finish_reason is FinishReason.STOP
        self._parts.look_at_end(self.text, is_whole=is_whole)
        since, is_said = self._clock(), False
        while True:
            self._show_ready(is_over=True)
            if not self._parts.has_pending:
                return
            if not self._parts.wait(_STEP_S) and not is_said:
                is_said = self._clock() - since > PATIENCE_S
                if is_said:
                    self._publish(with_note(self._shape(self._tail), "Drawing …"), {})

    # --- diagrams that could not be drawn ----------------------------------------------------

    def show_repairing(self, slot: DiagramSlot, line: str) -> None:
        """Say what is being done about a broken diagram, in its place."""
        self._show_attempts(slot)
        shown = Shown(f"*{line} …*", f"{line} …")
        publish_output(slot.result_id, shown, self._about("diagram"), is_new=False)

    def show_repaired(self, slot: DiagramSlot, diagram: Diagram) -> None:
        """Put the picture into its place."""
        slot.diagram, slot.broken = diagram, None
        self._show_attempts(slot)
        metadata = self._about("diagram", **slot.facts, n_repairs=len(slot.attempts))
        shown = Shown(None, diagram.source, picture=diagram)
        publish_output(slot.result_id, shown, metadata, is_new=False)

    def show_unrepaired(self, slot: DiagramSlot, note: str = "") -> None:
        """Say below its source why it is no picture."""
        assert slot.broken is not None
        self._show_attempts(slot)
        shown = _reason(slot.broken, note)
        publish_output(slot.result_id, shown, self._about("diagram", **slot.facts), is_new=False)

    def _show_attempts(self, slot: DiagramSlot) -> None:
        if slot.broken is not None:
            shown = slot.broken.shown()
            # The first attempt is what is listed.
            if slot.attempts[1:]:
                shown = _joined(shown, folded_attempts(slot.attempts[1:]))
        else:
            shown = folded_attempts(slot.attempts)
            if slot.diagram is not None and slot.diagram.changes:
                changes = folded_changes(slot.diagram.changes, slot.diagram.source)
                shown = _joined(shown, changes)
        publish_output(slot.source_id, shown, self._about("attempts"), is_new=False)

    # --- the sequence -----------------------------------------------------------------------

    @property
    def _tail(self) -> str:
        """The text that is in no finished output."""
        text = self.text[self._parts.start :]
        return text.lstrip("\n") if self.slots else text

    def _paint_text(self, added: str) -> None:
        now = self._clock()
        is_due = now - self._last_look >= UPDATE_INTERVAL_S
        if is_due:
            self._last_look = now
        self._parts.look(self.text, is_due=is_due)
        self._show_ready(is_over=False)
        if not self._is_due():
            return
        tail = self._tail
        if tail.strip() and tail != self._painted:
            self._publish(self._shape(tail), {})
            self._painted = tail

    def _end(self, shown: Shown | None, note: str, facts: dict[str, Any]) -> None:
        self._parts.cancel()
        if not self.slots:
            super()._end(shown, note, facts)
            return
        tail = self._tail.rstrip()
        if not tail and not note:
            # The facts went with the last diagram.
            return
        shown = self._shape(tail)
        self._publish(with_note(shown, note) if note else shown, {METADATA_KEY: facts})

    def _show_ready(self, *, is_over: bool) -> None:
        while (part := self._parts.ready(self.text, is_over=is_over)) is not None:
            self._show_part(part)

    def _show_part(self, part: DiagramPart) -> None:
        before = (part.before.lstrip("\n") if self.slots else part.before).rstrip()
        if before.strip():
            self._show_finished(self._shape(before), self._about("text"))
        slot = DiagramSlot(facts=dict(self.facts) if part.is_last else {})
        self.slots.append(slot)
        if isinstance(part.outcome, Diagram):
            slot.diagram = part.outcome
            if part.outcome.changes:
                changes = folded_changes(part.outcome.changes, part.outcome.source)
                self._show_finished(changes, self._about("changes"))
            shown = Shown(None, part.outcome.source, picture=part.outcome)
            self._show_finished(shown, self._about("diagram", **slot.facts))
            return
        slot.broken = BrokenDiagram(part.kind, part.source, part.outcome)
        slot.source_id = self._show_finished(slot.broken.shown(), self._about("attempts"))
        metadata = self._about("diagram", **slot.facts)
        slot.result_id = self._show_finished(_reason(slot.broken, ""), metadata)

    def _show_finished(self, shown: Shown, metadata: dict[str, Any]) -> str:
        """Publish an output for good, and begin another; return its id."""
        self._publish(shown, metadata)
        display_id = self._display_id
        assert display_id is not None
        self._display_id, self._painted = None, ""
        return display_id

    def _about(self, kind: str, **facts: object) -> dict[str, Any]:
        model = self.facts.get("model", self.model)
        return {METADATA_KEY: {"kind": kind, "model": model} | facts}


def _joined(*each: Shown) -> Shown:
    return Shown(
        "\n\n".join(shown.markdown or "" for shown in each),
        "\n".join(shown.plain for shown in each),
    )


def _reason(broken: BrokenDiagram, note: str) -> Shown:
    error = broken.error
    advice = HOW_TO_FIX if broken.is_repairable else error.hint
    parts = [part for part in (error.message, note, advice) if part]
    return Shown(" ".join(map(sentence, parts)), " ".join(parts))
