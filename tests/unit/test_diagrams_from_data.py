"""ER diagrams against the data that they are of, and against the parser with any names."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path, PureWindowsPath
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_localllm.assistant.diagrams.sources.er_diagram import (
    Column,
    Relation,
    Table,
    er_source,
)
from jupyter_localllm.assistant.diagrams.sources.from_data import (
    diagram_of_frames,
    diagram_of_sqlite,
)
from jupyter_localllm.assistant.diagrams.sources.sqlite_schema import database_uri
from jupyter_localllm.errors import DiagramInvalid, InvalidParameter, NotFound

from .mermaid_pictures import parsed, texts

pd = pytest.importorskip("pandas")


# -- DataFrames -------------------------------------------------------------------------------


def school() -> dict[str, Any]:
    return {
        "students": pd.DataFrame({"id": [1, 2, 3], "name": ["a", None, "b"]}),
        "courses": pd.DataFrame({"course_id": [10, 11], "title": ["x", "y"]}),
        "marks": pd.DataFrame(
            {"student_id": [1, 1, 2], "course_id": [10, 11, 10], "points": [1.5, None, 3]}
        ),
    }


def test_keys_and_relations_are_guessed_from_names_and_values() -> None:
    diagram = diagram_of_frames(school())
    lines = [line.strip() for line in diagram.source.splitlines()]
    assert 't0["students (3 rows)"] {' in lines
    assert "int64 id PK" in lines and "int64 course_id PK" in lines
    assert "int64 student_id FK" in lines and "int64 course_id FK" in lines
    assert 'float64 points "1 missing"' in lines
    # Each course has marks, one student has none.
    assert lines[-2:] == ['t0 ||..o{ t2 : "student_id"', 't1 ||..|{ t2 : "course_id"']
    assert diagram.notes == (
        "Guessed from names and values: marks.student_id refers to students.id.",
        "Guessed from names and values: marks.course_id refers to courses.course_id.",
    )
    parsed(diagram.source)


def test_a_name_alone_makes_no_relation() -> None:
    frames = school()
    frames["marks"].loc[0, "student_id"] = 99
    diagram = diagram_of_frames(frames)
    assert "student_id refers" not in " ".join(diagram.notes)
    assert "course_id refers" in " ".join(diagram.notes)
    # Nor is a column a key whose values repeat or are missing.
    frames = {"a": pd.DataFrame({"id": [1, 1]}), "b": pd.DataFrame({"id": [1.0, None]})}
    assert " PK" not in diagram_of_frames(frames).source


def test_an_optional_and_a_single_reference_are_told_from_the_values() -> None:
    people = pd.DataFrame({"id": [1, 2], "parent_id": [None, 1.0]})
    desks = pd.DataFrame({"desk": [5, 6], "person_id": [1, 2]})
    lines = diagram_of_frames({"person": people, "desks": desks}).source
    assert 't0 |o..o{ t0 : "parent_id"' in lines
    assert 't0 ||..|| t1 : "person_id"' in lines


def test_a_named_index_is_a_column() -> None:
    frame = pd.DataFrame({"id": [4, 5], "x": [1, 2]}).set_index("id")
    assert 'int64 id PK "index"' in diagram_of_frames({"t": frame}).source
    levels = pd.DataFrame({"a": [1, 1], "b": [1, 2], "c": [0, 0]}).set_index(["a", "b"])
    source = diagram_of_frames({"t": levels}).source
    assert 'int64 a "index"' in source and 'int64 b "index"' in source


def test_names_of_any_kind_are_columns() -> None:
    frame = pd.DataFrame([[1] * 10])
    frame.columns = ["a b", "a_b", "a b", "학년", 'q"q', "x.y", 7, None, "pk", ("m", "n")]
    diagram = diagram_of_frames({'t "1" direction TB': frame})
    parsed(diagram.source)
    shown = texts(diagram.source)
    assert 't "1" direction TB (1 row)' in shown
    for comment in ("= a b", '= q"q', "= 7", "= pk"):
        assert comment in shown, shown
    columns = pd.MultiIndex.from_tuples([("p", "x"), ("p", "y")])
    source = diagram_of_frames({"m": pd.DataFrame([[1, 2]], columns=columns)}).source
    assert "p.x" in source and "p.y" in source


def test_many_columns_and_values_without_hash() -> None:
    wide = pd.DataFrame([range(200)], columns=[f"c{i}" for i in range(199)] + ["wide_id"])
    diagram = diagram_of_frames({"wide": wide})
    assert "wide_id PK" in diagram.source
    assert "161 columns are left out of wide, for want of room." in diagram.notes
    odd = pd.DataFrame({"id": [[1], [2]], "o_id": [{}, {}]})
    parsed(diagram_of_frames({"odd": odd, "o": odd}).source)
    parsed(diagram_of_frames({"empty": pd.DataFrame()}).source)
    parsed(diagram_of_frames({"series": pd.Series([1, 2], name="v")}).source)
    many = {f"frame{i}": wide for i in range(60)}
    diagram = diagram_of_frames(many)
    assert len(diagram.source.encode()) < 50_000
    assert any("DataFrames are left out" in note for note in diagram.notes)
    parsed(diagram.source)


def test_what_is_no_frame_is_said() -> None:
    for value in (3, "text", [1], None):
        with pytest.raises(InvalidParameter, match="not a DataFrame"):
            diagram_of_frames({"x": value})
    with pytest.raises(InvalidParameter):
        diagram_of_frames({})


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys, jupyter_localllm.assistant.diagrams.sources.from_data\n"
        "import jupyter_localllm.assistant.diagrams.sources.from_code\n"
        "print([n for n in ('pandas', 'numpy', 'polars', 'mermaid_render') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# -- SQLite -----------------------------------------------------------------------------------

LIBRARY = '''
create table author(id integer primary key, name text not null, email text unique);
create table book(
    isbn text primary key, title text not null, price decimal(10,2) default 0,
    author_id int not null references author(id), editor int references AUTHOR);
create table "loan of ""x""" (
    book text references book, day date, primary key (book, day));
create table cover(book text primary key references book(isbn), png blob);
create table gone(x int references nowhere(y));
create table "select" ("a b" text, "pk" int, "学生" text, "" text);
create view titles as select title, name from book join author on author.id = author_id;
create view broken as select no_such from author;
create index i on book(price);
'''


@pytest.fixture
def library(tmp_path: Path) -> Path:
    path = tmp_path / "my ?#%41 'li\"b' 図書.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript(LIBRARY)
    connection.close()
    return path


def test_tables_keys_and_cardinalities(library: Path) -> None:
    before = library.read_bytes()
    diagram = diagram_of_sqlite(library)
    lines = [line.strip() for line in diagram.source.splitlines()]
    tables = ["author", "book", 'loan of "x"', "cover", "gone", "select", "titles (view)"]
    shown = texts(diagram.source)
    assert set(tables) <= set(shown)
    assert "INTEGER id PK" in lines and 'TEXT email UK "nullable"' in lines
    assert 'decimal(10,2) price "nullable, default 0"' in lines
    assert "INT author_id FK" in lines and 'INT editor FK "nullable"' in lines
    assert "TEXT book PK, FK" in lines and "date day PK" in lines
    for said in ("= a b; nullable", "= pk; nullable", "no name; nullable"):
        assert said in shown
    assert [line for line in lines if "--" in line] == [
        't0 ||--o{ t1 : "author_id"',
        't0 |o--o{ t1 : "editor"',
        't1 ||--o{ t2 : "book"',
        't1 ||--o| t3 : "book"',
    ]
    notes = " ".join(diagram.notes)
    assert "gone (x) refers to nowhere, which is not there." in notes
    assert "The columns of broken are not known" in notes
    # Nothing was written, and nothing beside it.
    assert library.read_bytes() == before
    assert [path.name for path in library.parent.iterdir()] == [library.name]


def test_a_database_in_use_can_be_read(library: Path) -> None:
    connection = sqlite3.connect(library, isolation_level=None)
    connection.execute("pragma journal_mode = wal")
    connection.execute("begin immediate")
    connection.execute("create table late(x)")
    try:
        assert '"author"' in diagram_of_sqlite(library).source
        assert '"late"' not in diagram_of_sqlite(library).source
    finally:
        connection.execute("commit")
        connection.close()
    assert '"late"' in diagram_of_sqlite(library).source


def test_files_that_are_no_database_are_said(tmp_path: Path, library: Path) -> None:
    with pytest.raises(NotFound, match=r"no file gone\.sqlite"):
        diagram_of_sqlite(tmp_path / "gone.sqlite")
    assert not (tmp_path / "gone.sqlite").exists()
    for name, content in {
        "text.sqlite": b"just text",
        "empty.sqlite": b"",
        "encrypted.db": bytes(range(255, -1, -1)) * 16,
        "header.db": b"SQLite format 3\0" + b"\xff" * 500,
        "cut.db": library.read_bytes()[:5000],
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DiagramInvalid) as caught:
            diagram_of_sqlite(tmp_path / name)
        assert name in caught.value.message and caught.value.hint
    with pytest.raises(DiagramInvalid, match="cannot be read"):
        diagram_of_sqlite(tmp_path)
    sqlite3.connect(tmp_path / "bare.db").executescript("create table t(x); drop table t")
    with pytest.raises(DiagramInvalid, match="no tables"):
        diagram_of_sqlite(tmp_path / "bare.db")


def test_addresses_of_databases() -> None:
    assert database_uri(Path("/a b/c?d#e%f.db"), "mode=ro") == (
        "file:///a%20b/c%3Fd%23e%25f.db?mode=ro"
    )

    class Windows(PureWindowsPath):
        def absolute(self) -> Windows:
            return self

    drive: Any = Windows("C:\\Users\\A B\\x.db")
    assert database_uri(drive, "mode=ro") == "file:///C:/Users/A%20B/x.db?mode=ro"
    share: Any = Windows("\\\\server\\share\\x.db")
    assert database_uri(share, "mode=ro") == "file:////server/share/x.db?mode=ro"


# -- Any names --------------------------------------------------------------------------------

_ALPHABET = "pkfuPKFU_-*.,()[]{}\"'`~#;:%<>|& direction TBLR\\\n\ta1é学😀\u202e\u2028"
NASTY = st.one_of(
    st.text(max_size=25),
    st.text(alphabet=_ALPHABET, max_size=25),
    st.sampled_from(["direction", "direction LR", "TB", "PK", "uk-1", "__a__", "end", "%%{x}%%"]),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    names=st.lists(st.tuples(NASTY, NASTY, NASTY, st.booleans()), max_size=5),
    table=NASTY,
    label=NASTY,
)
def test_any_names_are_accepted(
    names: list[tuple[str, str, str, bool]], table: str, label: str
) -> None:
    columns = [
        Column(name, kind, is_primary=flag, is_foreign=not flag, comment=comment)
        for name, kind, comment, flag in names
    ]
    source, _notes = er_source(
        [Table(table, columns, "1 row"), Table(label, [])], [Relation(0, 1, label)]
    )
    result = parsed(source)
    assert "svg" in result
    # One line for each column: no name became another statement.
    n_lines = sum(line.startswith("        ") for line in source.splitlines())
    assert n_lines == len(columns)
