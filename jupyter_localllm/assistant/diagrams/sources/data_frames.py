"""DataFrames as an ER diagram: their columns, keys, and relations guessed from names and values.

Works on what a frame answers to, pandas or polars, and imports neither. Called through
``from_data.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ....errors import InvalidParameter
from .er_diagram import MAX_TABLES, Column, Relation, Table, er_source
from .mermaid_text import SourceDiagram, checked_direction, visible

#: Looking at each value of longer columns would be felt.
_MAX_ROWS = 2_000_000


@dataclass(slots=True)
class _Series:
    """One column of a frame, or a named level of its index."""

    name: str
    type: str
    values: Any
    n_missing: int
    is_index: bool = False


@dataclass(slots=True)
class _Frame:
    name: str
    n_rows: int
    series: list[_Series]
    #: Place of the key in ``series``.
    key: int | None = None


def diagram_of_frames(frames: Mapping[str, Any], *, direction: str | None = None) -> SourceDiagram:
    """Draw DataFrames as tables.

    Parameters
    ----------
    frames : mapping of str to DataFrame
        By the names that the tables shall have. pandas or polars; a Series is a table of one
        column.
    direction : str, optional
        ``TB``, ``TD``, ``BT``, ``LR`` or ``RL``.

    Returns
    -------
    SourceDiagram
        A key is a column named ``id``, ``<table>_id`` or alike whose values are all there and
        differ. A relation is guessed where the name of a column says so and all its values are
        in the other table's key; the notes name each guess.

    Raises
    ------
    InvalidParameter
        There is no frame, or one of them is not a DataFrame.
    """
    direction = checked_direction(direction)
    if not frames:
        raise InvalidParameter("There is no DataFrame to draw.", "Name one or more of them.")
    read = [_read(str(name), frame) for name, frame in list(frames.items())[:MAX_TABLES]]
    for frame in read:
        frame.key = _key(frame)
    notes: list[str] = []
    relations = list(_guessed_relations(read, notes))
    tables = [_table(frame) for frame in read]
    for relation, column in relations:
        tables[relation.child].columns[column].is_foreign = True
    source, left_out = er_source(tables, [relation for relation, _ in relations], direction)
    if n_left_out := len(frames) - len(read):
        left_out.append(f"{n_left_out} of the {len(frames)} DataFrames are left out.")
    names = ", ".join(visible(frame.name) for frame in read[:5])
    title = f"Columns of {names}" + (" and more" if len(read) > 5 else "")
    return SourceDiagram(source, title, (*notes, *left_out))


def _read(name: str, frame: Any) -> _Frame:
    if not hasattr(frame, "columns") and hasattr(frame, "to_frame"):
        frame = frame.to_frame()
    try:
        if hasattr(frame, "get_columns"):
            series = [_polars_series(column) for column in frame.get_columns()]
        else:
            series = [*_index_levels(frame), *_pandas_series(frame)]
        return _Frame(name, len(frame), series)
    except (AttributeError, TypeError):
        raise InvalidParameter(
            f"{name} is not a DataFrame: it is a {type(frame).__name__}.",
            "Name a DataFrame of pandas or polars, or an SQLite file.",
            param="frames",
        ) from None


def _polars_series(column: Any) -> _Series:
    # Datetime(time_unit='us', time_zone=None) says enough with its first word.
    kind = str(column.dtype).split("(")[0]
    return _Series(_name(column.name), kind, column, int(column.null_count()))


def _pandas_series(frame: Any) -> Iterator[_Series]:
    kinds = list(frame.dtypes)
    for i, name in enumerate(frame.columns):
        # By place: names may occur twice.
        values = frame.iloc[:, i]
        yield _Series(_name(name), str(kinds[i]), values, int(values.isna().sum()))


def _index_levels(frame: Any) -> Iterator[_Series]:
    """Yield the levels of the index that have a name; the others only count rows."""
    index = frame.index
    for i, name in enumerate(index.names):
        if name is not None:
            values = index.get_level_values(i)
            n_missing = int(values.isna().sum())
            yield _Series(_name(name), str(values.dtype), values, n_missing, is_index=True)


def _name(name: Any) -> str:
    """Return the name of a column as text; the parts of a column of several levels are joined."""
    try:
        if isinstance(name, tuple):
            return ".".join(str(part) for part in name if str(part))
        return str(name)
    except Exception:  # somebody's own __str__
        return type(name).__name__


def _words(frame: _Frame) -> set[str]:
    """Return the table's name, in small letters, as a column of another table would say it."""
    name = _plain(frame.name)
    found = {name}
    # df_students, students_df.
    found.add(re.sub(r"^(?:df|tbl|table)_|_(?:df|frame|table|data)$", "", name))
    for word in list(found):
        if word.endswith("ies"):
            found.add(word[:-3] + "y")
        if word.endswith(("ses", "xes", "ches", "shes")):
            found.add(word[:-2])
        if word.endswith("s"):
            found.add(word[:-1])
    return found - {""}


def _plain(name: str) -> str:
    """Return ``studentId``, ``Student ID`` and ``student-id`` as ``student_id``."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[\W_]+", "_", spaced).strip("_").lower()


def _key(frame: _Frame) -> int | None:
    """Return the place of the column that names the rows."""
    names = ["id", *(f"{word}_id" for word in sorted(_words(frame)))]
    names += [f"{word}_key" for word in sorted(_words(frame))]
    names += ["key", "uuid"]
    levels = [series for series in frame.series if series.is_index]
    by_name = {_plain(series.name): i for i, series in reversed(list(enumerate(frame.series)))}
    places = [by_name[name] for name in names if name in by_name]
    # An index that was given a name was chosen to name the rows.
    places += [0] if len(levels) == 1 else []
    # A table that only refers to others, by one column.
    places += [i for name, i in by_name.items() if name.endswith("_id") and i not in places]
    for place in places:
        series = frame.series[place]
        if frame.n_rows and not series.n_missing and _is_unique(series, frame.n_rows):
            return place
    return None


def _is_unique(series: _Series, n_rows: int) -> bool:
    """Tell whether all values differ; ``False`` too where they cannot be compared."""
    if n_rows > _MAX_ROWS:
        return False
    with suppress(Exception):  # lists and other values that have no hash
        values = series.values
        if hasattr(values, "is_unique") and not callable(values.is_unique):
            return bool(values.is_unique)
        return bool(values.n_unique() == n_rows)
    return False


def _guessed_relations(frames: list[_Frame], notes: list[str]) -> Iterator[tuple[Relation, int]]:
    """Yield relations with the place of the column in the child."""
    for child, frame in enumerate(frames):
        if frame.n_rows > _MAX_ROWS:
            notes.append(
                f"{visible(frame.name)} has more than {_MAX_ROWS:,} rows: "
                "no keys and relations were looked for."
            )
            continue
        for place, series in enumerate(frame.series):
            for parent, other in enumerate(frames):
                if parent == child and place == frame.key:
                    continue
                found = _guess(frames, child, place, parent)
                if found is not None:
                    key = other.series[other.key or 0]
                    notes.append(
                        f"Guessed from names and values: {visible(frame.name)}."
                        f"{visible(series.name)} refers to "
                        f"{visible(other.name)}.{visible(key.name)}."
                    )
                    yield found, place
                    break


def _guess(frames: list[_Frame], child: int, place: int, parent: int) -> Relation | None:
    """Return the relation of a column to another table's key, or nothing."""
    frame, other = frames[child], frames[parent]
    if other.key is None:
        return None
    series, key = frame.series[place], other.series[other.key]
    name, key_name = _plain(series.name), _plain(key.name)
    says_so = any(name in (f"{word}_id", f"{word}_key", word) for word in _words(other))
    if parent == child:
        # A manager is an employee: nothing in the name says so but "parent".
        says_so = name in {"parent_id", "parent"}
    elif name == key_name and name not in {"id", "key", "uuid", "index"}:
        # Of two tables with the same key, the one that is named after it comes first.
        is_named = any(name.startswith(f"{word}_") for word in _words(other))
        own = any(name.startswith(f"{word}_") for word in _words(frame))
        says_so = is_named or not (own or (place == frame.key and child < parent))
    n_present = frame.n_rows - series.n_missing
    if not says_so or not n_present:
        return None
    contained = _is_within(series.values, key.values)
    if not contained:
        return None
    return Relation(
        parent,
        child,
        visible(series.name),
        is_optional=series.n_missing > 0,
        is_one_to_one=series.n_missing == 0 and _is_unique(series, frame.n_rows),
        is_total=_is_within(key.values, series.values),
        is_guess=True,
    )


def _is_within(values: Any, others: Any) -> bool:
    """Tell whether each value that is there is one of the others."""
    with suppress(Exception):  # values that cannot be compared or have no hash
        if hasattr(values, "is_in"):
            return bool(values.drop_nulls().is_in(others.implode()).all())
        present = values.dropna()
        return bool(present.isin(others).all())
    return False


def _table(frame: _Frame) -> Table:
    columns = []
    for i, series in enumerate(frame.series):
        said = ["index"] if series.is_index else []
        if series.n_missing:
            said.append(f"{series.n_missing:,} missing")
        columns.append(
            Column(series.name, series.type, is_primary=i == frame.key, comment=", ".join(said))
        )
    rows = "1 row" if frame.n_rows == 1 else f"{frame.n_rows:,} rows"
    return Table(frame.name, columns, rows)
