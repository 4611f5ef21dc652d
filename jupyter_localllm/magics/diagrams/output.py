"""A diagram that no model was asked for, shown: drawn, with a line while that takes long.

Called by ``cells.py`` (text of a person) and ``sources.py`` (code and data).
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from ...errors import LocalLLMError
from ..answers.answer import AnswerStopped
from ..answers.formats import Shown
from ..output.answer_display import METADATA_KEY
from ..output.display import publish_output, terminal_text
from ..output.frontend import is_rich
from ..output.plain_output import print_line
from .drawing import draw
from .value import Diagram, refuse_to_replace, save_value

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ...assistant.diagrams.nouns import DiagramKind
    from ..lines.commands import DiagramOptions


def show_diagram(
    shell: InteractiveShell,
    source: str,
    kind: DiagramKind,
    options: DiagramOptions,
    into: str | None = None,
    display_kind: str = "auto",
) -> Diagram:
    """Draw a source, show it, save it and bind it.

    Raises
    ------
    LocalLLMError
        It cannot be drawn.
    UsageError
        It cannot be saved; nothing was drawn.
    AnswerStopped
        It was interrupted.
    """
    if options.save:
        refuse_to_replace(options.save, may_replace=options.may_replace)
    output = _Output(is_rich=is_rich(shell, display_kind))
    try:
        diagram = draw(source, kind, options.theme, on_wait=output.wait)
    except KeyboardInterrupt:
        output.end("Stopped.")
        raise AnswerStopped("The drawing was stopped.") from None
    except LocalLLMError as error:
        output.end("This diagram could not be drawn.")
        raise error from None
    output.show(diagram)
    if into is not None:
        shell.user_ns[into] = diagram
    if options.save:
        save_value(diagram, options)
    return diagram


def show_drawn(diagram: Diagram, *, is_rich: bool) -> None:
    """Show a diagram once more; a terminal gets its source."""
    _Output(is_rich=is_rich).show(diagram)


class _Output:
    """One output, which may be a line about waiting before it is a picture."""

    def __init__(self, *, is_rich: bool) -> None:
        self._is_rich = is_rich
        self._display_id = f"localllm-{uuid.uuid4().hex}"
        self._is_shown = False

    def wait(self) -> None:
        """Say that it takes longer."""
        if self._is_rich:
            self._say("Drawing …")

    def end(self, line: str) -> None:
        """Let the line about waiting say what became of it."""
        if self._is_shown:
            self._say(line)

    def show(self, diagram: Diagram) -> None:
        """Show the picture."""
        if not self._is_rich:
            print_line(terminal_text(diagram.source.rstrip()))
            return
        shown = Shown(None, diagram.source, picture=diagram)
        metadata = {METADATA_KEY: {"kind": "diagram"}}
        publish_output(self._display_id, shown, metadata, is_new=not self._is_shown)

    def _say(self, line: str) -> None:
        shown = Shown(f"*{line}*", line)
        publish_output(self._display_id, shown, {}, is_new=not self._is_shown)
        self._is_shown = True
