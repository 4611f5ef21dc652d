"""The buttons on the chat's blocks of code, on a real notebook: each is one step of undo."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from .chat_driver import Chat
from .lab_process import LabProcess
from .notebook_page import NotebookPage, code, markdown, write_notebook

#: What the scripted model answers to CODE.
BLOCK = "total = sum(range(10))\nprint(total)"
PATH = "actions.ipynb"
CELLS = [
    markdown("# Title"),
    code("x = 21\nx * 2"),
    code("locked = 1", editable=False),
    code("kept = 1", deletable=False),
]
MARKDOWN, CODE, LOCKED, PROTECTED = range(4)

_PERFORM = """
([action, code, language]) => {
  const panel = [...window.jupyterapp.shell.widgets('right')]
    .find(widget => widget.id === 'jp-localllm-chat');
  return panel.chat.workbench.codeActions.perform(action, code, language)
    .then(() => null, error => error.message);
}
"""


@pytest.fixture
def notebook(chat_page: Page, chat_lab: LabProcess) -> NotebookPage:
    write_notebook(chat_lab, PATH, CELLS)
    return NotebookPage.open(chat_page, chat_lab, PATH, len(CELLS))


@pytest.fixture
def chat(notebook: NotebookPage) -> Chat:
    """The chat beside the notebook, with a block of code in its answer."""
    chat = Chat.open(notebook.page)
    chat.ask("CODE")
    expect(chat.code_button("run")).to_be_visible()
    return chat


def perform(page: Page, action: str, source: str, language: str) -> str | None:
    """Do what a button does, with another block; returns why it was refused."""
    reason: str | None = page.evaluate(_PERFORM, [action, source, language])
    return reason


@pytest.mark.parametrize(("action", "index"), [("insert-above", 1), ("insert-below", 2)])
def test_inserting_is_one_step(notebook: NotebookPage, chat: Chat, action: str, index: int) -> None:
    before = notebook.cells
    notebook.activate(CODE)
    chat.code_button(action).click()
    expect_cells = [*before[:index], ["code", BLOCK], *before[index:]]
    notebook.expect_cells(expect_cells)
    assert notebook.active_index == index
    assert notebook.execution_counts() == [None] * len(expect_cells)
    notebook.press_undo()
    notebook.expect_cells(before)


def test_replacing_a_cell_is_one_step(notebook: NotebookPage, chat: Chat) -> None:
    before = notebook.cells
    notebook.activate(CODE)
    # What was typed just before is a step of its own.
    notebook.type_into(CODE, "zz")
    typed = notebook.cells
    chat.code_button("replace").click()
    notebook.expect_cells([before[0], ["code", BLOCK], *before[2:]])
    notebook.press_undo_in_editor(CODE)
    notebook.expect_cells(typed)
    notebook.press_undo_in_editor(CODE)
    notebook.expect_cells(before)


def test_replacing_a_selection_is_one_step(notebook: NotebookPage, chat: Chat) -> None:
    before = notebook.cells
    notebook.select_text(CODE, 4, 6)
    chat.code_button("replace").click()
    notebook.expect_cells([before[0], ["code", f"x = {BLOCK}\nx * 2"], *before[2:]])
    notebook.press_undo_in_editor(CODE)
    notebook.expect_cells(before)


def test_running_inserts_below_and_runs_that_cell_only(notebook: NotebookPage, chat: Chat) -> None:
    before = notebook.cells
    notebook.activate(CODE)
    chat.code_button("run").click()
    notebook.expect_cells([*before[:2], ["code", BLOCK], *before[2:]])
    output = notebook.cell(2).locator(".jp-OutputArea-output")
    expect(output).to_have_text("45")
    notebook.wait_until_done(2)
    assert notebook.execution_counts() == [None, None, 1, None, None]
    notebook.press_undo()
    notebook.expect_cells(before)


def test_two_quick_inserts_are_two_steps(notebook: NotebookPage, chat: Chat) -> None:
    before = notebook.cells
    notebook.activate(CODE)
    assert perform(notebook.page, "insert-below", "a = 1\n", "python") is None
    assert perform(notebook.page, "insert-below", "# Two", "markdown") is None
    first, second = ["code", "a = 1"], ["markdown", "# Two"]
    notebook.expect_cells([*before[:2], first, second, *before[2:]])
    notebook.press_undo()
    notebook.expect_cells([*before[:2], first, *before[2:]])
    notebook.press_undo()
    notebook.expect_cells(before)


def test_a_cell_is_replaced_by_one_of_another_type(notebook: NotebookPage, chat: Chat) -> None:
    before = notebook.cells
    notebook.activate(MARKDOWN)
    chat.code_button("replace").click()
    notebook.expect_cells([["code", BLOCK], *before[1:]])
    notebook.press_undo()
    notebook.expect_cells(before)


def test_locked_cells_are_not_replaced(notebook: NotebookPage, chat: Chat) -> None:
    before = notebook.cells
    button = chat.code_button("replace")
    for index, reason in [(LOCKED, "locked against changes"), (PROTECTED, "protected")]:
        notebook.activate(index)
        expect(button).to_have_attribute("aria-disabled", "true")
        assert reason in (button.get_attribute("title") or "")
        button.click(force=True)
        assert reason in (perform(notebook.page, "replace", "x", "python") or "")
    assert notebook.cells == before
    notebook.activate(CODE)
    expect(button).to_have_attribute("aria-disabled", "false")


def test_code_of_another_language_is_not_run(notebook: NotebookPage, chat: Chat) -> None:
    before = notebook.cells
    reason = perform(notebook.page, "run", "ls", "bash")
    assert reason == "This is bash code; the notebook runs Python."
    assert notebook.cells == before


def test_a_notebook_out_of_sight_is_not_written(
    notebook: NotebookPage, chat: Chat, chat_lab: LabProcess
) -> None:
    before = notebook.cells
    page = notebook.page
    button = chat.code_button("insert-below")
    (chat_lab.home / "notebooks" / "script.py").write_text("def ratio(): ...\n")
    notebook.open_beside("script.py")
    expect(button).to_have_attribute("aria-disabled", "true")
    assert "No notebook is visible" in (button.get_attribute("title") or "")
    assert "No notebook is visible" in (perform(page, "insert-below", "x", "") or "")
    notebook.open_beside(PATH)
    expect(button).to_have_attribute("aria-disabled", "false")
    assert notebook.cells == before


def test_a_read_only_notebook_is_not_written(chat_page: Page, chat_lab: LabProcess) -> None:
    # The tests may run as a user who may write everything, so the reply is changed.
    def deny(route: Route) -> None:
        reply = route.fetch()
        body: dict[str, Any] = reply.json()
        route.fulfill(response=reply, body=json.dumps(body | {"writable": False}))

    write_notebook(chat_lab, "read_only.ipynb", CELLS)
    chat_page.route("**/api/contents/read_only.ipynb?*", deny)
    notebook = NotebookPage.open(chat_page, chat_lab, "read_only.ipynb", len(CELLS))
    before = notebook.cells
    Chat.open(chat_page)
    for action in ["insert-above", "insert-below", "replace", "run"]:
        assert perform(chat_page, action, "x", "python") == "The notebook is read-only."
    assert notebook.cells == before


def test_nothing_is_ever_saved(notebook: NotebookPage, chat: Chat, chat_lab: LabProcess) -> None:
    file = chat_lab.home / "notebooks" / PATH
    on_disk = file.read_bytes()
    saves: list[str] = []
    notebook.page.on(
        "request",
        lambda request: saves.append(request.url) if request.method in ("PUT", "PATCH") else None,
    )
    notebook.activate(CODE)
    for action in ["insert-above", "insert-below", "replace"]:
        chat.code_button(action).click()
    assert notebook.is_dirty
    assert file.read_bytes() == on_disk
    assert not [url for url in saves if "/api/contents/" in url]
