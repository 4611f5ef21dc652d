"""Tables and their relations as a Mermaid ER diagram.

``data_frames.py`` and ``sqlite_schema.py`` find the tables; this writes them with names that
Mermaid accepts. A name of a column is one word of few kinds of characters there, so another name
becomes such a word, and the comment beside it says the name as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .mermaid_text import is_short_enough, label, visible

#: More than these are not read, and cost time to lay out.
MAX_TABLES = 40
MAX_COLUMNS = 40
MAX_RELATIONS = 100
_NAME_LENGTH = 40
_COMMENT_LENGTH = 60

#: The grammar's words for keys, which no name may begin with.
_KEY = re.compile(r"(?:pk|fk|uk)(?![A-Za-z0-9_])", re.I)
_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9_.\u00C0-\U0010FFFF-]+")
_NOT_IN_TYPE = re.compile(r"[^A-Za-z0-9_.,\[\]()\u00C0-\U0010FFFF-]+")
_BEGINNING = re.compile(r"[A-Za-z_\u00C0-\U0010FFFF]")


@dataclass(slots=True)
class Column:
    """One column; ``comment`` says what else is known of it."""

    name: str
    type: str
    is_primary: bool = False
    is_foreign: bool = False
    is_unique: bool = False
    comment: str = ""


@dataclass(slots=True)
class Table:
    """One table; ``detail`` stands behind its name: its rows, or that it is a view."""

    name: str
    columns: list[Column]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Relation:
    """Rows of ``child`` name one row of ``parent``.

    Attributes
    ----------
    parent, child : int
        Places in the list of tables.
    is_optional : bool
        A row of the child may name none.
    is_one_to_one : bool
        No two rows of the child name the same.
    is_total : bool
        Each row of the parent is named by one of the child at least.
    is_guess : bool
        Found from names and values; drawn with dots.
    """

    parent: int
    child: int
    label: str
    is_optional: bool = False
    is_one_to_one: bool = False
    is_total: bool = False
    is_guess: bool = False


def er_source(
    tables: Sequence[Table], relations: Sequence[Relation], direction: str | None = None
) -> tuple[str, list[str]]:
    """Return the Mermaid text and notes on what was left out of it."""
    notes: list[str] = []
    lines = ["erDiagram"]
    if direction:
        lines.append(f"    direction {direction}")
    n_tables = min(len(tables), MAX_TABLES)
    if len(tables) > n_tables:
        n_left_out = len(tables) - n_tables
        are = "table is" if n_left_out == 1 else "tables are"
        notes.append(f"{n_left_out} {are} left out for want of room.")
    ends = [
        "    " + _relation_line(relation)
        for relation in relations
        if max(relation.parent, relation.child) < n_tables
    ]
    if len(ends) > MAX_RELATIONS:
        notes.append(f"{len(ends) - MAX_RELATIONS} relations are left out for want of room.")
    ends = ends[:MAX_RELATIONS]
    for max_columns in (MAX_COLUMNS, 20, 10, 5, 2):
        said: list[str] = []
        drawn = lines + [
            line
            for i, table in enumerate(tables[:n_tables])
            for line in _table_lines(f"t{i}", table, max_columns, said)
        ]
        if is_short_enough(drawn + ends):
            break
    return "\n".join(drawn + ends) + "\n", notes + said


def _table_lines(word: str, table: Table, max_columns: int, notes: list[str]) -> list[str]:
    title = label(table.name, _NAME_LENGTH)
    if table.detail:
        title += f" ({label(table.detail)})"
    lines = [f'    {word}["{title}"] {{']
    shown = _shown_columns(table.columns, max_columns)
    taken: set[str] = set()
    for column in shown:
        lines.append("        " + _column_line(column, taken))
    if n_left_out := len(table.columns) - len(shown):
        are = "column is" if n_left_out == 1 else "columns are"
        lines.append(f'        etc and_{n_left_out}_more "{n_left_out} {are} not shown"')
        name = visible(table.name)[:_NAME_LENGTH]
        notes.append(f"{n_left_out} {are} left out of {name}, for want of room.")
    lines.append("    }")
    return lines


def _shown_columns(columns: list[Column], max_columns: int) -> list[Column]:
    """Return the columns that have room: the keys first of all, in the table's order."""
    if len(columns) <= max_columns:
        return columns
    keys = [i for i, column in enumerate(columns) if column.is_primary or column.is_foreign]
    others = [i for i in range(len(columns)) if i not in set(keys)]
    return [columns[i] for i in sorted((keys + others)[: max_columns - 1])]


def _column_line(column: Column, taken: set[str]) -> str:
    name = _word(column.name, _NOT_IN_NAME, taken)
    kind = _word(column.type, _NOT_IN_TYPE) if column.type.strip() else "any"
    # With a name like LR behind it, this would be a statement.
    kind = f"{kind}_" if kind.lower().endswith("direction") else kind
    marks = [
        mark
        for mark, is_set in (
            ("PK", column.is_primary),
            ("FK", column.is_foreign),
            ("UK", column.is_unique and not column.is_primary),
        )
        if is_set
    ]
    said = [column.comment] if column.comment else []
    if name != column.name:
        said.insert(0, f"= {column.name}" if column.name.strip() else "no name")
    comment = f' "{label("; ".join(said), _COMMENT_LENGTH)}"' if said else ""
    keys = f" {', '.join(marks)}" if marks else ""
    return f"{kind} {name}{keys}{comment}"


def _word(text: str, others: re.Pattern[str], taken: set[str] | None = None) -> str:
    """Return the text as one word of the grammar, of which the table has no other."""
    line = visible(text)
    word = others.sub("_", line)[:_NAME_LENGTH]
    # Underscores on both sides are read as emphasis.
    word = word.rstrip("_-.") if word != line or word.startswith("_") else word
    if not word.strip("_-."):
        word = "column"
    if not _BEGINNING.match(word):
        word = f"_{word}"
    if _KEY.match(word):
        word = f"{word[:2]}_{word[2:]}".rstrip("-.")
    if taken is None:
        return word
    free, n = word, 2
    while free in taken:
        free, n = f"{word}_{n}", n + 1
    taken.add(free)
    return free


def _relation_line(relation: Relation) -> str:
    parent = "|o" if relation.is_optional else "||"
    if relation.is_one_to_one:
        child = "||" if relation.is_total else "o|"
    else:
        child = "|{" if relation.is_total else "o{"
    line = ".." if relation.is_guess else "--"
    text = label(relation.label, _NAME_LENGTH)
    return f't{relation.parent} {parent}{line}{child} t{relation.child} : "{text}"'
