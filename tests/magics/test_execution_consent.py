"""``-x`` counts only where a person typed it: every other way to it is refused, each once here."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from jupyter_localllm.magics import register, unregister
from jupyter_localllm.magics.lines.cell_arguments import parse_cell
from jupyter_localllm.magics.lines.commands import Ask
from jupyter_localllm.magics.lines.line_arguments import parse_line
from tests.gguf_builders.scripted import build_scripted
from tests.magics.conftest import owner_of
from tests.magics.test_notebooks import execute, package_is_found

__all__ = ["package_is_found"]

REFUSED = "-x counts only where it is typed"


def ran(shell: InteractiveShell, cell: str) -> bool:
    """Run a cell and tell whether the code of the scripted reply was run."""
    shell.user_ns.pop("total", None)
    shell.run_cell(cell, store_history=True)
    return shell.user_ns.get("total") == 45


@pytest.mark.parametrize(
    "cell",
    [
        "%%llm code -x\nCODE",
        "%%llm -x\nCODE",
        "%%llm  --execute   code\nCODE",
        "\n%%llm code -x\nCODE",
        "%%time\n%%llm code -x\nCODE",
        "%%capture\n%%llm code -x\nCODE",
    ],
)
def test_typed_in_the_cells_own_line_it_runs(asking: InteractiveShell, cell: str) -> None:
    assert ran(asking, cell)


@pytest.mark.parametrize(
    ("before", "cell", "reason"),
    [
        # Nobody asked for it.
        ("", "%%llm code\nCODE", ""),
        ("", "%%llm code\nCODE -x --execute", ""),
        # A setting.
        ("%config LocalLLM.execute = True", "%%llm code\nCODE", ""),
        ("%config LocalLLM.model = '-x'", "%%llm code --show-prompt\nCODE", ""),
        # An alias: of ours, of a configuration file, of IPython.
        ("%llm alias run code -x", "%%llm run\nCODE", ""),
        ("%config LocalLLM.aliases = {'run': 'code -x'}", "%%llm run\nCODE", "The alias run has"),
        ("%config LocalLLM.aliases = {'run': '-xm m'}", "%%llm code run\nCODE", "The alias run"),
        ("%alias_magic --cell mine llm -p '-x'", "%%mine code\nCODE", REFUSED),
        ("%alias_magic --cell mine llm -p 'code -x'", "%%mine\n%%llm\nCODE", REFUSED),
        # A value.
        ("flag = '-x'", "%%llm code {flag}\nCODE", "would be an option"),
        ("flag = '--execute'", "%%llm code $flag\nCODE", "would be an option"),
        ("flag = 'CODE -x'", "%%llm code\n{flag}", ""),
        # A program, and a cell that is run by another.
        ("", "get_ipython().run_cell_magic('llm', 'code -x', 'CODE')", REFUSED),
        ("", "get_ipython().run_cell('%%llm code -x\\nCODE')", REFUSED),
        # A line is no cell.
        ("", "%llm fix -x", "counts only in the first line of a %%llm cell"),
        ("", "%%explain -x\nCODE", "is about code"),
    ],
)
def test_from_anywhere_else_it_does_not(
    asking: InteractiveShell,
    capsys: pytest.CaptureFixture[str],
    before: str,
    cell: str,
    reason: str,
) -> None:
    if before:
        asking.run_cell(before, store_history=True)
    capsys.readouterr()
    assert not ran(asking, cell)
    assert reason in capsys.readouterr().err


def test_a_reply_cannot_ask_for_more_runs(shell: InteractiveShell, tmp_path: Path) -> None:
    """The code of a reply asks again, with the very line that was typed."""
    again = "get_ipython().run_cell('%%llm code -x\\n" + "SECOND')\nouter = 1"
    scripts = {"FIRST": f"```python\n{again}\n```", "SEC" + "OND": "```python\ninner = 2\n```"}
    scripts["FIRST"] = scripts["FIRST"].replace("SECOND", "SEC' + 'OND")
    model = build_scripted(tmp_path / "again.gguf", scripts)
    register(shell)
    owner_of(shell).model = str(model)
    shell.run_cell("%%llm code -x --retry 0\nFIRST", store_history=True)
    assert "inner" not in shell.user_ns
    assert shell.user_ns.get("outer") == 1
    unregister(shell)


def test_an_alias_may_hold_everything_else() -> None:
    aliases = {"brief": "-t 0 --system 'Be brief.' smol", "coder": "code other"}
    assert parse_cell("brief -x", {}, aliases) == Ask(
        "smol", 0, system="Be brief.", action="code", format="code", execute=True
    )
    asked = parse_cell("fix brief", {}, aliases)
    assert isinstance(asked, Ask)
    assert (asked.action, asked.model, asked.execute) == ("fix", "smol", False)
    for text in ("-x", "--execute", "code -x smol", "-x -t 0"):
        with pytest.raises(UsageError, match="has -x"):
            parse_line(f"alias run {text}", {})


def test_metadata_of_a_notebook_turns_nothing_on(tmp_path: Path, scripted_model: Path) -> None:
    marks = {"execute": True, "-x": True, "jupyter_localllm": {"execute": True, "code": "1"}}
    sources = [
        "%load_ext jupyter_localllm",
        f"%%llm code -m {scripted_model}\nCODE\n",
        "print('total' in globals())",
    ]
    cells = [nbformat.v4.new_code_cell(each, metadata=marks) for each in sources]
    nb = nbformat.v4.new_notebook(cells=cells, metadata=marks)
    executed = execute(nb, tmp_path)
    assert executed.cells[2].outputs[0].text == "False\n"


def test_an_interrupt_of_the_question_says_that_the_code_was_not_run(
    asking: InteractiveShell,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(prompt: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", interrupted)
    assert not ran(asking, "%%llm -x --confirm\nCODE")
    captured = capsys.readouterr()
    assert "The code was not run." in captured.out + captured.err
    assert "The answer was stopped." not in captured.out + captured.err
