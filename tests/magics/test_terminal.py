"""Terminals: plain text as it comes, once; in IPython and in ``jupyter console``, through a pty."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from jupyter_localllm.magics import register
from tests.gguf_builders.scripted import SCRIPTS
from tests.magics.kernel_session import child_python_path

pexpect = pytest.importorskip("pexpect", reason="terminals are driven through a pty")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a pty")

PROMPT = r"In \[\d+\]: "
FRONT_ENDS = {
    "ipython": ["-m", "IPython", "--simple-prompt", "--no-banner", "--colors=NoColor"],
    "console": ["-m", "jupyter_console", "--simple-prompt"],
}


class Terminal:
    """A front end in a terminal of its own."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.process = pexpect.spawn(
            sys.executable,
            FRONT_ENDS[kind],
            cwd=str(folder),
            env=child_python_path(TERM="dumb"),
            encoding="utf-8",
            timeout=60,
            dimensions=(50, 250),
        )
        self.process.expect(PROMPT)
        self.run("%load_ext jupyter_localllm")

    def send(self, options: str, question: str) -> None:
        if self.kind == "console":
            # Its simple prompt takes one line at a time.
            self.process.sendline(
                f"get_ipython().run_cell_magic('llm', {options!r}, {question + chr(10)!r})"
            )
        else:
            for line in (f"%%llm {options}", question, "", ""):
                self.process.sendline(line)

    def ask(self, options: str, question: str) -> str:
        self.send(options, question)
        return self.shown()

    def run(self, line: str) -> str:
        self.process.sendline(line)
        return self.shown()

    def shown(self) -> str:
        self.process.expect(PROMPT)
        return str(self.process.before).replace("\r\n", "\n")

    def close(self) -> None:
        self.process.close(force=True)


@pytest.fixture(params=list(FRONT_ENDS))
def terminal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(request.param, tmp_path)
    yield terminal
    terminal.close()


def test_text_streams_into_a_terminal_and_is_not_repeated(
    terminal: Terminal, slow_model: Path
) -> None:
    terminal.send(f"-m {slow_model} --max-tokens 60", "go")
    # Each part is on the screen before the last one exists.
    for number in (3, 20, 40):
        terminal.process.expect(rf"tick{number} ")
        assert "cut after" not in terminal.process.before
    rest = terminal.shown()
    assert "tick59" in rest
    assert "tick3 " not in rest
    assert rest.count("cut after 60 tokens") == 1
    assert "<IPython" not in rest


def test_an_interrupt_in_a_terminal_is_two_short_lines(
    terminal: Terminal, slow_model: Path
) -> None:
    terminal.send(f"-m {slow_model} --max-tokens 2000", "go")
    terminal.process.expect("tick5 ")
    terminal.process.sendintr()
    shown = terminal.shown()
    assert "[Stopped.]" in shown
    assert "The answer was stopped." in shown
    assert "Traceback" not in shown
    assert "tick99" not in shown
    assert "42" in terminal.run("6 * 7")


def test_short_answers_and_errors_in_a_terminal(terminal: Terminal, scripted_model: Path) -> None:
    shown = terminal.ask(f"-m {scripted_model}", "HELLO")
    assert shown.count(SCRIPTS["HELLO"]) == 1
    shown = terminal.ask("-m ./none.gguf", "HELLO")
    assert "[model_file_missing]" in shown
    assert "Traceback" not in shown
    assert "did you mean `status`" in terminal.run("%llm statsu")
    assert re.search(r"model in use", terminal.run("%llm status"), re.IGNORECASE)


def test_an_in_process_shell_prints_the_answer_once(
    shell: InteractiveShell, scripted_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register(shell)
    for trigger in ("LONG", "BRACES", "EMOJI"):
        result = shell.run_cell(f"%%llm -m {scripted_model}\n{trigger}\n")
        assert result.success
        assert result.result is None
        assert capsys.readouterr().out == SCRIPTS[trigger] + "\n"


def test_the_rich_display_can_be_chosen_by_hand(
    shell: InteractiveShell,
    scripted_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from IPython.core.displaypub import CapturingDisplayPublisher

    register(shell)
    publisher = CapturingDisplayPublisher()
    monkeypatch.setattr(shell, "display_pub", publisher)
    shell.run_cell("%config LocalLLM.display = 'rich'")
    assert shell.run_cell(f"%%llm -m {scripted_model}\nHELLO\n").success
    assert publisher.outputs[-1]["data"]["text/markdown"] == SCRIPTS["HELLO"]
    assert capsys.readouterr().out == ""


def test_a_kernel_can_be_told_to_print_plain_text(
    start_kernel: Callable[..., object], scripted_model: Path
) -> None:
    kernel = start_kernel()
    kernel.run("%config LocalLLM.display = 'plain'").check_ok()
    cell = kernel.run(f"%%llm -m {scripted_model}\nHELLO\n").check_ok()
    assert not cell.displays
    assert cell.stdout.endswith(SCRIPTS["HELLO"] + "\n")
