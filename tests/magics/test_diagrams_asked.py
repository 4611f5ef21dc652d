"""``%%llm diagram`` and ``-f mermaid|dot``: held to a grammar, drawn, repaired, saved, bound."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from jupyter_localllm.assistant.diagrams.grammar.grammars import DIAGRAM_TYPES, diagram_grammar
from jupyter_localllm.assistant.diagrams.nouns import DIAGRAM_MIME
from jupyter_localllm.host.connection_file import CONNECTION_FILE_ENV
from jupyter_localllm.host.launch import start_host
from jupyter_localllm.magics import register
from jupyter_localllm.magics.answers.conclusions import conclude
from jupyter_localllm.magics.answers.last_answer import LastAnswer
from jupyter_localllm.magics.diagrams.options import TYPES, type_in, with_type
from jupyter_localllm.magics.lines.cell_arguments import parse_cell
from jupyter_localllm.magics.lines.commands import Ask, DiagramOptions
from jupyter_localllm.magics.questions.question import Question
from jupyter_localllm.protocol import ChatCompletionRequest, ChatMessage
from tests.gguf_builders.scripted import build_scripted
from tests.magics.kernel_session import KernelSession
from tests.magics.test_diagrams_answers import kinds, n_pictures
from tests.magics.wire_tap import WireTap

StartKernel = Callable[..., KernelSession]

SEEDS = "flowchart TD\n  A[Seed] --> B[Flower]"
SCRIPTS = {
    "PLAIN": SEEDS,
    "TALK": f"Sure:\n\n```mermaid\n{SEEDS}\n```\n\nBye.",
    "CURABLE": "flowchart TD\n  A[f(x)] --> B",
    "WRONG": "digraph { a -> ] }",
    "corrected": "digraph { a -> b }",
}


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_scripted(tmp_path_factory.mktemp("asked") / "asked.gguf", SCRIPTS)


@pytest.fixture
def kernel(start_kernel: StartKernel, model: Path) -> KernelSession:
    session = start_kernel()
    session.run(f"%llm use {model}").check_ok()
    return session


def ask(line: str, words: str = "") -> Ask:
    command = parse_cell(line, {})
    assert isinstance(command, Ask)
    return with_type(command, words)


# --- the line -------------------------------------------------------------------------------


def test_the_types_are_those_of_the_grammars() -> None:
    assert {name: known.kind for name, known in DIAGRAM_TYPES.items()} == TYPES


@pytest.mark.parametrize("name", TYPES)
def test_every_type_has_a_grammar_and_instructions(name: str) -> None:
    assert "root ::=" in diagram_grammar(name, max_tokens=300)


@pytest.mark.parametrize("name", TYPES)
def test_a_direction_is_taken_where_the_grammar_takes_one(name: str) -> None:
    if DIAGRAM_TYPES[name].has_direction:
        assert ask(f"diagram --type {name} --direction lr").diagram.direction == "LR"
    else:
        with pytest.raises(UsageError, match="has no --direction"):
            ask(f"diagram --type {name} --direction LR")


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("A sequence diagram of a login", "sequence"),
        ("Draw a pie chart: 3 apples, 4 pears", "pie"),
        ("the class diagram of a shop", "class"),
        ("state machine of a door", "state"),
        ("an entity-relationship diagram", "er"),
        ("Mindmap about fruit", "mindmap"),
        ("a Gantt chart", "gantt"),
        ("a timeline of 1900", "timeline"),
        ("directed graph of ports", "digraph"),
        ("an undirected graph", "graph"),
        ("a flow chart, not a pie chart", "flowchart"),
        ("how bread is made", ""),
        ("occupied charts", ""),
    ],
)
def test_the_words_of_a_question_choose_the_type(words: str, name: str) -> None:
    assert type_in(words) == name


@pytest.mark.parametrize(
    ("line", "words", "expected"),
    [
        ("diagram", "how bread is made", ("mermaid", "flowchart", False)),
        ("diagram", "a pie chart", ("mermaid", "pie", False)),
        ("diagram", "a directed graph", ("dot", "digraph", False)),
        ("diagram --type graph", "a pie chart", ("dot", "graph", False)),
        ("--type er", "a shop", ("mermaid", "er", False)),
        ("-f dot", "a pie chart", ("dot", "digraph", False)),
        ("-f graphviz", "an undirected graph", ("dot", "graph", False)),
        ("-f mermaid", "a directed graph", ("mermaid", "flowchart", False)),
        ("diagram --free", "how bread is made", ("mermaid", "", True)),
        ("diagram --free", "a pie chart", ("mermaid", "pie", True)),
    ],
)
def test_format_and_type_follow_from_line_and_words(
    line: str, words: str, expected: tuple[str, str, bool]
) -> None:
    asked = ask(line, words)
    assert (asked.format, asked.diagram.type, asked.diagram.is_free) == expected


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("diagram --type flwochart", "did you mean `flowchart`?"),
        ("diagram --direction UP", "There are TB, TD, BT, LR, RL."),
        ("diagram --theme blue", "There are default, dark, neutral."),
        ("-f dot --type pie", "--type pie is none of -f dot, which has digraph, graph"),
        ("diagram --save x.gif", "End its name with .svg, .png, .pdf, .mmd, .dot, .gv"),
        ("diagram --type pie --save x.dot", "x.dot would hold mermaid source"),
        ("diagram --force", "--force belongs to --save"),
        ("-f json --theme dark", "--theme belongs to diagrams"),
        ("--free", "--free belongs to a diagram"),
        ("diagram -f json", "Diagram draws a picture"),
        ("diagram -x", "-x is about code"),
    ],
)
def test_what_contradicts_itself_is_one_line(line: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_cell(line, {})
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_theme_is_also_of_the_diagrams_in_an_answer() -> None:
    assert ask("--theme dark").diagram == DiagramOptions(theme="dark")


# --- the request ----------------------------------------------------------------------------


def sent_with(
    shell: InteractiveShell, model: Path, folder: Path, *lines: str
) -> list[dict[str, Any]]:
    """Ask through a relay; return what went over the wire."""
    tap = WireTap(start_host(), folder)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(CONNECTION_FILE_ENV, str(tap.connection_file))
            for line in lines:
                shell.run_cell(f"%%llm {line} -m {model}\nPLAIN\n")
        return tap.chat_requests()
    finally:
        tap.close()


def test_the_grammar_goes_along_unless_it_is_turned_off(
    shell: InteractiveShell, model: Path, tmp_path: Path
) -> None:
    register(shell)
    shell.run_cell("%config LocalLLM.max_tokens = 300")
    held, free, dot, directed = sent_with(
        shell,
        model,
        tmp_path,
        "diagram --type pie --no-history",
        "diagram --type pie --free --no-history --retry 0",
        "-f dot --no-history --retry 0",
        "diagram --direction LR --no-history --retry 0",
    )
    assert held["grammar"] == diagram_grammar("pie", max_tokens=300)
    assert "grammar" not in free
    assert dot["grammar"] == diagram_grammar("digraph", max_tokens=300)
    assert directed["grammar"] == diagram_grammar("flowchart", direction="LR", max_tokens=300)
    # What is held to a grammar is shown by examples, and the rest is told.
    assert held["messages"][-1]["content"] == "PLAIN"
    shown = held["messages"][:-1]
    assert [turn["role"] for turn in shown] == ["user", "assistant"] * (len(shown) // 2)
    assert shown[1]["content"].startswith("pie")
    told = free["messages"][-1]["content"]
    assert len(free["messages"]) == 1 and "pie" in told and told.endswith("PLAIN")


# --- the answer -----------------------------------------------------------------------------


@pytest.mark.parametrize("trigger", ["PLAIN", "TALK"])
def test_the_answer_is_one_picture(kernel: KernelSession, trigger: str) -> None:
    cell = kernel.run(f"%%llm diagram --free --into d\n{trigger}\n").check_ok()
    assert kinds(cell) == ["mermaid"]
    assert n_pictures(cell) == 1
    facts = cell.outputs[0]["metadata"]["jupyter_localllm"]
    assert facts["finish_reason"] == "stop"
    told = "print(d is _llm.last.diagram, d.kind, d.svg[:4], d.png[1:4], d.changes, bool(d.alt))"
    assert kernel.run(told).stdout == "True mermaid <svg b'PNG' () True\n"
    assert kernel.run("print(d)").stdout.strip() == SEEDS
    shown = kernel.run("d").check_ok()
    [result] = shown.of_type("execute_result")
    assert DIAGRAM_MIME in result["content"]["data"]
    assert "text/vnd.mermaid" not in result["content"]["data"]


def test_rules_repair_it_without_the_model(kernel: KernelSession) -> None:
    cell = kernel.run("%%llm diagram --free\nCURABLE\n").check_ok()
    assert kinds(cell) == ["[Repaired: 1 change]", "mermaid"]
    assert n_pictures(cell) == 1


def test_an_attempt_that_failed_is_folded_above_the_picture(kernel: KernelSession) -> None:
    cell = kernel.run("%%llm -f dot --free\nWRONG\n").check_ok()
    attempt, picture = kinds(cell)
    assert attempt.startswith("[Attempt 1 of 3 failed: The Graphviz diagram cannot be read")
    assert picture == "dot"
    assert kernel.run("print(_llm.last.text)").stdout == "digraph { a -> b }\n"


def test_the_last_failure_is_an_error_with_the_line_and_llm_fix_takes_it(
    kernel: KernelSession,
) -> None:
    cell = kernel.run("%%llm -f dot --free --retry 0\nWRONG\n")
    assert cell.error is not None
    message, hint = cell.error["traceback"]
    assert message.endswith("[diagram_invalid]")
    assert hint == "%llm fix asks the model to repair it."
    assert kinds(cell) == ["> 1  digraph { a -> ] }"]
    assert kinds(kernel.run("%llm fix").check_ok()) == ["dot"]


@pytest.mark.parametrize(
    ("name", "start"),
    [("x.svg", b"<svg"), ("x.png", b"\x89PNG"), ("x.pdf", b"%PDF"), ("x.mmd", b"flowchart TD")],
)
def test_save_writes_the_kind_of_file_that_its_name_says(
    kernel: KernelSession, tmp_path: Path, name: str, start: bytes
) -> None:
    line = f"%%llm diagram --free --save {name}"
    cell = kernel.run(f"{line}\nPLAIN\n").check_ok()
    assert cell.stdout == f"Saved the diagram in {name}.\n"
    assert (tmp_path / name).read_bytes().startswith(start)
    (tmp_path / name).write_bytes(b"mine")
    again = kernel.run(f"{line}\nPLAIN\n")
    assert again.reply["ename"] == "UsageError"
    # Refused before the model was asked.
    assert not again.displays
    assert (tmp_path / name).read_bytes() == b"mine"
    kernel.run(f"{line} --force\nPLAIN\n").check_ok()
    assert (tmp_path / name).read_bytes().startswith(start)


def test_a_folder_that_is_not_there_is_one_line(kernel: KernelSession) -> None:
    cell = kernel.run("%%llm diagram --free --save no/folder/x.svg\nPLAIN\n")
    assert cell.reply["ename"] == "UsageError"
    assert "cannot be written" in cell.stderr


@pytest.mark.timeout(300)
def test_a_real_model_is_held_to_the_grammar(start_kernel: StartKernel, smollm2_path: Path) -> None:
    kernel = start_kernel()
    line = f"%%llm diagram --retry 0 --seed 1 --max-tokens 400 -m {smollm2_path}"
    cell = kernel.run(f"{line}\nHow is bread made?\n").check_ok()
    assert kinds(cell) == ["mermaid"]
    assert kernel.run("print(_llm.last.text)").stdout.startswith("flowchart ")


def test_a_diagram_that_was_cut_is_closed_and_says_so(shell: InteractiveShell) -> None:
    answer = LastAnswer("?", 'flowchart TD\n    A["Seed"] --> B["Flo', finish_reason="length")
    request = ChatCompletionRequest(messages=[ChatMessage("user", "?")])
    question = Question(
        action="diagram",
        format="mermaid",
        request=request,
        model_label="",
        diagram=DiagramOptions(type="flowchart"),
    )
    conclusion = conclude(shell, question, answer, None)
    assert conclusion.note == "What was not finished is left out."
    assert "Seed" in conclusion.value.alt
    assert not conclusion.value.changes


def test_a_terminal_gets_the_source_once(
    shell: InteractiveShell, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register(shell)
    assert shell.run_cell(f"%%llm diagram --free --into d -m {model}\nPLAIN\n").success
    assert capsys.readouterr().out == f"{SEEDS}\n"
    assert shell.user_ns["d"].svg.startswith("<svg")
