"""A Python value as a text that fits a model's budget: tables, arrays and long values summarised.

Values are only shown, with their own ``repr`` at most; nothing is called that a person has not
written into the object. Data frames and arrays are told by their type's module, so that neither
pandas nor numpy is needed. Called by ``interpolation.py`` and ``cell_targets.py``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .value_repr import beginning, kind_of, n_bytes, own_repr, written

#: Bytes of one token where nobody counts; English prose and code have more.
_BYTES_PER_TOKEN = 3
#: Of a text that is cut, this part of what is kept comes from its beginning.
_HEAD_SHARE = 0.7
#: The most that the note in the gap takes.
_NOTE_TOKENS = 16
_MAX_COLUMNS = 60
#: Characters of one cell of a table.
_MAX_CELL = 200


@dataclass(frozen=True)
class ValueText:
    """``text`` to send; ``n_tokens_whole`` is about what the whole value would have had, where it
    was shortened, else 0."""

    text: str
    n_tokens_whole: int = 0


def text_of(value: object, budget_tokens: int) -> ValueText:
    """Return a value as text of at most about ``budget_tokens`` tokens.

    A string is itself; a data frame or a series is its shape, its columns with their types and
    its first rows; an array its shape, its type and its corners; everything else its ``repr``.
    A collection that does not fit is its type, its length, and first and last entries.

    Raises
    ------
    KeyboardInterrupt
        While the value was read, which may run code of a person's.
    """
    try:
        if isinstance(value, str):
            return shortened_text(str(value), budget_tokens)
        summarise = _summary_for(value)
        if summarise is not None:
            # A subclass that is not what it says: its own repr will do.
            with contextlib.suppress(Exception):
                return summarise(value, budget_tokens)
        return _repr_text(value, budget_tokens)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        # Such as a dictionary that another thread changes, or SystemExit in an attribute.
        return ValueText(f"<{kind_of(value)} that cannot be shown: {kind_of(error)}>")


def _summary_for(value: object) -> Callable[[Any, int], ValueText] | None:
    package = type(value).__module__.partition(".")[0]
    kind = type(value).__name__
    if package in ("pandas", "geopandas") and kind in ("DataFrame", "GeoDataFrame", "Series"):
        return _frame_text
    if package == "numpy" and kind in ("ndarray", "matrix", "MaskedArray"):
        return _array_text
    return None


def shortened_text(text: str, budget_tokens: int) -> ValueText:
    """Return a text with its middle left out where it is longer than the budget."""
    n_tokens = tokens_of(text)
    if n_tokens <= budget_tokens:
        return ValueText(text)
    # A note says how much is missing, and takes some tokens itself.
    n_kept = max(0, budget_tokens - _NOTE_TOKENS) * _BYTES_PER_TOKEN
    head = beginning(text, int(n_kept * _HEAD_SHARE))
    tail = beginning(text[: -n_kept - 1 : -1], n_kept - n_bytes(head))[::-1] if n_kept else ""
    n_left_out = len(text) - len(head) - len(tail)
    return ValueText(f"{head}\n[… {n_left_out:,} characters left out …]\n{tail}", n_tokens)


def tokens_of(text: str) -> int:
    """Return about how many tokens a text has; seldom fewer than it really has."""
    return -(-n_bytes(text) // _BYTES_PER_TOKEN)


def _repr_text(value: object, budget_tokens: int) -> ValueText:
    done = written(value, budget_tokens * _BYTES_PER_TOKEN)
    if not done.is_cut:
        return ValueText(done.text)
    return ValueText(done.text, max(budget_tokens + 1, -(-done.n_bytes_whole // _BYTES_PER_TOKEN)))


def _frame_text(frame: Any, budget_tokens: int) -> ValueText:
    """Return shape, columns and as many first rows of a table as the budget allows."""
    n_rows = len(frame)
    is_series = type(frame).__name__ == "Series"
    if is_series:
        head = f"Series {frame.name!s} with {n_rows:,} values, {frame.dtype}"
    else:
        names = list(frame.columns)
        columns = ", ".join(
            f"{name} ({dtype})"
            for name, dtype in zip(names[:_MAX_COLUMNS], frame.dtypes, strict=False)
        )
        more = f" and {len(names) - _MAX_COLUMNS:,} more" if len(names) > _MAX_COLUMNS else ""
        head = (
            f"DataFrame with {n_rows:,} rows and {len(names):,} columns\nColumns: {columns}{more}"
        )
        if len(names) > _MAX_COLUMNS:
            frame = frame.iloc[:, :_MAX_COLUMNS]
    head_tokens = tokens_of(head)
    if head_tokens > budget_tokens:
        return shortened_text(head, budget_tokens)
    n_shown = min(n_rows, 40)
    per_row = 0
    while n_shown:
        rows = _rows_text(frame.head(n_shown), is_series)
        title = "All rows" if n_shown == n_rows else f"First {n_shown} rows"
        text = f"{head}\n{title}:\n{rows}"
        per_row = max(1, (tokens_of(text) - head_tokens) // n_shown)
        if tokens_of(text) <= budget_tokens:
            whole = 0 if n_shown == n_rows else head_tokens + per_row * n_rows
            return ValueText(text, whole)
        n_shown //= 2
    return ValueText(head, head_tokens + per_row * n_rows)


def _rows_text(rows: Any, is_series: bool) -> str:
    # One cell may hold a book.
    text = rows.to_string() if is_series else rows.to_string(max_colwidth=_MAX_CELL)
    return str(text)


def _array_text(array: Any, budget_tokens: int) -> ValueText:
    """Return shape, type and the corners of an array, as numpy itself shortens it."""
    head = f"array of shape {tuple(array.shape)}, {array.dtype}"
    text = f"{head}\n{own_repr(array)}"
    n_tokens = tokens_of(text)
    if "..." not in text and n_tokens <= budget_tokens:
        return ValueText(text)
    some = [str(value) for value in array.flat[:: max(1, array.size // 8)][:8]]
    per_value = n_bytes("".join(some)) // len(some) + 2
    whole = max(n_tokens, tokens_of(head) + int(array.size) * per_value // _BYTES_PER_TOKEN)
    if n_tokens <= budget_tokens:
        # Beyond a thousand values numpy leaves the middle out by itself.
        return ValueText(text, whole)
    short = shortened_text(f"{head}\nsome of its values: {', '.join(some)}", budget_tokens)
    return ValueText(short.text, whole)
