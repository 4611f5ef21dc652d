"""Jupyter Notebook 7 in a browser: progress, Stop, buttons, diagrams and the chat work as in Lab.

One server, one page and one kernel serve the module; each test runs cells of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.gguf_builders.scripted import build_scripted

from .chat_driver import INPUT, PANEL, Chat
from .conftest import lab_with_models, local_page
from .diagram_page import Diagram, set_theme
from .lab_process import TOKEN, LabProcess
from .notebook_page import PATIENCE_MS, NotebookPage, code, write_notebook
from .notebook_seven import Complaints, NotebookSeven, SevenPage

FOLDER = "lesson"
WRITTEN = "print('it', 'runs')"
SCRIPTS = {"WRITES": f"```python\n{WRITTEN}\n```", "KNOWS": "The answer is 42."}
CELLS = {
    "load": "%load_ext jupyter_localllm",
    "endless": "%%llm -m slow --max-tokens 2000\ngo",
    "run": "%%llm -x\nWRITES",
    "confirm": "%%llm -x --confirm\nWRITES",
    "diagram": "%%mermaid\nflowchart LR\n  Rain --> River --> Sea --> Rain",
    "widget": "import jupyter_localllm\njupyter_localllm.chat_widget()",
    "last": "n_days = 7",
}
INDEX = {name: index for index, name in enumerate(CELLS)}
PLUGINS = ("chat", "diagrams", "executed-code", "status")
IS_ACTIVE = "name => window.jupyterapp.isPluginActivated(`jupyter-localllm:${name}`)"
IS_MODEL_FREE = """
async () => (await (await fetch('/localllm/status')).json()).workers
    .every(({slots_busy}) => !slots_busy)
"""
METADATA = """
i => window.jupyterapp.shell.currentWidget.content.widgets[i].model.getMetadata('jupyter_localllm')
"""


@pytest.fixture(autouse=True)
def patient() -> Iterator[None]:
    expect.set_options(timeout=PATIENCE_MS)
    yield
    expect.set_options(timeout=5_000)


@pytest.fixture(scope="module")
def seven(
    chromium: str, tmp_path_factory: pytest.TempPathFactory, slow_model: Path
) -> Iterator[LabProcess]:
    """A running Notebook with a scripted model and one that never ends."""
    home = tmp_path_factory.mktemp("seven")
    models = {"scripted": build_scripted(home / "scripted.gguf", SCRIPTS), "slow": slow_model}
    with lab_with_models(home, models, "scripted", server=NotebookSeven) as process:
        yield process


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """The page of the module's notebook."""
    with local_page(browser) as page:
        yield page


@pytest.fixture(scope="module")
def complaints(page: Page) -> Complaints:
    """What went wrong in the page from its beginning."""
    return Complaints(page)


@pytest.fixture(scope="module")
def notebook(page: Page, seven: LabProcess, complaints: Complaints) -> NotebookPage:
    """A notebook of ``CELLS``; the magics are loaded, nothing else has run."""
    path = f"{FOLDER}/first.ipynb"
    write_notebook(seven, path, [code(source) for source in CELLS.values()])
    notebook = SevenPage.load(page, seven, path, len(CELLS))
    notebook.run_cell(INDEX["load"])
    return notebook


@pytest.fixture(autouse=True)
def nothing_of_ours_is_wrong(complaints: Complaints) -> Iterator[None]:
    yield
    assert complaints.take() == []


def cell(notebook: NotebookPage, name: str) -> Locator:
    return notebook.cell(INDEX[name])


def start(notebook: NotebookPage, name: str) -> Locator:
    notebook.start_cell(INDEX[name])
    return cell(notebook, name)


def expect_end(shown: Locator) -> None:
    """Wait until the cell has its number: a cell that is running shows ``[*]``."""
    expect(shown.locator(".jp-InputArea-prompt")).to_have_text(re.compile(r"^\[\d+\]:$"))


def test_the_progress_line_has_a_working_stop_and_is_gone_at_the_end(
    notebook: NotebookPage,
) -> None:
    shown = start(notebook, "endless")
    stop = shown.get_by_role("button", name="Stop")
    expect(stop).to_be_visible()
    expect(shown.locator(".widget-label")).to_have_text(
        re.compile(r"^slow: Writing: \d+ tokens, about \d+ tokens/s$")
    )
    answer = shown.locator(".jp-RenderedMarkdown")
    expect(answer).to_contain_text("tick5")
    stop.click()
    expect_end(shown)
    expect(stop).to_have_count(0)
    expect(answer).to_contain_text("tick5")
    expect(answer).to_contain_text("Stopped.")
    # What is left of the line takes no room.
    plain = notebook.page.locator('[data-mime-type="text/plain"]')
    line = shown.locator(".jp-OutputArea-child").filter(has=plain)
    assert line.evaluate("e => [e.textContent, e.getBoundingClientRect().height]") == ["", 0]
    # The model ends at its next step, which may be after the cell's end.
    notebook.page.wait_for_function(IS_MODEL_FREE)


def test_code_runs_and_is_kept_and_a_question_has_buttons(notebook: NotebookPage) -> None:
    notebook.run_cell(INDEX["run"])
    shown = cell(notebook, "run")
    expect(shown.locator(".jp-RenderedMarkdown")).to_contain_text(WRITTEN)
    expect(shown.get_by_text("it runs", exact=True)).to_be_visible()
    kept = notebook.page.evaluate(METADATA, INDEX["run"])["executed"]
    assert (kept["code"].strip(), kept["model"]) == (WRITTEN, "scripted")

    shown = start(notebook, "confirm")
    run = shown.get_by_role("button", name="Run", exact=True)
    expect(run).to_be_visible()
    expect(shown.locator(".jp-RenderedMarkdown")).to_contain_text(WRITTEN)
    ran = shown.get_by_text("it runs", exact=True)
    expect(ran).to_have_count(0)
    run.click()
    expect_end(shown)
    expect(ran).to_be_visible()
    expect(run).to_have_count(0)


def test_a_diagram_is_a_picture_in_the_colours_of_the_theme(notebook: NotebookPage) -> None:
    notebook.run_cell(INDEX["diagram"])
    diagram = Diagram(cell(notebook, "diagram").locator(".jp-LocalLLMDiagram"))
    diagram.expect_picture("Rain", "Sea")
    light = diagram.image.get_attribute("src") or ""
    try:
        set_theme(notebook.page, "JupyterLab Dark")
        expect(diagram.image).not_to_have_attribute("src", light)
        diagram.expect_picture("Rain", "Sea")
    finally:
        set_theme(notebook.page, "JupyterLab Light")
    expect(diagram.image).to_have_attribute("src", light)


def test_a_chat_in_a_cell(notebook: NotebookPage) -> None:
    notebook.run_cell(INDEX["widget"])
    chat = cell(notebook, "widget").locator(".jp-LocalLLMChatWidget")
    chat.locator("textarea").fill("KNOWS please")
    chat.get_by_role("button", name="Send").click()
    expect(chat.locator(".jp-RenderedMarkdown")).to_contain_text("The answer is 42.")


def test_the_view_menu_opens_the_chat_which_knows_the_notebook(notebook: NotebookPage) -> None:
    page = notebook.page
    page.locator(".lm-MenuBar-itemLabel", has_text="View").click()
    page.locator(".lm-Menu-itemLabel", has_text="Right Sidebar").click()
    page.locator(".lm-Menu-itemLabel", has_text="Show Local LLM chat").click()
    expect(page.locator(INPUT)).to_be_visible()
    chat = Chat.open(page)

    notebook.activate(INDEX["last"])
    chat.attach("@cell")
    assert CELLS["last"] in chat.chip_text("@cell [7]")
    chat.ask("WRITES it")
    chat.code_button("insert-below").click()
    notebook.expect_cells([["code", text] for text in (*CELLS.values(), WRITTEN)])

    # Beside the notebook: its page has a file browser that is never shown, at the top folder.
    chat.submit("/export md")
    expect(chat.notices.last).to_contain_text(f"The chat was saved as {FOLDER}/")
    with page.context.expect_page() as opened:
        chat.notices.last.get_by_role("button", name="Open").click()
    expect(opened.value).to_have_url(re.compile(rf"/edit/{FOLDER}/[^/]+\.md$"))
    opened.value.close()


def test_every_plugin_starts_beside_the_files(browser: Browser, seven: LabProcess) -> None:
    with local_page(browser) as page:
        complaints = Complaints(page)
        page.goto(f"{seven.url}/tree?token={TOKEN}")
        expect(page.locator(".jp-FileBrowser")).to_be_visible()
        assert [name for name in PLUGINS if not page.evaluate(IS_ACTIVE, name)] == []
        page.keyboard.press("Alt+Shift+L")
        expect(page.locator(PANEL)).to_be_visible()
        expect(page.locator(INPUT)).to_be_focused()
        assert complaints.take() == []
