"""``%llm show``: the last answer once more, its code, its diagram, or what the model was sent.

Called by ``magics.py``; loaded when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.core.error import UsageError

from .answers.formats import shape_of
from .output.display import publish_output, terminal_text
from .output.frontend import is_rich
from .output.plain_output import print_line

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .answers.last_answer import Answers


def show_again(shell: InteractiveShell, answers: Answers, part: str, kind: str) -> None:
    """Show a part of the last answer; model text never reaches IPython's display classes.

    Raises
    ------
    UsageError
        There is no answer, or no code in it.
    LocalLLMError
        There is no diagram in it, or it cannot be drawn.
    """
    answer = answers.newest
    if answer is None:
        raise UsageError("There is no answer in this session yet. Ask something with %%llm.")
    if part == "code":
        if not answer.code:
            raise UsageError(
                "The last answer has no Python code. %llm show shows all of it, and %%llm code "
                "asks for code."
            )
        print_line(terminal_text(answer.code))
        return
    if part == "prompt":
        print_line(terminal_text(answer.question))
        return
    if part == "diagram":
        from .diagrams.output import show_drawn

        show_drawn(answer.diagram, is_rich=is_rich(shell, kind))
        return
    if not is_rich(shell, kind):
        print_line(terminal_text(answer.text))
        return
    publish_output(None, shape_of(answer.format)(answer.text), {}, is_new=True)
