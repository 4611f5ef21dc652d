"""Numbers of a schema: bounds, steps and forbidden values. Pure; ``tight`` calls it."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

from .errors import Unbounded, Unenforceable
from .steps import stepped_pattern

#: Values that are told one by one.
_MAX_CHOICES = 1000
#: Without a bound: digits that every reader of JSON takes exactly.
_FAR = 10**15 - 1
#: With digits behind the point.
_FAR_STEPS = 10**12 - 1
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
        return _stepped(low, high, step, kind, forbidden)
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
    gap = _gap(lows, highs)
    low = max((_edge(*one, kind, gap) for one in lows), default=None)
    high = min((_edge(*one, kind, -gap) for one in highs), default=None)
    if low is not None and high is not None and low > high:
        (first, below), (second, above) = lows[-1], highs[-1]
        raise Unbounded(f"no {kind} has `{first}` {below} and `{second}` {above}")
    far = _FAR + (kind == "number")
    if low is None:
        low = min(-far, 2 * high) if high is not None else -far
    return low, max(far, 2 * low) if high is None else high


def _stepped(
    low: float, high: float, step: float, kind: str, forbidden: list[Any]
) -> dict[str, Any]:
    """Return the multiples, by their digits where those tell, else one by one."""
    is_whole = isinstance(step, int) or step.is_integer()
    if (kind == "number" or is_whole) and not (is_whole and forbidden):
        far = _FAR if is_whole else _FAR_STEPS
        near, end = max(low, -far), min(high, far)
        step = int(step) if is_whole else step
        pattern = _pattern(near, end, step, tuple(filter(_is_number, forbidden)))
        if pattern:
            shape = "integer" if is_whole else "number"
            return {"type": shape, "minimum": near, "maximum": end, "pattern": pattern}
    return {"enum": _multiples(low, high, step, kind, forbidden)}


@functools.lru_cache(maxsize=64)
def _pattern(low: float, high: float, step: float, forbidden: tuple[float, ...]) -> str | None:
    def fits(value: float) -> bool:
        return _divides(step, value) and value not in forbidden

    return stepped_pattern(low, high, step, fits)


def _gap(lows: Sequence[tuple[str, float]], highs: Sequence[tuple[str, float]]) -> float:
    """Return what is left out beside a bound that is not included."""
    if not lows or not highs:
        return _GAP
    width = min(value for _, value in highs) - max(value for _, value in lows)
    return min(_GAP, width / 4) if width > 0 else _GAP


def _edge(name: str, value: Any, kind: str, gap: float) -> float:
    """Return the first value inside of a bound."""
    is_exclusive = name.startswith("exclusive")
    if kind == "integer":
        inner: int = math.ceil(value) if gap > 0 else math.floor(value)
        return inner + (1 if gap > 0 else -1) if is_exclusive and inner == value else inner
    number: float = value
    if not is_exclusive:
        return number
    # Beside a large number, a small gap is none.
    moved = number + (gap if abs(number) < 1e9 else math.copysign(1, gap))
    return moved if moved != number else math.nextafter(number, math.copysign(math.inf, gap))


def _multiples(
    low: float, high: float, step: float, kind: str, forbidden: list[Any]
) -> list[float]:
    """Return values that are multiples as a check with floating point sees them."""
    if not math.isfinite(high / step - low / step):
        raise Unenforceable(f"`multipleOf` {step} is too small")
    first, last = math.ceil(low / step), math.floor(high / step)
    if high - low > _FAR:
        # Without a bound, those nearest to the other one, or to zero.
        middle = min(max(first + _MAX_CHOICES, 0), last - _MAX_CHOICES)
        first, last = max(first, middle - _MAX_CHOICES), min(last, middle + _MAX_CHOICES)
    spread = max(1, (last - first) // (2 * _MAX_CHOICES))
    values: list[float] = []
    for number in range(first, last + 1, spread):
        value = round(number * step, 9)
        value = int(value) if float(value).is_integer() else value
        is_wanted = kind == "number" or isinstance(value, int)
        if low <= value <= high and is_wanted and _divides(step, value) and value not in forbidden:
            values.append(value)
    if not values:
        raise Unbounded(f"no {kind} fits `multipleOf` {step} and its bounds")
    return values[:: max(1, math.ceil(len(values) / _MAX_CHOICES))]


def _divides(step: float, value: float) -> bool:
    if isinstance(step, int) and isinstance(value, int):
        return value % step == 0
    quotient = value / step
    return int(quotient) == quotient


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
