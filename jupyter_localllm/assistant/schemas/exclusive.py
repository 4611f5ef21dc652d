"""Whether values made from one tight schema surely do not fit another schema, and what would
keep them from it, for ``oneOf``.

Pure; ``tight`` calls it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

Schema = dict[str, Any]

#: Texts that JSON writes in one way.
_PLAIN = re.compile(r"[A-Za-z0-9 _.,:;+*#@-]*")


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
        if tight["type"] == "string" and "enum" in schema:
            return all(_is_no_word(tight, value) for value in schema["enum"])
        if tight["type"] == "array":
            return _differ(tight, schema, look)
        if tight["type"] in ("integer", "number"):
            return bool(
                tight["minimum"] > schema.get("maximum", tight["minimum"])
                or tight["maximum"] < schema.get("minimum", tight["maximum"])
            )
        return False

    return look(tight, schema)


def apart(tight: Schema, schema: Any) -> Iterator[Schema]:
    """Yield what may be asked for beside a tight schema so that its values do not fit the other.

    Parameters
    ----------
    schema : dict or bool
        The other schema, its references and ``allOf`` put in place.
    """
    if not isinstance(schema, dict):
        return
    if "enum" in schema:
        yield {"not": {"enum": schema["enum"]}}
    kind = tight.get("type")
    if kind == "object":
        names = tight.get("properties", {})
        missing = [name for name in schema.get("required", ()) if name in names]
        yield from ({"properties": {n: False}} for n in missing if n not in tight["required"])
        more = [name for name in names if name not in schema.get("properties", {})]
        yield from ({"required": [name]} for name in more)
    if kind == "array":
        yield {"minItems": max(1, schema.get("maxItems", 0) + 1)}
        if schema.get("minItems"):
            yield {"maxItems": schema["minItems"] - 1}
    if kind in ("string", "integer", "number"):
        yield {"not": schema}


def _is_no_word(tight: Schema, value: Any) -> bool:
    """Whether a value is surely no text of the pattern, which is one of texts as JSON has them."""
    if not isinstance(value, str):
        return True
    return bool(_PLAIN.fullmatch(value)) and not re.search(tight["pattern"], value)


def _differ(tight: Schema, schema: Schema, look: Callable[[Schema, Any], bool]) -> bool:
    """Whether the lists are of other lengths, or have an item that does not fit."""
    first: list[Schema] = tight.get("prefixItems", [])
    least = max(len(first), tight.get("minItems", 0))
    most = tight["maxItems"] if "items" in tight else len(first)
    if least > schema.get("maxItems", least) or most < schema.get("minItems", 0):
        return True
    items = schema.get("items", True)
    if isinstance(items, list) or "prefixItems" in schema:
        # Of the lists of this other one, only the first items are looked at.
        others = items if isinstance(items, list) else schema["prefixItems"]
        return any(look(one, other) for one, other in zip(first, others, strict=False))
    told = first or ([tight["items"]] if least else [])
    return any(look(one, items) for one in told)


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
