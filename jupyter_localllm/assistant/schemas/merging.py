"""What two schemas ask for together, and what one does not allow, as schemas again.

Both are narrower than the mathematics where that is simpler, never wider. Pure;
``tight`` calls it. Keywords of its own, which no schema of a user has: ``_forbidden`` and
``_unions`` (see ``unions``), ``_part`` (see ``strings``), and ``_narrow``: what is left is less
than what was meant, so what is not of it would be more.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from .checks import same_key
from .errors import Unenforceable
from .unions import without

Schema = dict[str, Any]

TYPES = ("string", "number", "boolean", "null", "array", "object")
_HIGHER = {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains"}
_LOWER = {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains"}
#: Both must hold for the same part of a value.
_NESTED = {"additionalProperties", "propertyNames", "additionalItems", "contains",
           "unevaluatedProperties", "unevaluatedItems"}  # fmt: skip
_EQUAL = {"_part", "contentEncoding", "contentMediaType"}
#: Say nothing about values.
NOTES = {
    "$schema", "$id", "$comment", "$defs", "definitions", "title", "description", "default",
    "examples", "deprecated", "readOnly", "writeOnly", "discriminator", "$anchor", "$vocabulary",
    "contentSchema",
}  # fmt: skip
#: Keywords that speak of values of one kind, and are taken to ask for it where no type is said.
SIGNS = {
    "object": ("properties", "required", "additionalProperties", "patternProperties",
               "propertyNames", "minProperties", "maxProperties"),
    "array": ("items", "prefixItems", "minItems", "maxItems", "contains", "uniqueItems"),
    "string": ("pattern", "minLength", "maxLength", "format", "contentEncoding"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}  # fmt: skip
#: An encoding is a note: no text is forbidden by it.
_KINDS = {key: kind for kind, keys in SIGNS.items() for key in keys if key != "contentEncoding"}


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
    first, second = _by_pattern(first, second), _by_pattern(second, first)
    first, second = _of_one_length(first, second)
    both = dict(first)
    for keyword, value in second.items():
        if keyword not in both or both[keyword] == value or keyword in NOTES:
            both[keyword] = value
        elif keyword in ("anyOf", "oneOf"):
            # Multiplied out, they would be too many: `tight` takes one after the other.
            both["_unions"] = [*both.get("_unions", ()), [keyword, value]]
        else:
            both[keyword] = _joined(keyword, both[keyword], value)
    return both


def _closed(schema: Schema, other: Schema) -> Schema:
    """Return ``schema`` with what the other one forbids or asks of names that it does not know."""
    rest = other.get("additionalProperties", True)
    names = [
        name
        for name in schema.get("properties", {})
        if name not in other.get("properties", {})
        and not any(re.search(pattern, name) for pattern in other.get("patternProperties", {}))
    ]
    if rest is True or not names:
        return schema
    strict = {name: _conjunction(schema["properties"][name], rest) for name in names}
    return {**schema, "properties": {**schema["properties"], **strict}}


def _by_pattern(schema: Schema, other: Schema) -> Schema:
    """Return ``schema`` with what the other one asks of names that only a pattern of it tells."""
    rest = other.get("additionalProperties", True)
    patterns = schema.get("patternProperties", {})
    theirs = other.get("patternProperties", {})
    if rest is True or all(pattern in theirs for pattern in patterns):
        return schema
    if theirs:
        raise Unenforceable("`patternProperties` of one part beside `additionalProperties` of two")
    properties = dict(schema.get("properties", {}))
    for name in other.get("properties", {}):
        # Of these, the other one asks nothing more.
        for pattern, child in patterns.items():
            if re.search(pattern, name):
                properties[name] = _conjunction(properties.get(name, True), child)
    if rest is False:
        left: Schema = {}
    else:
        left = {pattern: _conjunction(child, rest) for pattern, child in patterns.items()}
    return {**schema, "properties": properties, "patternProperties": left}


def _of_one_length(first: Schema, second: Schema) -> tuple[Schema, Schema]:
    """Return both with as many first items, where one of them tells them one by one."""
    keywords = [_tuple_keywords(schema) for schema in (first, second)]
    if keywords == [None, None]:
        return first, second
    own, other = next(one for one in keywords if one)
    # Where all items are of one kind, none is told first.
    pairs = list(zip((first, second), keywords, strict=True))
    rows = [schema[own] if pair else [] for schema, pair in pairs]
    length = max(map(len, rows))
    result: list[Schema] = []
    for (schema, pair), row in zip(pairs, rows, strict=True):
        rest = schema.get(other if pair else "items", True)
        bare = without(schema, own, other, "items")
        full = [*row, *[rest] * (length - len(row))]
        result.append({**bare, own: full, **({} if rest is True else {other: rest})})
    return result[0], result[1]


def _tuple_keywords(schema: Schema) -> tuple[str, str] | None:
    """Return the keywords of the first items and of those behind them."""
    if isinstance(schema.get("items"), list):
        return "items", "additionalItems"
    return ("prefixItems", "items") if "prefixItems" in schema else None


def _conjunction(first: Any, second: Any) -> Any:
    """Return what asks for both, without ``allOf`` in ``allOf``."""
    parts: list[Any] = []
    for schema in (first, second):
        is_joined = isinstance(schema, dict) and list(schema) == ["allOf"]
        parts += schema["allOf"] if is_joined else [] if schema is True else [schema]
    return parts[0] if len(parts) == 1 else {"allOf": parts} if parts else True


def _joined(keyword: str, first: Any, second: Any) -> Any:
    if keyword in _HIGHER:
        return max(first, second)
    if keyword in _LOWER:
        return min(first, second)
    if keyword in _NESTED or (keyword == "items" and not isinstance(first, list)):
        return _conjunction(first, second)
    match keyword:
        case "type":
            return _common_types(first, second)
        case "enum":
            keys = set(map(same_key, second))
            return [value for value in first if same_key(value) in keys]
        case "required":
            return list(dict.fromkeys([*first, *second]))
        case "_forbidden" | "_unions":
            return [*first, *second]
        case "properties" | "patternProperties":
            shared = {n: _conjunction(first[n], second[n]) for n in first if n in second}
            return {**first, **second, **shared}
        case "dependentRequired":
            return {n: [*first.get(n, ()), *second.get(n, ())] for n in {**first, **second}}
        case "uniqueItems":
            return True
        case "prefixItems" | "items":
            return [_conjunction(one, two) for one, two in zip(first, second, strict=True)]
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
    said = set(schema) - NOTES if isinstance(schema, dict) else set()
    if said == {"not"}:
        return schema["not"]
    schema = resolved(schema)
    if schema is False:
        return True
    if schema is True:
        return False
    schema = without(schema, *NOTES)
    if not schema:
        return False
    if "enum" in schema:
        # Its other keywords only leave more out.
        is_exact = said in ({"enum"}, {"const"})
        return {"_forbidden": list(schema["enum"]), **({} if is_exact else {"_narrow": True})}
    options: list[Any] = []
    for keyword, value in schema.items():
        options += _against(keyword, value, schema)
    kinds = {_KINDS[keyword] for keyword in schema if keyword in _KINDS}
    if "type" not in schema:
        # A keyword forbids nothing to values of another kind, so they all fit.
        options = [{"allOf": [{"type": sorted(kinds)}, option]} if kinds else option
                   for option in options]  # fmt: skip
    return options[0] if len(options) == 1 else {"anyOf": options}


def _against(keyword: str, value: Any, schema: Schema) -> list[Any]:
    """Return schemas of values that break this keyword."""
    match keyword:
        case "type":
            kinds = [value] if isinstance(value, str) else value
            refused = {"number" if kind == "integer" else kind for kind in kinds}
            left: Schema = {"type": [kind for kind in TYPES if kind not in refused]}
            # A number with a fraction is left out, too.
            return [{**left, "_narrow": True} if "integer" in kinds else left]
        case "anyOf":
            return [{"allOf": [{"not": option} for option in value]}]
        case "_narrow":
            raise Unenforceable("`not` of what a `not` or an `if` inside of it leaves")
        case "_unions":
            return [{"not": {name: options}} for name, options in value]
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
    if keyword in _KINDS or keyword in _NESTED or keyword == "oneOf":
        raise Unenforceable(f"`not` with `{keyword}` in it")
    return []
