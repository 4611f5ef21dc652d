"""``%%mermaid`` and ``%%dot``: drawn without a model; mistakes are shown with their line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from jupyter_localllm.assistant.diagrams.nouns import DIAGRAM_MIME
from jupyter_localllm.magics import register, unregister
from tests.gguf_builders.scripted import build_scripted
from tests.magics.kernel_session import KernelSession
from tests.magics.test_diagrams_answers import kinds

StartKernel = Callable[..., KernelSession]

WRONG = "flowchart TD\n  A --> B\n  ==>> ??? {{\n"


@pytest.fixture
def kernel(start_kernel: StartKernel) -> KernelSession:
    return start_kernel()


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ("%%mermaid\nflowchart LR\n  A --> B\n", "mermaid"),
        ("%%dot\ndigraph { a -> b }\n", "dot"),
        ("%%graphviz --theme dark\ngraph { a -- b }\n", "dot"),
    ],
)
def test_the_text_below_is_drawn_and_no_host_is_started(
    kernel: KernelSession, cell: str, kind: str
) -> None:
    run = kernel.run(cell).check_ok()
    assert kinds(run) == [kind]
    [output] = run.outputs
    assert DIAGRAM_MIME in output["data"]
    assert {"image/svg+xml", "image/png", "text/plain"} < set(output["data"])
    assert "dark" not in cell or output["data"][DIAGRAM_MIME]["theme"] == "dark"
    assert "No model host is running" in kernel.run("%llm status").stdout


def test_it_goes_into_a_variable_and_a_file(kernel: KernelSession, tmp_path: Path) -> None:
    line = "%%mermaid --into d --save plan.png"
    run = kernel.run(f"{line}\nflowchart LR\n  A --> B\n").check_ok()
    assert run.stdout == "Saved the diagram in plan.png.\n"
    assert (tmp_path / "plan.png").read_bytes().startswith(b"\x89PNG")
    assert kernel.run("print(d.source)").stdout == "flowchart LR\n  A --> B\n\n"
    assert kernel.run("print(d.save('plan.mmd').name)").stdout == "plan.mmd\n"
    assert (tmp_path / "plan.mmd").read_text() == "flowchart LR\n  A --> B\n"
    again = kernel.run(f"{line}\nflowchart LR\n  A --> B\n")
    assert "plan.png is there already" in again.stderr
    wrong = kernel.run("d.save('plan.dot')")
    assert wrong.reply["ename"] == "UsageError"


def test_changes_are_told_and_shown_on_request(kernel: KernelSession) -> None:
    body = "flowchart TD\n  A[f(x)] --> B\n"
    assert kernel.run(f"%%mermaid\n{body}").check_ok().stdout == (
        "Drawn with 1 change to the source. --changes shows what was changed.\n"
    )
    shown = kernel.run(f"%%mermaid --changes\n{body}").check_ok().stdout
    assert shown.startswith("Drawn with 1 change to the source:\n- ")
    assert 'A["f(x)"]' in shown
    assert kernel.run("%%mermaid --changes\nflowchart TD\n  A --> B\n").stdout == ""


def test_a_mistake_is_shown_in_its_line_with_the_whole_source(kernel: KernelSession) -> None:
    run = kernel.run(f"%%mermaid\n{WRONG}")
    assert run.error is not None
    message, hint = run.error["traceback"]
    assert message.endswith("[diagram_invalid]")
    assert "line 3" in message
    assert hint == "%llm fix asks the model to repair it."
    assert run.stdout == "  1  flowchart TD\n  2    A --> B\n> 3    ==>> ??? {{\n"
    assert not run.displays


def test_llm_fix_asks_the_model_to_repair_the_cell(kernel: KernelSession, tmp_path: Path) -> None:
    replies = {"corrected": "```mermaid\nflowchart TD\n  A --> B\n```"}
    kernel.run(f"%llm use {build_scripted(tmp_path / 'm.gguf', replies)}").check_ok()
    kernel.run(f"%%mermaid\n{WRONG}")
    fixed = kernel.run("%llm fix --into d").check_ok()
    assert kinds(fixed) == ["mermaid"]
    assert kernel.run("print(d.source)").stdout.strip() == "flowchart TD\n  A --> B"
    # A later good run of the cell cures it.
    kernel.run("%%mermaid\nflowchart TD\n  A --> B\n  B --> C\n").check_ok()
    nothing = kernel.run("%llm fix")
    assert "No error is left" in nothing.stderr


def test_an_error_of_code_that_is_newer_is_what_llm_fix_is_about(
    kernel: KernelSession, tmp_path: Path
) -> None:
    replies = {"corrected": "It was wrong.", "NameError": "Define nothing_of_this_name first."}
    kernel.run(f"%llm use {build_scripted(tmp_path / 'm.gguf', replies)}").check_ok()
    kernel.run(f"%%mermaid\n{WRONG}")
    kernel.run("nothing_of_this_name")
    fixed = kernel.run("%llm fix --show-prompt").check_ok()
    assert "nothing_of_this_name" in fixed.stdout
    assert "flowchart" not in fixed.stdout


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        ("%%mermaid\n\n", "The cell has no diagram. Write it into the lines below %%mermaid"),
        ("%%dot", "The cell has no diagram. Write it into the lines below %%dot"),
        ("%%dot --save x.mmd\ngraph { a }\n", "x.mmd would hold dot source"),
        ("%%dot --save {name}.svg\ngraph { a }\n", "Put the whole name into one: --save {path}"),
        ("%%mermaid --bogus\nx\n", "--bogus is not an option"),
        ("%%mermaid model\nx\n", "There is text that is no option: model"),
        ("%%mermaid --force\nx\n", "--force belongs to --save"),
    ],
)
def test_usage_errors_are_one_line(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], cell: str, sentence: str
) -> None:
    register(shell)
    assert not shell.run_cell(cell).success
    shown = capsys.readouterr().err.strip()
    assert sentence in shown
    assert len(shown.splitlines()) == 1


@pytest.mark.parametrize("cell", ["%%mermaid --help", "%%dot -h\nx", "%%mermaid?"])
def test_help_has_an_example(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], cell: str
) -> None:
    register(shell)
    assert shell.run_cell(cell).success
    shown = capsys.readouterr().out
    assert "--theme" in shown
    assert "seed" in shown


def test_a_terminal_gets_the_source(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    register(shell)
    assert shell.run_cell("%%dot --into d\ndigraph { a -> b }\n").success
    assert capsys.readouterr().out == "digraph { a -> b }\n"
    assert shell.user_ns["d"].svg.startswith("<svg")


def test_another_packages_magic_stays_with_it(shell: InteractiveShell) -> None:
    def theirs(line: str, cell: str) -> None: ...

    theirs.__module__ = "mermaid_magic.magics"
    shell.register_magic_function(theirs, "cell", "mermaid")
    register(shell)
    assert shell.find_cell_magic("mermaid") is theirs
    assert shell.find_cell_magic("dot") is not None
    unregister(shell)
    assert shell.find_cell_magic("mermaid") is theirs
    assert shell.find_cell_magic("dot") is None


def test_tab_completes_options_and_their_values(shell: InteractiveShell) -> None:
    register(shell)

    def offered(text: str) -> set[str]:
        completer = shell.Completer
        assert completer is not None
        with provisionalcompleter():
            return {each.text for each in completer.completions(text, len(text))}

    assert {"--theme", "--save", "--changes"} <= offered("%%mermaid --")
    assert {"default", "dark", "neutral"} <= offered("%%mermaid --theme ")
    assert {"--type", "--free", "--direction"} <= offered("%%llm diagram --")
    assert {"flowchart", "pie", "digraph"} <= offered("%%llm diagram --type ")
    assert {"flow", "classes", "imports"} <= offered("%llm diagram --type ")
    assert "pie" not in offered("%llm diagram --type ")
    assert "diagram" in offered("%llm dia")
