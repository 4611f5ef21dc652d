"""Values as texts: whole where they fit, else their kind, their true length and some entries."""

from __future__ import annotations

import dataclasses
import sys
import tracemalloc
from array import array
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_localllm.magics.values.value_text import text_of, tokens_of

pd = pytest.importorskip("pandas")

BUDGET = 100
Pair = namedtuple("Pair", "a b")


@dataclasses.dataclass
class Record:
    name: str
    values: Any = None


class Named(list[int]):
    """A list with no repr of its own."""


class Raising:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __repr__(self) -> str:
        raise self.error


# --- collections that do not fit ----------------------------------------------------------------


@pytest.mark.parametrize("budget", [20, 100, 1000])
@pytest.mark.parametrize(
    ("value", "length"),
    [
        (list(range(5000)), "list of length 5,000"),
        (tuple(range(5000)), "tuple of length 5,000"),
        (dict.fromkeys(range(3000)), "dict of length 3,000"),
        (set(range(2000)), "set of length 2,000"),
        (frozenset(range(2000)), "frozenset of length 2,000"),
        (deque(range(5000), 6000), "deque of length 5,000"),
        (OrderedDict.fromkeys(range(5000)), "OrderedDict of length 5,000"),
        (defaultdict(list, {n: [n] for n in range(5000)}), "defaultdict of length 5,000"),
        (Counter(range(5000)), "Counter of length 5,000"),
        (dict.fromkeys(range(5000)).keys(), "dict_keys of length 5,000"),
        (array("i", range(5000)), "array of length 5,000"),
        (b"\0a" * 10**6, "bytes of length 2,000,000"),
        (Named(range(5000)), "Named of length 5,000"),
        ([{"n": n, "all": list(range(n))} for n in range(2000)], "list of length 2,000"),
        ([[list(range(1000))] * 1000] * 1000, "list of length 1,000"),
        (["x" * 10**6] * 5000, "list of length 5,000"),
        (["日本語"] * 5000, "list of length 5,000"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_long_collection_is_not_three_dots(value: Any, length: str, budget: int) -> None:
    """Seen: ``...`` was all that was sent of a list of 5,000 numbers."""
    shown = text_of(value, budget)
    assert tokens_of(shown.text) <= budget
    assert shown.text.startswith(length)
    assert shown.n_tokens_whole > budget
    if budget == 1000:
        assert tokens_of(shown.text) > budget // 2


def test_the_first_and_the_last_entries_are_there() -> None:
    text = text_of(list(range(5000)), BUDGET).text
    assert text.startswith("list of length 5,000: [0, 1, 2, 3, ")
    assert text.endswith(" of 5,000 left out …, 4998, 4999]")
    text = text_of({f"k{n}": n for n in range(3000)}, BUDGET).text
    assert text.startswith("dict of length 3,000: {'k0': 0, 'k1': 1, ")
    assert text.endswith("'k2998': 2998, 'k2999': 2999}")


def test_a_long_part_of_a_short_collection_says_its_length() -> None:
    text = text_of({"meta": "x", "data": list(range(10**4)), "end": 1}, BUDGET).text
    assert text.startswith("dict of length 3: {'meta': 'x', 'data': [0, 1, 2, ")
    assert " of 10,000 left out …" in text
    assert text.endswith("'end': 1}")


@pytest.mark.parametrize(
    ("value", "begin"),
    [
        (Record("r", list(range(10**6))), "Record(name='r', values=[0, 1, "),
        (Pair(1, list(range(10**6))), "Pair(a=1, b=[0, 1, "),
        (SimpleNamespace(rows=list(range(10**6))), "SimpleNamespace(rows=[0, 1, "),
    ],
)
def test_records_are_cut_field_by_field(value: object, begin: str) -> None:
    shown = text_of(value, BUDGET)
    assert shown.text.startswith(begin)
    assert " of 1,000,000 left out …" in shown.text
    assert tokens_of(shown.text) <= BUDGET < shown.n_tokens_whole


@pytest.mark.parametrize("n_entries", [5000, 10**6])
def test_the_size_of_the_whole_is_told_about_right(n_entries: int) -> None:
    """Seen: always 2,000 tokens, of a million entries too."""
    value = list(range(n_entries))
    whole = tokens_of(repr(value))
    assert whole / 2 < text_of(value, 1000).n_tokens_whole < whole * 2


def test_a_list_of_ten_million_takes_no_time_and_no_memory() -> None:
    value = [None] * 10**7
    tracemalloc.start()
    try:
        shown = text_of(value, 1000)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert shown.text.startswith("list of length 10,000,000: [None, ")
    assert most < 2**20


def test_no_more_entries_are_read_than_can_be_shown() -> None:
    read: list[int] = []

    class Entry:
        def __repr__(self) -> str:
            read.append(1)
            return "e"

    text_of([Entry() for _ in range(100_000)], BUDGET)
    # A slow repr is asked once, also where all of it was tried first.
    assert len(read) < 2 * 3 * BUDGET
    read.clear()
    entry = Entry()
    text_of([entry] * 100_000, BUDGET)
    assert len(read) == 1


# --- everything that fits ---------------------------------------------------------------------

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(), inner)
        | st.sets(st.integers())
        | st.builds(deque, st.lists(inner))
        | st.builds(Record, st.text(), inner)
        | st.builds(lambda entry, n: [entry] * n, inner, st.integers(1, 10**7))
    ),
    max_leaves=30,
)


@given(VALUES, st.integers(20, 200))
def test_any_value_keeps_to_the_budget_and_is_never_only_dots(value: Any, budget: int) -> None:
    shown = text_of(value, budget)
    assert tokens_of(shown.text) <= budget
    if shown.n_tokens_whole == 0:
        # Sets are sorted, so the same signs may stand elsewhere.
        assert sorted(shown.text) == sorted(value if isinstance(value, str) else repr(value))
    else:
        assert "left out" in shown.text or " of length " in shown.text or "digits" in shown.text
        if isinstance(value, list | dict | deque | bytes):
            assert f" of length {len(value):,}" in shown.text


@pytest.mark.parametrize(
    "value",
    [
        *([], {}, set(), (), (1,), frozenset(), deque(), OrderedDict(), defaultdict(list)),
        *({"z": 1, "a": 2}, {3, 1, 2}, {1: {2: [3, (4,)]}}, deque([1], 3), Counter("aab")),
        *(Record("x", [1]), Pair(1, "b"), array("d", [1.5]), 2.5, None, "it's", b"\0"),
        *({1: 2}.keys(), {1: 2}.values(), {1: 2}.items(), range(10**9), Named([1])),
        [10**50, True, -1],
    ],
    ids=repr,
)
def test_a_short_value_is_its_repr(value: object) -> None:
    shown = text_of(value, BUDGET)
    expected = value if isinstance(value, str) else repr(value)
    if isinstance(value, Record):
        expected = "Record(name='x', values=[1])"
    assert (shown.text, shown.n_tokens_whole) == (expected, 0)


def test_a_value_in_itself_is_shown_as_python_does() -> None:
    inner: list[Any] = [1]
    inner.append(inner)
    assert text_of(inner, BUDGET).text == repr(inner)
    own: dict[str, Any] = {}
    own["own"] = own
    assert text_of(own, BUDGET).text == repr(own)
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    assert tokens_of(text_of(deep, BUDGET).text) <= BUDGET


# --- what misbehaves --------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ValueError(), SystemExit(), RecursionError(), GeneratorExit()])
def test_a_value_that_cannot_be_shown_is_no_error(error: BaseException) -> None:
    expected = f"<Raising whose repr raised {type(error).__name__}>"
    assert text_of(Raising(error), BUDGET).text == expected
    assert text_of([Raising(error)], BUDGET).text == f"[{expected}]"


def test_an_interrupt_is_one() -> None:
    for value in (Raising(KeyboardInterrupt()), [Raising(KeyboardInterrupt())]):
        with pytest.raises(KeyboardInterrupt):
            text_of(value, BUDGET)


def test_huge_reprs_and_numbers_are_cut() -> None:
    class Huge:
        def __repr__(self) -> str:
            return "h" * 10**7

    assert tokens_of(text_of(Huge(), BUDGET).text) <= BUDGET
    assert "of 10,000,000 characters left out" in text_of(Huge(), BUDGET).text
    assert text_of(10**100_000, BUDGET).text == "<int with about 100,000 digits>"


def test_a_dictionary_that_changes_meanwhile_is_no_error() -> None:
    changing: dict[object, object] = {}

    class Adds:
        def __repr__(self) -> str:
            changing[object()] = 1
            return "adds"

    changing |= {1: Adds(), 2: 2}
    assert text_of(changing, BUDGET).text == "<dict that cannot be shown: RuntimeError>"


# --- texts, arrays and tables -------------------------------------------------------------------


@pytest.mark.parametrize("budget", [20, 30, 100, 1000])
@pytest.mark.parametrize(
    "value",
    [
        "word " * 5000,
        "日本語" * 3000,
        "a" * 9000 + "語" * 9000,
        "x" * 10**7,
        np.zeros((4000, 30)),
        np.arange(900).reshape(30, 30),
        np.array(["a" * 5000] * 20, dtype=object),
        {"a": {"b": "c" * 10**5}},
    ],
    ids=lambda value: type(value).__name__,
)
def test_long_values_keep_to_the_budget_and_say_so(value: object, budget: int) -> None:
    shown = text_of(value, budget)
    assert tokens_of(shown.text) <= budget
    assert shown.n_tokens_whole > budget


def test_a_text_says_how_much_is_left_out() -> None:
    text = text_of("x" * 10**7, BUDGET).text
    kept = text.count("x")
    assert f"[… {10**7 - kept:,} characters left out …]" in text


def test_an_array_is_not_printed_in_full_because_numpy_would() -> None:
    with np.printoptions(threshold=sys.maxsize):
        for value in (np.zeros(10**6), [np.zeros(10**6)]):
            text = text_of(value, BUDGET).text
            assert "..." in text
            assert "1000000" in text or isinstance(value, list)
    assert text_of(np.arange(3), BUDGET).text.startswith("array of shape (3,), int64\narray([0, 1")


def test_a_table_is_its_shape_columns_and_first_rows() -> None:
    table = pd.DataFrame({"name": ["apple"] * 100_000, "price": np.arange(100_000) / 2})
    shown = text_of(table, BUDGET)
    assert shown.text.startswith("DataFrame with 100,000 rows and 2 columns\nColumns: name (")
    assert "price (float64)" in shown.text
    assert "apple" in shown.text
    assert tokens_of(shown.text) <= BUDGET
    assert shown.n_tokens_whole > 10_000
    assert "All rows" in text_of(table.head(2), BUDGET).text
    assert "1.5" in text_of(table.head(5)["price"], BUDGET).text
    assert text_of(table["price"], BUDGET).text.startswith("Series price with 100,000 values")


def test_a_table_with_a_book_in_a_cell_still_shows_its_rows() -> None:
    shown = text_of(pd.DataFrame({"text": ["w" * 10**6] * 3, "n": [1, 2, 3]}), 1000)
    assert "All rows" in shown.text
    assert tokens_of(shown.text) <= 1000
