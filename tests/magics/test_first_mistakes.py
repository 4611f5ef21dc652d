"""What newcomers type first: each is answered with where the question goes, none with a circle."""

from __future__ import annotations

from pathlib import Path

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from jupyter_localllm.magics import register, unregister
from tests.gguf_builders.scripted import SCRIPTS


def shown(shell: InteractiveShell, capsys: pytest.CaptureFixture[str], cell: str) -> str:
    capsys.readouterr()
    shell.run_cell(cell, store_history=True)
    captured = capsys.readouterr()
    return captured.out + captured.err


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("%%llm What is a list?", "the question goes into the lines below %%llm"),
        ("%%llm What is a list", "the question goes into the lines below %%llm"),
        ("%%llm What's a list?", "A question goes into the lines below %%llm."),
        ("%%llm Why?", "The cell has no question. Write it into the lines below %%llm."),
        ("%%llm", "The cell has no question. Write it into the lines below %%llm."),
        ("%%llm\n\n  \n", "The cell has no question."),
        ("%%llm code", "The cell has no question. Write it into the lines below %%llm."),
        ("%%llm diagram", "The cell has no question. Write it into the lines below %%llm."),
        ("%%llm status", "Did you mean %llm status?"),
        ("%%llm history\n\n", "Did you mean %llm history?"),
        ("%%llm error", "Did you mean %llm error?"),
        ("%llm What is a list?", "write %%llm in the first line of a cell and the question into"),
        ("%llm What is list", "write %%llm in the first line of a cell and the question into"),
        ("%llm What's a list?", "write %%llm in the first line of a cell and the question into"),
        ("x = 1\n%%llm\nHELLO", "%%llm must be the first line of its cell."),
        ("# comment\n%%llm\nWhat is a list?", "%%llm must be the first line of its cell."),
        ("def f():\n    pass\n%%explain\nx = 1", "%%explain must be the first line of its cell."),
        ("%%llm -t hot\nhi", "not a number"),
        ("%llm lst", "did you mean `list`?"),
    ],
)
def test_a_mistake_stops_run_all_with_one_line_that_says_what_to_write(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], cell: str, expected: str
) -> None:
    register(shell)
    result = shell.run_cell(cell)
    # Of a cell with a magic in its middle, nothing is run.
    is_misplaced = "must be the first line" in expected
    error = result.error_before_exec if is_misplaced else result.error_in_exec
    assert isinstance(error, UsageError)
    captured = capsys.readouterr()
    assert expected in captured.err
    assert len(captured.err.strip().splitlines()) == 1
    assert "Docstring" not in captured.out
    assert "Traceback" not in captured.out + captured.err
    assert "x" not in shell.user_ns


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("%%llm help", "usage: %%llm"),
        ("%%llm --help", "usage: %%llm"),
        ("%llm?", "usage: %llm COMMAND"),
        ("%llm save?", "usage: %llm save"),
        ("%llm fix?", "usage: %llm fix"),
        ("len?", "Docstring"),
        ('"""\n%%llm\n"""', ""),
        ('text = """\n%llm What is list?\n"""\nprint(text)', "%llm What is list?"),
    ],
)
def test_help_is_shown_where_it_is_asked_for(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], cell: str, expected: str
) -> None:
    register(shell)
    assert shell.run_cell(cell).success
    assert expected in capsys.readouterr().out


def test_a_line_keeps_the_question_mark_of_its_words(
    asking: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    asking.run_cell("area = 3", store_history=True)
    asking.run_cell("%llm explain In[1] what is area? --show-prompt", store_history=True)
    capsys.readouterr()
    assert "what is area?" in shown(
        asking, capsys, "%llm explain In[1] --show-prompt what is area?"
    )
    assert "area = 3" in shown(asking, capsys, "%llm explain --show-prompt In[1]?")


def test_a_terminal_waits_for_the_question_below(shell: InteractiveShell) -> None:
    register(shell)
    for line in ("%%llm", "%%llm explain", "%%mermaid"):
        assert shell.check_complete(line + "\n")[0] == "incomplete"
        assert shell.check_complete(line + "\n\n")[0] == "complete"


def test_cells_of_another_package_are_left_alone(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    def theirs(line: str, cell: str) -> None: ...

    register(shell)
    shell.register_magic_function(theirs, "cell", "ai")
    assert "%%ai" in shown(shell, capsys, "%%ai")
    assert "must be the first line" not in shown(shell, capsys, "x = 1\n%%ai\nx")
    transformers = len(shell.input_transformers_cleanup)
    register(shell)
    assert len(shell.input_transformers_cleanup) == transformers
    unregister(shell)
    assert len(shell.input_transformers_cleanup) == transformers - 1


def test_a_second_magic_in_a_cell_is_pointed_out(
    asking: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    text = shown(asking, capsys, "%%llm\nHELLO\n%%llm -t 0\nHELLO")
    assert "The second %%llm is part of the question; give it a cell of its own." in text
    assert SCRIPTS["HELLO"] in text
    assert "second" not in shown(asking, capsys, "%%llm\nHELLO and what %%llm is")


# --- marks ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "hint"),
    [
        ("%%llm --chat My project\nx", 'A value with spaces needs quotes: --chat "My project".'),
        ("%%llm --chat=My project\nx", 'A value with spaces needs quotes: --chat "My project".'),
        ("%%llm --system Be nice\nx", 'A value with spaces needs quotes: --system "Be nice".'),
        ("%%llm --system You are nice -t 0\nx", 'needs quotes: --system "You are nice".'),
        ("%%llm --system “Be nice”\nx", '“ is a curly quote; write straight ones: "Be nice".'),
        ("%%llm --system ‘Brief’ -t 0\nx", '‘ is a curly quote; write straight ones: "Brief".'),
        ("%%llm —seed 7\nx", "`—seed` begins with a long dash; an option begins with - or --."),
        ("%%llm –t 0\nx", "`–t` begins with a long dash; an option begins with - or --."),
        ("%%llm -m a b.gguf\nx", 'A value with spaces needs quotes: -m "a b.gguf".'),
        ("%%llm translate Brazilian Portuguese\nx", ': translate "Brazilian Portuguese".'),
        ("%%llm translate Old High German\nx", ': translate "Old High German".'),
        ("%llm history --chat My project", 'needs quotes: --chat "My project".'),
        ("%llm save my talk.md", 'A name with spaces needs quotes: %llm save "my talk.md".'),
        ("%llm use a b.gguf", 'A name with spaces needs quotes: %llm use "a b.gguf".'),
        ("%llm use “a b.gguf”", '“ is a curly quote; write straight ones: "a b.gguf".'),
        ("%llm explain --chat My project", 'needs quotes: --chat "My project".'),
        ("%llm translate Brazilian Portuguese", ': translate "Brazilian Portuguese".'),
        ("%llm alias kind --system Be nice to me", 'needs quotes: --system "Be nice to me".'),
    ],
)
def test_missing_curly_and_long_marks_are_called_what_they_are(
    asking: InteractiveShell, capsys: pytest.CaptureFixture[str], cell: str, hint: str
) -> None:
    text = shown(asking, capsys, cell)
    assert hint in text
    # An error of the host has its hint in a line of its own.
    assert len(text.strip().splitlines()) == (2 if "[model_not_found]" in text else 1)


def test_a_long_language_before_a_target_needs_no_quotes(
    asking: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    asking.run_cell("text = 'Hello'", store_history=True)
    for target in ("In[1]", "text"):
        line = f"%llm translate Brazilian Portuguese {target} --show-prompt"
        assert "Translate into Brazilian Portuguese." in shown(asking, capsys, line)


@pytest.mark.parametrize("target", ["Out[3]", "In[1]", "Err[2]", "3"])
def test_a_forgotten_language_is_asked_for(
    asking: InteractiveShell, capsys: pytest.CaptureFixture[str], target: str
) -> None:
    asked = "Name the language: %llm translate French Out[3]."
    assert asked in shown(asking, capsys, f"%llm translate {target}")
    assert "translate French" in shown(asking, capsys, f"%%llm translate {target}\nHELLO")
    assert asked in shown(asking, capsys, "%llm translate")
    assert "translate LANGUAGE [In[n]" in shown(asking, capsys, "%llm translate --help")


def test_a_file_is_not_called_by_a_variable_that_was_not_read(
    asking: InteractiveShell, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asking.run_cell("%%llm\nHELLO", store_history=True)
    asking.user_ns["name"] = "talk"
    for typed in ("$name.md", "{name}.md"):
        text = shown(asking, capsys, f"%llm save {tmp_path}/{typed}")
        assert "A variable counts only as a whole word" in text
    assert not list(tmp_path.glob("*.md"))
    asking.user_ns["path"] = tmp_path / "talk.md"
    assert "Saved 2 messages" in shown(asking, capsys, "%llm save {path}")
