"""Whether values made from one tight schema surely do not fit another schema, for ``oneOf``.

Pure; ``tight`` calls it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Schema = dict[str, Any]


def excludes(
    tight: Schema, schema: Any, resolved: Callable[[Any], Any], fits: Callable[[Any, Any], bool]
) -> bool:
    """Whether no value of the tight schema fits the other one; ``False`` also where it may be.

    Parameters
    ----------
    resolved : callable
        Puts references and ``allOf`` of the other one in place.
    fits : callable
        Whether a value fits a schema.
    """

    def look(tight: Schema, schema: Any) -> bool:
        if "enum" in tight:
            return not any(fits(value, schema) for value in tight["enum"])
        if "anyOf" in tight:
            return all(look(option, schema) for option in tight["anyOf"])
        schema = resolved(schema)
        if not isinstance(schema, dict):
            return schema is False
        if _is_other_kind(tight["type"], schema):
            return True
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema and all(look(tight, option) for option in schema[keyword]):
                return True
        if tight["type"] == "object" and "properties" in tight:
            return _lacks(tight, schema) or any(
                look(tight["properties"][name], schema.get("properties", {}).get(name, True))
                for name in tight["required"]
            )
        if tight["type"] in ("integer", "number"):
            return bool(
                tight["minimum"] > schema.get("maximum", tight["minimum"])
                or tight["maximum"] < schema.get("minimum", tight["maximum"])
            )
        return False

    return look(tight, schema)


def _is_other_kind(kind: str, schema: Schema) -> bool:
    if "enum" in schema:
        kinds = {_kind_of(value) for value in schema["enum"]}
    elif "type" in schema:
        given = schema["type"]
        kinds = {given} if isinstance(given, str) else set(given)
    else:
        return False
    if kind in ("integer", "number"):
        return not kinds & {"integer", "number"}
    return kind not in kinds


def _kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    kinds: dict[type, str] = {str: "string", list: "array", dict: "object"}
    return kinds.get(type(value), "null")


def _lacks(tight: Schema, schema: Schema) -> bool:
    """Whether the objects lack a name that is required, or have one that is not allowed."""
    if any(name not in tight["properties"] for name in schema.get("required", ())):
        return True
    known = schema.get("properties", {})
    is_closed = schema.get("additionalProperties") is False and not schema.get("patternProperties")
    return is_closed and any(name not in known for name in tight["required"])
