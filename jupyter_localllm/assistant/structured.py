"""Answers that are data: a schema from whatever describes one, and text checked against it.

From a JSON schema, a pydantic model, a dataclass or a typing construct to the ``response_format``
that makes an engine write nothing else; from the answer to a value that fits. How a schema is made
to fit what grammars can say is ``schemas``'s. Pure; the magics call it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable
from typing import Any

from ..errors import AnswerCut, AnswerUnusable
from ..protocol import JSONSchemaFormat, ResponseFormat
from .code_blocks import code_blocks
from .partial_json import shortened_ends
from .schemas.checks import (
    CheckedSchema,
    check_value,
    fault_of_schema,
    lost_reference,
    without_repeats,
)
from .schemas.errors import SchemaRefused
from .schemas.tight import tight_schema

#: An answer asked for with less room than this could say nothing.
_MIN_BUDGET_CHARS = 64
_COUNTS = {f"{end}{what}" for end in ("min", "max") for what in
           ("Items", "Length", "Properties", "Contains")}  # fmt: skip
#: Whose instances stand for their class, as those of dataclasses do.
_FIELDS_OF_MODEL = ("model_fields", "__struct_fields__")
_KINDS = "write one, a pydantic model, a dataclass, a TypedDict or a type such as list[int]"


class SchemaError(ValueError):
    """What was given describes no data; the message is a sentence without a full stop."""


def schema_of(source: Any) -> dict[str, Any]:
    """Return the JSON schema that ``source`` describes.

    Parameters
    ----------
    source : dict, str or type
        A schema, its JSON text, a pydantic model, a dataclass (or an instance of one), a
        TypedDict, a msgspec struct, or a construct of ``typing`` such as ``list[int]``.

    Returns
    -------
    dict
        Of a type, a ``CheckedSchema``.

    Raises
    ------
    SchemaError
        It is none of these, or its schema would not say what it asks for.
    """
    if isinstance(source, str):
        try:
            source = json.loads(source)
        except ValueError as error:
            raise SchemaError(f"this is not JSON ({error})") from None
        except RecursionError:
            raise SchemaError("this JSON is nested too deeply") from None
        if not isinstance(source, dict):
            source = None
    if isinstance(source, dict):
        return _checked(source)
    if isinstance(source, (list, int, float, bool)) or source is None:
        raise SchemaError("this is neither a JSON schema nor a class that describes one")
    if not isinstance(source, type) and (
        dataclasses.is_dataclass(source)
        or any(hasattr(type(source), name) for name in _FIELDS_OF_MODEL)
    ):
        source = type(source)
    found = _schema_of_type(source)
    return CheckedSchema(_checked(found), found.fault)


def _schema_of_type(source: Any) -> CheckedSchema:
    """Return what pydantic makes of a type where it is there, or else msgspec."""
    from .schemas.msgspec_types import is_of_msgspec, msgspec_schema

    make: Callable[[Any], CheckedSchema] = msgspec_schema
    reason = _KINDS
    try:
        if not is_of_msgspec(source):
            with contextlib.suppress(ImportError):
                from .schemas.pydantic_types import pydantic_schema

                make = pydantic_schema
        return make(source)
    except SchemaRefused as error:
        raise SchemaError(str(error)) from None
    except Exception as error:
        # Not only of pydantic's and msgspec's: classes have hooks, which may raise anything.
        if make is not msgspec_schema:
            # It knows other kinds, such as the TypedDict of ``typing`` and classes of attrs.
            with contextlib.suppress(Exception):
                return msgspec_schema(source)
            reason = _reason(error)
    name = getattr(source, "__name__", None)
    what = repr(name) if isinstance(name, str) else f"a value of the type {type(source).__name__}"
    raise SchemaError(f"no JSON schema can be made from {what} ({reason})")


def _reason(error: Exception) -> str:
    """Return the first sentence of a message of pydantic's, where it says something."""
    first = str(error).strip().partition("\n")[0].partition(". ")[0].rstrip(".")
    if "not fully defined" in first:
        return "it names a class that is not defined; define it, and call its model_rebuild()"
    is_said = isinstance(error, ImportError) or type(error).__module__.startswith("pydantic")
    return first if is_said and not first.startswith("Unable to generate") else _KINDS


def _checked(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema as JSON has it."""
    try:
        text = json.dumps(schema, allow_nan=False)
        plain: dict[str, Any] = json.loads(text, object_hook=_with_whole_counts)
    except (TypeError, ValueError) as error:
        raise SchemaError(f"this is not a JSON schema: {error}") from None
    except RecursionError:
        raise SchemaError("this is not a JSON schema: it is nested too deeply") from None
    if fault := fault_of_schema(plain):
        raise SchemaError(f"this is not a JSON schema: {fault}")
    if reference := lost_reference(plain):
        raise SchemaError(f"its reference {reference} leads nowhere in it, and nothing is fetched")
    return plain


def _with_whole_counts(part: dict[str, Any]) -> dict[str, Any]:
    """Return a part of a schema with counts such as 3.0 as what they are in JSON."""
    for name in _COUNTS & part.keys():
        if isinstance(part[name], float) and part[name].is_integer():
            part[name] = int(part[name])
    return part


def response_format(schema: dict[str, Any], *, budget_chars: int | None = None) -> ResponseFormat:
    """Return what makes every answer fit ``schema``.

    Parameters
    ----------
    schema : dict
        A JSON schema, as ``schema_of`` returns it.
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
