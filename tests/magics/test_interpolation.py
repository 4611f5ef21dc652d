"""Braces in a question: what exists is put in, once; everything else stays as it was typed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

from jupyter_localllm.magics.values.interpolation import interpolated, visible_variables

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
    # Without variables only doubled braces around a name lose a pair.
    assert re.sub(r"\{(\{[^{}]*\})\}", r"\1", text) == re.sub(r"\{(\{[^{}]*\})\}", r"\1", done.text)


# --- what was meant and is not there ------------------------------------------------------------


def notes(text: str, **more: object) -> list[str]:
    return [each.note for each in interpolated(text, {**VARIABLES, **more}, BUDGET).unread]


def test_a_mistyped_name_is_sent_as_it_stands_and_it_is_said() -> None:
    held = {"prices": [1], "Total": 2}
    assert notes("Sum {pirces} up.\nAnd {pirces}, {total}?", **held) == [
        "{pirces} is no variable, so it was sent as it stands; did you mean {prices}?",
        "{total} is no variable, so it was sent as it stands; did you mean {Total}?",
    ]
    [note] = notes("First is {price[0]}", **held)
    assert note.endswith("did you mean {prices[0]}?")
    assert notes("{rows[9]} {point.y}") == [
        "{rows[9]} is not there, so it was sent as it stands.",
        "{point.y} is not there, so it was sent as it stands.",
    ]


@pytest.mark.parametrize(
    "text",
    [
        *("{prices}", "{nothing}", "{xy}", "{out}", "{{pirces}}"),
        *("f'{pirces}'", '"{pirces}".format()', "'{pirces}'", "const {pirces} = row;"),
        *("`{pirces}`", "```\n{pirces}\n```", "    {pirces}", "<b>{pirces}</b>", "a{pirces}"),
        *('{"a": {pirces}}', "${pirces}", r"\text{pirces}", "$x_{pirces}$", "{pirces} => 1"),
        *(r"\frac{pirces}{2}", "if (x) {pirces} else {pirces}; {", "def f(): {pirces}|"),
    ],
)
def test_other_languages_are_no_mistakes(text: str) -> None:
    assert notes(text, prices=[1]) == []


@pytest.mark.parametrize("error", [SystemExit, GeneratorExit, RuntimeError])
def test_a_property_that_raises_is_left_as_typed_and_it_is_said(
    error: type[BaseException],
) -> None:
    """Seen: SystemExit in a property ended the cell with a long traceback."""

    class Odd:
        @property
        def value(self) -> int:
            raise error

    done = interpolated("See {odd.value}", {"odd": Odd()}, BUDGET)
    assert done.text == "See {odd.value}"
    [place] = done.unread
    assert place.note == (
        f"{{odd.value}} raised {error.__name__} when it was read, so it was sent as it stands."
    )


# --- a session ------------------------------------------------------------------------------


def test_names_of_the_shell_itself_are_not_variables(shell: InteractiveShell) -> None:
    shell.run_cell("x = 1\nf'{x}'", store_history=True)
    shell.run_cell("%time y = 2", store_history=True)
    variables = visible_variables(shell, {9: "boom"})
    text = "{exit} {quit} {open} {get_ipython} {x} {y} {In[1]} {Out[1]} {Err[9]} {In[2]} {id}"
    done = interpolated(text, variables, BUDGET).text
    assert done == ("{exit} {quit} {open} {get_ipython} 1 2 x = 1\nf'{x}' 1 boom %time y = 2 {id}")
