"""Progress with a Stop button, and buttons that ask: only where clicks arrive while a cell runs.

The test is the front end: it makes a subshell when a widget is opened, as JupyterLab does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_localllm.errors import CodeRefused
from jupyter_localllm.magics.execution.consent import Consent, ask_consent
from jupyter_localllm.magics.execution.execute import run_code
from jupyter_localllm.magics.output.passing_output import PassingOutput
from jupyter_localllm.magics.output.progress_widget import ProgressLine
from tests.gguf_builders.scripted import build_scripted
from tests.magics.kernel_session import CellRun, KernelSession
from tests.magics.test_interrupt import check_is_idle

StartKernel = Callable[..., KernelSession]
VIEW = "application/vnd.jupyter.widget-view+json"


class FrontEnd:
    """Answers the kernel's widgets."""

    def __init__(self, kernel: KernelSession) -> None:
        self.kernel = kernel
        self.subshell = ""
        #: Comm ids by the text of their buttons.
        self.buttons: dict[str, str] = {}

    def follow(self, message_id: str, cell: CellRun, text: str) -> dict[str, Any]:
        """Read on until a display whose plain text holds ``text``."""
        while True:
            message = self.kernel.next_message(message_id, cell)
            assert message["content"].get("execution_state") != "idle", cell
            if message["msg_type"] == "comm_open":
                self._opened(message["content"])
            data = message["content"].get("data", {})
            if "display" in message["msg_type"] and text in data.get("text/plain", ""):
                return message

    def _opened(self, content: dict[str, Any]) -> None:
        state = content["data"].get("state", {})
        if state.get("_model_name") == "ButtonModel":
            self.buttons[state["description"]] = content["comm_id"]
        if not self.subshell:
            client = self.kernel.client
            request = client.session.msg("create_subshell_request", {})
            client.control_channel.send(request)
            while True:
                reply = client.get_control_msg(timeout=30)
                if reply["parent_header"].get("msg_id") == request["header"]["msg_id"]:
                    self.subshell = reply["content"]["subshell_id"]
                    return

    def click(self, name: str, subshell: str | None = "its own") -> None:
        content = {
            "comm_id": self.buttons[name],
            "data": {"method": "custom", "content": {"event": "click"}},
        }
        message = self.kernel.client.session.msg("comm_msg", content)
        message["header"]["subshell_id"] = self.subshell if subshell == "its own" else subshell
        self.kernel.client.shell_channel.send(message)


def left_open(cell: CellRun) -> list[str]:
    """The kinds of widgets that the cell opened and did not close."""
    closed = {m["content"]["comm_id"] for m in cell.of_type("comm_close")}
    opened = [m["content"] for m in cell.of_type("comm_open") if "data" in m["content"]]
    return [c["data"]["state"]["_model_name"] for c in opened if c["comm_id"] not in closed]


def check_is_gone(cell: CellRun) -> None:
    """Every output that had a widget is empty at the end, and one widget is left, not drawn."""
    views = [c["transient"]["display_id"] for c in cell.displays if VIEW in c["data"]]
    last = {c["transient"]["display_id"]: c["data"] for c in cell.displays}
    assert views
    assert all(last[view] == {"text/plain": ""} for view in views)
    assert left_open(cell) == ["LayoutModel"]


def test_stop_works_while_the_cell_runs(start_kernel: StartKernel, slow_model: Path) -> None:
    kernel = start_kernel()
    kernel.run(f"%llm use {slow_model}").check_ok()
    page, cell = FrontEnd(kernel), CellRun()
    asked = kernel.execute("%%llm --max-tokens 4000\ngo\n")
    shown = page.follow(asked, cell, "")
    while VIEW not in shown["content"]["data"]:
        shown = page.follow(asked, cell, "")
    page.click("Stop")
    kernel.finish(asked, cell)
    assert cell.reply["ename"] == "AnswerStopped"
    check_is_gone(cell)
    assert "Stopped." in str(cell.displays)
    check_is_idle(kernel)
    assert kernel.run("%%llm --max-tokens 3\ngo\n").check_ok().displays


def test_a_front_end_without_live_widgets_gets_a_text_line(
    start_kernel: StartKernel, slow_model: Path
) -> None:
    kernel = start_kernel()
    kernel.run(f"%llm use {slow_model}").check_ok()
    asked = kernel.execute("%%llm --max-tokens 4000 --no-stream\ngo\n")
    cell = kernel.wait_for_text(asked, "characters so far")
    assert not any(VIEW in content["data"] for content in cell.displays)
    kernel.interrupt()
    kernel.finish(asked, cell)
    assert left_open(cell) == ["LayoutModel"]


def test_the_line_can_be_switched_off(start_kernel: StartKernel, slow_model: Path) -> None:
    kernel = start_kernel()
    kernel.run(f"%llm use {slow_model}\n%config LocalLLM.progress = False").check_ok()
    asked = kernel.execute("%%llm --max-tokens 4000 --no-stream\ngo\n")
    cell = kernel.wait_for_text(asked, "characters so far")
    kernel.interrupt()
    assert not kernel.finish(asked, cell).of_type("comm_open")


def ask_to_run(kernel: KernelSession, page: FrontEnd, cell: CellRun, folder: Path) -> str:
    """Start a cell whose code makes the file ``s``, and wait for its question."""
    code = "```python\nopen('s', 'w').close()\n```"
    model = build_scripted(folder / "w.gguf", {"WRITES": code})
    asked = kernel.execute(f"%%llm -x --confirm -m {model}\nWRITES\n")
    page.follow(asked, cell, "Run this code?")
    return asked


@pytest.mark.parametrize(("button", "runs"), [("Run", True), ("Do not run", False)])
def test_confirm_asks_with_buttons(
    start_kernel: StartKernel, tmp_path: Path, button: str, runs: bool
) -> None:
    kernel = start_kernel()
    page, cell = FrontEnd(kernel), CellRun()
    asked = ask_to_run(kernel, page, cell, tmp_path)
    assert not (tmp_path / "s").exists()
    shown = [c["data"]["text/plain"] for c in cell.displays if VIEW not in c["data"]]
    assert shown[-1] == "open('s', 'w').close()"
    page.click(button)
    kernel.finish(asked, cell)
    assert (tmp_path / "s").exists() is runs
    assert cell.reply["status"] == ("ok" if runs else "error")
    check_is_gone(cell)


@pytest.mark.parametrize("subshell", [None, "one that was deleted"])
def test_a_click_is_heard_whatever_subshell_the_page_knows_of(
    start_kernel: StartKernel, tmp_path: Path, subshell: str | None
) -> None:
    kernel = start_kernel()
    page, cell = FrontEnd(kernel), CellRun()
    asked = ask_to_run(kernel, page, cell, tmp_path)
    page.click("Run", subshell)
    kernel.finish(asked, cell)
    assert (tmp_path / "s").exists()


def test_one_widget_stays_for_as_long_as_the_kernel(
    start_kernel: StartKernel, tmp_path: Path
) -> None:
    kernel = start_kernel()
    page = FrontEnd(kernel)
    for sign, left in (("first", 1), ("later", 0), ("all closed", 1)):
        if sign == "all closed":
            kernel.run("import ipywidgets\nipywidgets.Widget.close_all()").check_ok()
        cell = CellRun()
        asked = ask_to_run(kernel, page, cell, tmp_path)
        page.click("Do not run")
        kernel.finish(asked, cell)
        assert left_open(cell) == ["LayoutModel"] * left, sign


def test_an_interrupt_ends_the_question(start_kernel: StartKernel, tmp_path: Path) -> None:
    kernel = start_kernel()
    page, cell = FrontEnd(kernel), CellRun()
    asked = ask_to_run(kernel, page, cell, tmp_path)
    kernel.interrupt()
    kernel.finish(asked, cell)
    assert cell.reply["status"] == "error"
    assert not (tmp_path / "s").exists()
    check_is_gone(cell)


def test_consent_is_for_the_exact_code(make_shell: Callable[..., Any]) -> None:
    shell, consent = make_shell(), Consent("ran = 1")
    for changed in ("ran = 1 ", "ran = 2", "ran = 1\nimport os", ""):
        with pytest.raises(CodeRefused, match="not the one that was agreed to"):
            run_code(shell, changed, consent=consent)
    assert "ran" not in shell.user_ns
    run_code(shell, "ran = 1", consent=consent)
    assert shell.user_ns["ran"] == 1


@pytest.mark.parametrize(
    "hidden", ["\u202e", "\u200b", "\u2066", "\ufeff", "\u3164", "\u00ad", "\u2028", "\U000e0041"]
)
def test_code_that_looks_like_other_code_is_not_asked_about(
    make_shell: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, hidden: str
) -> None:
    monkeypatch.setattr("builtins.input", lambda _: "y")
    shell = make_shell()
    ask_consent(shell, "x = 'ünïcode'")
    with pytest.raises(CodeRefused, match="invisible characters"):
        ask_consent(shell, f"x = 'a{hidden}b'")


def test_nothing_is_shown_outside_of_kernels(make_shell: Callable[..., Any]) -> None:
    line = ProgressLine(make_shell())
    line.tick("Loading the model …")
    assert not line.hides_waiting
    line.close()


def test_an_output_that_was_not_shown_leaves_nothing() -> None:
    class Widget:
        closed = 0

        def close(self) -> None:
            self.closed += 1

    widget = Widget()
    output = PassingOutput(widget)
    output.close()
    assert widget.closed == 1
    assert not output.is_shown
