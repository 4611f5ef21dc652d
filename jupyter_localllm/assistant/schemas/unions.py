"""Conditions and unions of a schema: written as alternatives, put together, and cut short.

What is joined here has keywords of its own that no schema of a user has: ``_unions``, further
unions beside ``anyOf`` or ``oneOf``, and ``_forbidden``, values that are not meant. Pure;
``tight`` calls it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .checks import distinct
from .errors import SchemaRefused, Unenforceable

Schema = dict[str, Any]

UNEVALUATED = ("unevaluatedProperties", "unevaluatedItems")
#: Their parts are alternatives later, where it cannot be told any more what they looked at.
_HIDING = ("not", "if", "dependentSchemas", "dependencies")


def both(first: Any, second: Any) -> Any:
    """Return a schema that asks for both, with what has to be rewritten first."""
    if not first or first is True:
        return second
    if isinstance(first, dict) and any(name in first for name in UNEVALUATED):
        # It sees what the other one looks at, too.
        late = {name: first[name] for name in UNEVALUATED if name in first}
        return {**late, "allOf": [without(first, *late), second]}
    return {"allOf": [first, second]}


def without(schema: Schema, *keywords: str) -> Schema:
    """Return a schema without these keywords."""
    return {key: value for key, value in schema.items() if key not in keywords}


def condition(schema: Schema) -> Any:
    """Return ``if``, ``then`` and ``else`` as alternatives."""
    asked = schema["if"]
    then, other = schema.get("then", True), schema.get("else", True)
    if then is True and other is True:
        return True
    return {"anyOf": [{"allOf": [asked, then]}, {"allOf": [{"not": asked}, other]}]}


def dependent(schemas: dict[str, Any]) -> Any:
    """Return what must hold where a name is there, as alternatives for each name."""
    parts: list[Any] = []
    for name, schema in schemas.items():
        if isinstance(schema, list):
            schema = {"required": schema}
        parts.append({"anyOf": [{"properties": {name: False}}, schema]})
    return {"allOf": parts}


def next_union(schema: Schema) -> tuple[str, list[Any], Schema] | None:
    """Return a union of the schema, its keyword first, and what is left without it."""
    for keyword in ("oneOf", "anyOf"):
        if keyword in schema:
            return keyword, schema[keyword], without(schema, keyword)
    if not schema.get("_unions"):
        return None
    (keyword, options), *more = schema["_unions"]
    return keyword, options, {**without(schema, "_unions"), **({"_unions": more} if more else {})}


def is_implied(option: Any, schema: Schema) -> bool:
    """Whether an alternative asks for nothing that the schema does not ask for already."""
    if not option or option is True:
        return True
    if not isinstance(option, dict) or set(option) - {"required", "properties", "type"}:
        return False
    known = schema.get("properties", {})
    return (
        set(option.get("required", ())) <= set(schema.get("required", ()))
        and all(
            child is False and known.get(name, True) is False
            for name, child in option.get("properties", {}).items()
        )
        and option.get("type", schema.get("type")) == schema.get("type")
    )


def condensed(
    schema: Schema, resolved: Callable[[Any], Any], fits: Callable[[Any, Any], bool]
) -> Schema:
    """Return the schema with the values of its joined properties looked at, where they are told.

    Later alternatives then look at few values, and at each of them once.
    """
    children = schema.get("properties", {})
    told: dict[str, Any] = {}
    for name, child in children.items():
        if not isinstance(child, dict) or list(child) != ["allOf"]:
            continue
        parts = child["allOf"]
        try:
            known = [resolved(part) for part in parts]
        except SchemaRefused:
            continue
        values = next((one["enum"] for one in known if isinstance(one, dict) and "enum" in one), ())
        if False in known:
            told[name] = False
        elif values:
            fitting = distinct(value for value in values if fits(value, child))
            told[name] = {"enum": fitting} if fitting else False
    return {**schema, "properties": {**children, **told}} if told else schema


def is_empty(schema: Schema) -> bool:
    """Whether it is plain that nothing fits."""
    known = schema.get("properties", {})
    is_object = schema.get("type") in ("object", ["object"])
    missing = is_object and any(known.get(name) is False for name in schema.get("required", ()))
    return schema.get("type") == [] or missing


# --- unevaluated -----------------------------------------------------------------------------


def refuse_hidden(schema: Schema, target: Callable[[str], Any]) -> None:
    """Refuse ``unevaluated…`` where what it does not see would be taken for seen."""
    late = next(name for name in UNEVALUATED if name in schema)
    waiting: list[Any] = [schema]
    followed: set[str] = set()
    while waiting:
        part = waiting.pop()
        if not isinstance(part, dict):
            continue
        hiding = next((name for name in _HIDING if name in part), None)
        if hiding:
            raise Unenforceable(f"`{late}` together with `{hiding}`")
        for keyword in ("allOf", "anyOf", "oneOf"):
            waiting += part.get(keyword, ())
        if "$ref" in part and part["$ref"] not in followed:
            followed.add(part["$ref"])
            waiting.append(target(part["$ref"]))


def closed(schema: Any, late: Schema) -> Any:
    """Return a schema, its parts put in place, with its ``unevaluated…`` said in plain words."""
    if schema is False:
        return False
    schema = {} if schema is True else schema
    if next_union(schema):
        # Only the alternatives tell what is left.
        return {**schema, **late}
    result = dict(schema)
    if "unevaluatedProperties" in late:
        result.setdefault("additionalProperties", late["unevaluatedProperties"])
    if "unevaluatedItems" in late:
        is_old = isinstance(schema.get("items"), list)
        result.setdefault("additionalItems" if is_old else "items", late["unevaluatedItems"])
    return result


def refuse_open(part: Any) -> None:
    """Refuse a part of ``allOf`` whose ``unevaluated…`` waits for its alternatives."""
    for name in UNEVALUATED:
        if isinstance(part, dict) and name in part:
            raise Unenforceable(f"`{name}` together with a union in one part of `allOf`")


# --- for the check ---------------------------------------------------------------------------


def standard(schema: Any) -> Any:
    """Return a schema whose own keywords are said in those of every draft."""
    if not isinstance(schema, dict):
        return schema
    parts: list[Any] = [standard(part) for part in schema.get("allOf", ())]
    if "_forbidden" in schema:
        parts.append({"not": {"enum": schema["_forbidden"]}})
    parts += [{keyword: options} for keyword, options in schema.get("_unions", ())]
    for name, plain in (("exclusiveMinimum", "maximum"), ("exclusiveMaximum", "minimum")):
        if isinstance(schema.get(name), (int, float)) and not isinstance(schema[name], bool):
            parts.append({"not": {"type": "number", plain: schema[name]}})
    return {**schema, "allOf": parts} if parts else schema
