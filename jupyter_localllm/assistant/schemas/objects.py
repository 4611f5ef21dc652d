"""Objects of a schema: which names, which of them always, and how many.

``tight`` calls it, and is called back for the values.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

from .arrays import differing
from .errors import Unbounded, Unenforceable
from .strings import MIN_CHARS, begin_apart

if TYPE_CHECKING:
    from .tight import Path, Schema, Tightener

#: What the name of a property, and one entry of an open object, take at least.
_OVERHEAD_CHARS = 8
_ENTRY_CHARS = 40
_MAX_ENTRIES = 12
_NAME_CHARS = 40


def tight_object(
    tightener: Tightener, schema: Schema, budget: int, path: Path, place: str
) -> Schema:
    """Return the object with a known end.

    Raises
    ------
    Unbounded, Unenforceable
        As ``tight_schema``.
    """
    least, most = schema.get("minProperties", 0), schema.get("maxProperties")
    if most is not None and least > most:
        raise Unbounded(f"`minProperties` {least} is above `maxProperties` {most}")
    properties, required = _named(tightener, schema)
    gone = [name for name, child in properties.items() if child is False and name not in required]
    if len(gone) == len(properties):
        return _open_object(tightener, schema, gone, budget, path, place)
    if most is not None and len(required) > most:
        raise Unbounded(f"`maxProperties` {most} is less than what is `required`")
    tight = _visited(tightener, properties, required, budget, path, place)
    while len(required) < least:
        more = next((name for name in tight if name not in required), None)
        if more is None:
            raise Unenforceable(f"`minProperties` {least} is more than the names in `properties`")
        required.append(more)
    if most is not None:
        optional = [name for name in tight if name not in required]
        for name in optional[most - len(required) :]:
            del tight[name]
    return {
        "type": "object",
        "properties": tight,
        "required": required,
        "additionalProperties": False,
    }


def _rest(schema: Schema) -> Any:
    """Return the schema of values whose names are not told."""
    return schema.get("additionalProperties", True)


def _named(tightener: Tightener, schema: Schema) -> tuple[dict[str, Any], list[str]]:
    """Return the properties with names, and those that must be there."""
    patterns = schema.get("patternProperties", {})
    names = schema.get("propertyNames", True)
    properties = dict(schema.get("properties", {}))
    required = list(schema.get("required", []))
    known = tightener.resolved(names)[0]
    told = known["enum"] if not properties and isinstance(known, dict) and "enum" in known else []
    dependents = schema.get("dependentRequired", {})
    there = [name for name, child in properties.items() if child is not False]
    waiting = list(dict.fromkeys([*there, *required, *told]))
    for name in waiting:
        # Whoever has one has the others too, so they are all always there.
        for needed in dependents.get(name, ()) if isinstance(name, str) else ():
            required.append(needed)
            if needed not in waiting:
                waiting.append(needed)
    for name in [*required, *told]:
        if isinstance(name, str) and name not in properties:
            properties[name] = True if _matching(patterns, name) else _rest(schema)
    for name, child in properties.items():
        parts = [child, *_matching(patterns, name)]
        if not tightener.fits(name, names):
            parts.append(False)
        properties[name] = parts[0] if len(parts) == 1 else {"allOf": parts}
    return properties, list(dict.fromkeys(required))


def _matching(patterns: dict[str, Any], name: str) -> list[Any]:
    return [child for pattern, child in patterns.items() if re.search(pattern, name)]


def _visited(
    tightener: Tightener,
    properties: dict[str, Any],
    required: list[str],
    budget: int,
    path: Path,
    place: str,
) -> dict[str, Schema]:
    spare = budget - sum(len(name) + _OVERHEAD_CHARS for name in properties)
    n_open = sum(map(_is_open, properties.values()))
    share = max(MIN_CHARS, spare // max(1, n_open))
    tight: dict[str, Schema] = {}
    for name, child in properties.items():
        try:
            tight[name] = tightener.visit(child, share, path, f"{place}.{name}")
        except Unbounded:
            if name in required:
                raise
    return tight


def _is_open(schema: Any) -> bool:
    """Whether values can be of any length."""
    if not isinstance(schema, dict):
        return True
    is_closed = "enum" in schema or "const" in schema
    return not is_closed and schema.get("type") not in ("integer", "number", "boolean", "null")


def _open_object(
    tightener: Tightener, schema: Schema, gone: list[str], budget: int, path: Path, place: str
) -> Schema:
    """Return an object whose names are the model's choice, but for those that are gone."""
    least, most = schema.get("minProperties", 0), schema.get("maxProperties")
    patterns, names, rest = (
        schema.get("patternProperties", {}),
        schema.get("propertyNames"),
        _rest(schema),
    )
    if patterns and names is not None:
        raise Unenforceable("`patternProperties` together with `propertyNames`")
    name: Any = {"type": "string", "minLength": 1, "maxLength": _NAME_CHARS}
    if names not in (None, True):
        name = {"allOf": [{"type": "string"}, names]}
    # Who has one of these names would need others.
    gone = [*gone, *(one for one, needed in schema.get("dependentRequired", {}).items() if needed)]
    kept = {"not": {"enum": gone}} if gone else True
    kinds = [({"type": "string", "pattern": one}, child) for one, child in patterns.items()]
    if len(kinds) > 1 and not _all_apart(list(patterns)):
        # A name may match the others too, so a value fits all of them.
        kinds = [(kinds[0][0], {"allOf": list(patterns.values())})]
    kinds = [({"allOf": [one, kept]}, child) for one, child in kinds or [(name, rest)]]
    limit = max(least, min(_MAX_ENTRIES if most is None else most, budget // _ENTRY_CHARS), 1)
    entries: list[tuple[Any, Schema]] = []
    failure: Unbounded | None = None
    for one, child in kinds:
        try:
            value = tightener.visit(child, max(MIN_CHARS, budget // 8), path, f"{place}.*")
            entries.append((one, value))
        except Unbounded as error:
            failure = failure or error
    if failure and len(patterns) > len(kinds):
        raise Unenforceable("`patternProperties` of which one name may match several") from None
    if failure and not entries and least:
        raise failure
    if not entries or most == 0:
        return {"enum": [{}]}
    return _by_pattern(tightener, entries, least, limit, path, place)


def _all_apart(patterns: list[str]) -> bool:
    return all(begin_apart(one, other) for one, other in itertools.combinations(patterns, 2))


def _by_pattern(
    tightener: Tightener, entries: list[tuple[Any, Schema]], least: int, most: int, path: Path,
    place: str,
) -> Schema:  # fmt: skip
    """Return an object of so many entries, each with a name and a value that belong together."""
    (first, value), *others = entries
    try:
        rows = _names(tightener, first, least, path, place)
        more = {_names(tightener, one, 0, path, place)[0][0]: child for one, child in others}
    except Unbounded:
        if least:
            raise
        return {"enum": [{}]}
    shapes: list[Schema] = [
        {
            "type": "object",
            "patternProperties": {**dict.fromkeys(row, value), **more},
            "additionalProperties": False,
            "minProperties": least,
            "maxProperties": most,
        }
        for row in rows
    ]
    return shapes[0] if len(shapes) == 1 else {"anyOf": shapes}


def _names(tightener: Tightener, name: Any, least: int, path: Path, place: str) -> list[list[str]]:
    """Return rows of patterns: of names that must be there and differ, and of any other name."""

    def visited(part: Any) -> Schema:
        tight = tightener.visit(part, _NAME_CHARS, path, f"{place}.*")
        if "pattern" not in tight:
            raise Unenforceable("`propertyNames` that are no texts of one pattern")
        return tight

    def groups(count: int) -> list[Schema]:
        return [visited({"allOf": [name, {"_part": [n, count]}]}) for n in range(count)]

    rows = differing(groups, least) if least > 1 else [[]]
    return [[one["pattern"] for one in [*row, visited(name)]] for row in rows]
