"""Lists of a schema: how many items, which ones first, and items that differ.

``tight`` calls it, and is called back for the items.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .checks import distinct
from .errors import SchemaRefused, Unbounded, Unenforceable
from .numbers import bounds
from .unions import next_union

if TYPE_CHECKING:
    from .tight import Path, Schema, Tightener

_MAX_ITEMS = 24
#: What one item of a list takes at least.
_ITEM_CHARS = 24
#: Orders of groups that are told one by one.
_MAX_ORDERS = 24
#: Lists that are told one by one.
_MAX_LISTS = 400


def tight_array(
    tightener: Tightener, schema: Schema, budget: int, path: Path, place: str
) -> Schema:
    """Return the list with a limit.

    Raises
    ------
    Unbounded, Unenforceable
        As ``tight_schema``.
    """
    first, rest = _items(schema)
    least, most = schema.get("minItems", 0), schema.get("maxItems")
    if "contains" in schema and schema.get("minContains", 1) > 0:
        first, least = _containing(schema, first, rest, least)
    if most is not None and least > most:
        raise Unbounded(f"`minItems` {least} is above `maxItems` {most}")
    is_unique = schema.get("uniqueItems") is True and most != 1
    # What is left out as a repeat moves those behind it, but for one that may stand anywhere.
    is_loose = "contains" in schema and len(first) == 1 and least < 2
    if is_unique and len(first) + (rest is not False) > 1 and first and not is_loose:
        raise Unenforceable("`uniqueItems` together with `prefixItems` or `contains`")
    visited = _visited(tightener, first[:most], budget, path, place)
    if len(visited) < len(first[:most]):
        rest = False
    if rest is False and least > len(visited):
        raise Unbounded(f"`minItems` {least} is more than the items that are allowed")
    if rest is False or len(visited) == most:
        return {"type": "array", "prefixItems": visited} if visited else {"enum": [[]]}
    least = max(least, len(visited))
    if visited and most is None and rest is True and "contains" not in schema:
        # What stands behind a tuple was not asked for by name.
        most = least
    limit = _limit(least, most, budget)
    if limit == 0:
        return {"enum": [[]]}
    try:
        item = tightener.visit(rest, budget // max(1, limit), path, f"{place}[]")
    except Unbounded:
        if least > len(visited):
            raise
        return {"type": "array", "prefixItems": visited} if visited else {"enum": [[]]}
    bare = {"type": "array", "items": item, "minItems": least, "maxItems": limit}
    if visited:
        return {**bare, "prefixItems": visited}
    if is_unique:
        return _unique(tightener, bare, rest, most, budget, path, place)
    return bare


def _items(schema: Schema) -> tuple[list[Any], Any]:
    """Return the schemas of the first items, and that of all others."""
    items = schema.get("items", True)
    if isinstance(items, list):
        return items, schema.get("additionalItems", True)
    return schema.get("prefixItems", []), items


def _containing(schema: Schema, first: list[Any], rest: Any, least: int) -> tuple[list[Any], int]:
    """Return first items that are what the list must contain."""
    if "maxContains" in schema:
        raise Unenforceable("`maxContains` cannot be said in a grammar")
    if first:
        raise Unenforceable("`contains` together with `prefixItems`")
    count = schema.get("minContains", 1)
    if count > _MAX_LISTS:
        raise Unenforceable(f"`minContains` {count:,} is above {_MAX_LISTS}")
    return [{"allOf": [rest, schema["contains"]]}] * count, max(least, count)


def _visited(
    tightener: Tightener, first: list[Any], budget: int, path: Path, place: str
) -> list[Schema]:
    share = budget // max(1, len(first))
    visited: list[Schema] = []
    for number, item in enumerate(first):
        try:
            visited.append(tightener.visit(item, share, path, f"{place}[{number}]"))
        except Unbounded:
            break
    return visited


def _limit(least: int, most: int | None, budget: int) -> int:
    limit = _MAX_ITEMS if most is None else most
    limit = max(least, min(limit, budget // _ITEM_CHARS))
    if most is None:
        # Few items with room are better than many without.
        limit = max(least, min(limit, max(3, math.isqrt(budget) // 4)), 1)
    elif most:
        limit = max(limit, 1)
    return limit


# --- items that differ ----------------------------------------------------------------------


def _unique(
    tightener: Tightener, bare: Schema, rest: Any, most: int | None, budget: int, path: Path,
    place: str,
) -> Schema:  # fmt: skip
    """Return a list without repeats; where that would be many lists, with enough that differ.

    Repeats behind those are left out of the answer by ``checks.without_repeats``.
    """
    least, limit = bare["minItems"], bare["maxItems"]
    values = _values(bare["items"])
    if values is not None:
        if least > len(values):
            raise Unbounded(
                f"`uniqueItems` with `minItems` {least}, but only {len(values)} items differ"
            )
        limit = min(len(values) if most is None else most, len(values))
        lists = _lists(values, least, limit)
        if lists:
            return {"enum": lists}
    if least < 2:
        return bare

    def groups(count: int) -> list[Schema]:
        parts = _parts(tightener, rest, count)
        return [tightener.visit(part, budget // limit, path, f"{place}[]") for part in parts]

    rows = [{**bare, "prefixItems": row} for row in differing(groups, least)]
    return rows[0] if len(rows) == 1 else {"anyOf": rows}


def differing(make: Callable[[int], list[Schema]], count: int) -> list[list[Schema]]:
    """Return rows of schemas that share no value, in every order where those are few.

    Parameters
    ----------
    make : callable
        Returns as many schemas that share no value.

    Raises
    ------
    SchemaRefused
        There are not so many.
    """
    # With more groups than items, an item leaves the next ones more to choose from.
    for n_groups in range(count + 3, count, -1):
        if math.perm(n_groups, count) <= _MAX_ORDERS:
            with contextlib.suppress(SchemaRefused):
                return [list(row) for row in itertools.permutations(make(n_groups), count)]
    groups = make(count)
    if math.factorial(count) <= _MAX_ORDERS:
        return [list(row) for row in itertools.permutations(groups)]
    return [groups]


def _values(item: Schema) -> list[Any] | None:
    """Return all values of an item, if they are known and few."""
    if "enum" in item:
        return distinct(item["enum"])
    if "anyOf" in item:
        found = [_values(option) for option in item["anyOf"]]
        return None if None in found else distinct(v for part in found for v in part or ())
    if item["type"] == "integer" and "pattern" not in item:
        numbers = range(item["minimum"], item["maximum"] + 1)
        return list(numbers) if len(numbers) <= _MAX_LISTS else None
    known: dict[str, list[Any]] = {"boolean": [True, False], "null": [None]}
    return known.get(item["type"])


def _lists(values: list[Any], least: int, most: int) -> list[list[Any]]:
    """Return all lists of different values, in any order if those are few enough."""
    counts = range(least, most + 1)
    if sum(math.perm(len(values), count) for count in counts) <= _MAX_LISTS:
        return [list(one) for n in counts for one in itertools.permutations(values, n)]
    if sum(math.comb(len(values), count) for count in counts) <= _MAX_LISTS:
        return [list(one) for n in counts for one in itertools.combinations(values, n)]
    return []


def _parts(tightener: Tightener, schema: Any, count: int) -> list[Any]:
    """Return schemas of items of which no two can be the same.

    Raises
    ------
    Unenforceable
        That cannot be said.
    """
    resolved = tightener.resolved(schema)[0]
    narrowed: list[Any] = []
    if isinstance(resolved, dict) and next_union(resolved) is None:
        narrowed = _narrowed(tightener, resolved, count)
    if not narrowed:
        raise Unenforceable("`uniqueItems` with `minItems` above 1 over items of this kind")
    return [{"allOf": [schema, one]} for one in narrowed]


def _narrowed(tightener: Tightener, schema: Schema, count: int) -> list[Any]:
    if "enum" in schema:
        values = [value for value in schema["enum"] if tightener.fits(value, schema)]
        edges = [round(n * len(values) / count) for n in range(count + 1)]
        return [{"enum": values[a:b]} for a, b in itertools.pairwise(edges)]
    match schema.get("type"):
        case "string":
            return [{"_part": [number, count]} for number in range(count)]
        case "integer" | "number" as kind:
            return _ranges(*bounds(schema, kind), count)
        case "object":
            for name in schema.get("required", ()):
                child = schema.get("properties", {}).get(name)
                try:
                    parts = _parts(tightener, child, count)
                except Unenforceable:
                    continue
                return [{"properties": {name: part}} for part in parts]
        case "array" if _items(schema)[0] and schema.get("minItems", 0) > 0:
            first, *more = _items(schema)[0]
            parts = _parts(tightener, first, count)
            return [{"prefixItems": [part, *[True] * len(more)]} for part in parts]
    return []


def _ranges(low: float, high: float, count: int) -> list[Any]:
    """Return as many ranges of whole numbers, small ones if there is a choice."""
    first = math.ceil(low if low > 0 or high < count else 0)
    last = math.floor(min(high, first + max(99, 10 * count)))
    if high < count and low <= high - 99:
        first, last = math.ceil(max(low, high - max(99, 10 * count))), math.floor(high)
    if last - first + 1 < count:
        return []
    edges = [first + round(n * (last - first + 1) / count) for n in range(count + 1)]
    return [{"minimum": a, "maximum": b - 1} for a, b in itertools.pairwise(edges)]
