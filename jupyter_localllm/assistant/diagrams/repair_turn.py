"""The repair turn: a model is given a diagram that does not parse, with the parser's message.

Makes the request; who sends it, how often, and what is done with the answer is the caller's
(``magics``, ``server``). The words are a file, ``prompts/diagrams/repair.md``.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

from ...errors import DiagramInvalid
from ...protocol import ChatCompletionRequest, ChatMessage
from ..code_blocks import fenced
from .faults import LANGUAGES
from .nouns import DiagramKind

_PROMPT = Path(__file__).parents[1] / "prompts" / "diagrams" / "repair.md"
#: Of the parser's message; the part that says what and where stands at its beginning.
_REASON_CHARS = 600


def repair_request(
    request: ChatCompletionRequest,
    kind: DiagramKind,
    source: str,
    error: DiagramInvalid,
    *,
    answer: str | None = None,
) -> ChatCompletionRequest:
    """Return the request that asks for a corrected diagram.

    Parameters
    ----------
    request : ChatCompletionRequest
        Model, limits and messages so far: those of the question where ``answer`` is given, which
        the model need not read again; else none, or a system prompt.
    kind, source, error : str, str, DiagramInvalid
        What does not parse, and why.
    answer : str, optional
        What the model had said, with the diagram in it.
    """
    turns = [ChatMessage("user", repair_text(kind, source, error))]
    if answer is not None:
        turns.insert(0, ChatMessage("assistant", answer))
    return msgspec.structs.replace(request, messages=[*request.messages, *turns])


def repair_text(kind: DiagramKind, source: str, error: DiagramInvalid) -> str:
    """Return what the model is told: the source, the message with its line, and what to do."""
    details = error.details
    line, source_line = details.get("line") or 0, str(details.get("source_line") or "").strip()
    place = f"Line {line}: {source_line}\n" if line and source_line else ""
    reason = str(details.get("reason") or error.message)[:_REASON_CHARS].strip()
    return "\n\n".join(
        [
            f"This {LANGUAGES[kind]} diagram cannot be read:",
            fenced(source.rstrip(), kind),
            f"{place}The mistake: {reason}",
            _instructions().replace("{language}", LANGUAGES[kind]),
        ]
    )


@cache
def _instructions() -> str:
    return _PROMPT.read_text(encoding="utf-8").strip()
