"""Drawing and repairing never hold the text, and both can be interrupted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.gguf_builders.scripted import build_scripted
from tests.magics.kernel_session import CellRun, KernelSession
from tests.magics.test_diagrams_answers import kinds, n_pictures
from tests.magics.test_interrupt import check_is_idle, check_was_stopped

StartKernel = Callable[..., KernelSession]

SCRIPTS = {
    "STEPS": "First:\n\n```dot\ndigraph { a -> b }\n```\n\nThen:\n\n"
    "```dot\ndigraph { b -> a }\n```\n\nThat is all.",
    "WRONG": "Look:\n\n```dot\ndigraph { a -> ] }\n```\n\nDone.",
    # Takes much longer than a person waits.
    "corrected": " ".join(f"word{number}" for number in range(12_000)),
}

#: Run in the kernel: the process that draws takes everything and answers nothing.
HANG = """
import subprocess, sys
from jupyter_localllm.assistant.diagrams import renderer
pipe = subprocess.PIPE
def start_child():
    global child
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.buffer.read()"],
        stdin=pipe, stdout=pipe, stderr=pipe,
    )
    return child
renderer._shared = renderer.DiagramRenderer(start_child=start_child)
"""


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("interrupted") / "interrupted.gguf"
    return build_scripted(path, SCRIPTS, context_length=32_768)


@pytest.fixture
def kernel(start_kernel: StartKernel, model: Path) -> KernelSession:
    session = start_kernel()
    session.run(f"%llm use {model}").check_ok()
    return session


def test_a_diagram_that_takes_long_holds_no_text_and_can_be_interrupted(
    kernel: KernelSession,
) -> None:
    kernel.run(HANG).check_ok()
    asked = kernel.execute("%%llm\nSTEPS\n")
    cell = kernel.wait_for_text(asked, "Drawing …")
    # All of the answer is there while its first diagram is not.
    before = cell.displays[-1]["data"]["text/plain"]
    assert before == f"{SCRIPTS['STEPS']}\n\n[Drawing …]"
    interrupted = kernel.interrupt()
    kernel.finish(asked, cell)
    check_was_stopped(cell, interrupted)
    assert kinds(cell) == [f"{SCRIPTS['STEPS']}\n\n[Stopped.]"]
    assert n_pictures(cell) == 0
    facts = cell.outputs[-1]["metadata"]["jupyter_localllm"]
    assert facts["finish_reason"] == "stop", "the answer itself was whole"
    assert kernel.run("print(child.wait(10) is not None)").stdout == "True\n"
    check_is_idle(kernel)
    kernel.run("renderer.close()").check_ok()
    assert n_pictures(kernel.run("%%llm\nSTEPS\n").check_ok()) == 2


@pytest.mark.parametrize(
    "source", ["%%dot\ndigraph { a -> b }\n", "%%llm -f dot --free --no-history\nSTEPS\n"]
)
def test_other_diagrams_that_take_long_say_so_and_can_be_interrupted(
    kernel: KernelSession, source: str
) -> None:
    kernel.run(HANG).check_ok()
    asked = kernel.execute(source)
    cell = kernel.wait_for_text(asked, "Drawing …")
    interrupted = kernel.interrupt()
    kernel.finish(asked, cell)
    assert cell.messages[-1][0] - interrupted <= 1.0
    assert cell.reply["ename"] == "AnswerStopped"
    assert cell.error is not None
    assert len(cell.error["traceback"]) == 1
    assert cell.outputs[-1]["data"]["text/plain"].strip("[]").endswith("Stopped.")
    assert kernel.run("print(child.wait(10) is not None)").stdout == "True\n"


def test_an_interrupt_of_the_repair_turn_stops_the_model_and_keeps_the_answer(
    kernel: KernelSession,
) -> None:
    asked = kernel.execute("%%llm --max-tokens 20000\nWRONG\n")
    cell: CellRun = kernel.wait_for_text(asked, "Asking the model to repair it: 1 of 2 …")
    interrupted = kernel.interrupt()
    kernel.finish(asked, cell)
    check_was_stopped(cell, interrupted)
    text, source, reason, end = kinds(cell)
    assert (text, source) == ("Look:", "> 1  digraph { a -> ] }")
    assert "Stopped." in reason
    assert end == "Done.\n\n[Stopped.]"
    assert n_pictures(cell) == 0
    check_is_idle(kernel)
    assert kernel.run("print(_llm.last.text)").stdout == SCRIPTS["WRONG"] + "\n"
    assert kernel.run("%llm history").stdout.count("Done.") == 1
