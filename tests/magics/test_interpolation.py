"""Braces in a question: what exists is put in, once; everything else stays as it was typed."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

from jupyter_localllm.magics.interpolation import interpolated, visible_variables
from jupyter_localllm.magics.value_text import text_of, tokens_of

BUDGET = 100


class Point:
    """Has an attribute, a property that works and one that does not."""

    x = 3

    @property
    def double(self) -> int:
        return 2 * self.x

    @property
    def broken(self) -> int:
        raise RuntimeError


VARIABLES = {
    "x": "value of {y}",
    "y": 7,
    "a": "A",
    "b": "B",
    "n": 5,
    "width": 3,
    "rows": [{"id": 41}, {"id": 42}],
    "by_name": {"k": {"deep": "found"}},
    "point": Point(),
    "In": {1: "print(1)", 2: "second"},
    "Out": {2: [1, 2]},
    "Err": {3: "ZeroDivisionError: division by zero"},
}


def put(text: str) -> str:
    return interpolated(text, VARIABLES, BUDGET).text


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("{y} and {y}", "7 and 7"),
        ("{In[1]} gave {Out[2]}", "print(1) gave [1, 2]"),
        ("{Err[3]}", "ZeroDivisionError: division by zero"),
        ("{rows[0]['id']} {rows[-1][\"id\"]}", "41 42"),
        ("{by_name['k']['deep']}", "found"),
        ("{point.x} {point.double}", "3 6"),
        ("{{y}} {{nothing}} {{In[1]}}", "{y} {nothing} {In[1]}"),
        ("{x}", "value of {y}"),
        ('"{y}"', '"7"'),
    ],
)
def test_what_exists_is_put_in_once(typed: str, sent: str) -> None:
    assert put(typed) == sent


@pytest.mark.parametrize(
    "typed",
    [
        # Each of these raised an error in other assistants.
        "{v:k for k,v in dic.items()}",
        "print({'foo': 'bar'})",
        "{}",
        "{",
        "}",
        "{In[99]}",
        "{Out[99]} {Err[99]}",
        "function f(a: {b: {c: number}}) { return {...a}; }",
        # Calls, unknown names, broken properties, whole sessions.
        "{x.upper()} {nothing} {x.nothing} {rows[9]} {rows[id]} {point.broken} {In} {Out} {Err}",
        "{ y } {y:>3} {y!r} {0} {y",
        # f-strings, LaTeX, JSON, TypeScript, Mermaid, shell.
        "f'{y!r:>{width}}' f\"{a}\" rf'{b}'",
        r"\frac{a}{b} \sqrt[n]{x} \begin{x}\end{x} \text{a {b} c}",
        r"$x_{n}$ and $$\sum_{n}^{y} a$$ and \(x^{n}\) and \[a_{b}\]",
        '{"a": {"b": [1, {"c": 2}]}}',
        "const {unknown} = `${x}`; `%{y}` \\{y}",
        "graph TD; A{choice} --> B{{Hexagon}}; C{{nothing}}",
    ],
)
def test_every_other_brace_stays_as_typed(typed: str) -> None:
    assert put(typed) == typed


def test_a_variable_glued_to_a_word_can_still_be_protected() -> None:
    assert put("A{y} A{{y}} A{{z}}") == "A7 A{y} A{{z}}"


def test_braces_in_a_value_are_not_read_again() -> None:
    """Seen elsewhere: the second pass over a value failed, or leaked another variable."""
    held = {"x": "{secret} {{secret}} {x}", "secret": "S"}
    assert interpolated("{x}", held, BUDGET).text == held["x"]


@given(st.text(alphabet="{}[]()xy.'\"$\\0 _^`fA", max_size=40))
def test_nothing_but_values_changes(text: str) -> None:
    done = interpolated(text, {}, BUDGET)
    assert done.replaced == ()
    # Without variables only doubled braces around a name lose a pair.
    assert re.sub(r"\{(\{[^{}]*\})\}", r"\1", text) == re.sub(r"\{(\{[^{}]*\})\}", r"\1", done.text)


# --- long values ----------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [30, 100, 1000])
@pytest.mark.parametrize(
    "value",
    [
        "word " * 5000,
        "日本語" * 3000,
        list(range(10**6)),
        dict.fromkeys(range(10**5), "x" * 100),
        [[list(range(1000))] * 1000] * 1000,
        np.zeros((4000, 30)),
        np.arange(900).reshape(30, 30),
        {"a": {"b": "c" * 10**5}},
    ],
    ids=lambda value: type(value).__name__,
)
def test_long_values_keep_to_the_budget_and_say_so(value: object, budget: int) -> None:
    shown = text_of(value, budget)
    assert tokens_of(shown.text) <= budget + 4
    assert shown.n_tokens_whole > budget


def test_short_values_are_whole() -> None:
    for value in ("text", 3.5, None, [1, "a"], {"z": 1, "a": 2}, {1}, np.arange(3)):
        shown = text_of(value, BUDGET)
        assert shown.n_tokens_whole == 0
    assert text_of({"z": 1, "a": 2}, BUDGET).text == "{'z': 1, 'a': 2}"
    assert "shape (3,)" in text_of(np.arange(3), BUDGET).text


class DataFrame:
    """As much of pandas's as is used; pandas is optional and not installed for the tests."""

    __module__ = "pandas.core.frame"

    def __init__(self, n_rows: int) -> None:
        self.n_rows = n_rows
        self.columns = ["name", "price"]
        self.dtypes = ["object", "float64"]

    def __len__(self) -> int:
        return self.n_rows

    def head(self, n_rows: int) -> DataFrame:
        return DataFrame(min(n_rows, self.n_rows))

    def to_string(self) -> str:
        return "\n".join(f"{i}  apple  {i}.5" for i in range(self.n_rows))


def test_a_table_is_its_shape_columns_and_first_rows() -> None:
    shown = text_of(DataFrame(100_000), BUDGET)
    assert shown.text.startswith("DataFrame with 100,000 rows and 2 columns\n")
    assert "name (object), price (float64)" in shown.text
    assert "apple" in shown.text
    assert tokens_of(shown.text) <= BUDGET
    assert shown.n_tokens_whole > 10_000
    assert "All rows" in text_of(DataFrame(2), BUDGET).text


def test_a_value_that_cannot_be_shown_is_no_error() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise ValueError

    assert "Broken" in text_of(Broken(), BUDGET).text


# --- a session ------------------------------------------------------------------------------


def test_names_of_the_shell_itself_are_not_variables(shell: InteractiveShell) -> None:
    shell.run_cell("x = 1\nf'{x}'", store_history=True)
    shell.run_cell("%time y = 2", store_history=True)
    variables = visible_variables(shell, {9: "boom"})
    text = "{exit} {quit} {open} {get_ipython} {x} {y} {In[1]} {Out[1]} {Err[9]} {In[2]} {id}"
    done = interpolated(text, variables, BUDGET).text
    assert done == ("{exit} {quit} {open} {get_ipython} 1 2 x = 1\nf'{x}' 1 boom %time y = 2 {id}")
