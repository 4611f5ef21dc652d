"""Lines of ours among a person's code: what they refuse is no fault of it, and hides none of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell

from jupyter_localllm.magics import register, unregister
from jupyter_localllm.magics.cells.cell_runs import CellRun, CellRuns, is_code, is_question_text
from jupyter_localllm.magics.cells.cell_targets import CellTargets
from tests.magics.conftest import owner_of

FAULT = "print(totl)"


@pytest.fixture
def runs(shell: InteractiveShell) -> Iterator[CellRuns]:
    register(shell)
    yield owner_of(shell).runs
    unregister(shell)


def run(shell: InteractiveShell, code: str, cell_id: str | None = None) -> None:
    shell.run_cell(code, store_history=True, cell_id=cell_id)


def current(runs: CellRuns) -> str:
    error = runs.current_error()
    return "" if error is None else error.source


def targets(shell: InteractiveShell) -> CellTargets:
    return owner_of(shell)._composer().targets


# --- what we refuse -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mistake",
    [
        "%llm eror",
        "%llm use ./none.gguf",
        "%llm save talk.md",
        "%llm dealias x",
        "%llm fix In[99]",
        "%llm explain nobody",
        "%%llm --bogus\nhello",
        "%%llm",
        "%%lmm\nWhy is the sky blue?",
        "%%lmm fix",
        "%lmm error",
        "%%mermaid --bogus\nflowchart LR",
        "# What was it?\n%llm eror",
        "x = 1\n%llm eror",
        "%matplotlib --list\n%llm eror",
        "%%time\n%llm eror",
        "%%capture\n%llm eror",
    ],
)
@pytest.mark.parametrize("cell_id", [None, "two"])
def test_a_mistyped_line_of_ours_does_not_take_the_place_of_the_error(
    shell: InteractiveShell, runs: CellRuns, mistake: str, cell_id: str | None
) -> None:
    """Seen: "About In[4]: UsageError: %llm has no command `eror`" after the model explained it."""
    run(shell, FAULT, cell_id and "one")
    run(shell, mistake, cell_id)
    assert runs.finished()[-1].error
    assert current(runs) == FAULT
    assert runs.last_code() is not None
    # The text of a diagram can be asked about, as code can.
    has_more = mistake.startswith(("x = 1", "%%mermaid"))
    assert targets(shell).above().code == (mistake if has_more else FAULT)
    assert "UsageError" not in targets(shell).above().about


@pytest.mark.parametrize(
    "fault",
    [
        "%timeit --no",
        "%matplotlb inline",
        "import jupyter_localllm\njupyter_localllm.chat_widget(1, 2, 3, 4)",
        "from IPython.core.error import UsageError\nraise UsageError('mine')",
    ],
)
def test_what_others_refuse_is_a_fault(shell: InteractiveShell, runs: CellRuns, fault: str) -> None:
    run(shell, FAULT)
    run(shell, fault)
    assert current(runs) == fault


def test_a_diagram_that_cannot_be_drawn_is_a_fault(shell: InteractiveShell, runs: CellRuns) -> None:
    run(shell, FAULT, "one")
    run(shell, "%%mermaid\nflowchart LR\n  a[ --", "two")
    assert current(runs).startswith("%%mermaid")


# --- code around a line of ours -------------------------------------------------------------


def test_code_around_a_question_is_seen(asking: InteractiveShell) -> None:
    """Seen: "No cell has failed in this session", below the traceback of such a cell."""
    runs = owner_of(asking).runs
    cell = "x = 1\n%llm explain x\n1/0"
    run(asking, cell, "one")
    assert current(runs) == cell
    subject = targets(asking).above()
    assert subject.code == cell
    assert subject.about == "About In[1]: ZeroDivisionError: division by zero"
    assert "ZeroDivisionError" in targets(asking).of_body(cell).items[-1].text
    run(asking, "x = 1\n%llm explain x", "one")
    assert runs.last_code() is runs.finished()[-1]
    assert current(runs) == ""


def test_a_question_in_a_call_hides_no_code(asking: InteractiveShell) -> None:
    run(asking, "ask = get_ipython().run_cell_magic\nask('llm', '', 'Why?')\n1/0")
    assert "1/0" in current(owner_of(asking).runs)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("%llm explain In[1] \\\n    in French", False),
        ("# why?\n%llm fix", False),
        ("%%llm\nx = 1", False),
        ("%%explain\nx = 1", False),
        ("%%ai\nWhy is the sky blue?", False),
        ("%ai fix", False),
        ("!ls\n%llm fix", False),
        ("# only words", True),
        ("x = 1\n%llm fix", True),
        ("if x:\n    %llm fix", True),
        (" ", False),
    ],
)
def test_what_counts_as_code(source: str, expected: bool) -> None:
    assert is_code(CellRun(1, source)) is expected


def test_a_saved_cell_with_code_is_no_question() -> None:
    assert is_question_text("%llm use smol\n\n# and then\n%llm fix")
    assert is_question_text("%%llm fix\nx = 1")
    assert is_question_text("%%explain\nx = 1")
    assert is_question_text("%%ai\nWhy is the sky blue?")
    assert is_question_text("%ai fix")
    assert not is_question_text("%llm use smol\nx = 1")
    assert not is_question_text("%matplotlib inline")


# --- which line says what went wrong --------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise ValueError('wrong\\nHint: try y')", "ValueError: wrong"),
        ("raise ValueError('wrong\\n\\nTraceback (most recent call last):\\nKeyError: 1')", ""),
        ("e = KeyError('k')\ne.add_note('Note: look')\nraise e", "KeyError: 'k'"),
        ("a b", "SyntaxError: invalid syntax"),
        ("assert False", "AssertionError"),
        ("raise ExceptionGroup('many', [ValueError('inner')])", "ExceptionGroup: many (1 sub-"),
        ("try:\n    1/0\nexcept ZeroDivisionError as e:\n    raise OSError('o') from e", "OSError"),
        ("raise ValueError('x' * 10_000 + '\\nHint: try y')", "ValueError: xxxx"),
    ],
)
def test_the_line_of_the_exception_is_told(
    shell: InteractiveShell, runs: CellRuns, code: str, reason: str
) -> None:
    run(shell, code)
    told = targets(shell).above().about
    assert told.startswith(f"About In[1]: {reason or 'ValueError: wrong'}")
    context = owner_of(shell)._composer()._around.added("above", 10_000)
    assert f"Error:\n{reason or 'ValueError: wrong'}" in context.items[0].text
    assert "Hint" not in context.items[0].text.partition("Error:\n")[2]


def test_an_error_of_ours_is_its_first_line(shell: InteractiveShell, runs: CellRuns) -> None:
    """Its hint was told, such as "About In[6]: Installed: smollm2"."""
    ours = "from jupyter_localllm.errors import ModelNotFound"
    run(shell, f"{ours}\nraise ModelNotFound('No x.', 'Installed: y')")
    assert targets(shell).above().about == "About In[1]: No x. [model_not_found]"
