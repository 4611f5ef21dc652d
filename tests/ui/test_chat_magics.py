"""One conversation in two places: a cell with ``--chat`` and the sidebar go on for each other."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.model_fixtures import REPLIES

from .chat_driver import ANSWERS, PANEL, Chat
from .lab_process import LabProcess
from .notebook_page import PATIENCE_MS, NotebookPage, code, write_notebook

CELLS = [
    code("%load_ext jupyter_localllm"),
    code('%%llm --chat "My project"\nHELLO please'),
    code('%llm history --chat "My project"'),
    code('%%llm --chat "My project"\nLONG please'),
]


def test_a_cell_and_the_sidebar_go_on_where_the_other_stopped(
    chat_page: Page, chat_lab: LabProcess
) -> None:
    write_notebook(chat_lab, "talk.ipynb", CELLS)
    notebook = NotebookPage.open(chat_page, chat_lab, "talk.ipynb", len(CELLS))
    chat = Chat.open(chat_page)
    for index in (0, 1):
        notebook.run_cell(index)

    # The chat that a cell made is in the list of the panel that was open all the time.
    chat_page.locator(f"{PANEL} .jp-LocalLLMChat-openList").click()
    entry = chat_page.locator(".jp-LocalLLMChat-chatOpen").filter(has_text="My project")
    entry.click(timeout=PATIENCE_MS)
    expect(chat_page.locator(ANSWERS)).to_have_count(1)
    expect(chat_page.locator(ANSWERS).last).to_contain_text(REPLIES["HELLO"])

    # What is asked in the sidebar is the cell's history.
    chat.ask("CODE please")
    notebook.run_cell(2)
    history = notebook.cell(2).locator(".jp-OutputArea")
    expect(history).to_contain_text("CODE please")
    expect(history).to_contain_text("It prints 45.")

    # And what a cell asks appears in the panel by itself.
    notebook.run_cell(3)
    expect(chat_page.locator(ANSWERS)).to_have_count(3, timeout=PATIENCE_MS)
    expect(chat_page.locator(ANSWERS).last).to_contain_text(REPLIES["LONG"])
    questions = [message["content"] for message in chat.messages if message["role"] == "user"]
    assert questions == ["HELLO please", "CODE please", "LONG please"]
