"""What ``%llm explain`` is pointed at: one whole name, cell, output or error, or a refusal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell

from jupyter_localllm.magics import unregister
from jupyter_localllm.magics.values.interpolation import interpolated
from tests.magics.conftest import owner_of


@pytest.fixture
def session(asking: InteractiveShell) -> Iterator[InteractiveShell]:
    """A shell with three cells and some names."""
    for code in (
        "total, price, rows = 5, 3, {'id': [7, 8]}",
        "def twice(n):\n    return 2 * n",
        "rows",
    ):
        asking.run_cell(code, store_history=True)
    yield asking
    unregister(asking)


def said(session: InteractiveShell, capsys: pytest.CaptureFixture[str], line: str) -> str:
    capsys.readouterr()
    session.run_cell(f"%llm {line}", store_history=True)
    captured = capsys.readouterr()
    return captured.out + captured.err


@pytest.mark.parametrize(
    "target",
    [
        "In[3],In[2]",
        "In[2],",
        "total+1",
        "total-price",
        "In[2]--show-prompt",
        "In[2]total",
        "total()",
        "rows['id'",
        "twice(2)",
    ],
)
@pytest.mark.parametrize("action", ["explain", "fix"])
def test_what_is_no_whole_name_is_refused(
    session: InteractiveShell, capsys: pytest.CaptureFixture[str], action: str, target: str
) -> None:
    """Seen: a letter of a cell, one of two numbers, or the dict of all cells was explained."""
    shown = said(session, capsys, f"{action} {target}")
    assert shown.startswith("UsageError: `")
    assert "In[3]" in shown
    assert len(owner_of(session).answers()) == 0


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("explain In[ 2 ]", "def twice"),
        ("explain In [2]", "def twice"),
        ("explain Out[ 3 ] for a child", "for a child"),
        ("translate French Out[ 3 ]", "Out[3]:"),
        ("explain twice()", "def twice"),
        ("explain rows", "rows:"),
        ("explain In[2] like In[1]", "like In[1]"),
    ],
)
def test_blanks_in_brackets_and_words_behind_are_fine(
    session: InteractiveShell, capsys: pytest.CaptureFixture[str], line: str, part: str
) -> None:
    assert part in said(session, capsys, f"{line} --show-prompt")


@pytest.mark.parametrize("line", ["explain In[1] In[2]", "test In[ 1 ] Out[3]", "fix total Err[1]"])
def test_a_second_cell_is_refused(
    session: InteractiveShell, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    """Seen: the second one went along as a word, and the model made its cell up."""
    shown = said(session, capsys, line)
    assert shown.startswith("UsageError: ")
    assert "one at a time" in shown


def test_a_place_in_a_question_is_read_as_before(session: InteractiveShell) -> None:
    asked = "{total} {rows['id'][0]} {total+1} {twice()} {In[ 2 ]}"
    assert interpolated(asked, session.user_ns, 100).text == "5 7 {total+1} {twice()} {In[ 2 ]}"


def test_a_name_in_a_function_is_its_own(
    session: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """The variable of the same name outside was explained."""
    code = "def check(total):\n    %llm explain total --show-prompt\ncheck('in' + 'side')"
    session.run_cell(code, store_history=True)
    assert "inside" in capsys.readouterr().out
    assert "5" in said(session, capsys, "explain total --show-prompt")


# --- cells of --context ---------------------------------------------------------------------


@pytest.mark.parametrize("numbers", ["2-999", "2-999999999999", "2,3"])
def test_a_range_may_end_behind_the_last_cell(
    session: InteractiveShell, capsys: pytest.CaptureFixture[str], numbers: str
) -> None:
    """Seen: "Write the smaller number first", though it was."""
    session.run_cell(f"%%llm --show-prompt --context cells {numbers}\nWhy?", store_history=True)
    shown = capsys.readouterr().out
    assert "In[2]:" in shown
    assert "In[3]:" in shown
    assert "%%llm" not in shown
    assert "Not sent" not in shown
