"""A Python value as a text that fits a model's budget: tables, arrays and long values summarised.

Values are only shown, with their own ``repr`` at most; nothing is called that a person has not
written into the object. Data frames and arrays are told by their type's module, so that neither
pandas nor numpy is needed. Called by ``interpolation.py`` and ``cell_targets.py``.
"""

from __future__ import annotations

import itertools
import reprlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

#: Bytes of one token where nobody counts; English prose and code have more.
_BYTES_PER_TOKEN = 3
#: Of a text that is cut, this part of what is kept comes from its beginning.
_HEAD_SHARE = 0.7
_MAX_COLUMNS = 60


@dataclass(frozen=True)
class ValueText:
    """``text`` to send; ``n_tokens_whole`` is about what the whole value would have had, where it
    was shortened, else 0."""

    text: str
    n_tokens_whole: int = 0


def text_of(value: object, budget_tokens: int) -> ValueText:
    """Return a value as text of at most about ``budget_tokens`` tokens.

    A string is itself; a data frame or a series is its shape, its columns with their types and
    its first rows; an array its shape, its type and its corners; everything else its ``repr``,
    in which long collections are cut.
    """
    if isinstance(value, str):
        return shortened_text(str(value), budget_tokens)
    package = type(value).__module__.partition(".")[0]
    kind = type(value).__name__
    summarise: Callable[[Any, int], ValueText] | None = None
    if package in ("pandas", "geopandas") and kind in ("DataFrame", "GeoDataFrame", "Series"):
        summarise = _frame_text
    elif package == "numpy" and kind in ("ndarray", "matrix", "MaskedArray"):
        summarise = _array_text
    if summarise is not None:
        try:
            return summarise(value, budget_tokens)
        except Exception:
            # A subclass that is not what it says: its own repr will do.
            summarise = None
    return _repr_text(value, budget_tokens)


def shortened_text(text: str, budget_tokens: int) -> ValueText:
    """Return a text with its middle left out where it is longer than the budget."""
    n_tokens = tokens_of(text)
    if n_tokens <= budget_tokens:
        return ValueText(text)
    # A note says how much is missing, and takes some tokens itself.
    n_kept = max(0, budget_tokens - 12) * _BYTES_PER_TOKEN
    share = len(text) / max(1, len(text.encode(errors="replace")))
    n_characters = int(n_kept * share)
    n_head = int(n_characters * _HEAD_SHARE)
    n_tail = n_characters - n_head
    head, tail = text[:n_head], text[len(text) - n_tail :] if n_tail else ""
    n_left_out = len(text) - n_head - n_tail
    return ValueText(f"{head}\n[… {n_left_out:,} characters left out …]\n{tail}", n_tokens)


def tokens_of(text: str) -> int:
    """Return about how many tokens a text has; seldom fewer than it really has."""
    return -(-len(text.encode(errors="replace")) // _BYTES_PER_TOKEN)


_COLLECTIONS = (list, tuple, dict, set, frozenset, deque)


class _Repr(reprlib.Repr):
    """Cuts long collections, and leaves dictionaries in their own order."""

    def __init__(self, n_entries: int, n_characters: int) -> None:
        super().__init__()
        for name in ("dict", "list", "tuple", "set", "frozenset", "deque", "array"):
            setattr(self, f"max{name}", n_entries)
        self.maxlevel = 6
        self.maxstring = self.maxlong = self.maxother = n_characters
        # Of all levels together: a thousand lists of a thousand lists are a million.
        self._n_left = n_entries + self.maxlevel

    @property
    def is_cut(self) -> bool:
        """Whether anything was left out."""
        return self._n_left < 0

    def repr1(self, x: Any, level: int) -> str:
        # What a long collection leaves out counts too.
        n_left_out = len(x) - self.maxlist if isinstance(x, _COLLECTIONS) else 0
        self._n_left -= 1 + max(0, n_left_out)
        return "..." if self._n_left < 0 else super().repr1(x, level)

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        if not x:
            return "{}"
        if level <= 0:
            return "{...}"
        pairs = [
            f"{self.repr1(key, level - 1)}: {self.repr1(value, level - 1)}"
            for key, value in itertools.islice(x.items(), self.maxdict)
        ]
        more = ["..."] if len(x) > self.maxdict else []
        return f"{{{', '.join([*pairs, *more])}}}"


def _repr_text(value: object, budget_tokens: int) -> ValueText:
    # Enough of each collection to fill the budget, and never all of a million entries.
    n_characters = budget_tokens * _BYTES_PER_TOKEN
    n_entries = max(4, n_characters // 4)
    short = _Repr(n_entries, n_characters)
    text = short.repr(value)
    cut = shortened_text(text, budget_tokens)
    if not short.is_cut:
        return cut
    return ValueText(cut.text, max(2 * budget_tokens, _size(value) * tokens_of(text) // n_entries))


def _size(value: Any) -> int:
    try:
        return len(value)
    except Exception:
        return 0


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
    while n_shown:
        rows = frame.head(n_shown).to_string()
        title = "All rows" if n_shown == n_rows else f"First {n_shown} rows"
        text = f"{head}\n{title}:\n{rows}"
        if tokens_of(text) <= budget_tokens:
            if n_shown == n_rows:
                return ValueText(text)
            per_row = max(1, (tokens_of(text) - head_tokens) // n_shown)
            return ValueText(text, head_tokens + per_row * n_rows)
        n_shown //= 2
    return ValueText(head, head_tokens + 8 * n_rows)


def _array_text(array: Any, budget_tokens: int) -> ValueText:
    """Return shape, type and the corners of an array, as numpy itself shortens it."""
    head = f"array of shape {tuple(array.shape)}, {array.dtype}"
    text = f"{head}\n{array!r}"
    whole = tokens_of(text)
    if whole > budget_tokens:
        some = ", ".join(str(value) for value in array.flat[:: max(1, array.size // 8)][:8])
        short = shortened_text(f"{head}\nsome of its values: {some}", budget_tokens)
        return ValueText(short.text, whole)
    # Beyond a thousand values numpy leaves the middle out by itself.
    return ValueText(text, max(whole, 2 * int(array.size)) if "..." in text else 0)
