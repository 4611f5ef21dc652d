"""Tables in answers: the grammar that makes a model write one, and reading it.

A table is a header and rows of text; a pandas DataFrame is made of it where pandas is there.
Called by ``formats.py``, ``conclusions.py`` and ``last_answer.py``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ...assistant.schemas.checks import document_of, looked_up
from ...errors import AnswerUnusable

_SEPARATOR = re.compile(r"\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*")
_CELL_END = re.compile(r"(?<!\\)\|")
_MIN_COLUMNS, _MAX_COLUMNS = 2, 6
_MAX_ROWS = 30
#: A reference that leads to another one, and that to another.
_MAX_REFERENCES = 8
_NUMBER = re.compile(r"[-+]?(\d{1,3}(,\d{3})+|\d+)?(\.\d+)?([eE][-+]?\d+)?")


@dataclass(frozen=True)
class Table:
    """Column names, and rows of as many cells."""

    columns: list[str]
    rows: list[list[str]]


def table_grammar() -> str:
    """Return GBNF whose every sentence is one Markdown table."""
    rules = ['cell ::= " " [^|\\x00-\\x1F `] [^|\\x00-\\x1F]{0,40} "|"']
    names = []
    for n_columns in range(_MIN_COLUMNS, _MAX_COLUMNS + 1):
        row = '"|"' + " cell" * n_columns + ' "\\n"'
        line = "|" + "---|" * n_columns
        rules.append(f"row{n_columns} ::= {row}")
        rules.append(
            f'table{n_columns} ::= row{n_columns} "{line}\\n" row{n_columns} '
            f"row{n_columns}{{0,{_MAX_ROWS - 1}}}"
        )
        names.append(f"table{n_columns}")
    return "\n".join([f"root ::= {' | '.join(names)}", *rules])


def find_table(markdown: str) -> Table:
    """Return the first table of an answer.

    Raises
    ------
    AnswerUnusable
        There is none.
    """
    lines = markdown.replace("\r\n", "\n").split("\n")
    for number, line in enumerate(lines[1:], start=1):
        header = lines[number - 1]
        if "|" not in header or "-" not in line or not _SEPARATOR.fullmatch(line):
            continue
        columns = _unique(_cells(header))
        if len(_cells(line)) != len(columns):
            continue
        rows: list[list[str]] = []
        for row in lines[number + 1 :]:
            if "|" not in row:
                break
            cells = _cells(row)[: len(columns)]
            rows.append(cells + [""] * (len(columns) - len(cells)))
        return Table(columns, rows)
    raise AnswerUnusable(
        "The answer has no table.", "Ask again with -f table, which leaves the model no other way."
    )


def table_of_json(value: Any, schema: dict[str, Any] | None = None) -> Table:
    """Return the table that a list of JSON objects is.

    Parameters
    ----------
    schema : dict, optional
        Of the value; names the columns where there is no row that does.

    Raises
    ------
    AnswerUnusable
        It is something else.
    """
    rows = value if isinstance(value, list) else [value]
    if not rows:
        return Table(_columns_in(schema or {}), [])
    if not all(isinstance(row, dict) for row in rows):
        raise AnswerUnusable(
            "The answer is no list of objects, so it is no table.",
            "With -f table, the schema must describe an array of objects.",
        )
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return Table(columns, [[_text(row.get(name)) for name in columns] for row in rows])


def _columns_in(schema: dict[str, Any]) -> list[str]:
    """Return the properties of the objects in an array, as far as the schema names them."""
    _, resolver = document_of(schema)
    items = _resolved(schema, resolver).get("items")
    named = _resolved(items, resolver).get("properties")
    return list(named) if isinstance(named, dict) else []


def _resolved(part: Any, resolver: Any) -> dict[str, Any]:
    """Return a part of a schema, which may stand among its definitions."""
    for _ in range(_MAX_REFERENCES):
        reference = part.get("$ref") if isinstance(part, dict) else None
        found = looked_up(reference, resolver) if isinstance(reference, str) else None
        if found is None:
            break
        part, resolver = found.contents, found.resolver
    return part if isinstance(part, dict) else {}


def whole_rows(markdown: str) -> str:
    """Return a table that was cut without its unfinished last row."""
    return markdown[: markdown.rfind("\n") + 1] if "\n" in markdown else markdown


def as_markdown(table: Table) -> str:
    """Return the table as Markdown."""
    lines = [table.columns, ["---"] * len(table.columns), *table.rows]
    return "\n".join("| " + " | ".join(_escaped(cell) for cell in row) + " |" for row in lines)


def records(table: Table) -> list[dict[str, Any]]:
    """Return the rows as dicts; columns of numbers hold numbers."""
    columns = _typed_columns(table)
    return [
        {name: column[number] for name, column in columns.items()}
        for number in range(len(table.rows))
    ]


def data_frame(table: Table) -> Any:
    """Return a pandas DataFrame, or a list of dicts where there is no pandas."""
    try:
        import pandas
    except ImportError:
        return records(table)
    return pandas.DataFrame(_typed_columns(table), columns=table.columns)


def _typed_columns(table: Table) -> dict[str, list[Any]]:
    return {
        name: _typed([row[position] for row in table.rows])
        for position, name in enumerate(table.columns)
    }


def _typed(cells: list[str]) -> list[Any]:
    """Return numbers if every cell that holds something is one."""
    filled = [cell for cell in cells if cell]
    if not filled or not all(_NUMBER.fullmatch(cell) and re.search(r"\d", cell) for cell in filled):
        return list(cells)
    plain = [cell.replace(",", "") for cell in cells]
    if all(re.fullmatch(r"[-+]?\d+", cell) for cell in plain if cell) and all(plain):
        return [int(cell) for cell in plain]
    return [float(cell) if cell else None for cell in plain]


def _cells(line: str) -> list[str]:
    line = line.strip().removeprefix("|")
    if line.endswith("|") and not line.endswith("\\|"):
        line = line[:-1]
    return [cell.strip().replace("\\|", "|") for cell in _CELL_END.split(line)]


def _unique(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    unique = []
    for number, name in enumerate(names, start=1):
        name = name.strip("*` ") or f"column {number}"
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return unique


def _escaped(cell: str) -> str:
    return " ".join(cell.split()).replace("|", "\\|")


def _text(value: Any) -> str:
    import json

    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
