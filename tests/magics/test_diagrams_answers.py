"""Fences in an answer become pictures where they stand; what does not parse is repaired."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

from jupyter_localllm.assistant.code_blocks import code_blocks
from jupyter_localllm.assistant.diagrams.nouns import DIAGRAM_MIME
from jupyter_localllm.magics import register
from jupyter_localllm.magics.diagrams.parts import DiagramParts
from tests.gguf_builders.scripted import build_scripted
from tests.magics.kernel_session import CellRun, KernelSession

StartKernel = Callable[..., KernelSession]

SEEDS = "flowchart TD\n  A[Seed] --> B[Flower]"
ARROW = "digraph { a -> b }"
#: So long that it is painted while it is written.
COMMENTS = "\n".join(f"  %% line{number} of many words" for number in range(200))
#: No rule can know what was meant.
WRONG = "digraph { a -> ] }"
#: A word of the prompt of the repair turn.
REPAIR = "corrected"
SCRIPTS = {
    "STEPS": f"First:\n\n```mermaid\n{SEEDS}\n```\n\nThen:\n\n```dot\n{ARROW}\n```\n\nThat is all.",
    "ENDING": f"Look:\n\n```mermaid\n{SEEDS}\n```",
    "ONLY": f"```mermaid\n{SEEDS}\n```\n",
    "SLOWLY": f"Look:\n\n```mermaid\n{SEEDS}\n{COMMENTS}\n```",
    "CURABLE": "So:\n\n```mermaid\nflowchart TD\n  A[f(x)] --> B\n```\n\nSee?",
    "NESTED": f"Write it so:\n\n````markdown\n```mermaid\n{SEEDS}\n```\n````\n\nin a cell.",
    "OPENED": f"It is\n\n```mermaid\n{SEEDS}\n",
    "WRONG": f"Look:\n\n```dot\n{WRONG}\n```\n\nDone.",
    "LISTED": "1. One\n\n   ```mermaid\n   flowchart TD\n     A --> B\n   ```\n2. Two",
    REPAIR: f"Sorry.\n\n```dot\n{ARROW}\n```",
}
STUBBORN = {**SCRIPTS, REPAIR: "```dot\ndigraph { b -> ] }\n```"}


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_scripted(tmp_path_factory.mktemp("diagrams") / "diagrams.gguf", SCRIPTS)


@pytest.fixture(scope="session")
def stubborn_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_scripted(tmp_path_factory.mktemp("diagrams") / "stubborn.gguf", STUBBORN)


@pytest.fixture
def kernel(start_kernel: StartKernel, model: Path) -> KernelSession:
    session = start_kernel()
    session.run(f"%llm use {model}").check_ok()
    return session


def kinds(cell: CellRun) -> list[str]:
    """What each output is: its text, or the kind of its picture."""
    return [
        content["data"][DIAGRAM_MIME]["kind"]
        if DIAGRAM_MIME in content["data"]
        else content["data"]["text/plain"]
        for content in cell.outputs
    ]


def n_pictures(cell: CellRun) -> int:
    """How often a picture was sent, as an output or an update."""
    return sum("image/svg+xml" in content["data"] for content in cell.displays)


def check_nothing_is_laid_out(cell: CellRun) -> None:
    for content in cell.displays:
        data = content["data"]
        assert "text/vnd.mermaid" not in data
        assert "text/html" not in data
        for block in code_blocks(data.get("text/markdown", "")):
            assert "mermaid" not in block.info


def test_an_answer_is_text_picture_text(kernel: KernelSession) -> None:
    cell = kernel.run("%%llm\nSTEPS\n").check_ok()
    assert kinds(cell) == ["First:", "mermaid", "Then:", "dot", "That is all."]
    assert n_pictures(cell) == 2
    check_nothing_is_laid_out(cell)
    every = [content["metadata"]["jupyter_localllm"] for content in cell.outputs]
    assert all(facts["model"] for facts in every)
    assert [("usage" in facts, facts.get("kind")) for facts in every] == [
        *((False, "text"), (False, "diagram")) * 2,
        (True, None),
    ]
    assert every[-1]["finish_reason"] == "stop"


def test_a_fence_is_text_until_it_closes(kernel: KernelSession) -> None:
    cell = kernel.run("%%llm --max-tokens 4000\nSLOWLY\n").check_ok()
    texts = [content["data"].get("text/markdown", "") for content in cell.displays]
    before = texts[: next(i for i, c in enumerate(cell.displays) if DIAGRAM_MIME in c["data"])]
    assert any("```text\nflowchart" in text for text in before)
    check_nothing_is_laid_out(cell)
    assert n_pictures(cell) == 1


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [("ENDING", ["Look:", "mermaid"]), ("ONLY", ["mermaid"]), ("OPENED", ["It is", "mermaid"])],
)
def test_an_answer_that_ends_in_a_diagram_keeps_its_facts(
    kernel: KernelSession, trigger: str, expected: list[str]
) -> None:
    cell = kernel.run(f"%%llm\n{trigger}\n").check_ok()
    assert kinds(cell) == expected
    assert n_pictures(cell) == 1
    facts = cell.outputs[-1]["metadata"]["jupyter_localllm"]
    assert facts["finish_reason"] == "stop"
    assert facts["usage"]["completion_tokens"] > 0
    assert kernel.run("print(_llm.last.text)").stdout == SCRIPTS[trigger] + "\n"


def test_a_picture_waits_until_it_is_known_whether_anything_follows() -> None:
    """Else the facts of the answer would need an output of their own, or the picture a second."""
    parts = DiagramParts("neutral")
    text = f"Look:\n\n```dot\n{ARROW}\n```\n"
    parts.look(text, is_due=True)
    assert parts.wait(30)
    assert parts.ready(text, is_over=False) is None
    part = parts.ready(f"{text}\nMore", is_over=False)
    assert part is not None
    assert (part.before, part.is_last) == ("Look:\n\n", False)
    again = DiagramParts("neutral")
    again.look_at_end(text, is_whole=True)
    assert again.wait(30)
    last = again.ready(text, is_over=True)
    assert last is not None
    assert last.is_last


@pytest.mark.parametrize("closing", ["", "`", "``", "```", "```x"])
def test_a_fence_whose_last_line_may_go_on_is_not_closed(closing: str) -> None:
    parts = DiagramParts("neutral")
    parts.look(f"```dot\n{ARROW}\n{closing}", is_due=True)
    assert not parts.has_pending


def test_the_answer_as_a_value_is_what_the_model_wrote(kernel: KernelSession) -> None:
    kernel.run("%%llm --into text\nSTEPS\n").check_ok()
    told = "print(text == _llm.last.text, len(_llm.last.diagrams), _llm.last.diagram.kind)"
    assert kernel.run(told).stdout == "True 2 mermaid\n"
    assert kernel.run("print(_llm.last.text)").stdout == SCRIPTS["STEPS"] + "\n"
    shown = kernel.run("%llm show diagram").check_ok()
    assert kinds(shown) == ["mermaid"]


def test_what_the_rules_changed_is_folded_above_the_picture(kernel: KernelSession) -> None:
    cell = kernel.run("%%llm\nCURABLE\n").check_ok()
    assert kinds(cell) == ["So:", "[Repaired: 1 change]", "mermaid", "See?"]
    fold = cell.outputs[1]["data"]["text/markdown"]
    assert fold.startswith("<details><summary>Repaired: 1 change</summary>")
    assert 'A["f(x)"]' in fold
    check_nothing_is_laid_out(cell)


def test_a_fence_in_a_fence_stays_text(kernel: KernelSession) -> None:
    cell = kernel.run("%%llm\nNESTED\n").check_ok()
    assert kinds(cell) == [SCRIPTS["NESTED"]]
    assert cell.outputs[0]["data"]["text/markdown"] == SCRIPTS["NESTED"]


def test_a_fence_in_a_list_is_drawn(kernel: KernelSession) -> None:
    cell = kernel.run("%%llm\nLISTED\n").check_ok()
    assert kinds(cell) == ["1. One", "mermaid", "2. Two"]
    check_nothing_is_laid_out(cell)


def test_an_answer_held_back_is_the_same_sequence(kernel: KernelSession) -> None:
    cell = kernel.run("%%llm --no-stream\nSTEPS\n").check_ok()
    assert kinds(cell) == ["First:", "mermaid", "Then:", "dot", "That is all."]
    assert n_pictures(cell) == 2


def test_a_cut_answer_says_so_below_and_leaves_the_fence_text(kernel: KernelSession) -> None:
    cell = kernel.run("%%llm --max-tokens 100\nSLOWLY\n").check_ok()
    assert n_pictures(cell) == 0
    [output] = cell.outputs
    assert "The answer was cut after 100 tokens." in output["data"]["text/plain"]
    check_nothing_is_laid_out(cell)


# --- the repair turn ------------------------------------------------------------------------


def test_the_model_repairs_what_the_rules_cannot(kernel: KernelSession) -> None:
    cell = kernel.run("%%llm\nWRONG\n").check_ok()
    assert kinds(cell)[0] == "Look:"
    assert kinds(cell)[1].startswith("[Attempt 1 of 3 failed: The Graphviz diagram cannot be read")
    assert kinds(cell)[2:] == ["dot", "Done."]
    fold = cell.outputs[1]["data"]["text/markdown"]
    assert fold.startswith("<details><summary>Attempt 1 of 3 failed")
    assert "> 1  digraph { a -> ] }" in fold
    assert cell.outputs[2]["data"][DIAGRAM_MIME]["source"].strip() == ARROW
    assert kernel.run("print(_llm.last.text, len(_llm.last.diagrams))").stdout == (
        SCRIPTS["WRONG"] + " 1\n"
    )


@pytest.mark.parametrize("retry", [0, 1, 3])
def test_it_is_asked_as_often_as_retry_says(
    start_kernel: StartKernel, stubborn_model: Path, retry: int
) -> None:
    kernel = start_kernel()
    kernel.run(f"%llm use {stubborn_model}").check_ok()
    cell = kernel.run(f"%%llm --retry {retry}\nWRONG\n").check_ok()
    asked = [c["data"]["text/plain"] for c in cell.displays if "Asking the" in str(c["data"])]
    assert asked == [
        f"Asking the model to repair it: {number} of {retry} …" for number in range(1, retry + 1)
    ]
    text, source, reason, end = kinds(cell)
    assert (text, end) == ("Look:", "Done.")
    assert source.startswith(f"> 1  {WRONG}")
    assert source.count("failed:") == retry
    assert "“]” is not expected" in reason
    assert reason.endswith("%llm fix asks the model to repair it.")
    assert n_pictures(cell) == 0


def test_llm_fix_repairs_the_last_diagram_of_an_answer(
    start_kernel: StartKernel, model: Path
) -> None:
    kernel = start_kernel()
    kernel.run(f"%llm use {model}").check_ok()
    kernel.run("%%llm --retry 0\nWRONG\n").check_ok()
    cell = kernel.run("%llm fix").check_ok()
    assert kinds(cell) == ["dot"]
    assert kernel.run("print(_llm.last.diagram.source)").stdout.strip() == ARROW


# --- elsewhere ------------------------------------------------------------------------------


def test_a_terminal_gets_the_source_and_draws_on_request(
    shell: InteractiveShell, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register(shell)
    assert shell.run_cell(f"%%llm -m {model}\nSTEPS\n").success
    assert capsys.readouterr().out == SCRIPTS["STEPS"] + "\n"
    assert shell.user_ns["_llm"].last.diagram.svg.startswith("<svg")


def test_where_nothing_can_be_drawn_the_answer_stays_whole_and_says_why(
    shell: InteractiveShell, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jupyter_localllm.assistant.diagrams import child, renderer

    def cannot(*_: object) -> object:
        raise OSError("no program")

    monkeypatch.setattr(child, "start", cannot)
    broken = renderer.DiagramRenderer(start_child=cannot)
    monkeypatch.setattr(renderer, "_shared", broken)
    publisher = CapturingDisplayPublisher()
    monkeypatch.setattr(shell, "display_pub", publisher)
    register(shell)
    shell.run_cell("%config LocalLLM.display = 'rich'")
    assert shell.run_cell(f"%%llm -m {model}\nSTEPS\n").success
    assert len({each["transient"]["display_id"] for each in publisher.outputs}) == 1
    last = publisher.outputs[-1]["data"]["text/plain"]
    assert last.startswith(SCRIPTS["STEPS"])
    assert "could not be drawn: its program could not be started" in last
