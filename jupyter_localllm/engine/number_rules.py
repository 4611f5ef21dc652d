"""GBNF of numbers between two bounds. Pure text; ``schema_rules`` calls it."""

from __future__ import annotations

import math
from fractions import Fraction

#: Digits behind the point.
_FRACTION = '("." [0-9]{1,6})?'
_MAX_DIGITS = 16


def integer_rule(low: int, high: int) -> str:
    """Return an expression for the whole numbers from ``low`` to ``high``."""
    options = []
    if low < 0:
        digits = _whole(max(1, -high), -low)
        options.append(f'"-" ({digits})')
    if high >= 0:
        options.append(_whole(max(0, low), high))
    return " | ".join(options)


def number_rule(low: float, high: float) -> str:
    """Return an expression for decimal numbers from ``low`` to ``high``, both included."""
    options = []
    if high >= 0:
        options += _decimals(max(0, low), high)
    if low < 0:
        options += [f'"-" ({option})' for option in _decimals(max(0, -high), -low)]
    return " | ".join(options) or f'"{low!r}"'


def _decimals(low: float, high: float) -> list[str]:
    """Return expressions for the decimal numbers between two that are not negative."""
    first, last = math.ceil(low), math.floor(high)
    options = []
    if first <= last - 1:
        options.append(f"({_whole(first, last - 1)}) {_FRACTION}")
    if first <= last:
        options.append(f'"{last}"')
    if first > last:
        # Both in one step from a whole number to the next: with digits enough for the gap.
        width = Fraction(high) - Fraction(low)
        n_digits = next((n for n in range(2, _MAX_DIGITS) if width * 10**n > 20), 2)
        scale = 10**n_digits
        least = math.ceil((Fraction(low) - last) * scale)
        most = math.floor((Fraction(high) - last) * scale) - 1
        return _behind_point(last, least, most, n_digits)
    if first > low:
        options += _behind_point(first - 1, math.ceil((low - first + 1) * 100), 99)
    if high > last:
        options += _behind_point(last, 0, math.floor((high - last) * 100) - 1)
    return options


def _behind_point(whole: int, low: int, high: int, n_digits: int = 2) -> list[str]:
    if low > high:
        return []
    digits = " | ".join(_digits(f"{low:0{n_digits}}", f"{high:0{n_digits}}"))
    return [f'"{whole}." ({digits}) [0-9]{{0,4}}']


def _whole(low: int, high: int) -> str:
    """Return an expression for the whole numbers between two that are not negative."""
    options: list[str] = []
    if low == 0:
        options.append('"0"')
        low = 1
    while low <= high:
        n_digits = len(str(low))
        is_full = low == 10 ** (n_digits - 1)
        n_last = len(str(high + 1)) - 1
        if is_full and n_last >= n_digits:
            # All numbers of these lengths.
            options.append(f"[1-9] [0-9]{{{n_digits - 1},{n_last - 1}}}")
            low = 10**n_last
            continue
        end = min(high, 10**n_digits - 1)
        options += _digits(str(low), str(end))
        low = end + 1
    return " | ".join(options)


def _digits(low: str, high: str) -> list[str]:
    """Return expressions for the rows of digits between two of one length."""
    n_digits = len(low)
    if low.strip("0") == "" and high.strip("9") == "":
        return [f"[0-9]{{{n_digits}}}"] if n_digits else []
    if low[0] == high[0]:
        rest = _digits(low[1:], high[1:])
        return [f'"{low[0]}" {option}' for option in rest] or [f'"{low[0]}"']
    options: list[str] = []
    first, last = int(low[0]), int(high[0])
    if low[1:].strip("0"):
        options += [f'"{first}" {option}' for option in _digits(low[1:], "9" * (n_digits - 1))]
        first += 1
    if high[1:].strip("9"):
        tail = [f'"{last}" {option}' for option in _digits("0" * (n_digits - 1), high[1:])]
        last -= 1
    else:
        tail = []
    if first <= last:
        more = f" [0-9]{{{n_digits - 1}}}" if n_digits > 1 else ""
        options.append(f"[{first}-{last}]{more}")
    return options + tail
