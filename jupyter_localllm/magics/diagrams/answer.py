"""The end of an answer with diagrams: what is left is drawn, what does not parse is repaired.

The model is given its diagram with the parser's message, at most ``--retry`` times for each.
Called by ``attempts.py`` when a Markdown answer has ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...assistant.diagrams.extract import find_diagram
from ...assistant.diagrams.repair_turn import repair_request
from ...errors import DiagramInvalid, LocalLLMError
from ..answers.answer import AnswerStopped
from .display import DiagramDisplay, DiagramSlot
from .drawing import draw
from .errors import BrokenDiagram

if TYPE_CHECKING:
    from ..answers.answer import Asking
    from ..answers.last_answer import LastAnswer
    from ..questions.question import Question


def settle_diagrams(
    asking: Asking, question: Question, answer: LastAnswer, display: DiagramDisplay
) -> None:
    """Draw what is left and repair what is broken; the display is not concluded yet.

    Raises
    ------
    AnswerStopped
        Drawing or repairing was interrupted; the display is concluded then.
    """
    slot: DiagramSlot | None = None
    try:
        display.settle()
        for slot in display.slots:
            if slot.broken is not None and slot.broken.is_repairable:
                _repair(asking, question, answer, display, slot)
    except KeyboardInterrupt:
        if slot is not None and slot.broken is not None:
            display.show_unrepaired(slot, "Stopped.")
        display.conclude(note="Stopped.")
        raise AnswerStopped("The answer was stopped.") from None
    finally:
        answer.diagrams = [slot.diagram for slot in display.slots if slot.diagram is not None]
        broken = [slot.broken for slot in display.slots if slot.broken is not None]
        if question.on_broken_diagram is not None:
            question.on_broken_diagram(broken[-1] if broken else None)


def _repair(
    asking: Asking,
    question: Question,
    answer: LastAnswer,
    display: DiagramDisplay,
    slot: DiagramSlot,
) -> None:
    broken, said = slot.broken, answer.text
    assert broken is not None
    request, note, n_attempts = question.request, "", question.retry + 1
    theme = question.diagram.theme
    for number in range(1, question.retry + 1):
        error = broken.error
        assert isinstance(error, DiagramInvalid)
        slot.attempts.append((f"Attempt {number} of {n_attempts}", broken))
        display.show_repairing(slot, f"Asking the model to repair it: {number} of {question.retry}")
        request = repair_request(request, broken.kind, broken.source, error, answer=said)
        try:
            said = asking.reply(request)
            source = find_diagram(said, broken.kind)
            display.show_repaired(slot, draw(source, broken.kind, theme))
            return
        except DiagramInvalid as invalid:
            broken = BrokenDiagram(broken.kind, source, invalid)
        except LocalLLMError as failed:
            note = f"It could not be repaired: {failed.message}"
            break
    else:
        if slot.attempts:
            slot.attempts.append((f"Attempt {n_attempts} of {n_attempts}", broken))
    display.show_unrepaired(slot, note)
