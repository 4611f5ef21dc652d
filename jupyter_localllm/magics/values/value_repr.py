"""The ``repr`` of a value in little room: whole if it fits, else lengths and some entries.

What is left out of a collection is said in its place, with the true length. Work and memory
depend on the room, not on the value: of ten million entries a few hundred are looked at. Only a
type's own ``repr`` in Python code is called as it is. Called by ``value_text.py``; pure.
"""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import sys
from array import array
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

#: Collections in collections that are written out; deeper ones are only named.
_MAX_LEVEL = 8
_MAX_WHOLE_LEVEL = 100
#: Where not all fits, one entry gets at most this part of the room that is left.
_SHARE = 4
#: But at least so many bytes, as long as there are so many.
_ENTRY_BYTES = 120
#: Last entries that are shown where not all fit, and their part of the room.
_N_LAST, _LAST_SHARE = 2, 6
#: Sets up to this length are sorted, as Python's own displays do.
_MAX_SORTED = 10_000
#: Texts up to this length are measured, longer ones by a sample.
_MAX_MEASURED = 1_000_000

_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))


@dataclass(frozen=True)
class Written:
    """``text``, and about how many bytes the whole has; ``is_cut`` where that is not the text."""

    text: str
    n_bytes_whole: int
    is_cut: bool = False
    #: Nothing of the value itself is there.
    is_scrap: bool = False


@dataclass(frozen=True)
class _Shape:
    """How a collection is written.

    Attributes
    ----------
    first, last : callable
        Iterates over the entries; over the last ones in their order, where they can be reached.
    marks : tuple of str
        What stands before the first entry and behind the last one.
    """

    length: int
    first: Callable[[], Iterable[Any]]
    marks: tuple[str, str]
    last: Callable[[], Iterable[Any]] | None = None
    is_pairs: bool = False
    is_fields: bool = False


def n_bytes(text: str) -> int:
    """Return the bytes of a text in UTF-8; about, where it is very long."""
    if len(text) <= _MAX_MEASURED:
        return len(text.encode(errors="replace"))
    sample = text[: _MAX_MEASURED // 2] + text[-_MAX_MEASURED // 2 :]
    return len(sample.encode(errors="replace")) * len(text) // len(sample)


def beginning(text: str, room: int) -> str:
    """Return the beginning of a text that fits into so many bytes."""
    head = text[: max(0, room)]
    while head and (size := n_bytes(head)) > room:
        head = head[: len(head) * room // size]
    return head


def kind_of(value: object) -> str:
    """Return the name of a value's type, cut where it is long."""
    name = type(value).__name__
    return name if len(name) <= 30 else f"{beginning(name, 27)}…"


def written(value: object, room: int) -> Written:
    """Return the ``repr`` of a value in at most ``room`` bytes, which are 60 or more.

    A collection or text that is cut has its type and length in front.
    """
    leaves: _Leaves = {}
    try:
        return _Writer(leaves, is_whole=True).write(value, room, _MAX_WHOLE_LEVEL)
    except (_TooLong, RecursionError):
        head = _head_of(value)
        left = room - n_bytes(head) - 2
        done = _Writer(leaves, is_whole=False).write(value, left, _MAX_LEVEL)
        text = f"{head}: {done.text}" if head else done.text
        if n_bytes(text) > room:
            text = head or f"{beginning(text, room - 3)}…"
        return Written(text, n_bytes(head) + done.n_bytes_whole, is_cut=True)


def _head_of(value: object) -> str:
    shape = _shape_of(value)
    if shape is not None and not shape.is_fields:
        length = shape.length
    elif isinstance(value, bytes | bytearray):
        length = len(value)
    else:
        return ""
    return f"{kind_of(value)} of length {length:,}"


class _TooLong(Exception):
    """Not all of it fits."""


#: Values and what their ``repr`` gave: a slow one is called once. Kept, so that no id is reused.
_Leaves = dict[int, tuple[object, str]]


class _Writer:
    """Writes one value; ``is_whole``: all of it, or :class:`_TooLong`."""

    def __init__(self, leaves: _Leaves, *, is_whole: bool) -> None:
        self._leaves = leaves
        self._is_whole = is_whole
        self._open: set[int] = set()

    def write(self, value: object, room: int, level: int) -> Written:
        shape = _shape_of(value)
        done = (
            self._leaf(value, room) if shape is None else self._entered(value, shape, room, level)
        )
        if self._is_whole and (done.is_cut or n_bytes(done.text) > room):
            raise _TooLong
        return done

    def _entered(self, value: object, shape: _Shape, room: int, level: int) -> Written:
        opening, closing = shape.marks
        if id(value) in self._open:
            return Written(f"{opening}...{closing}", 5)
        if level <= 0:
            text = f"{opening}{_left_out(shape.length, shape.length)}{closing}"
            return Written(text, max(n_bytes(text), 3 * shape.length), is_cut=True)
        self._open.add(id(value))
        try:
            return self._collection(shape, room, level)
        finally:
            self._open.discard(id(value))

    def _collection(self, shape: _Shape, room: int, level: int) -> Written:
        opening, closing = shape.marks
        left = room - n_bytes(opening + closing)
        last = [] if self._is_whole else self._last(shape, left, level)
        left -= sum(n_bytes(each.text) + 2 for each in last)
        # A note says how many are missing.
        note = 0 if self._is_whole else n_bytes(_left_out(shape.length, shape.length)) + 2
        first: list[Written] = []
        n_first = shape.length - len(last)
        for entry in itertools.islice(shape.first(), n_first):
            n_more = n_first - len(first)
            share = 1 if self._is_whole else min(n_more, _SHARE)
            now = left - (note if n_more > 1 else 0)
            # Enough for a short record, as long as there is so much.
            each_room = max(now // share, min(now, _ENTRY_BYTES))
            each = self._entry(shape, entry, each_room, level)
            size = n_bytes(each.text) + 2
            if not self._is_whole and (each.is_scrap or size > now + 2):
                break
            first.append(each)
            left -= size
            if self._is_whole and left < -2:
                raise _TooLong
        return _joined(shape, first, last)

    def _last(self, shape: _Shape, room: int, level: int) -> list[Written]:
        """Return the last entries, but for long ones."""
        if shape.last is None or shape.length <= 2 * _N_LAST:
            return []
        each_room = room // _LAST_SHARE // _N_LAST
        last = [self._entry(shape, entry, each_room, level) for entry in shape.last()]
        return [] if any(each.is_cut or n_bytes(each.text) > each_room for each in last) else last

    def _entry(self, shape: _Shape, entry: Any, room: int, level: int) -> Written:
        if shape.is_fields:
            name, value = entry
            return _behind(f"{name}=", self.write(value, room - len(name) - 1, level - 1))
        if not shape.is_pairs:
            return self.write(entry, room, level - 1)
        key, value = entry
        name = self.write(key, room if self._is_whole else room // 2, level - 1)
        done = self.write(value, room - n_bytes(name.text) - 2, level - 1)
        both = _behind(f"{name.text}: ", done)
        return dataclasses.replace(
            both,
            n_bytes_whole=name.n_bytes_whole + 2 + done.n_bytes_whole,
            is_cut=name.is_cut or done.is_cut,
            is_scrap=name.is_scrap,
        )

    def _leaf(self, value: object, room: int) -> Written:
        if isinstance(value, str | bytes | bytearray):
            return _text_leaf(value, room)
        if isinstance(value, int) and value.bit_length() > max(64, 3 * room):
            # Python itself takes minutes over a million digits, or refuses.
            n_digits = value.bit_length() * 30103 // 100_000
            return Written(f"<{kind_of(value)} with about {n_digits:,} digits>", n_digits, True)
        if id(value) not in self._leaves:
            self._leaves[id(value)] = (value, own_repr(value))
        text = self._leaves[id(value)][1]
        size = n_bytes(text)
        if size <= room:
            return Written(text, size)
        note = _left_out(len(text), len(text), " characters")
        head = beginning(text, room - n_bytes(note))
        return Written(
            head + _left_out(len(text) - len(head), len(text), " characters"), size, True
        )


def own_repr(value: object) -> str:
    """Return what ``repr`` gives, or what it failed with.

    Raises
    ------
    KeyboardInterrupt
        The person has waited long enough.
    """
    numpy = sys.modules.get("numpy")
    try:
        if numpy is None or not isinstance(value, numpy.ndarray):
            return repr(value)
        # Some let numpy print every number of an array, which takes minutes.
        with numpy.printoptions(threshold=1000, edgeitems=3):
            return repr(value)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        # Also SystemExit: a value that is only shown ends nothing.
        return f"<{kind_of(value)} whose repr raised {kind_of(error)}>"


def _behind(head: str, done: Written) -> Written:
    size = n_bytes(head)
    return dataclasses.replace(done, text=head + done.text, n_bytes_whole=size + done.n_bytes_whole)


def _joined(shape: _Shape, first: list[Written], last: list[Written]) -> Written:
    opening, closing = shape.marks
    shown = [*first, *last]
    n_left_out = shape.length - len(shown)
    gap = [_left_out(n_left_out, shape.length)] if n_left_out > 0 else []
    inner = ", ".join([*(each.text for each in first), *gap, *(each.text for each in last)])
    text = f"{opening}{inner}{closing}"
    if not gap and not any(each.is_cut for each in shown):
        return Written(text, n_bytes(text))
    whole = sum(each.n_bytes_whole + 2 for each in shown)
    if gap:
        whole = whole * shape.length // len(shown) if shown else 3 * shape.length
    return Written(text, max(whole, n_bytes(text) + 1), is_cut=True, is_scrap=not shown)


def _left_out(n_left_out: int, n_all: int, what: str = "") -> str:
    return f"… {n_left_out:,} of {n_all:,}{what} left out …"


def _text_leaf(value: str | bytes | bytearray, room: int) -> Written:
    if len(value) <= room and n_bytes(text := repr(value)) <= room:
        return Written(text, n_bytes(text))
    what = " characters" if isinstance(value, str) else " bytes"
    room_of_text = room - n_bytes(_left_out(len(value), len(value), what))
    n_kept = max(0, room_of_text - 3)
    text = repr(value[:n_kept])
    # Signs that are escaped or not ASCII take more room.
    while n_kept and (size := n_bytes(text)) > room_of_text:
        n_kept = min(n_kept - 1, n_kept * room_of_text // size)
        text = repr(value[:n_kept])
    note = _left_out(len(value) - n_kept, len(value), what)
    if not n_kept:
        return Written(note, len(value) + 3, is_cut=True, is_scrap=True)
    return Written(text + note, n_bytes(text) * len(value) // n_kept, is_cut=True)


# --- what is a collection ---------------------------------------------------------------------


def _shape_of(value: Any) -> _Shape | None:
    """Return how a collection is written; ``None`` for what is written by its own ``repr``."""
    kind = type(value)
    own: Any = kind.__repr__
    base, make = _MAKERS.get(own, (None, None)) if callable(own) else (None, None)
    if base is not None and make is not None and isinstance(value, base):
        shape: _Shape = make(value)
        # An empty one has a display of its own: set(), deque([]).
        return shape if shape.length else None
    fields = _fields_of(value, own)
    if not fields:
        return None
    return _Shape(len(fields), lambda: fields, (f"{kind_of(value)}(", ")"), is_fields=True)


def _fields_of(value: Any, own: Any) -> list[tuple[str, Any]]:
    """Return the fields of a record whose ``repr`` nobody wrote by hand."""
    if own is SimpleNamespace.__repr__:
        return list(vars(value).items())
    code = getattr(inspect.unwrap(own) if inspect.isfunction(own) else own, "__code__", None)
    if code is None:
        return []
    if dataclasses.is_dataclass(value) and code.co_filename == "<string>":
        # What a dataclass generates comes from no file, and from no cell.
        names = [field.name for field in dataclasses.fields(value) if field.repr]
        return [(name, getattr(value, name, None)) for name in names]
    if isinstance(value, tuple) and own.__module__ == "collections":
        return list(zip(getattr(value, "_fields", ()), value, strict=False))
    return []


def _of_sequence(value: Any, opening: str, closing: str) -> _Shape:
    def last() -> list[Any]:
        return [value[place] for place in range(-_N_LAST, 0)]

    return _Shape(len(value), lambda: iter(value), (opening, closing), last)


def _of_tuple(value: tuple[Any, ...]) -> _Shape:
    return _of_sequence(value, "(", ",)" if len(value) == 1 else ")")


def _of_deque(value: deque[Any]) -> _Shape:
    end = "])" if value.maxlen is None else f"], maxlen={value.maxlen})"
    return _of_sequence(value, f"{kind_of(value)}([", end)


def _of_array(value: array[Any]) -> _Shape:
    return _of_sequence(value, f"array({value.typecode!r}, [", "])")


def _of_set(value: set[Any] | frozenset[Any]) -> _Shape:
    def first() -> Iterator[Any]:
        try:
            return iter(sorted(value) if len(value) <= _MAX_SORTED else value)
        except TypeError:
            return iter(value)

    is_plain = type(value) is set
    marks = ("{", "}") if is_plain else (f"{kind_of(value)}({{", "})")
    return _Shape(len(value), first, marks)


def _of_dict(value: dict[Any, Any]) -> _Shape:
    marks = ("{", "}")
    if isinstance(value, defaultdict):
        marks = (f"{kind_of(value)}({own_repr(value.default_factory)}, {{", "})")
    elif type(value).__repr__ is not dict.__repr__:
        marks = (f"{kind_of(value)}({{", "})")
    items: Any = value.items()
    return _Shape(len(value), lambda: iter(items), marks, lambda: _last_of(items), is_pairs=True)


def _of_view(value: Any) -> _Shape:
    marks = (f"{kind_of(value)}([", "])")
    return _Shape(len(value), lambda: iter(value), marks, lambda: _last_of(value))


def _last_of(items: Any) -> list[Any]:
    return list(itertools.islice(reversed(items), _N_LAST))[::-1]


#: By the ``repr`` in use: a subclass with one of its own is shown by that.
_MAKERS: dict[Any, tuple[type, Callable[[Any], _Shape]]] = {
    list.__repr__: (list, lambda value: _of_sequence(value, "[", "]")),
    tuple.__repr__: (tuple, _of_tuple),
    deque.__repr__: (deque, _of_deque),
    array.__repr__: (array, _of_array),
    **dict.fromkeys([set.__repr__, frozenset.__repr__], (object, _of_set)),
    **{kind.__repr__: (dict, _of_dict) for kind in (dict, OrderedDict, defaultdict, Counter)},
    **{view.__repr__: (view, _of_view) for view in _VIEWS},
}
