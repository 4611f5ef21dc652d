"""The formats of ``-f``: what is asked of the engine for each, and how its text is shown.

Knows nothing of hosts, retries and cells. Called by ``answer.py`` and ``attempts.py`` (before) and
by the displays (while the answer streams); what a finished answer becomes is ``conclusions.py``'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from IPython.core.error import UsageError

from ...assistant.code_blocks import fenced
from ...assistant.safe_markdown import safe_markdown
from ...assistant.schemas.errors import SchemaRefused, Unenforceable
from ...assistant.structured import response_format
from ...protocol import ChatCompletionRequest, ResponseFormat
from ..actions import DRAWN
from ..lines.parsers import shortened
from ..output.fences import unfenced
from .schema import read_schema
from .table import table_grammar

if TYPE_CHECKING:
    from ..diagrams.value import Diagram
    from ..lines.commands import DiagramOptions

#: Shown as their source while they stream; a fence of their language would be drawn by the page.
DIAGRAMS = frozenset({*DRAWN, "svg"})
#: Formats whose answer is one thing that is not Markdown.
_SOURCES = {"json": "json", "html": "html"} | dict.fromkeys(DIAGRAMS, "text")
#: Characters that a token stands for, at least, in almost every answer; less where that failed.
_CHARS_PER_TOKEN = (2.4, 1.0, 0.4)
_DEFAULT_TOKENS = 1024


@dataclass(frozen=True)
class Shown:
    """One state of an output.

    Attributes
    ----------
    markdown : str or None
        Safe Markdown; ``None`` leaves it out, so that the plain text is what is shown.
    plain : str
        For terminals and front ends without Markdown.
    open_fence : str
        What must be written before anything is added to the Markdown.
    html : str or None
        Only ever a frame of ``html_frame``.
    picture : Diagram or None
        Shown in place of all the rest.
    """

    markdown: str | None
    plain: str
    open_fence: str = ""
    html: str | None = None
    picture: Diagram | None = None


Shape = Callable[[str], Shown]


def shape_of(format_name: str) -> Shape:
    """Return how the text of a format is shown while it streams."""
    if format_name == "text":
        return as_plain
    if format_name == "math":
        return as_math
    if format_name in _SOURCES:
        language = _SOURCES[format_name]
        return lambda text: as_source(text, language)
    return as_markdown


def as_markdown(text: str) -> Shown:
    """Show Markdown of a model."""
    safe = safe_markdown(text)
    return Shown(safe.text, text, safe.open_fence)


def as_plain(text: str) -> Shown:
    """Show text as it is."""
    return Shown(None, text)


def as_source(text: str, language: str) -> Shown:
    """Show source text in a fence, whether the model fenced it or not."""
    source = unfenced(text)
    return Shown(fenced(source, language) if source else "", source)


def as_math(text: str) -> Shown:
    """Show TeX as a formula; an answer that has formulas in prose stays Markdown."""
    source = unfenced(text).strip()
    has_marks = any(mark in source for mark in ("$", "\\(", "\\[", "\\begin{"))
    if has_marks or "\n\n" in source or not source:
        return Shown(safe_markdown(source).text, source)
    # The sanitiser has to see it as the formula that it will be.
    return Shown(safe_markdown(f"$$\n{source}\n$$").text, source)


def request_for(
    request: ChatCompletionRequest,
    format_name: str,
    schema: dict[str, Any] | None,
    attempt: int,
    diagram: DiagramOptions,
) -> ChatCompletionRequest:
    """Return the request with what makes the answer be of its format.

    Parameters
    ----------
    attempt : int
        How often an answer to it was already cut; each time it is given less to say.
    diagram : DiagramOptions
        Of a diagram, its type.

    Raises
    ------
    UsageError
        The schema cannot be enforced: no value fits it, or no grammar can say what it asks for.
    """
    if request.response_format is not None or request.grammar is not None:
        return request
    changes: dict[str, Any] = {}
    if schema is not None:
        ratio = _CHARS_PER_TOKEN[min(attempt, len(_CHARS_PER_TOKEN) - 1)]
        tokens = request.max_completion_tokens or request.max_tokens or _DEFAULT_TOKENS
        try:
            form = response_format(schema, budget_chars=int(tokens * ratio))
        except SchemaRefused as error:
            advice = ""
            if isinstance(error, Unenforceable):
                advice = " Leave it out, and check that on the answer."
            raise UsageError(
                f"This schema cannot be enforced: {shortened(str(error), 200)}.{advice}"
            ) from None
        changes["response_format"] = form
    elif format_name == "json":
        changes["response_format"] = ResponseFormat(type="json_object")
    elif format_name == "table":
        changes["grammar"] = table_grammar()
    elif format_name in DRAWN and diagram.type and not diagram.is_free:
        changes["grammar"] = _grammar_of(diagram, request)
    return msgspec.structs.replace(request, **changes) if changes else request


def _grammar_of(diagram: DiagramOptions, request: ChatCompletionRequest) -> str:
    from ...assistant.diagrams.grammar.grammars import diagram_grammar

    return diagram_grammar(
        diagram.type,
        direction=diagram.direction or None,
        max_tokens=request.max_completion_tokens or request.max_tokens,
    )


def schema_for(argument: str | None, variables: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the schema of ``--schema``, if there is one.

    Raises
    ------
    UsageError
        It cannot be read.
    """
    return None if argument is None else read_schema(argument, variables)
