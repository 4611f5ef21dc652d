"""Generated code in the session that runs it: it cannot end it, and errors name its cell."""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.terminal.interactiveshell import TerminalInteractiveShell

from jupyter_localllm.magics import register, unregister
from jupyter_localllm.magics.cells.errors_of_cells import without_colours
from jupyter_localllm.magics.execution.execute import run_code
from tests.gguf_builders.scripted import build_scripted
from tests.magics.conftest import owner_of
from tests.magics.kernel_session import KernelSession

#: What the model answers.
SCRIPTS = {
    "DIVIDES": "```python\ndef half(n):\n    return n / 0\nhalf('IN' + 'SIDE')\n```",
    "LEAVES": "```python\nkept = 7\nexit()\n```",
    "FRAMES": "```python\nfrom IPython.display import clear_output\nfor n in range(3):\n"
    "    clear_output(wait=True)\n    print('frame', n)\n```",
    "ENDS": "```python\nkept = 1\nexit()\n```",
}


@pytest.fixture
def coding(
    shell: InteractiveShell, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[InteractiveShell]:
    """A shell whose model writes code."""
    register(shell)
    owner_of(shell).model = str(build_scripted(tmp_path / "coder.gguf", SCRIPTS))
    yield shell
    # The host outlives the shell.
    shell.run_line_magic("llm", "unload")
    unregister(shell)


@pytest.fixture
def kernel(start_kernel: Callable[..., KernelSession], tmp_path: Path) -> KernelSession:
    """A kernel whose model writes code."""
    session = start_kernel()
    model = build_scripted(tmp_path / "coder.gguf", SCRIPTS)
    session.run(f"%llm use {model}").check_ok()
    return session


def run(shell: InteractiveShell, code: str) -> None:
    shell.run_cell(code, store_history=True)


# --- exit() ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "exit()",
        "quit",
        "print(1)\nquit()",
        "leave = exit\ndef main():\n    leave()\nmain()",
        "get_ipython().ask_exit()",
        "raise SystemExit(0)",
        "from sys import exit\nexit(3)",
    ],
)
def test_code_that_exits_ends_neither_terminal_nor_names(
    make_shell: Callable[..., InteractiveShell], code: str
) -> None:
    """Small models end their scripts with exit(); the kernel and all variables were gone."""
    shell = make_shell(kind=TerminalInteractiveShell)
    assert isinstance(shell, TerminalInteractiveShell)
    shell.user_ns["answer"] = 42
    n_filters = len(warnings.filters)
    ended = run_code(shell, code)
    # A status that is not 0 says that something went wrong, and is one line.
    assert isinstance(ended.error, SystemExit) == ("3" in code)
    assert ("SystemExit: 3" in ended.plain_traceback) == ("3" in code)
    assert len(warnings.filters) == n_filters
    assert shell.keep_running
    assert shell.user_ns["answer"] == 42
    assert shell.user_ns["exit"] is shell.user_ns["quit"] is shell.exiter
    assert "ask_exit" not in vars(shell)
    run(shell, "exit()")
    assert not shell.keep_running


def test_a_variable_of_that_name_is_kept(shell: InteractiveShell) -> None:
    shell.user_ns["exit"] = "the door on the left"
    del shell.user_ns["quit"]
    run_code(shell, "from sys import exit\nquit = 3\ndel exit")
    assert shell.user_ns["exit"] == "the door on the left"
    assert "quit" not in shell.user_ns


def test_code_that_exits_at_its_end_ran_once_and_well(
    coding: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """Seen: it was repaired, and so run three times."""
    run(coding, "%%llm -x --retry 1\nENDS")
    assert coding.user_ns["kept"] == 1
    assert owner_of(coding).runs.finished()[-1].error == ""
    assert "xit:" not in capsys.readouterr().err


def test_code_that_exits_does_not_end_the_kernel(kernel: KernelSession) -> None:
    cell = kernel.run("%%llm -x\nLEAVES\n").check_ok()
    assert cell.stderr == ""
    assert not cell.reply["payload"]
    assert kernel.run("print(kept)").check_ok().stdout == "7\n"


# --- errors that IPython shows by other ways ------------------------------------------------


@pytest.mark.skipif(sys.version_info < (3, 11), reason="groups of exceptions")
def test_a_group_of_errors_is_kept_with_what_is_in_it(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """Seen: IPython's frames in the cell, and a model that was not told what to correct."""
    ended = run_code(shell, "raise ExceptionGroup('several', [ValueError('the inner one')])")
    assert "ValueError: the inner one" in ended.plain_traceback
    assert "interactiveshell" not in ended.plain_traceback
    shown = capsys.readouterr()
    assert shown.out + shown.err == ""


def test_a_magic_that_is_not_there_is_kept(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = run_code(shell, "%nothing_of_this_name")
    assert "nothing_of_this_name" in ended.plain_traceback
    shown = capsys.readouterr()
    assert shown.out + shown.err == ""
    assert "showtraceback" not in vars(shell) and "_showtraceback" not in vars(shell)


# --- outputs --------------------------------------------------------------------------------


def test_code_that_clears_its_output_stays_above_it(kernel: KernelSession) -> None:
    """Seen: of an animation, neither code nor model nor seed was left in the notebook."""
    cell = kernel.run("%%llm -x\nFRAMES\n").check_ok()
    kinds = [message["msg_type"] for _, message in cell.messages]
    last_clear = len(kinds) - kinds[::-1].index("clear_output")
    after = [message for _, message in cell.messages[last_clear:]]
    shown = next(m for m in after if m["msg_type"] in ("display_data", "stream"))
    assert "clear_output" in shown["content"]["data"]["text/plain"]
    assert "frame 2\n" in cell.stdout
    display_id = shown["content"]["transient"]["display_id"]
    assert cell.displays[-1]["transient"]["display_id"] == display_id
    last = cell.displays[-1]["metadata"]["jupyter_localllm"]
    assert last["is_executed"] and "seed" in last


# --- the number of the cell -----------------------------------------------------------------


def test_the_traceback_has_the_number_of_the_cell_that_ran_the_code(
    coding: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """It named the next one: %llm fix In[3], typed into In[3], sent that very line."""
    run(coding, "first = 1")
    run(coding, "%%llm -x --retry 0\nDIVIDES")
    shown = without_colours(capsys.readouterr().out)
    assert "Cell In[2], line 3" in shown
    assert "In[3]" not in shown
    run(coding, "half(1)")
    shown = without_colours(capsys.readouterr().out)
    assert "Cell In[3], line 1" in shown
    assert "Cell In[2], line 2" in shown
    assert 'File "In[2]", line 2, in half' in coding.user_ns["Err"][3]


def test_the_debugger_stands_in_the_code_that_failed(
    coding: InteractiveShell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(coding, "%%llm -x --retry 0\nDIVIDES")
    capsys.readouterr()
    run(coding, "%tb")
    assert "Cell In[1], line 3" in without_colours(capsys.readouterr().out)
    monkeypatch.setattr("sys.stdin", io.StringIO("p 'n is ' + n\nq\n"))
    run(coding, "%debug")
    assert "n is INSIDE" in capsys.readouterr().out


def test_a_cell_that_it_counts_in_turn_keeps_its_own_number(shell: InteractiveShell) -> None:
    register(shell)
    shell.user_ns["run"] = lambda: run_code(
        shell, "get_ipython().run_cell('1', store_history=True)\n1/0"
    )
    run(shell, "ended = run()")
    assert "Cell In[1], line 2" in shell.user_ns["ended"].plain_traceback
    assert "cache" not in vars(shell.compile)
    unregister(shell)


@pytest.mark.parametrize("line", ["fix In[2]", "explain 2", "error Err[2]", "diagram In[2]"])
def test_a_line_about_its_own_cell_is_refused(
    coding: InteractiveShell, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    run(coding, "total = 1")
    run(coding, f"%llm {line}")
    assert "[2] is of the cell that runs now" in capsys.readouterr().err
    run(coding, "%llm explain In[1] --show-prompt")
    assert "total = 1" in capsys.readouterr().out
