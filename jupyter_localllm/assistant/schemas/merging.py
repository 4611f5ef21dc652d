"""What two schemas ask for together, and what one does not allow, as schemas again.

Both are narrower than the mathematics where that is simpler, never wider. Pure;
``tight`` calls it. Two keywords of its own, which no schema of a user has:
``_forbidden``, values that are not meant, and ``_part`` (see ``strings``).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .checks import same_key
from .errors import Unenforceable

Schema = dict[str, Any]

TYPES = ("string", "number", "boolean", "null", "array", "object")
_HIGHER = {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains"}
_LOWER = {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains"}
#: Both must hold for the same part of a value.
_NESTED = {"additionalProperties", "propertyNames", "additionalItems", "contains",
           "unevaluatedProperties", "unevaluatedItems"}  # fmt: skip
_EQUAL = {"pattern", "format", "_part", "contentEncoding", "contentMediaType"}
#: Say nothing about values.
NOTES = {
    "$schema", "$id", "$comment", "$defs", "definitions", "title", "description", "default",
    "examples", "deprecated", "readOnly", "writeOnly", "discriminator", "$anchor", "$vocabulary",
    "contentSchema",
}  # fmt: skip
_KINDS = {
    "minLength": "string", "maxLength": "string", "pattern": "string", "format": "string",
    "minimum": "number", "maximum": "number", "exclusiveMinimum": "number",
    "exclusiveMaximum": "number", "multipleOf": "number", "items": "array", "minItems": "array",
    "maxItems": "array", "uniqueItems": "array", "contains": "array", "prefixItems": "array",
    "required": "object", "properties": "object", "minProperties": "object",
    "maxProperties": "object", "additionalProperties": "object", "patternProperties": "object",
}  # fmt: skip


def merged(first: Any, second: Any) -> Any:
    """Return what both ask for; references and ``allOf`` were put in place before.

    Raises
    ------
    Unenforceable
        Two keywords that cannot be joined.
    """
    if first is False or second is False:
        return False
    if first is True or not first:
        return second
    if second is True or not second:
        return first
    first, second = _closed(first, second), _closed(second, first)
    both = dict(first)
    for keyword, value in second.items():
        if keyword not in both or both[keyword] == value or keyword in NOTES:
            both[keyword] = value
        else:
            both[keyword] = _joined(keyword, both[keyword], value)
    return both


def _closed(schema: Schema, other: Schema) -> Schema:
    """Return ``schema`` with what the other one forbids or asks of names that it does not know."""
    rest = other.get("additionalProperties", True)
    names = [
        name for name in schema.get("properties", {}) if name not in other.get("properties", {})
    ]
    if rest is True or not names or other.get("patternProperties"):
        return schema
    strict = {name: {"allOf": [schema["properties"][name], rest]} for name in names}
    return {**schema, "properties": {**schema["properties"], **strict}}


def _joined(keyword: str, first: Any, second: Any) -> Any:
    if keyword in _HIGHER:
        return max(first, second)
    if keyword in _LOWER:
        return min(first, second)
    if keyword in _NESTED or (keyword == "items" and not isinstance(first, list)):
        return {"allOf": [first, second]}
    match keyword:
        case "type":
            return _common_types(first, second)
        case "enum":
            keys = set(map(same_key, second))
            return [value for value in first if same_key(value) in keys]
        case "required":
            return list(dict.fromkeys([*first, *second]))
        case "_forbidden":
            return [*first, *second]
        case "properties" | "patternProperties":
            shared = {n: {"allOf": [first[n], second[n]]} for n in first if n in second}
            return {**first, **second, **shared}
        case "dependentRequired":
            return {n: [*first.get(n, ()), *second.get(n, ())] for n in {**first, **second}}
        case "uniqueItems":
            return True
        case "anyOf" | "oneOf":
            return [{"allOf": [one, two]} for one in first for two in second]
        case "prefixItems" if len(first) == len(second):
            return [{"allOf": [one, two]} for one, two in zip(first, second, strict=True)]
        case "multipleOf" if float(first).is_integer() and float(second).is_integer():
            return math.lcm(int(first), int(second))
    if keyword in _EQUAL or keyword in _KINDS:
        raise Unenforceable(f"`{keyword}` stands twice, and differs")
    return second


def _common_types(first: Any, second: Any) -> list[str]:
    ours = [first] if isinstance(first, str) else list(first)
    theirs = [second] if isinstance(second, str) else list(second)
    common = [one for one in ours if one in theirs]
    if "number" in theirs and "number" not in ours:
        common += [one for one in ours if one == "integer"]
    if "number" in ours and "number" not in theirs:
        common += [one for one in theirs if one == "integer"]
    return common


def complement(schema: Any, resolved: Callable[[Any], Any]) -> Any:
    """Return a schema of values that do not fit this one.

    Parameters
    ----------
    resolved : callable
        Puts references and ``allOf`` in place.

    Raises
    ------
    Unenforceable
        That cannot be said.
    """
    schema = resolved(schema)
    if schema is False:
        return True
    if schema is True:
        return False
    schema = {key: value for key, value in schema.items() if key not in NOTES}
    if not schema:
        return False
    if "enum" in schema:
        # Its other keywords only leave more out.
        return {"_forbidden": list(schema["enum"])}
    options: list[Any] = []
    for keyword, value in schema.items():
        options += _against(keyword, value, schema)
    kinds = {_KINDS[keyword] for keyword in schema if keyword in _KINDS}
    if "type" not in schema:
        # A keyword forbids nothing to values of another kind, so they all fit.
        options = [{"allOf": [{"type": list(kinds)}, option]} if kinds else option
                   for option in options]  # fmt: skip
    return options[0] if len(options) == 1 else {"anyOf": options}


def _against(keyword: str, value: Any, schema: Schema) -> list[Any]:
    """Return schemas of values that break this keyword."""
    match keyword:
        case "type":
            kinds = [value] if isinstance(value, str) else value
            refused = {"number" if kind == "integer" else kind for kind in kinds}
            return [{"type": [kind for kind in TYPES if kind not in refused]}]
        case "anyOf":
            return [{"allOf": [{"not": option} for option in value]}]
        case "not":
            return [value]
        case "_forbidden":
            return [{"enum": value}]
        case "minimum" | "maximum":
            name = {"minimum": "exclusiveMaximum", "maximum": "exclusiveMinimum"}[keyword]
            return [{"type": "number", name: value}]
        case "exclusiveMinimum" | "exclusiveMaximum" if not isinstance(value, bool):
            name = {"exclusiveMinimum": "maximum", "exclusiveMaximum": "minimum"}[keyword]
            return [{"type": "number", name: value}]
        case "minLength" | "minItems" | "minProperties":
            return [{"type": _KINDS[keyword], f"max{keyword[3:]}": value - 1}] if value else []
        case "maxLength" | "maxItems" | "maxProperties":
            return [{"type": _KINDS[keyword], f"min{keyword[3:]}": value + 1}]
        case "required":
            return [{"type": "object", "properties": {name: False}} for name in value]
        case "properties":
            return [
                {"type": "object", "properties": {name: {"not": child}}, "required": [name]}
                for name, child in value.items()
            ]
    if keyword in _KINDS or keyword in _NESTED or keyword in ("oneOf", "if", "dependentSchemas"):
        raise Unenforceable(f"`not` with `{keyword}` in it")
    return []
