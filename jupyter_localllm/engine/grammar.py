"""What shape an answer must have: ``response_format`` and ``grammar`` -> GBNF text.

A JSON schema keyword that cannot be enforced by a grammar is refused by its name: an answer that
only looks checked would be worse than an error. The conversion itself is ``schema_rules``'s.
Pure text; the compiled grammar lives in ``sampler``.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

from .. import errors
from ..protocol import ChatCompletionRequest, CompletionRequest

MAX_GRAMMAR_CHARS = 64 * 1024
MAX_DEPTH = 32
MAX_REPEATS = 2000

#: Keywords that annotate and do not constrain.
_ANNOTATIONS = {
    "$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated",
    "readOnly", "writeOnly",
}  # fmt: skip
_ENFORCED = {
    "type", "properties", "required", "additionalProperties", "items", "prefixItems", "minItems",
    "maxItems", "enum", "const", "anyOf", "oneOf", "allOf", "$ref", "$defs", "definitions",
    "pattern", "minLength", "maxLength", "format", "minimum", "maximum", "patternProperties",
    "minProperties", "maxProperties",
}  # fmt: skip
_COUNTS = (
    "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties",
)  # fmt: skip
_NUMBERS = ("integer", "number")
#: Beside a number, it is a pattern of how the number is written.
_DIGITS = re.compile(r"\^[-0-9.|()\[\]{},]+\$")
#: What is raised where a part of a schema is not of the kind that it has to be.
_FAULTS = (
    AssertionError, AttributeError, KeyError, RecursionError, TypeError, ValueError, re.error,
)  # fmt: skip
_FORMATS = {"date", "time", "date-time", "uuid", "uuid1", "uuid2", "uuid3", "uuid4", "uuid5"}


def grammar_of(request: ChatCompletionRequest | CompletionRequest) -> str | None:
    """Return the GBNF text an answer must follow, or ``None`` for free text.

    Raises
    ------
    InvalidGrammar
        Over the limits, or a schema that cannot be enforced.
    """
    if request.grammar is not None:
        n_chars = len(request.grammar.strip())
        # llama.cpp takes an empty grammar to mean that anything goes.
        if not 0 < n_chars <= MAX_GRAMMAR_CHARS:
            raise errors.InvalidGrammar(
                f"The grammar has {n_chars:,} characters; 1 to {MAX_GRAMMAR_CHARS:,} are taken.",
                "Send a GBNF grammar of that size.",
                param="grammar",
            )
        return request.grammar
    shape = request.response_format
    if shape is None or shape.type == "text":
        return None
    schema: dict[str, Any] = {"type": "object"}
    if shape.json_schema is not None:
        schema = shape.json_schema.schema
    return schema_to_gbnf(schema)


def schema_to_gbnf(schema: dict[str, Any]) -> str:
    """Return a GBNF grammar whose every sentence is JSON that the schema accepts."""
    text = json.dumps(schema)
    if len(text) > MAX_GRAMMAR_CHARS:
        raise _refusal(
            f"with its references put in place it has {len(text):,} characters, and "
            f"{MAX_GRAMMAR_CHARS:,} are taken",
            "Make the schema smaller, or ask for one part of it.",
        )
    from .schema_rules import schema_rules

    try:
        _check(schema, "$", 0)
        return schema_rules(schema)
    except _FAULTS as error:
        raise _refusal(str(error)[:200] or "it is not a JSON schema", "Simplify it.") from None


def _refusal(reason: str, hint: str) -> errors.InvalidGrammar:
    return errors.InvalidGrammar(
        f"The JSON schema cannot be enforced: {reason}.", hint, param="response_format"
    )


def _check(schema: Any, path: str, depth: int) -> None:
    if schema is True:
        return
    if not isinstance(schema, dict):
        raise _refusal(f"`{path}` is not a schema", "Write an object there.")
    if depth > MAX_DEPTH:
        raise _refusal(f"`{path}` is nested too deeply", f"Use at most {MAX_DEPTH} levels.")
    for keyword in schema:
        if keyword not in _ANNOTATIONS and keyword not in _ENFORCED:
            raise _refusal(
                f"the keyword `{keyword}` at `{path}` is not supported",
                "Remove it and check that condition on the answer.",
            )
    _check_values(schema, path)
    _check_bounds(schema, path)
    _check_names(schema, path)
    for keyword in ("properties", "$defs", "definitions", "patternProperties"):
        for name, child in schema.get(keyword, {}).items():
            _check(child, f"{path}.{name}", depth + 1)
    for keyword in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for index, child in enumerate(schema.get(keyword, [])):
            _check(child, f"{path}.{keyword}[{index}]", depth + 1)
    for keyword in ("items", "additionalProperties"):
        child = schema.get(keyword, True)
        if child is not False:
            _check(child, f"{path}.{keyword}", depth + 1)


def _check_values(schema: dict[str, Any], path: str) -> None:
    for keyword in ("properties", "$defs", "definitions", "patternProperties"):
        if not isinstance(schema.get(keyword, {}), dict):
            raise _refusal(f"`{path}.{keyword}` is not an object", "Correct the schema.")
    for keyword in ("anyOf", "oneOf", "allOf", "prefixItems", "required", "enum"):
        value = schema.get(keyword, [0])
        if not isinstance(value, list) or (not value and keyword != "required"):
            raise _refusal(f"`{path}.{keyword}` is not a filled list", "Correct the schema.")
    reference = schema.get("$ref", "#/")
    if not isinstance(reference, str) or not reference.startswith("#/"):
        raise _refusal(f"`{path}` refers to another document", "Put its definitions under `$defs`.")
    if schema.get("format", "date") not in _FORMATS:
        raise _refusal(
            f"the format `{schema['format']}` at `{path}` is not supported",
            f"Supported: {', '.join(sorted(_FORMATS))}; or use `pattern`.",
        )
    for keyword in _COUNTS:
        value = schema.get(keyword, 0)
        if not isinstance(value, int) or not 0 <= value <= MAX_REPEATS:
            raise _refusal(
                f"`{path}.{keyword}` is not a number from 0 to {MAX_REPEATS}", "Correct it."
            )
    unknown = [
        name for name in schema.get("required", []) if name not in schema.get("properties", {})
    ]
    if unknown and "properties" in schema:
        raise _refusal(
            f"`{path}` requires `{unknown[0]}`, which has no schema",
            "Add it under `properties`.",
        )


def _check_bounds(schema: dict[str, Any], path: str) -> None:
    """Refuse bounds that no value keeps, and bounds where they would not be looked at."""
    if schema.get("type") in _NUMBERS and not _DIGITS.fullmatch(schema.get("pattern", "^0$")):
        raise _refusal(f"`{path}.pattern` is not one of digits", "Remove it.")
    for keyword in ("minimum", "maximum"):
        value = schema.get(keyword, 0)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or abs(value) > 1e300:
            raise _refusal(f"`{path}.{keyword}` is not a number", "Correct it.")
        if keyword in schema and schema.get("type") not in _NUMBERS:
            raise _refusal(
                f"the keyword `{keyword}` at `{path}` needs the type integer or number beside it",
                "Write the type.",
            )
    for low, high in (("minimum", "maximum"), *zip(_COUNTS[::2], _COUNTS[1::2], strict=True)):
        if low in schema and high in schema and schema[low] > schema[high]:
            raise _refusal(f"`{path}.{low}` is above `{high}`", "Correct one of them.")


def _check_names(schema: dict[str, Any], path: str) -> None:
    """Refuse names by pattern, and counts of names, where they are not all of the object."""
    patterns = list(schema.get("patternProperties", {}))
    least = schema.get("minProperties", 0)
    if not patterns and least == 0 and "maxProperties" not in schema:
        return
    if not patterns or "properties" in schema or schema.get("additionalProperties") is not False:
        raise _refusal(
            f"`{path}` has `patternProperties`, `minProperties` or `maxProperties` and other names",
            "They are supported where all names are by pattern: no `properties`, and "
            "`additionalProperties` false.",
        )
    children = schema["patternProperties"]
    pairs = [
        (one, other)
        for one, other in itertools.combinations(patterns, 2)
        if other in patterns[:least] or children[one] != children[other]
    ]
    if least > max(1, len(patterns)) or not all(itertools.starmap(_differ, pairs)):
        raise _refusal(
            f"`{path}` has `patternProperties` that need patterns that share no name",
            "Write patterns that differ in their first letters.",
        )


_SIGN = re.compile(r"\[[^\]]*\]|\w")


def _differ(one: str, other: str) -> bool:
    """Whether two patterns surely share no text: at one place, both take a sign."""
    places = itertools.islice(zip(_signs(one), _signs(other), strict=False), MAX_REPEATS)
    return any(ours != theirs and _share_no_sign(ours, theirs) for ours, theirs in places)


@functools.lru_cache(maxsize=1024)
def _share_no_sign(one: str, other: str) -> bool:
    signs = map(chr, range(0x250))
    return not any(re.fullmatch(one, sign) and re.fullmatch(other, sign) for sign in signs)


def _signs(pattern: str) -> Iterator[str]:
    """Yield the letters and classes that a pattern begins with, as far as each stands once."""
    position = 1
    while found := _SIGN.match(pattern, position):
        position = found.end()
        count = re.match(r"\{(\d+)(?:,(\d+))?\}", pattern[position:])
        if count is None:
            if pattern[position : position + 1] in ("*", "+", "?", "{"):
                return
            yield found[0]
            continue
        for _ in range(int(count[1])):
            yield found[0]
        if count[2] not in (None, count[1]):
            return
        position += count.end()
