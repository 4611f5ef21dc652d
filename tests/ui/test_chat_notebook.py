"""What the chat takes from an open notebook, with a real kernel: chips, mentions, commands."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from .chat_driver import PANEL, Chat
from .lab_process import LabProcess
from .notebook_page import NotebookPage, code, markdown, write_notebook

PATH = "week 1/lesson.ipynb"
CELLS = [
    markdown("# Rivers\n\nSome *text*."),
    code("x = 21\ndata = {'k': [1, 2], 'big': list(range(100_000))}\nx * 2"),
    code("def ratio():\n    return 1 / 0\nratio()"),
    code("import time\ntime.sleep(600)"),
    code("import sys\nprint('\\x1b[31mred\\x1b[0m', file=sys.stderr)\n'plain'"),
]
MARKDOWN, DATA, ERROR, SLEEP, OUTPUT = range(5)


@pytest.fixture
def notebook(chat_page: Page, chat_lab: LabProcess) -> NotebookPage:
    """A notebook with its kernel, in a folder of its own."""
    write_notebook(chat_lab, PATH, CELLS)
    return NotebookPage.open(chat_page, chat_lab, PATH, len(CELLS))


@pytest.fixture
def chat(notebook: NotebookPage) -> Chat:
    """The chat beside it."""
    return Chat.open(notebook.page)


def test_each_chip_shows_what_is_sent(notebook: NotebookPage, chat: Chat) -> None:
    notebook.run_cell(DATA)
    notebook.run_cell(ERROR)
    notebook.run_cell(OUTPUT)
    chat.attach("@cell")
    assert chat.chip_text("@cell [5]") == notebook.sources[OUTPUT]
    chat.attach("@output")
    assert chat.chip_text("@output [5]") == "red\n'plain'"
    notebook.select_text(DATA, 4, 6)
    chat.attach("@selection")
    assert chat.chip_text("@selection [2]") == "21"
    # The active cell has none: the last one that failed.
    chat.attach("@error")
    error = chat.chip_text("@error [3]")
    assert error.endswith("ZeroDivisionError: division by zero")
    assert "\x1b" not in error and "ratio()" in error
    chat.attach("@notebook")
    whole = chat.chip_text("@notebook")
    assert whole.startswith("[1] markdown\n# Rivers") and "[2] code, In [1], active" in whole
    assert "[4] code\nimport time" in whole and "--- output:\n42" in whole
    notebook.activate(MARKDOWN)
    chat.attach("@cell")
    assert chat.chip_text("@cell [1]") == notebook.sources[MARKDOWN]


def test_what_a_chip_shows_is_what_is_sent(notebook: NotebookPage, chat: Chat) -> None:
    notebook.activate(DATA)
    chat.attach("@cell")
    shown = chat.chip_text("@cell [2]")
    chat.ask("HELLO")
    (item,) = chat.messages[0]["context"]
    assert (item["label"], item["text"], item["source"]) == ("@cell [2]", shown, PATH)
    # The chip was for that question.
    expect(chat.chip("@cell [2]")).to_have_count(0)
    chat.ask("HELLO again")
    assert chat.messages[2]["context"] == []


def test_a_variable_is_read_without_a_trace(notebook: NotebookPage, chat: Chat) -> None:
    notebook.run_cell(DATA)
    counts = notebook.execution_counts()
    for mention, expected in [
        ("@var:x", "x (int):\n21"),
        ('@var:data["k"][0]', 'data["k"][0] (int):\n1'),
    ]:
        chat.ask(f"HELLO {mention}")
        context = chat.messages[-2]["context"]
        assert [(item["label"], item["text"]) for item in context] == [(mention, expected)]
    chat.ask("HELLO @var:data")
    (item,) = chat.messages[-2]["context"]
    assert item["isTruncated"] and len(item["text"]) < 4_100
    # The user's counter goes on as if nothing had been asked.
    assert notebook.execution_counts() == counts
    notebook.run_cell(DATA)
    assert notebook.execution_counts()[DATA] == (counts[DATA] or 0) + 1


def test_a_busy_kernel_is_said_and_nothing_is_sent(notebook: NotebookPage, chat: Chat) -> None:
    notebook.run_cell(DATA)
    notebook.start_cell(SLEEP)
    notebook.wait_until_busy()
    chat.submit("HELLO @var:x")
    chat.expect_notice("The kernel is busy, so its variables cannot be read.")
    assert chat.messages == []
    expect(chat.input).to_have_value("HELLO @var:x")
    notebook.interrupt()
    chat.ask("HELLO @var:x")
    assert chat.messages[0]["context"][0]["text"] == "x (int):\n21"


def test_only_plain_variables_are_asked_for(notebook: NotebookPage, chat: Chat) -> None:
    notebook.run_cell(DATA)
    for mention in [
        "@var:open('pwned','w')",
        "@var:data.clear()",
        "@var:x+1",
        "@var:x,data.pop('k')",
    ]:
        chat.submit(mention)
        chat.expect_notice("is not a plain variable")
    assert chat.messages == []
    chat.ask("HELLO @var:data.keys")
    assert "built-in method keys" in chat.messages[0]["context"][0]["text"]


@pytest.mark.parametrize(
    "mention",
    [
        '@file:"week 1/a b.csv"',
        "@file:'week 1/a b.csv'",
        "@file:week\\ 1/a\\ b.csv",
        '@file:"./a b.csv"',
        "@file:./a\\ b.csv",
    ],
)
def test_files_are_read_with_quotes_and_escapes(
    chat: Chat, chat_lab: LabProcess, mention: str
) -> None:
    (chat_lab.home / "notebooks" / "week 1" / "a b.csv").write_text("river,km\nDanube,2850\n")
    chat.ask(f"HELLO {mention}, `@file:not.this`")
    (item,) = chat.messages[0]["context"]
    assert item["text"] == "river,km\nDanube,2850\n"
    assert item["source"] == "week 1/a b.csv" and item["kind"] == "file"


def test_a_file_that_cannot_be_read_stops_the_question(chat: Chat) -> None:
    for mention in ["@file:nowhere.md", "@file:../../etc/passwd", '@file:"open', "@file:"]:
        chat.submit(f"HELLO {mention}")
        chat.expect_notice("Nothing was sent.")
    assert chat.messages == []


def test_fix_takes_the_cell_and_its_error(notebook: NotebookPage, chat: Chat) -> None:
    notebook.run_cell(ERROR)
    notebook.activate(DATA)
    chat.submit("/fix")
    chat.expect_notice("The active cell shows no error.")
    assert chat.messages == []
    notebook.activate(ERROR)
    chat.ask("/fix")
    question, answer = chat.messages
    assert question["action"] == "fix" and answer["state"] == "complete"
    assert [item["label"] for item in question["context"]] == ["@cell [3]", "@error [3]"]
    assert question["context"][0]["text"] == notebook.sources[ERROR]
    assert question["context"][1]["text"].endswith("ZeroDivisionError: division by zero")


def test_explain_takes_the_cell(notebook: NotebookPage, chat: Chat) -> None:
    notebook.activate(DATA)
    chat.ask("/explain the second line")
    question = chat.messages[0]
    assert (question["action"], question["content"]) == ("explain", "the second line")
    assert [item["label"] for item in question["context"]] == ["@cell [2]"]


def test_an_unknown_command_is_not_sent(chat: Chat) -> None:
    chat.submit("/exlpain")
    chat.expect_notice('Did you mean "/explain"?')
    assert chat.messages == []
    chat.ask("/usr/bin/x is a path. HELLO")
    assert chat.messages[0]["content"] == "/usr/bin/x is a path. HELLO"


def test_export_saves_beside_what_is_there(chat: Chat, chat_lab: LabProcess) -> None:
    folder = chat_lab.home / "notebooks" / "week 1"
    before = set(folder.iterdir())
    chat.ask("CODE")
    for command in ["/export", "/export", "/export ipynb"]:
        chat.submit(command)
        chat.expect_notice("The chat was saved as week 1/")
    made = {path.suffix for path in set(folder.iterdir()) - before if path.is_file()}
    assert made == {".md", ".ipynb"}
    texts = [path.read_text() for path in set(folder.iterdir()) - before if path.suffix == ".md"]
    assert len(texts) == 2 and texts[0] == texts[1] and "total = sum(range(10))" in texts[0]


def test_names_are_completed(notebook: NotebookPage, chat: Chat) -> None:
    notebook.run_cell(DATA)
    options = chat.page.locator(f"{PANEL} .jp-LocalLLMChat-completionLabel")
    chat.input.press_sequentially("see @var:")
    expect(options).to_have_text(["data", "x"])
    chat.page.keyboard.press("Enter")
    expect(chat.chip("@var:data")).to_be_visible()
    expect(chat.input).to_have_value("see ")
    chat.input.fill("")
    chat.input.press_sequentially("@file:./les")
    expect(options).to_have_text(["lesson.ipynb"])
    chat.input.fill("")
    chat.input.press_sequentially("/ex")
    expect(options).to_have_text(["/explain [words]", "/export [md|ipynb|chat]"])


def test_suggestions_follow_the_notebook(notebook: NotebookPage, chat: Chat) -> None:
    suggestions = chat.page.locator(f"{PANEL} .jp-LocalLLMChat-suggestion")
    notebook.activate(DATA)
    expect(suggestions.first).to_have_text("Explain the active cell")
    notebook.run_cell(ERROR)
    expect(suggestions.first).to_have_text("Fix the error in the active cell")
    notebook.activate(MARKDOWN)
    expect(suggestions.first).to_have_text("Improve the active text cell")
    expect(suggestions).to_have_count(3)


def drag_onto_chat(page: Page, source: Locator) -> None:
    """Drag with the mouse, as Lab wants it: in steps."""
    start, end = source.bounding_box(), page.locator(PANEL).bounding_box()
    assert start is not None and end is not None
    page.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
    page.mouse.down()
    page.mouse.move(start["x"] + 20, start["y"] + 20, steps=3)
    page.mouse.move(end["x"] + end["width"] / 2, end["y"] + end["height"] / 2, steps=8)
    page.mouse.up()


def test_cells_and_files_are_dropped(
    notebook: NotebookPage, chat: Chat, chat_lab: LabProcess
) -> None:
    before = notebook.cells
    notebook.activate(DATA)
    drag_onto_chat(chat.page, notebook.cell(DATA).locator(".jp-InputPrompt"))
    assert chat.chip_text("@cell [2]") == notebook.sources[DATA]
    drag_onto_chat(chat.page, chat.page.locator(".jp-DirListing-item", has_text="lesson.ipynb"))
    text = chat.chip_text('@file:"week 1/lesson.ipynb"')
    assert "# Rivers" in text and "def ratio():" in text
    assert notebook.cells == before and (chat_lab.home / "notebooks" / PATH).exists()


def test_a_selection_is_taken_from_a_file_editor(
    notebook: NotebookPage, chat: Chat, chat_lab: LabProcess
) -> None:
    (chat_lab.home / "notebooks" / "script.py").write_text("def ratio(): ...\n")
    notebook.open_beside("script.py")
    chat.page.locator(".jp-FileEditor .cm-content").click()
    chat.page.keyboard.press("Control+a")
    chat.attach("@selection")
    assert chat.chip_text("@selection") == "def ratio(): ...\n"
