"""Answers that are data: a schema from whatever describes one, and text checked against it.

From a JSON schema, a pydantic model, a dataclass or a typing construct to the ``response_format``
that makes an engine write nothing else; from the answer to a value that fits. How a schema is made
to fit what grammars can say is ``schemas``'s. Pure; the magics call it.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from ..errors import AnswerCut, AnswerUnusable
from ..protocol import JSONSchemaFormat, ResponseFormat
from .code_blocks import code_blocks
from .partial_json import shortened_ends
from .schemas.checks import check_value, fault_of_schema, without_repeats
from .schemas.tight import tight_schema

#: An answer asked for with less room than this could say nothing.
_MIN_BUDGET_CHARS = 64


class SchemaError(ValueError):
    """What was given describes no data; the message is a sentence without a full stop."""


def schema_of(source: Any) -> dict[str, Any]:
    """Return the JSON schema that ``source`` describes.

    Parameters
    ----------
    source : dict, str or type
        A schema, its JSON text, a pydantic model, a dataclass (or an instance of one), a
        TypedDict, a msgspec struct, or a construct of ``typing`` such as ``list[int]``.

    Raises
    ------
    SchemaError
        It is none of these.
    """
    if isinstance(source, str):
        try:
            source = json.loads(source)
        except ValueError as error:
            raise SchemaError(f"this is not JSON ({error})") from None
    if isinstance(source, dict):
        return _checked(source)
    if hasattr(source, "model_json_schema"):
        from .schemas.pydantic_types import pydantic_schema

        return pydantic_schema(source)
    if dataclasses.is_dataclass(source) and not isinstance(source, type):
        source = type(source)
    if isinstance(source, (list, int, float, bool)) or source is None:
        raise SchemaError("this is neither a JSON schema nor a class that describes one")
    return _schema_of_type(source)


def _schema_of_type(source: Any) -> dict[str, Any]:
    import msgspec

    try:
        return msgspec.json.schema(source)
    except (TypeError, RuntimeError, NameError) as error:
        reason = error
    try:
        import pydantic
    except ImportError:
        pass
    else:
        from .schemas.pydantic_types import pydantic_schema

        try:
            return pydantic_schema(source)
        except (pydantic.errors.PydanticUserError, TypeError, NameError):
            pass
    raise SchemaError(
        f"no JSON schema can be made from {getattr(source, '__name__', source)!r} ({reason})"
    )


def _checked(schema: dict[str, Any]) -> dict[str, Any]:
    fault = fault_of_schema(schema)
    if fault:
        raise SchemaError(f"this is not a JSON schema: {fault}")
    return schema


def response_format(schema: dict[str, Any], *, budget_chars: int | None = None) -> ResponseFormat:
    """Return what makes every answer fit ``schema``.

    Parameters
    ----------
    schema : dict
        A JSON schema.
    budget_chars : int, optional
        About how long an answer may become; open texts and lists get a limit that keeps to it.

    Raises
    ------
    Unbounded
        No finite answer fits the schema.
    Unenforceable
        No grammar can say what it asks for.
    """
    budget = None if budget_chars is None else max(budget_chars, _MIN_BUDGET_CHARS)
    tight = tight_schema(schema, budget)
    return ResponseFormat(type="json_schema", json_schema=JSONSchemaFormat(schema=tight))


def read_json(text: str) -> Any:
    """Return the value of an answer that is JSON, or that has it in its first JSON fence.

    Raises
    ------
    AnswerUnusable
        There is no JSON in it.
    """
    fenced = [block.code for block in code_blocks(text) if block.language in {"", "json"}]
    reason = "it is empty"
    for candidate in (text, *fenced):
        if not candidate.strip():
            continue
        try:
            # Small models put real line breaks into strings.
            return json.loads(candidate, strict=False)
        except ValueError as error:
            reason = str(error)
        except RecursionError:
            reason = "it is nested too deeply"
    raise AnswerUnusable(
        f"The answer is not JSON: {reason}.",
        "Ask again with -f json and a --schema, which leaves the model no other way.",
    )


def completed(text: str, schema: dict[str, Any] | None) -> Any:
    """Return the longest beginning of an answer that was cut that still fits, closed properly.

    Raises
    ------
    AnswerCut
        No beginning of it fits the schema.
    """
    for candidate in shortened_ends(text):
        try:
            value = json.loads(candidate, strict=False)
        except (ValueError, RecursionError):
            continue
        if schema is not None:
            value, _ = without_repeats(value, schema)
        if schema is None or not check_value(value, schema):
            return value
    raise AnswerCut(
        "The answer was cut before its JSON was complete.",
        "Allow a longer one with --max-tokens, or ask for less.",
    )
