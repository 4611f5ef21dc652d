"""Patterns of the numbers and dates between two bounds. Pure."""

from __future__ import annotations

import calendar
import itertools
from datetime import date, timedelta

#: A digit for each place, from and to.
Row = list[tuple[str, str]]


def numbers_between(low: int, high: int, places: int = 0) -> list[str]:
    """Return patterns whose texts are the numbers from ``low`` to ``high``.

    Parameters
    ----------
    low, high : int
        In units of the last decimal place.
    places : int
        How many digits stand behind the point.
    """
    texts = [f"-{text}" for text in _from_nought(max(1, -high), -low, places)]
    return texts + _from_nought(max(0, low), high, places)


def _from_nought(low: int, high: int, places: int) -> list[str]:
    texts: list[str] = []
    full: list[int] = []
    for whole in range(1, max(1, len(str(high)) - places) + 1):
        first = 10 ** (whole - 1 + places) if whole > 1 else 0
        last = 10 ** (whole + places) - 1
        start, end, width = max(low, first), min(high, last), whole + places
        if whole > 1 and (start, end) == (first, last):
            full.append(whole)
        elif start <= end:
            rows = _rows(f"{start:0{width}}", f"{end:0{width}}")
            texts += [_written(row[:whole]) + _behind_point(row[whole:]) for row in rows]
    if full:
        digits = f"[1-9][0-9]{{{full[0] - 1},{full[-1] - 1}}}"
        texts.append(digits + _behind_point([("0", "9")] * places))
    return texts


def _behind_point(row: Row) -> str:
    return f"[.]{_written(row)}" if row else ""


def _rows(low: str, high: str) -> list[Row]:
    """Return what the texts of digits from ``low`` to ``high`` are made of; both are as long."""
    if not low:
        return [[]]
    first, last, rest = low[0], high[0], len(low) - 1
    if first == last:
        return [[(first, first), *row] for row in _rows(low[1:], high[1:])]
    head: list[Row] = []
    tail: list[Row] = []
    if low[1:] != "0" * rest:
        head = [[(first, first), *row] for row in _rows(low[1:], "9" * rest)]
        first = str(int(first) + 1)
    if high[1:] != "9" * rest:
        tail = [[(last, last), *row] for row in _rows("0" * rest, high[1:])]
        last = str(int(last) - 1)
    middle: list[Row] = [[(first, last), *[("0", "9")] * rest]] if first <= last else []
    return [*head, *middle, *tail]


def _written(row: Row) -> str:
    text = ""
    for (first, last), group in itertools.groupby(row):
        count = len(list(group))
        text += first if first == last else f"[{first}-{last}]"
        text += f"{{{count}}}" if count > 1 else ""
    return text


def _either(texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else f"({'|'.join(texts)})"


def dates_between(first: date, last: date, any_day: str) -> list[str]:
    """Return patterns whose texts are the dates from ``first`` to ``last``.

    Parameters
    ----------
    any_day : str
        The pattern of month and day in any year.
    """
    if first > last:
        return []
    if first.year == last.year:
        return [
            _days(first.year, month, first, last) for month in range(first.month, last.month + 1)
        ]
    texts: list[str] = []
    low, high = first.year, last.year
    if first != date(low, 1, 1):
        texts += dates_between(first, date(low, 12, 31), any_day)
        low += 1
    tail: list[str] = []
    if last != date(high, 12, 31):
        tail = dates_between(date(high, 1, 1), last, any_day)
        high -= 1
    if low <= high:
        years = _either([_written(row) for row in _rows(f"{low:04}", f"{high:04}")])
        texts.append(f"{years}-{any_day}")
    return texts + tail


def _days(year: int, month: int, first: date, last: date) -> str:
    start = max(first, date(year, month, 1)).day
    end = min(last, date(year, month, calendar.monthrange(year, month)[1])).day
    days = _either([_written(row) for row in _rows(f"{start:02}", f"{end:02}")])
    return f"{year:04}-{month:02}-{days}"


def day_after(day: date, count: int = 1) -> date:
    """Return the day so many days later, or the last or first one that there is."""
    try:
        return day + timedelta(days=count)
    except OverflowError:
        return date.max if count > 0 else date.min
