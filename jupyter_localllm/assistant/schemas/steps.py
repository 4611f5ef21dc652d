"""Multiples of a step as a pattern of digits, for steps that the decimal system knows.

A check with floating point takes some multiples of 0.01 for none (0.07 / 0.01 is not 7), so a
pattern has those that it takes. Pure; ``numbers`` calls it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from decimal import Decimal

from .ranges import numbers_between

#: Digits behind the point, or zeros of a step.
_MAX_PLACES = 3
#: Values with a point that are looked at.
_MAX_TRIED = 300_000
_MAX_CHARS = 16_000


def stepped_pattern(
    low: float, high: float, step: float, fits: Callable[[float], bool]
) -> str | None:
    """Return a pattern of the multiples between two bounds; ``None`` where there is none.

    Parameters
    ----------
    fits : callable
        Whether a value with a point is one that is meant.
    """
    scaled = _scaled(step)
    if scaled is None:
        return None
    size, n_places = scaled
    n_digits = n_places or next(
        (n for n in range(1, _MAX_PLACES + 1) if 10**n % size == 0), _MAX_PLACES
    )
    if 10**n_digits % size:
        return None
    options: list[str] = []
    for sign, first, last in (("", low, high), ("-", -high, -low)):
        start = math.ceil(Decimal(str(first)) * 10**n_places)
        end = math.floor(Decimal(str(last)) * 10**n_places)
        span = (max(start, int(sign == "-")), end)
        if span[0] > end:
            continue
        rows = (
            _decimals(*span, size, n_digits, fits) if n_places else _wholes(*span, size, n_digits)
        )
        options += [sign + row for row in rows]
    pattern = f"^({'|'.join(options)})$"
    return pattern if options and len(pattern) < _MAX_CHARS else None


def _scaled(step: float) -> tuple[int, int] | None:
    """Return the step as a whole number, and how many places the point was moved for that."""
    for n_places in range(_MAX_PLACES + 1):
        size = Decimal(str(step)) * 10**n_places
        if size == int(size):
            return int(size), n_places
    return None


def _decimals(
    start: int, end: int, size: int, n_digits: int, fits: Callable[[float], bool]
) -> Iterator[str]:
    """Yield patterns of numbers with a point, given as whole numbers without it."""
    unit = 10**n_digits
    first = start // unit
    last = min(end // unit, first + _MAX_TRIED * size // unit)

    def tails(whole: int) -> tuple[int, ...]:
        begin, stop = max(start, whole * unit), min(end, whole * unit + unit - 1)
        begin = -(-begin // size) * size
        numbers = range(begin, stop + 1, size)
        return tuple(number % unit for number in numbers if fits(number / unit))

    for row, group in itertools.groupby(range(first, last + 1), tails):
        wholes = list(group)
        if row:
            digits = _tails([f"{number:0{n_digits}}" for number in row])
            yield f"({'|'.join(numbers_between(wholes[0], wholes[-1]))})[.]{digits}"


def _wholes(start: int, end: int, size: int, n_digits: int) -> Iterator[str]:
    """Yield patterns of whole numbers whose last digits tell whether they are multiples."""
    unit = 10**n_digits
    # From here on all last digits are there; the first ones have no zeros before them.
    first, last = max(1, -(-start // unit)), (end + 1) // unit - 1
    edges = [(start, end)]
    if first <= last:
        edges = [(start, first * unit - 1), ((last + 1) * unit, end)]
        digits = _tails([f"{number:0{n_digits}}" for number in range(0, unit, size)])
        yield f"({'|'.join(numbers_between(first, last))}){digits}"
    for low, high in edges:
        yield from (f"{number}" for number in range(low, high + 1) if number % size == 0)


def _tails(texts: list[str]) -> str:
    """Return a pattern of texts of one length."""
    if texts == [""]:
        return ""
    rests: dict[str, list[str]] = {}
    for letter, group in itertools.groupby(sorted(texts), lambda text: text[0]):
        rests.setdefault(_tails([text[1:] for text in group]), []).append(letter)
    rows = [f"[{''.join(letters)}]{rest}" for rest, letters in rests.items()]
    return rows[0] if len(rows) == 1 else f"({'|'.join(rows)})"
