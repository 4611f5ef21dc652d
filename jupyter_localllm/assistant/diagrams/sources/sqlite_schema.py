"""The tables of an SQLite file as an ER diagram.

The file is opened for reading only, and only its schema is read. Called through ``from_data.py``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from ....errors import DiagramInvalid, NotFound
from .er_diagram import MAX_TABLES, Column, Relation, Table, er_source
from .mermaid_text import SourceDiagram, checked_direction

_HEADER = b"SQLite format 3\0"
#: A lock of another program is waited for so long.
_TIMEOUT_S = 2.0


@dataclass(slots=True)
class _ForeignKey:
    parent: str
    columns: list[str] = field(default_factory=list)
    parent_columns: list[str | None] = field(default_factory=list)


@dataclass(slots=True)
class _Schema:
    """What SQLite says of one table."""

    name: str
    is_view: bool
    columns: list[Column] = field(default_factory=list)
    not_null: set[str] = field(default_factory=set)
    primary: list[str] = field(default_factory=list)
    unique: list[frozenset[str]] = field(default_factory=list)
    foreign: list[_ForeignKey] = field(default_factory=list)


def diagram_of_sqlite(path: Path, *, direction: str | None = None) -> SourceDiagram:
    """Draw the tables, views and foreign keys of an SQLite file.

    Parameters
    ----------
    path : Path
        A database file; it is opened for reading only.
    direction : str, optional
        ``TB``, ``TD``, ``BT``, ``LR`` or ``RL``.

    Raises
    ------
    NotFound
        There is no such file.
    DiagramInvalid
        It is not an SQLite database, is encrypted or damaged, cannot be read, or has no tables.
    """
    direction = checked_direction(direction)
    path = Path(path)
    _check_header(path)
    notes: list[str] = []
    try:
        schemas = _read(path, "mode=ro", notes)
    except sqlite3.OperationalError as error:
        # A file of a read-only folder in WAL mode cannot have the files beside it that reading
        # takes; where nobody can write, it can be read as it stands.
        if "unable to open" not in str(error) and "readonly" not in str(error):
            raise _unreadable(path, error) from None
        try:
            schemas = _read(path, "mode=ro&immutable=1", notes)
        except sqlite3.Error as second:
            raise _unreadable(path, second) from None
    except sqlite3.Error as error:
        raise _unreadable(path, error) from None
    if not schemas:
        raise DiagramInvalid(
            f"The database {path.name} has no tables.",
            "Draw a database that has some.",
            details={"kind": "sqlite", "reason": "no tables"},
        )
    relations = list(_relations(schemas, notes))
    tables = [
        Table(schema.name, schema.columns, "view" if schema.is_view else "") for schema in schemas
    ]
    source, left_out = er_source(tables, relations, direction)
    return SourceDiagram(source, f"Tables of {path.name}", (*notes, *left_out))


def database_uri(path: Path, options: str) -> str:
    """Return the ``file:`` address of a database, with everything quoted that URIs give a meaning.

    On Windows the drive stands behind one slash (``file:///C:/…``), and a share keeps its two.
    """
    name = str(path.absolute())
    if _is_windows(path):
        name = name.replace("\\", "/")
    slash = "" if name.startswith("/") else "/"
    return f"file://{slash}{quote(name, safe='/:')}?{options}"


def _is_windows(path: Path) -> bool:
    return path.drive != ""


def _check_header(path: Path) -> None:
    try:
        with path.open("rb") as file:
            header = file.read(len(_HEADER))
    except FileNotFoundError:
        raise NotFound(
            f"There is no file {path.name}.", "Check its name and the folder of the notebook."
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DiagramInvalid(
            f"The file {path.name} cannot be read: {reason}.",
            "Name an SQLite file that can be read.",
            details={"kind": "sqlite", "reason": reason},
        ) from None
    if header != _HEADER:
        what = "is empty" if not header else "is not an SQLite database, or it is encrypted"
        raise DiagramInvalid(
            f"The file {path.name} {what}.",
            "Name an SQLite file that is not encrypted.",
            details={"kind": "sqlite", "reason": "not a database"},
        )


def _unreadable(path: Path, error: sqlite3.Error) -> DiagramInvalid:
    return DiagramInvalid(
        f"The database {path.name} cannot be read: {error}.",
        "It may be damaged, encrypted or locked by another program; draw a copy of it.",
        details={"kind": "sqlite", "reason": str(error)},
    )


def _read(path: Path, options: str, notes: list[str]) -> list[_Schema]:
    uri = database_uri(path, options)
    with closing(sqlite3.connect(uri, uri=True, timeout=_TIMEOUT_S)) as connection:
        # Names of other encodings must not end the reading.
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        rows = connection.execute(
            "SELECT name, type, sql FROM sqlite_master WHERE type IN ('table', 'view') "
            "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY type, rowid"
        ).fetchall()
        virtual = [
            name
            for name, _, sql in rows
            if str(sql or "").lstrip().upper().startswith("CREATE VIRTUAL")
        ]
        schemas = []
        for name, kind, _sql in rows:
            # Full-text search keeps its own tables beside the one that was made.
            if any(name.startswith(f"{owner}_") for owner in virtual):
                continue
            schema = _Schema(name, kind == "view")
            schemas.append(schema)
            if len(schemas) <= MAX_TABLES:
                try:
                    _describe(connection, schema)
                except sqlite3.OperationalError as error:
                    # A view on a table that is gone, or a virtual table of a missing module.
                    notes.append(f"The columns of {name} are not known: {error}.")
        return schemas


def _describe(connection: sqlite3.Connection, schema: _Schema) -> None:
    name = schema.name
    keys: dict[int, str] = {}
    for row in connection.execute("SELECT * FROM pragma_table_xinfo(?)", (name,)):
        _cid, column, kind, not_null, default, key, hidden = row
        if hidden == 1:
            continue
        said = []
        if not_null and not key:
            schema.not_null.add(column)
        elif not key and not schema.is_view:
            said.append("nullable")
        if default is not None:
            said.append(f"default {default}")
        if hidden in (2, 3):
            said.append("computed")
        schema.columns.append(
            Column(column, str(kind or ""), is_primary=bool(key), comment=", ".join(said))
        )
        if key:
            keys[key] = column
            schema.not_null.add(column)
    schema.primary = [keys[i] for i in sorted(keys)]
    for _seq, index, unique, _origin, partial in connection.execute(
        "SELECT * FROM pragma_index_list(?)", (name,)
    ):
        if unique and not partial:
            of_index = connection.execute("SELECT name FROM pragma_index_info(?)", (index,))
            names = [column for (column,) in of_index]
            # An index on an expression has no name of a column.
            if None not in names:
                schema.unique.append(frozenset(names))
    if schema.primary:
        schema.unique.append(frozenset(schema.primary))
    _describe_foreign(connection, schema)
    by_name = {column.name: column for column in schema.columns}
    for key in schema.unique:
        if len(key) == 1 and (found := by_name.get(next(iter(key)))):
            found.is_unique = True
    for foreign in schema.foreign:
        for column in foreign.columns:
            if column in by_name:
                by_name[column].is_foreign = True


def _describe_foreign(connection: sqlite3.Connection, schema: _Schema) -> None:
    keys: dict[int, _ForeignKey] = {}
    rows = connection.execute(
        'SELECT id, "table", "from", "to" FROM pragma_foreign_key_list(?) ORDER BY id DESC, seq',
        (schema.name,),
    )
    for key, parent, column, parent_column in rows:
        foreign = keys.setdefault(key, _ForeignKey(parent))
        foreign.columns.append(column)
        foreign.parent_columns.append(parent_column)
    schema.foreign = list(keys.values())


def _relations(schemas: list[_Schema], notes: list[str]) -> Iterator[Relation]:
    # Names of tables do not differ by case in SQLite.
    places = {schema.name.lower(): i for i, schema in enumerate(schemas)}
    for child, schema in enumerate(schemas):
        for foreign in schema.foreign:
            parent = places.get(foreign.parent.lower())
            columns = ", ".join(foreign.columns)
            if parent is None:
                notes.append(
                    f"{schema.name} ({columns}) refers to {foreign.parent}, which is not there."
                )
                continue
            own = {column.lower() for column in foreign.columns}
            yield Relation(
                parent,
                child,
                columns,
                is_optional=not own <= {column.lower() for column in schema.not_null},
                is_one_to_one=any({c.lower() for c in key} <= own for key in schema.unique),
            )
