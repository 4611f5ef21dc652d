"""``%%llm`` in a real Lab: Stop works while the cell runs, folds fold, frames are closed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.gguf_builders.scripted import build_scripted

from .lab_process import TOKEN, LabProcess

#: A notebook shows as idle before its session has a kernel; running cells then asks for one.
HAS_KERNEL = """
() => {
  const context = window.jupyterapp.shell.currentWidget?.context?.sessionContext;
  return context?.isReady === true && context.session?.kernel?.status === 'idle';
}
"""
IDLE = '.jp-Notebook-ExecutionIndicator[data-status="idle"]'
OUTPUTS = ".jp-Notebook .jp-CodeCell .jp-OutputArea-child"

METADATA_OF = """
index => window.jupyterapp.shell.currentWidget.content.widgets[index]
  .model.sharedModel.getMetadata()
"""
KEPT_IN = f"([index, isKept]) => ('jupyter_localllm' in ({METADATA_OF})(index)) === isKept"
REPLACE_SOURCE = """
([index, source]) => {
  window.jupyterapp.shell.currentWidget.content.widgets[index].model.sharedModel.setSource(source);
}
"""
#: Waits for what the command does.
RUN_COMMAND = "id => window.jupyterapp.commands.execute(id).then(() => undefined)"

SCRIPTS = {
    "THINKS": "<think>\nFirst one thing, then another.\n</think>\n\nThe answer is 42.",
    "WRITES": "```python\nprint('it', 'runs')\n```",
    "PAGE": (
        "```html\n<h1 id='x'>Title</h1><script>parent.document.title='pwn'</script>"
        "<img src='http://h.invalid/a.png' onerror='parent.pwn=1'><p>shown</p>\n```"
    ),
}
RunCells = Callable[..., Page]
#: A machine that also runs a model, a kernel and a browser for others is slow.
PATIENCE_MS = 60_000


@pytest.fixture(autouse=True)
def patient() -> Iterator[None]:
    expect.set_options(timeout=PATIENCE_MS)
    yield
    expect.set_options(timeout=5_000)


@pytest.fixture(scope="session")
def ui_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with scripted answers."""
    return build_scripted(tmp_path_factory.mktemp("ui") / "ui.gguf", SCRIPTS)


@pytest.fixture
def run_cells(page: Page, lab: LabProcess) -> RunCells:
    """``run_cells("name", "cell", …)``: opens a notebook of these cells and starts them all."""

    def run(name: str, *sources: str) -> Page:
        cells: list[dict[str, Any]] = [
            {"cell_type": "code", "id": f"c{i}", "execution_count": None, "metadata": {}}
            | {"outputs": [], "source": text}
            for i, text in enumerate(("%load_ext jupyter_localllm", *sources))
        ]
        kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
        metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
        body = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
        path = lab.home / "notebooks" / f"{name}.ipynb"
        path.write_text(json.dumps(body))
        page.goto(f"{lab.url}/lab/tree/{path.name}?token={TOKEN}&reset")
        choice = page.get_by_role("button", name="Select Kernel", exact=True)
        page.add_locator_handler(choice, lambda button: button.click())
        expect(page.locator(".jp-Notebook .jp-CodeCell")).to_have_count(len(cells))
        page.wait_for_function(HAS_KERNEL)
        run_all = "() => { void window.jupyterapp.commands.execute('notebook:run-all-cells'); }"
        page.evaluate(run_all)
        return page

    return run


def stop_button(page: Page) -> Locator:
    return page.locator(".jp-Notebook").get_by_role("button", name="Stop")


def test_the_stop_button_stops_the_answer_while_the_cell_runs(
    run_cells: RunCells, slow_model: Path, lab: LabProcess
) -> None:
    page = run_cells("stop", f"%%llm -m {slow_model} --max-tokens 2000\ngo")
    stop = stop_button(page)
    expect(stop).to_be_visible(timeout=60_000)
    answer = page.locator(".jp-Notebook .jp-RenderedMarkdown")
    expect(answer).to_contain_text("tick5")
    page.screenshot(path=str(lab.home / "stop.png"))
    stop.click()
    expect(page.locator(IDLE)).to_have_count(1)
    expect(answer.first).to_contain_text("Stopped.")
    # Gone at the end, and nothing of it takes room.
    expect(stop).to_have_count(0)
    line = page.locator(OUTPUTS).filter(has=page.locator('[data-mime-type="text/plain"]'))
    assert line.evaluate("e => [e.textContent, e.getBoundingClientRect().height]") == ["", 0]
    workers = lab.get_json("localllm/status")["workers"]
    assert not any(worker.get("slots_busy") for worker in workers)


def test_confirm_asks_with_buttons_about_the_code_above(
    run_cells: RunCells, ui_model: Path
) -> None:
    line = f"%%llm -x --confirm -m {ui_model}\nWRITES"
    # A progress line that is closed before the page has its subshell, and then the buttons.
    at_once = (
        "from jupyter_localllm.magics.output import progress_widget as line\nline.PATIENCE_S = 0"
    )
    page = run_cells("confirm", at_once, line, line)
    notebook = page.locator(".jp-Notebook")
    run = notebook.get_by_role("button", name="Run", exact=True)
    expect(run).to_be_visible(timeout=60_000)
    expect(notebook.locator(".jp-RenderedMarkdown").first).to_contain_text("print('it', 'runs')")
    expect(notebook.get_by_text("it runs", exact=True)).to_have_count(0)
    run.click()
    expect(notebook.get_by_text("it runs", exact=True)).to_have_count(1)
    no = notebook.get_by_role("button", name="Do not run")
    expect(no).to_have_count(1)
    no.click()
    expect(page.locator(IDLE)).to_have_count(1)
    expect(notebook).to_contain_text("The code was not run.")
    expect(notebook.get_by_text("it runs", exact=True)).to_have_count(1)


def test_thinking_is_folded_and_opens(run_cells: RunCells, ui_model: Path) -> None:
    page = run_cells("think", f"%%llm -m {ui_model}\nTHINKS")
    notebook = page.locator(".jp-Notebook")
    expect(notebook.locator(".jp-RenderedMarkdown").last).to_have_text("The answer is 42.")
    summary = notebook.locator("details summary")
    expect(summary).to_contain_text("Thought for")
    thought = notebook.get_by_text("First one thing, then another.")
    expect(thought).to_be_hidden()
    summary.click()
    expect(thought).to_be_visible()


def test_html_is_source_and_rendered_only_in_a_closed_frame(
    run_cells: RunCells, ui_model: Path
) -> None:
    lines = (f"%%llm -f html -m {ui_model}", f"%%llm -f html --render -m {ui_model}")
    page = run_cells("html", *(f"{line}\nPAGE" for line in lines))
    frame = page.locator(".jp-Notebook iframe")
    expect(frame).to_have_attribute("sandbox", "")
    source = page.locator(".jp-Notebook .jp-CodeCell").nth(1)
    expect(source.locator(".jp-RenderedMarkdown pre")).to_contain_text("<h1")
    expect(source.locator("iframe")).to_have_count(0)
    inside = page.frame_locator(".jp-Notebook iframe")
    expect(inside.locator("h1")).to_have_text("Title")
    expect(inside.locator("script")).to_have_count(0)
    expect(inside.locator("p")).to_have_text("shown")
    assert page.evaluate("() => window.pwn") is None
    assert "pwn" not in page.title()


def test_code_goes_into_the_next_cell(run_cells: RunCells, ui_model: Path) -> None:
    page = run_cells("next", f"%%llm code -m {ui_model}\nWRITES")
    cells = page.locator(".jp-Notebook .jp-CodeCell")
    expect(cells).to_have_count(3)
    expect(cells.last.locator(".cm-content")).to_have_text("print('it', 'runs')")
    expect(page.locator(".jp-Notebook details summary")).to_contain_text("in the next cell")


def test_a_cell_keeps_the_code_that_ran_in_it(
    run_cells: RunCells, ui_model: Path, lab: LabProcess
) -> None:
    """The kernel puts it beside the output, where a click clears it; the page keeps it longer."""
    page = run_cells("kept", f"%%llm -x -m {ui_model} --seed 7\nWRITES", "1 + 1")
    page.wait_for_function(KEPT_IN, arg=[1, True])
    kept = page.evaluate(METADATA_OF, 1)["jupyter_localllm"]["executed"]
    assert kept["code"] == "print('it', 'runs')"
    assert (kept["model"], kept["seed"], kept["attempt"]) == (ui_model.stem, 7, 1)
    assert "error" not in kept and "usage" not in kept
    assert "jupyter_localllm" not in page.evaluate(METADATA_OF, 2)
    page.evaluate(RUN_COMMAND, "notebook:clear-all-cell-outputs")
    page.evaluate(RUN_COMMAND, "docmanager:save")
    cells = json.loads((lab.home / "notebooks" / "kept.ipynb").read_text())["cells"]
    assert cells[1]["outputs"] == []
    assert cells[1]["metadata"]["jupyter_localllm"] == {"executed": kept}
    # What ran before is not said of a cell that runs something else now.
    page.evaluate(REPLACE_SOURCE, [1, "2 + 2"])
    page.evaluate(RUN_COMMAND, "notebook:run-all-cells")
    page.wait_for_function(KEPT_IN, arg=[1, False])


def test_a_chat_in_a_cell(run_cells: RunCells, ui_model: Path) -> None:
    source = (
        "from jupyter_localllm.magics.chats.chat_widget import chat_widget\n"
        f"chat_widget({str(ui_model)!r}, greeting='Ask about anything.')"
    )
    page = run_cells("chat", source)
    chat = page.locator(".jp-LocalLLMChatWidget")
    expect(chat).to_contain_text("Ask about anything.")
    chat.locator("textarea").fill("THINKS please")
    chat.get_by_role("button", name="Send").click()
    expect(chat.locator(".jp-RenderedMarkdown")).to_contain_text("The answer is 42.")
    expect(chat.get_by_role("button", name="Send")).to_be_visible()
