"""The noun between asking and answering: one parsed question with its complete request.

Made by ``composer.py``, answered by ``answer.py``. Holds values only, and does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...protocol import ChatCompletionRequest
from ..lines.commands import DiagramOptions

if TYPE_CHECKING:
    from ..answers.last_answer import LastAnswer
    from ..diagrams.errors import BrokenDiagram


@dataclass(frozen=True, kw_only=True)
class Question:
    """One parsed ``%%llm`` cell or ``%llm`` action, ready to be answered.

    Attributes
    ----------
    action : str
        ask, code, explain, fix, improve, test, doc, translate, summarise, diagram.
    format : str
        In lower case: markdown, code, json, html, math, text, table, mermaid, dot, graphviz, svg.
    request : ChatCompletionRequest
        Complete: messages composed, options set. Only the answer's form (``response_format``,
        ``grammar``) and turns that repair an answer are added to it.
    model_label : str
        What the user typed, or the default, for the progress line; may be empty.
    execute : bool
        ``-x`` stood on this very cell's own line.
    time_limit_s : float, optional
        Longest run of executed code, in seconds.
    schema : str, optional
        The argument's text: a file, a variable's name or ``{…}``.
    code : str, optional
        The code that the question is about.
    on_answer : callable, optional
        Called once with the answer in its final state, whichever it is: it is what remembers the
        turn.
    on_broken_diagram : callable, optional
        Called with the last diagram of the answer that could not be drawn, or ``None``.
    """

    action: str
    format: str
    request: ChatCompletionRequest
    model_label: str
    is_streaming: bool = True
    execute: bool = False
    retry: int = 2
    dry_run: bool = False
    confirm: bool = False
    time_limit_s: float | None = None
    schema: str | None = None
    into: str | None = None
    render: bool = False
    code: str | None = None
    previous: LastAnswer | None = None
    diagram: DiagramOptions = field(default_factory=DiagramOptions)
    on_answer: Callable[[LastAnswer], None] | None = None
    on_broken_diagram: Callable[[BrokenDiagram | None], None] | None = None
