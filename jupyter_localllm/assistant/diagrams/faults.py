"""The errors of a diagram, worded alike for both languages. ``mermaid`` and ``dot`` raise them."""

from __future__ import annotations

from ... import errors
from .nouns import DiagramKind

LANGUAGES: dict[DiagramKind, str] = {"mermaid": "Mermaid", "dot": "Graphviz"}
_MAX_LINE_CHARS = 200


def invalid(
    kind: DiagramKind, source: str, reason: str, *, line: int = 0, column: int = 0
) -> errors.DiagramInvalid:
    """Return the error for a source that does not parse.

    Parameters
    ----------
    source : str
        What the parser was given.
    reason : str
        What is wrong, as the end of a sentence.
    line, column : int
        From 1; 0 where the parser does not say.
    """
    lines = source.split("\n")
    source_line = lines[line - 1] if 0 < line <= len(lines) else ""
    place = f" line {line}" if line else ""
    if line and column:
        place += f", column {column}"
    reason = reason.strip().rstrip(".")
    return errors.DiagramInvalid(
        f"The {LANGUAGES[kind]} diagram cannot be read{':' if place else ''}{place}: {reason}.",
        "Correct that line, or ask the model to repair it.",
        details={
            "kind": kind,
            "line": line,
            "column": column,
            "source_line": source_line[:_MAX_LINE_CHARS],
            "reason": reason,
        },
    )


def too_large(reason: str) -> errors.DiagramTooLarge:
    """Return the error for a diagram that is over a limit; ``reason`` is a whole sentence."""
    return errors.DiagramTooLarge(reason, "Ask for a smaller diagram, or split it.")


def unavailable(kind: DiagramKind, package: str) -> errors.DiagramsUnavailable:
    """Return the error for a library that is not installed, or has nothing for this machine."""
    return errors.DiagramsUnavailable(
        f"{LANGUAGES[kind]} diagrams cannot be drawn: the package {package} does not run here.",
        f"Install it with: pip install {package}. Some machines have no build of it; the source "
        "of the diagram can still be read and copied.",
    )
