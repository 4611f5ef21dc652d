"""Diagrams in the chat of a real Lab: pictures, their tools, their colours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .chat_driver import PANEL, Chat
from .diagram_chat import CORRECTED, FLOW, GRAPH, LISTED, ask, last_diagram
from .diagram_page import Diagram, Drawings, set_theme
from .lab_process import LabProcess
from .notebook_page import PATIENCE_MS, NotebookPage, code, write_notebook
from .test_chat_access import THEMES, check_with_axe

PATH = "diagrams.ipynb"


@pytest.fixture
def page(diagram_page: Page) -> Page:
    """The page that the other fixtures mean."""
    return diagram_page


@pytest.fixture
def drawings(page: Page) -> Iterator[Drawings]:
    """What the page asks to be drawn."""
    with Drawings(page) as drawings:
        yield drawings


@pytest.mark.parametrize(
    ("word", "kind", "source", "names"),
    [("FLOWCHART", "mermaid", FLOW, ["Sun", "Sugar"]), ("GRAPHVIZ", "dot", GRAPH, ["flower"])],
)
def test_a_finished_fence_becomes_a_picture_once(
    page: Page, drawings: Drawings, word: str, kind: str, source: str, names: list[str]
) -> None:
    diagram = ask(page, word)
    diagram.expect_picture(*names)
    assert drawings.bodies == [{"kind": kind, "source": source, "theme": "default"}]
    expect(diagram.source).to_be_hidden()
    assert diagram.source.text_content() == source
    # Scrolled away, another chat and back: it is known already.
    page.evaluate("() => window.jupyterapp.commands.execute('localllm:new-chat')")
    expect(page.locator(f"{PANEL} .jp-LocalLLMDiagram")).to_have_count(0)
    page.locator(f"{PANEL} .jp-LocalLLMChat-openList").click()
    page.locator(f"{PANEL} .jp-LocalLLMChat-chatItem").first.click()
    last_diagram(page).expect_picture(*names)
    assert len(drawings.bodies) == 1


def test_while_it_is_written_it_is_code(page: Page, drawings: Drawings) -> None:
    chat = Chat.open(page)
    page.evaluate(
        """() => {
          window.states = [];
          const look = () => {
            const block = document.querySelector(
              '#jp-localllm-chat [data-role="assistant"] .jp-LocalLLMChat-code');
            if (block !== null) {
              const state = [
                block.querySelector('code').textContent.length > 0,
                block.querySelector('img') !== null
              ].join();
              if (window.states.at(-1) !== state) { window.states.push(state); }
            }
          };
          new MutationObserver(look).observe(document.body, {childList: true, subtree: true});
        }"""
    )
    chat.ask("FLOWCHART please")
    last_diagram(page).expect_picture("Sun")
    states = page.evaluate("() => window.states")
    assert states[-2:] == ["true,false", "true,true"], states
    assert drawings.sources == [FLOW]


def test_a_fence_in_a_list_becomes_a_picture(page: Page, drawings: Drawings) -> None:
    ask(page, "LISTED").expect_picture("Rain", "River")
    assert drawings.sources == [LISTED]


def test_the_tools_of_a_picture(page: Page, drawings: Drawings) -> None:
    n_pages = len(page.context.pages)
    diagram = ask(page, "FLOWCHART")
    diagram.expect_picture()
    diagram.click("source")
    expect(diagram.source).to_be_visible()
    expect(diagram.button("source")).to_have_attribute("aria-expanded", "true")
    diagram.click("source")
    expect(diagram.source).to_be_hidden()
    diagram.click("copy-source")
    diagram.choose("copy-svg")
    page.wait_for_function("() => window.copied.length === 2")
    diagram.choose("copy-png")
    page.wait_for_function("() => window.copied.length === 3")
    source, svg, png = diagram.copied
    assert source == FLOW
    assert svg.lstrip().startswith("<svg")
    assert png == "image/png 137 80 78 71"
    for action, name, start in [
        ("save-svg", "diagram.svg", b"<svg"),
        ("save-png", "diagram.png", b"\x89PNG"),
    ]:
        with page.expect_download() as waiting:
            diagram.choose(action)
        assert waiting.value.suggested_filename == name
        assert Path(waiting.value.path()).read_bytes().lstrip().startswith(start)
    # What is taken away is in the colours that suit paper.
    assert [body["theme"] for body in drawings.bodies] == ["default", "neutral"]
    assert len(page.context.pages) == n_pages
    expect(diagram.button("changes")).to_be_hidden()
    expect(diagram.button("repair")).to_be_hidden()


def test_the_tools_are_one_stop_of_the_tab_key(page: Page) -> None:
    diagram = ask(page, "FLOWCHART")
    diagram.expect_picture()
    stops = diagram.node.locator(".jp-LocalLLMDiagram-toolbar button[tabindex='0']:visible")
    expect(stops).to_have_count(1)
    stops.focus()
    reached = []
    for _ in range(5):
        reached.append(page.evaluate("() => document.activeElement.dataset.action"))
        page.keyboard.press("ArrowRight")
    assert reached == ["source", "copy-source", "picture", "insert", "enlarge"]


def test_it_is_inserted_as_a_cell_that_draws_it_again(page: Page, diagram_lab: LabProcess) -> None:
    write_notebook(diagram_lab, PATH, [code("%load_ext jupyter_localllm"), code("x = 1")])
    notebook = NotebookPage.open(page, diagram_lab, PATH, 2)
    notebook.run_cell(0)
    diagram = ask(page, "FLOWCHART")
    diagram.expect_picture()
    notebook.activate(0)
    diagram.click("insert")
    cell = f"%%mermaid\n{FLOW}"
    notebook.expect_cells(
        [["code", "%load_ext jupyter_localllm"], ["code", cell], ["code", "x = 1"]]
    )
    assert notebook.execution_counts()[1] is None
    notebook.run_cell(1)
    Diagram(notebook.cell(1).locator(".jp-LocalLLMDiagram")).expect_picture("Sun", "Sugar")


def test_without_a_notebook_the_button_says_so(page: Page) -> None:
    diagram = ask(page, "FLOWCHART")
    diagram.expect_picture()
    expect(diagram.button("insert")).to_have_attribute("aria-disabled", "true")
    assert "No notebook is open" in (diagram.button("insert").get_attribute("title") or "")


def test_it_is_enlarged_and_moved_by_keys(page: Page) -> None:
    diagram = ask(page, "FLOWCHART")
    diagram.expect_picture()
    diagram.button("enlarge").focus()
    page.keyboard.press("Enter")
    dialog = page.locator("dialog.jp-LocalLLMDiagram-dialog")
    expect(dialog).to_be_visible()
    expect(dialog.locator(".jp-LocalLLMDiagram-frame")).to_be_focused()
    image = dialog.locator("img")

    def place() -> dict[str, float]:
        box: Any = image.bounding_box()
        return dict(box)

    fitted = place()
    page.keyboard.press("+")
    larger = place()
    assert larger["width"] > fitted["width"]
    page.keyboard.press("ArrowRight")
    assert place()["x"] < larger["x"]
    page.keyboard.press("ArrowUp")
    assert place()["y"] > larger["y"]
    page.keyboard.press("-")
    assert abs(place()["width"] - fitted["width"]) < 1
    page.keyboard.press("0")
    assert place() == fitted
    x, y = fitted["x"] + 20, fitted["y"] + 20
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 50, y + 30, steps=4)
    page.mouse.up()
    assert abs(place()["x"] - fitted["x"] - 50) < 2
    page.mouse.wheel(0, -300)
    page.wait_for_function(
        "([node, width]) => node.getBoundingClientRect().width > width",
        arg=[image.element_handle(), fitted["width"]],
    )
    # The focus stays inside.
    for _ in range(8):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "() => document.activeElement === document.body || "
            "document.querySelector('dialog').contains(document.activeElement)"
        )
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(diagram.button("enlarge")).to_be_focused()


@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_serious(page: Page, theme: str) -> None:
    chat = Chat.open(page)
    for word in ("CORRECTED", "STUBBORN"):
        chat.ask(f"{word} please")
        expect(last_diagram(page).node).to_have_attribute(
            "data-state", re.compile("drawn|failed"), timeout=PATIENCE_MS
        )
    set_theme(page, theme)
    try:
        last_diagram(page).expect_state("failed")
        first = Diagram(page.locator(f"{PANEL} .jp-LocalLLMDiagram").first)
        first.expect_picture("f(x)")
        first.click("changes")
        first.click("source")
        check_with_axe(page)
        first.click("enlarge")
        check_with_axe(page, "dialog.jp-LocalLLMDiagram-dialog")
        page.keyboard.press("Escape")
    finally:
        set_theme(page, THEMES[0])


def test_the_colours_follow_the_theme(page: Page, drawings: Drawings) -> None:
    diagram = ask(page, "FLOWCHART")
    diagram.expect_picture()
    light = diagram.image.get_attribute("src")
    try:
        set_theme(page, "JupyterLab Dark")
        expect(diagram.image).not_to_have_attribute("src", light or "", timeout=PATIENCE_MS)
        diagram.expect_picture("Sun")
        assert [body["theme"] for body in drawings.bodies] == ["default", "dark"]
    finally:
        set_theme(page, "JupyterLab Light")
    expect(diagram.image).to_have_attribute("src", light or "", timeout=PATIENCE_MS)
    assert len(drawings.bodies) == 2


def test_what_rules_changed_is_told(page: Page, drawings: Drawings) -> None:
    diagram = ask(page, "CORRECTED")
    diagram.expect_picture("f(x)")
    expect(diagram.notes).to_contain_text("Corrected before it was drawn.")
    diagram.click("changes")
    expect(diagram.node.locator(".jp-LocalLLMDiagram-change").first).to_contain_text("quoted")
    taken_out = diagram.node.locator(".jp-LocalLLMDiagram-line.jp-mod-out")
    expect(taken_out).to_have_text("- " + CORRECTED.splitlines()[1] + "\n")
    assert drawings.repairs == []
