"""Numbers of a schema: bounds, steps and forbidden values. Pure; ``tight`` calls it."""

from __future__ import annotations

import math
from typing import Any

from .errors import Unbounded

#: Values that are told one by one.
_MAX_CHOICES = 1000
#: Without a bound: digits that every reader of JSON takes exactly.
_FAR = 10**15 - 1
#: Beside a forbidden number.
_GAP = 1e-6


def tight_number(schema: dict[str, Any], kind: str, forbidden: list[Any]) -> dict[str, Any]:
    """Return the number with both bounds, or the values it can have.

    Raises
    ------
    Unbounded
        No number fits.
    """
    low, high = bounds(schema, kind)
    step = schema.get("multipleOf")
    if step is not None and not (kind == "integer" and step == 1):
        return {"enum": _multiples(low, high, step, kind, forbidden)}
    points = sorted({value for value in forbidden if _is_number(value)})
    gap = 1 if kind == "integer" else _GAP
    pieces: list[dict[str, Any]] = []
    for point in [*points, None]:
        end = high if point is None else min(high, point - gap)
        if kind == "integer":
            end = math.floor(end)
        if low <= end:
            pieces.append({"type": kind, "minimum": low, "maximum": end})
        if point is not None:
            low = max(low, point + gap)
            low = math.ceil(low) if kind == "integer" else low
    if not pieces:
        raise Unbounded("no number is left")
    return pieces[0] if len(pieces) == 1 else {"anyOf": pieces}


def bounds(schema: dict[str, Any], kind: str) -> tuple[float, float]:
    """Return the lowest and the highest value, both included.

    Raises
    ------
    Unbounded
        One is above the other.
    """
    lows = [(name, schema[name]) for name in ("minimum", "exclusiveMinimum") if name in schema]
    highs = [(name, schema[name]) for name in ("maximum", "exclusiveMaximum") if name in schema]
    low = max((_edge(*one, schema, kind, 1) for one in lows), default=None)
    high = min((_edge(*one, schema, kind, -1) for one in highs), default=None)
    if low is not None and high is not None and low > high:
        (first, below), (second, above) = lows[-1], highs[-1]
        raise Unbounded(f"no {kind} has `{first}` {below} and `{second}` {above}")
    far = _FAR + (kind == "number")
    if low is None:
        low = min(-far, 2 * high) if high is not None else -far
    return low, max(far, 2 * low) if high is None else high


def _edge(name: str, value: Any, schema: dict[str, Any], kind: str, sign: int) -> float:
    """Return the first value inside of a bound."""
    is_exclusive = name.startswith("exclusive")
    if isinstance(value, bool):
        # As the fourth draft says it: a flag beside `minimum` or `maximum`.
        plain = name.removeprefix("exclusive").lower()
        return _edge(f"exclusive {value}" if value else plain, schema[plain], schema, kind, sign)
    if kind == "integer":
        inner: int = math.ceil(value) if sign > 0 else math.floor(value)
        return inner + sign if is_exclusive and inner == value else inner
    # Beside a large number, a small gap is none.
    number: float = value
    return number + sign * (_GAP if abs(number) < 1e9 else 1) if is_exclusive else number


def _multiples(
    low: float, high: float, step: float, kind: str, forbidden: list[Any]
) -> list[float]:
    """Return values that are multiples as a check with floating point sees them."""
    start = math.ceil(low / step) if low > -_FAR else 0 if high >= 0 else None
    sign = 1 if start is not None else -1
    number = math.floor(high / step) if start is None else start
    values: list[float] = []
    for count in range(2 * _MAX_CHOICES):
        value = round((number + sign * count) * step, 9)
        value = int(value) if float(value).is_integer() else value
        is_wanted = kind == "number" or isinstance(value, int)
        if low <= value <= high and is_wanted and _divides(step, value) and value not in forbidden:
            values.append(value)
    if not values:
        raise Unbounded(f"no {kind} fits `multipleOf` {step} and its bounds")
    return values[:_MAX_CHOICES]


def _divides(step: float, value: float) -> bool:
    if isinstance(step, int) and isinstance(value, int):
        return value % step == 0
    quotient = value / step
    return int(quotient) == quotient


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
