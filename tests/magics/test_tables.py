"""Tables in answers: read as they come, typed, with and without pandas."""

from __future__ import annotations

import sys

import pandas
import pytest

from jupyter_localllm.errors import AnswerUnusable
from jupyter_localllm.magics.answers.last_answer import LastAnswer
from jupyter_localllm.magics.answers.table import (
    Table,
    as_markdown,
    data_frame,
    find_table,
    records,
    table_grammar,
    table_of_json,
    whole_rows,
)

PRICES = (
    "Here:\n\n| name | price | n |\n|:---|---:|---|\n| tea | 1,200.5 | 3 |\n| milk | 2 | 4 |\n\nEnd"
)


def test_numbers_are_numbers() -> None:
    frame = data_frame(find_table(PRICES))
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.columns) == ["name", "price", "n"]
    assert frame["price"].tolist() == [1200.5, 2.0]
    assert frame["n"].dtype.kind == "i"
    assert frame["name"].tolist() == ["tea", "milk"]


def test_without_pandas_it_is_a_list_of_dicts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert data_frame(find_table(PRICES))[1] == {"name": "milk", "price": 2.0, "n": 4}


@pytest.mark.parametrize(
    ("markdown", "columns", "rows"),
    [
        ("a | b\n---|---\n1 | 2", ["a", "b"], [["1", "2"]]),
        ("|a|b|\n|-|-|\n|1|\n|1|2|3|", ["a", "b"], [["1", ""], ["1", "2"]]),
        ("|a|a||\n|-|-|-|\n|1|2|3|", ["a", "a 2", "column 3"], [["1", "2", "3"]]),
        ("|a|b|\n|-|-|\n|x \\| y|2|", ["a", "b"], [["x | y", "2"]]),
        ("| **a** | `b` |\r\n|---|---|\r\n| 1 | 2 |\r\n", ["a", "b"], [["1", "2"]]),
        ("a | b\n\n|c|\n|-|\n|1|", ["c"], [["1"]]),
    ],
)
def test_tables_are_read_as_models_write_them(
    markdown: str, columns: list[str], rows: list[list[str]]
) -> None:
    assert find_table(markdown) == Table(columns, rows)


def test_a_table_written_again_is_the_same() -> None:
    table = Table(["a", "b"], [["x | y", "two\nlines"], ["", "3"]])
    again = find_table(as_markdown(table))
    assert again.rows == [["x | y", "two lines"], ["", "3"]]


@pytest.mark.parametrize("text", ["", "no table", "a | b\nc | d", "- a\n- b", "|a|b|\n|-|\n|1|2|"])
def test_no_table_is_one_sentence(text: str) -> None:
    with pytest.raises(AnswerUnusable, match=r"The answer has no table\."):
        find_table(text)
    with pytest.raises(AnswerUnusable):
        LastAnswer(question="", text=text).table()


def test_json_objects_are_a_table() -> None:
    table = table_of_json([{"a": 1, "b": "x"}, {"a": 2.5, "c": [1]}])
    assert records(table) == [{"a": 1.0, "b": "x", "c": ""}, {"a": 2.5, "b": "", "c": "[1]"}]
    for value in (1, [1], "x"):
        with pytest.raises(AnswerUnusable):
            table_of_json(value)


def test_an_empty_list_is_an_empty_table_with_the_columns_of_its_schema() -> None:
    row = {"type": "object", "properties": {"name": {"type": "string"}, "n": {"type": "integer"}}}
    direct = {"type": "array", "items": row}
    referred = {"type": "array", "items": {"$ref": "#/$defs/Row"}, "$defs": {"Row": row}}
    escaped = {"type": "array", "items": {"$ref": "#/$defs/a~1%20b"}, "$defs": {"a/ b": row}}
    for schema in (direct, referred, escaped):
        frame = data_frame(table_of_json([], schema))
        assert list(frame.columns) == ["name", "n"]
        assert len(frame) == 0
    endless = {"type": "array", "items": {"$ref": "#/items"}}
    for schema in ({}, {"type": "array"}, {"items": True}, endless, {"$ref": "#/none"}):
        assert table_of_json([], schema) == Table([], [])


def test_an_unfinished_row_is_left_out() -> None:
    cut = "|a|b|\n|-|-|\n|1|2|\n|3|"
    assert find_table(whole_rows(cut)).rows == [["1", "2"]]


@pytest.mark.parametrize("reason", ["length", "cancelled", "error"])
def test_the_table_of_a_cut_answer_has_whole_rows_only(reason: str) -> None:
    answer = LastAnswer(question="", text="|a|b|\n|-|-|\n|1|2|\n|3|", finish_reason=reason)
    assert len(answer.table()) == 1
    answer.finish_reason = "stop"
    assert len(answer.table()) == 2


def test_the_table_of_an_answer_is_what_into_binds() -> None:
    frame = data_frame(Table(["a"], [["1"]]))
    answer = LastAnswer(question="", text='[{"a": 1}]', format="table", value=frame)
    assert answer.table() is frame


def test_the_grammar_has_a_root() -> None:
    assert table_grammar().startswith("root ::= table2 | ")
