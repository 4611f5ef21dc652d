"""A diagram that cannot be drawn, as its person and the model are told of it.

Pure text. Called by whatever of the magics draws; ``%llm fix`` takes what is noted here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...assistant.code_blocks import fenced
from ...errors import DiagramInvalid, LocalLLMError
from ..answers.formats import Shown
from ..lines.parsers import shortened
from ..output.fences import folded

if TYPE_CHECKING:
    from ...assistant.diagrams.nouns import DiagramKind

HOW_TO_FIX = "%llm fix asks the model to repair it."


@dataclass(frozen=True)
class BrokenDiagram:
    """A source and why it is no picture."""

    kind: DiagramKind
    source: str
    error: LocalLLMError

    @property
    def is_repairable(self) -> bool:
        """Whether other words could help: it does not parse."""
        return isinstance(self.error, DiagramInvalid)

    @property
    def line(self) -> int:
        """The line at fault, from 1; 0 where it is not known."""
        line = self.error.details.get("line")
        return line if isinstance(line, int) else 0

    def listing(self) -> str:
        """Return the source with the numbers of its lines; the one at fault is marked."""
        lines = self.source.rstrip().split("\n")
        width = len(str(len(lines)))
        marked = [
            f"{'>' if number == self.line else ' '} {number:>{width}}  {text}"
            for number, text in enumerate(lines, 1)
        ]
        return "\n".join(line.rstrip() for line in marked)

    def shown(self) -> Shown:
        """Return the listing as an output."""
        return Shown(fenced(self.listing(), "text"), self.listing())

    def summary(self) -> str:
        """Return what is wrong, in one line."""
        return shortened(self.error.message, 160)

    def body(self) -> str:
        """Return all that can be said of it, as Markdown."""
        return f"{fenced(self.listing(), 'text')}\n\n{fenced(self.error.message, 'text')}"

    def final_error(self) -> LocalLLMError:
        """Return the error that a cell ends with, with what to do next."""
        error = self.error
        hint = HOW_TO_FIX if self.is_repairable else error.hint
        return type(error)(error.message, hint, details=dict(error.details))


def sentence(text: str) -> str:
    """Return plain text as Markdown that is only text, with a full stop."""
    line = " ".join(text.split())
    escaped = "".join(f"\\{sign}" if sign in _MARKDOWN else sign for sign in line)
    return escaped if line.endswith((".", "…", "!", "?")) else f"{escaped}."


_MARKDOWN = frozenset("\\`*_{}[]<>#+-!|$~&")


def folded_changes(changes: tuple[str, ...], source: str) -> Shown:
    """Return one line that unfolds to what was changed in a source, and what it is now."""
    count = "1 change" if len(changes) == 1 else f"{len(changes)} changes"
    listed = "\n".join(f"- {sentence(change)}" for change in changes)
    summary = f"Repaired: {count}"
    return Shown(folded(summary, listed, fenced(source, "text")), f"[{summary}]")


def folded_attempts(attempts: list[tuple[str, BrokenDiagram]]) -> Shown:
    """Return each attempt that failed as a line that unfolds to what was tried."""
    folds = [
        folded(f"{title} failed: {broken.summary()}", broken.body()) for title, broken in attempts
    ]
    plain = [f"[{title} failed: {broken.summary()}]" for title, broken in attempts]
    return Shown("\n\n".join(folds), "\n".join(plain))
