"""What ran, what failed, what is cured: ``Err`` and the error that is still there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from jupyter_localllm.magics import register, unregister
from jupyter_localllm.magics.cells.cell_edits import is_edit
from jupyter_localllm.magics.cells.cell_runs import CellRun, CellRuns
from tests.magics.conftest import owner_of


@pytest.fixture
def runs(shell: InteractiveShell) -> CellRuns:
    register(shell)
    return owner_of(shell).runs


def run(shell: InteractiveShell, code: str, cell_id: str | None = None) -> None:
    shell.run_cell(code, store_history=True, cell_id=cell_id)


def current(runs: CellRuns) -> str:
    error = runs.current_error()
    return "" if error is None else error.source


def test_err_is_plain_text_by_number(
    shell: InteractiveShell, runs: CellRuns, capsys: pytest.CaptureFixture[str]
) -> None:
    """``Err`` is a dict in the namespace, without colours."""
    run(shell, "def f(n):\n    return 1 / n")
    run(shell, "f(0)")
    run(shell, "raise ValueError('\\x1b[31mred\\x1b[0m')")
    run(shell, "a b c")
    capsys.readouterr()
    assert shell.user_ns["Err"] is runs.errors
    assert runs.errors[2].splitlines() == [
        "Traceback (most recent call last):",
        '  File "In[2]", line 1, in <module>',
        "    f(0)",
        '  File "In[1]", line 2, in f',
        "    return 1 / n",
        "ZeroDivisionError: division by zero",
    ]
    assert runs.errors[3].endswith("ValueError: red")
    assert "\x1b" not in "".join(runs.errors.values())
    assert "SyntaxError" in runs.errors[4]
    assert "IPython" not in runs.errors[4]


@pytest.mark.parametrize("ids", [True, False])
def test_an_error_that_a_later_good_run_has_cured_is_not_current(
    shell: InteractiveShell, runs: CellRuns, ids: bool
) -> None:
    """Seen elsewhere: an old error was explained again after later good cells."""
    first, second, other = ("one", "two", "three") if ids else (None, None, None)
    assert runs.current_error() is None
    assert not runs.has_failed()
    run(shell, "total = missing_name + 1", first)
    run(shell, "import math\nmath.sqrt('x')", second)
    run(shell, "print('a good cell of its own')", other)
    assert current(runs).endswith("math.sqrt('x')")
    run(shell, "import math\nmath.sqrt(4)", second)
    assert current(runs) == "total = missing_name + 1"
    run(shell, "missing_name = 3\ntotal = missing_name + 1", first)
    assert runs.current_error() is None
    assert runs.has_failed()


def test_the_same_text_in_another_cell_cures_nothing(
    shell: InteractiveShell, runs: CellRuns
) -> None:
    run(shell, "value()", "one")
    run(shell, "def value(): return 1", "two")
    run(shell, "value()", "three")
    assert current(runs) == "value()"
    run(shell, "value()", "one")
    assert runs.current_error() is None


def test_a_failed_question_and_an_interrupt_are_no_errors_to_fix(
    shell: InteractiveShell, runs: CellRuns
) -> None:
    run(shell, "1/0", "one")
    run(shell, "%%llm --bogus\nhello", "two")
    run(shell, "%llm fix In[99]", "three")
    run(shell, "raise KeyboardInterrupt", "four")
    assert current(runs) == "1/0"
    assert runs.errors[2].startswith("UsageError: --bogus is not an option")


@pytest.mark.parametrize(
    "code", ["import asyncio\nraise asyncio.CancelledError", "import bdb\nraise bdb.BdbQuit"]
)
def test_what_a_person_ended_otherwise_is_no_error_to_fix(
    shell: InteractiveShell, runs: CellRuns, code: str
) -> None:
    """A cell that awaits ends so when it is interrupted, a debugger when it is left."""
    run(shell, code)
    assert runs.current_error() is None


def test_cells_that_a_cell_runs_are_none_of_their_own(
    shell: InteractiveShell, runs: CellRuns
) -> None:
    run(shell, "get_ipython().run_cell('1 + 1')", "one")
    assert [each.source for each in runs.finished()] == ["get_ipython().run_cell('1 + 1')"]
    run(shell, "", "two")
    assert len(runs.finished()) == 1


def test_err_survives_a_reset_and_leaves_a_variable_of_that_name_alone(
    shell: InteractiveShell, runs: CellRuns
) -> None:
    run(shell, "1/0")
    shell.run_line_magic("reset", "-f")
    run(shell, "pass")
    assert shell.user_ns["Err"] is runs.errors
    run(shell, "Err = 'mine'")
    run(shell, "1/0")
    assert shell.user_ns["Err"] == "mine"


def test_err_stays_after_a_reload_and_nobody_listens_after_an_unload(
    shell: InteractiveShell, runs: CellRuns
) -> None:
    run(shell, "1/0")
    register(shell)
    assert 1 in shell.user_ns["Err"]
    run(shell, "2/0")
    errors = owner_of(shell).runs.errors
    assert set(errors) == {1, 2}
    unregister(shell)
    run(shell, "3/0")
    assert set(errors) == {1, 2}


def test_an_endless_error_is_bounded(
    shell: InteractiveShell, runs: CellRuns, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "def f(): return f()\nf()")
    run(shell, "raise ValueError('x' * 10**6)")
    capsys.readouterr()
    assert "RecursionError" in runs.errors[1]
    assert all(len(text) < 7_000 for text in runs.errors.values())


def test_groups_and_causes_are_told(shell: InteractiveShell, runs: CellRuns) -> None:
    run(shell, "try:\n    1/0\nexcept ZeroDivisionError as e:\n    raise KeyError('k') from e")
    assert "ZeroDivisionError" in runs.errors[1]
    assert runs.errors[1].endswith("KeyError: 'k'")
    run(shell, "raise ExceptionGroup('many', [ValueError('inner')])")
    assert "inner" in runs.errors[2] or "NameError" in runs.errors[2]


def test_x_of_a_line_counts_once_for_each_run_and_only_while_it_runs(
    shell: InteractiveShell, runs: CellRuns
) -> None:
    """What a cell runs in turn cannot ask again with the words that were typed."""
    line = "code -x --retry 0"
    taken: list[bool] = []

    def take(line: str, cell: str) -> None:
        for asked in ("code -x", "code -x --retry 0"):
            taken.append(runs.take_execution(asked))
        if cell.startswith("again"):
            shell.run_cell(f"%%llm {line}\nhi", store_history=True)
            taken.append(runs.take_execution(line))

    assert not runs.take_execution(line)
    shell.register_magic_function(take, "cell", "llm")
    run(shell, f"%%llm {line}\nagain")
    assert taken == [False, True, False, False, False]
    taken.clear()
    run(shell, f"%%llm {line}\nhi")
    run(shell, f"%%time\n%%llm {line}\nhi")
    run(shell, f"x = 1\nget_ipython().run_cell_magic('llm', '{line}', 'hi')")
    assert taken == [False, True, False, True, False, False]
    assert not runs.take_execution(line)


# --- where there are no ids -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("failed", "later"),
    [
        ("import pandsa", "import numpy"),
        ("df['pirce']", "print(3)"),
        ("print(valeu)", "print(3)"),
        ("print(x)", "print(y)"),
        ("1/0", "2"),
        ("df['a']", "df['b']"),
        ("import math\nmath.sqrt('x')", "import math\nprint(math.pi)"),
        ("x = load('a')", "y = load('a')"),
        ("f(x)", "def g():\n    f(x)"),
        ("plt.plot(a)\nplt.show()", "plt.show()"),
    ],
)
def test_another_cell_cures_nothing(failed: str, later: str) -> None:
    assert not is_edit(failed, later)


@pytest.mark.parametrize(
    ("failed", "later"),
    [
        ("import pandsa", "import pandas"),
        ("import pandsa as pd", "import pandas as pd"),
        ("df['pirce']", "df['price']"),
        ("print(valeu)", "print(value)"),
        ("print(valeu", "print(valeu)"),
        ("total = missing + 1", "total = 5 + 1"),
        ("total = missing + 1", "missing = 5\n\ntotal = missing + 1"),
        ("import math\nmath.sqrt('x')", "import math\nmath.sqrt(4)"),
        ("for i in range(3)\n    print(i)", "for i in range(3):\n    print(i)"),
        (
            "%%mermaid\ngraph TD\n  A --> B\n  =>> ??? {{",
            "%%mermaid\ngraph TD\n  A --> B\n  B --> C",
        ),
        (
            "def f(n):\n    s = 0\n    for i in range(n):\n        s += j\n    return s\nf(3)",
            "def f(n):\n    s = 0\n    for i in range(n):\n        s += i\n    return s\n\nf(3)",
        ),
    ],
)
def test_the_same_cell_set_right_cures_its_error(failed: str, later: str) -> None:
    assert is_edit(failed, later)


def test_long_cells_are_compared_by_their_lines() -> None:
    """Seen: half a second for each pair, so a minute for `%llm fix` in a notebook without ids."""
    rows = [f"column_{n} = table['name {n}'].map(str.strip)" for n in range(95)]
    other = [f"total_{n} = frame['size {n}'].sum() / len(frame)" for n in range(95)]
    failed = "\n".join(rows)
    assert is_edit(failed, "\n".join([*rows[:40], "import numpy as np", *rows[41:]]))
    assert not any(is_edit(failed, "\n".join([*other, str(n)])) for n in range(200))


def test_generated_code_that_failed_is_cured_in_whatever_cell_it_runs_well() -> None:
    """It stood in no cell, so there is no cell that a person would go back to."""
    failed = CellRun(1, "%%llm -x\nq", "one", "NameError", True, generated="print(valeu)")
    assert failed.is_same_cell(CellRun(2, "print(value)", "two"))
    assert not failed.is_same_cell(CellRun(2, "print(3)", "two"))
    assert failed.is_same_cell(CellRun(2, "%%llm -x\nother words", "one"))


def test_an_unlike_cell_without_an_id_leaves_the_error(
    shell: InteractiveShell, runs: CellRuns
) -> None:
    run(shell, "df = {}\ndf['pirce']")
    run(shell, "print(valeu)")
    run(shell, "print(3)")
    assert current(runs) == "print(valeu)"


# --- errors that are shown ------------------------------------------------------------------


@pytest.mark.parametrize("n_loaded", [1, 3])
def test_an_error_that_run_or_capture_shows_is_the_cells(
    shell: InteractiveShell,
    runs: CellRuns,
    tmp_path: Path,
    n_loaded: int,
) -> None:
    for _ in range(n_loaded - 1):
        register(shell)
    runs = owner_of(shell).runs
    script = tmp_path / "scr.py"
    script.write_text("1/0\n")
    run(shell, "int('x')", "one")
    run(shell, f"%run {script}", "two")
    assert current(runs).startswith("%run")
    assert runs.errors[2].endswith("ZeroDivisionError: division by zero")
    assert "scr.py" in runs.errors[2]
    run(shell, "%%capture\n{}['k']", "three")
    assert current(runs) == "%%capture\n{}['k']"
    assert runs.errors[3].endswith("KeyError: 'k'")
    # The shell counts on for what a cell runs.
    assert 'File "In[3]", line 1' in runs.errors[3]
    script.write_text("1\n")
    run(shell, f"%run {script}", "two")
    run(shell, "%%capture\n{'k': 1}['k']", "three")
    assert current(runs) == "int('x')"


def test_an_error_that_cannot_be_shown_is_known_and_its_cell_has_ended(
    shell: InteractiveShell, runs: CellRuns
) -> None:
    """A later cell was refused -x as one that this one ran."""
    run(shell, "class Odd(Exception):\n    def __str__(self): raise OSError('no text')")

    def cannot_show(*_: object) -> None:
        raise UnicodeEncodeError("ascii", "€", 0, 1, "no such character")

    shell._showtraceback = cannot_show
    run(shell, "raise Odd()", "one")
    assert runs.now is None
    assert current(runs) == "raise Odd()"
    assert "Odd: <exception str() failed>" in runs.errors[2]
    assert "UnicodeEncodeError" not in runs.errors[2]


def test_an_error_with_odd_attributes_is_told_all_the_same(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """Seen: "Error in callback … post_run_cell" below the person's own error, and no `Err`."""
    register(shell)
    odd = "class Odd(Exception):\n    def __getattr__(self, name):\n        raise KeyError(name)\n"
    shell.run_cell(odd)
    shell.run_cell("raise Odd('told')", store_history=True)
    assert "Error in callback" not in capsys.readouterr().err
    assert "Odd: told" in next(iter(shell.user_ns["Err"].values()))


def test_a_tool_that_changes_the_class_later_is_called(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(shell)
    shown: list[object] = []
    monkeypatch.setattr(InteractiveShell, "showtraceback", lambda *args, **_: shown.append(args))
    shell.run_cell("1/0")
    assert len(shown) == 1


def test_other_tools_that_wrap_what_shows_errors_stay(
    shell: InteractiveShell, runs: CellRuns
) -> None:
    """Wrapped before, after, and by tools that never take themselves away again."""
    unregister(shell)
    assert "showtraceback" not in vars(shell)
    seen: list[str] = []

    def wrap(name: str) -> None:
        inner = shell.showtraceback

        def shown(*args: Any, **kwargs: Any) -> None:
            seen.append(name)
            inner(*args, **kwargs)

        shell.showtraceback = shown

    wrap("first")
    register(shell)
    wrap("second")
    register(shell)
    run(shell, "%run no_such_file_at_all.py")
    run(shell, "%%capture\n1/0")
    assert seen == ["second", "first"] * 2
    assert owner_of(shell).runs.errors[2].endswith("division by zero")
    unregister(shell)
    seen.clear()
    run(shell, "%%capture\n1/0")
    assert seen == ["second", "first"]
