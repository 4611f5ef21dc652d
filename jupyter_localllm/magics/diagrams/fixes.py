"""``%llm fix`` for a diagram that could not be drawn: which one it is, and the question to ask.

Called by ``magics.py``, which then answers it as any other question with a diagram.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from IPython.core.error import UsageError

from ...assistant.diagrams.repair_turn import repair_request
from ...errors import DiagramInvalid
from ..actions import DRAWN
from ..cells.cell_runs import CellRuns
from ..cells.cell_targets import cell_number
from ..questions.question import Question

if TYPE_CHECKING:
    from ...protocol import ChatCompletionRequest
    from ..lines.commands import Ask
    from .errors import BrokenDiagram


def broken_diagram(runs: CellRuns, target: str) -> BrokenDiagram | None:
    """Return the diagram that is to be repaired; ``None`` where it is about code.

    Parameters
    ----------
    target : str
        A cell's number; empty: what failed last.
    """
    if not target:
        run = runs.current_fault()
        return None if run is None else run.broken_diagram
    number = cell_number(target)
    run = None if number is None else runs.by_number(number)
    return None if run is None else run.broken_diagram


def refuse_unheeded(ask: Ask) -> None:
    """Refuse the options that say nothing about the repair of a diagram.

    The model gets the source and the parser's message, and answers with a diagram.

    Raises
    ------
    UsageError
        One of them stands in the line.
    """
    is_other_format = ask.format not in ("markdown", *DRAWN)
    given = {
        "--chat": ask.chat,
        "--context": ask.context,
        "--system": ask.system,
        "--persona": ask.persona,
        f"-f {ask.format}": is_other_format,
        "--show-prompt": ask.show_prompt,
    }
    option = next((name for name, value in given.items() if value), "")
    if option:
        raise UsageError(
            f"{option} does not go with the repair of a diagram. Leave it out, or name the cell "
            "whose code is to be corrected, as in %llm fix In[3]."
        )


def repair_question(
    ask: Ask,
    broken: BrokenDiagram,
    request: ChatCompletionRequest,
    on_broken_diagram: Callable[[BrokenDiagram | None], None],
) -> Question:
    """Return the question whose answer is the corrected diagram."""
    error = broken.error
    assert isinstance(error, DiagramInvalid)
    return Question(
        action="fix",
        format=broken.kind,
        request=repair_request(request, broken.kind, broken.source, error),
        model_label=ask.model or "",
        is_streaming=ask.is_streaming,
        retry=ask.retry,
        into=ask.into,
        diagram=ask.diagram,
        on_broken_diagram=on_broken_diagram,
    )
