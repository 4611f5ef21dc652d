"""An answer as a value: what ``_llm.last`` holds, and ``_llm`` itself.

Holds values and reads them (code, JSON, table) on demand; asks and shows nothing. Made by
``answer.py``; ``magics.py`` puts :class:`Answers` into the user's namespace as ``_llm``.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...errors import AnswerUnusable

if TYPE_CHECKING:
    from ...protocol import Timings, Usage
    from ..diagrams.value import Diagram

#: How many answers are kept; each holds its text.
KEPT_ANSWERS = 100


@dataclass(eq=False)
class LastAnswer:
    """One answer of a ``%%llm`` cell.

    Attributes
    ----------
    question : str
        The last message that the model was sent.
    text : str
        What the model said, exactly, without its thinking.
    thinking : str
        What it wrote between ``<think>`` and ``</think>``; never sent back to a model.
    format : str
        The format that was asked for.
    model : str
        The model that answered.
    seed : int or None
        With the same seed and question it answers the same again.
    usage : Usage or None
        Token counts; ``None`` where the answer did not get that far.
    timings : Timings or None
        Measured times.
    finish_reason : str
        ``stop``, ``length``, ``cancelled`` or ``error``.
    error_code : str
        Of the error that it ended in; "" where it did not.
    value : object
        What ``--into`` binds: text, code, data, a table or a diagram.
    diagrams : list of Diagram
        Those of the answer that were drawn.
    """

    question: str
    text: str = ""
    thinking: str = ""
    format: str = "markdown"
    model: str = ""
    seed: int | None = None
    usage: Usage | None = None
    timings: Timings | None = None
    finish_reason: str = ""
    error_code: str = ""
    value: Any = field(default=None, repr=False)
    diagrams: list[Diagram] = field(default_factory=list, repr=False)

    @property
    def code(self) -> str:
        """The Python code in the answer, without prose and fences; "" if there is none."""
        from ..cells.code_cells import find_code

        return find_code(self.text).code

    def json(self) -> Any:
        """Return the answer read as JSON: of ``-f json``, what ``--into`` binds.

        Raises
        ------
        AnswerUnusable
            It holds none.
        """
        if self.format == "json" and self.value is not None:
            return self.value
        from ...assistant.structured import read_json

        return read_json(self.text)

    def table(self) -> Any:
        """Return the first table of the answer: a pandas DataFrame, or a list of dicts without it.

        It has whole rows only. Of ``-f table``, it is what ``--into`` binds.

        Raises
        ------
        AnswerUnusable
            It holds none.
        """
        if self.format == "table" and self.value is not None:
            return self.value
        from .table import data_frame, find_table, whole_rows

        is_whole = self.finish_reason in ("", "stop")
        return data_frame(find_table(self.text if is_whole else whole_rows(self.text)))

    @property
    def diagram(self) -> Diagram:
        """The first diagram of the answer, drawn now where it was not yet, as in a terminal.

        Raises
        ------
        AnswerUnusable, DiagramInvalid
            It holds none; it cannot be read.
        """
        if not self.diagrams:
            self.diagrams = [drawn_from(self.text)]
        return self.diagrams[0]

    def __str__(self) -> str:
        return self.text

    def _repr_markdown_(self) -> str | None:
        from .formats import shape_of

        return shape_of(self.format)(self.text).markdown

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(self.text)


def drawn_from(text: str) -> Diagram:
    """Draw the first diagram of an answer.

    Raises
    ------
    AnswerUnusable, DiagramInvalid
        There is none; it cannot be read.
    """
    from ...assistant.diagrams.extract import kind_of, split_answer
    from ..diagrams.drawing import draw

    for piece in split_answer(text):
        if piece.kind != "text" and piece.text.strip():
            return draw(piece.text, piece.kind)
    kind = kind_of(text)
    if kind is None:
        raise AnswerUnusable("The answer has no diagram.", "Ask for one with %%llm diagram.")
    return draw(text, kind)


class Answers:
    """``_llm``: the answers of this session, newest last.

    Attributes
    ----------
    last : LastAnswer
        The newest one, also one that was stopped or broke off.
    """

    def __init__(self) -> None:
        self._answers: deque[LastAnswer] = deque(maxlen=KEPT_ANSWERS)

    @property
    def last(self) -> LastAnswer:
        """The newest answer, for a person.

        Raises
        ------
        AnswerUnusable
            There is none yet.
        """
        if self.newest is None:
            raise AnswerUnusable("There is no answer yet.", "Ask with %%llm.")
        return self.newest

    @property
    def newest(self) -> LastAnswer | None:
        """The newest answer, if there is one."""
        return self._answers[-1] if self._answers else None

    @property
    def history(self) -> list[LastAnswer]:
        """All kept answers, oldest first."""
        return list(self._answers)

    def add(self, answer: LastAnswer, *, replaces_last: bool = False) -> None:
        """Keep an answer as the newest one; a repaired one replaces the one it repairs."""
        if replaces_last and self._answers:
            self._answers.pop()
        self._answers.append(answer)

    def clear(self) -> None:
        """Forget all answers."""
        self._answers.clear()

    def __len__(self) -> int:
        return len(self._answers)

    def __repr__(self) -> str:
        if self.newest is None:
            return "No answer yet. Ask with %%llm; then _llm.last has .text, .code and .json()."
        number = "1 answer" if len(self) == 1 else f"{len(self)} answers"
        parts = ".text, .thinking, .code, .json(), .table(), .diagram and .usage"
        return f"{number}; _llm.last has {parts}."
