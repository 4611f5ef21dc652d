"""What ran, what failed, what is cured: ``Err`` and the error that is still there."""

from __future__ import annotations

import pytest
from IPython.core.interactiveshell import ExecutionInfo, InteractiveShell

from jupyter_localllm.magics import register, unregister
from jupyter_localllm.magics.cell_runs import CellRuns
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
    shell: InteractiveShell, runs: CellRuns, capsys: pytest.CaptureFixture[str], ids: bool
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
    shell: InteractiveShell, runs: CellRuns, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "value()", "one")
    run(shell, "def value(): return 1", "two")
    run(shell, "value()", "three")
    assert current(runs) == "value()"
    run(shell, "value()", "one")
    assert runs.current_error() is None


def test_a_failed_question_and_an_interrupt_are_no_errors_to_fix(
    shell: InteractiveShell, runs: CellRuns, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "1/0", "one")
    run(shell, "%%llm --bogus\nhello", "two")
    run(shell, "%llm fix In[99]", "three")
    run(shell, "raise KeyboardInterrupt", "four")
    assert current(runs) == "1/0"
    assert runs.errors[2].startswith("UsageError: --bogus is not an option")


def test_cells_that_a_cell_runs_are_none_of_their_own(
    shell: InteractiveShell, runs: CellRuns, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "get_ipython().run_cell('1/0')", "one")
    assert runs.current_error() is None
    assert [each.source for each in runs.finished()] == ["get_ipython().run_cell('1/0')"]
    run(shell, "", "two")
    assert len(runs.finished()) == 1


def test_err_survives_a_reset_and_leaves_a_variable_of_that_name_alone(
    shell: InteractiveShell, runs: CellRuns, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "1/0")
    shell.run_line_magic("reset", "-f")
    run(shell, "pass")
    assert shell.user_ns["Err"] is runs.errors
    run(shell, "Err = 'mine'")
    run(shell, "1/0")
    assert shell.user_ns["Err"] == "mine"


def test_err_stays_after_a_reload_and_nobody_listens_after_an_unload(
    shell: InteractiveShell, runs: CellRuns, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "1/0")
    register(shell)
    assert 1 in shell.user_ns["Err"]
    run(shell, "2/0")
    assert set(owner_of(shell).runs.errors) == {1, 2}
    unregister(shell)
    run(shell, "3/0")
    assert set(shell.user_ns["Err"]) == {1, 2}


def test_an_endless_error_is_bounded(
    shell: InteractiveShell, runs: CellRuns, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "def f(): return f()\nf()")
    run(shell, "raise ValueError('x' * 10**6)")
    capsys.readouterr()
    assert "RecursionError" in runs.errors[1]
    assert all(len(text) < 7_000 for text in runs.errors.values())


def test_groups_and_causes_are_told(
    shell: InteractiveShell, runs: CellRuns, capsys: pytest.CaptureFixture[str]
) -> None:
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
    assert not runs.take_execution(line)
    shell.events.trigger("pre_run_cell", ExecutionInfo(f"%%llm {line}\nhi", True, False, True, ""))
    assert not runs.take_execution("code -x")
    assert not runs.take_execution(line, "ai")
    assert [runs.take_execution(line), runs.take_execution(line)] == [True, False]
    shell.events.trigger("pre_run_cell", ExecutionInfo(f"%%llm {line}\nno", False, False, True, ""))
    assert not runs.take_execution(line)
    shell.events.trigger("pre_run_cell", ExecutionInfo(f"%%llm {line}\nhi", True, False, True, ""))
    assert runs.take_execution(line)
    shell.events.trigger(
        "pre_run_cell", ExecutionInfo(f"x = 1\n%%llm {line}", True, False, True, "")
    )
    assert not runs.take_execution(line)
