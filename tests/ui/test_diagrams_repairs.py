"""Diagrams of the chat that cannot be drawn at first, and hostile ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from .chat_driver import PANEL, Chat
from .diagram_chat import BROKEN, FLOW, GOOD, STUBBORN, ask, last_diagram
from .diagram_page import DRAW_ROUTE, REPAIR_ROUTE, Diagram, Drawings, set_theme
from .lab_process import LabProcess
from .notebook_page import PATIENCE_MS


@pytest.fixture
def page(diagram_page: Page) -> Page:
    """The page that the other fixtures mean."""
    return diagram_page


@pytest.fixture
def drawings(page: Page) -> Iterator[Drawings]:
    """What the page asks to be drawn."""
    with Drawings(page) as drawings:
        yield drawings


def test_a_new_answer_that_cannot_be_drawn_is_repaired(page: Page, drawings: Drawings) -> None:
    diagram = ask(page, "BROKEN")
    diagram.expect_picture("Sun")
    expect(diagram.notes).to_contain_text("Repaired by the model.")
    diagram.click("changes")
    lines = diagram.node.locator(".jp-LocalLLMDiagram-difference").text_content() or ""
    assert '-   "Sun" : many\n' in lines
    assert '+   "Sun" : 3\n' in lines
    diagram.click("copy-source")
    page.wait_for_function("() => window.copied.length === 1")
    assert diagram.copied == [GOOD]
    assert [body["source"] for body in drawings.repairs] == [BROKEN]
    light = diagram.image.get_attribute("src")
    try:
        set_theme(page, "JupyterLab Dark")
        expect(diagram.image).not_to_have_attribute("src", light or "", timeout=PATIENCE_MS)
        expect(diagram.notes).to_contain_text("Repaired by the model.")
    finally:
        set_theme(page, "JupyterLab Light")
    expect(diagram.image).to_have_attribute("src", light or "", timeout=PATIENCE_MS)
    # Other colours are asked for the repaired source.
    assert [(body["source"], body["theme"]) for body in drawings.bodies] == [
        (BROKEN, "default"),
        (GOOD, "dark"),
    ]
    assert len(drawings.repairs) == 1


def test_what_cannot_be_repaired_shows_its_source_and_the_line(
    page: Page, drawings: Drawings
) -> None:
    diagram = ask(page, "STUBBORN")
    diagram.expect_state("failed")
    expect(diagram.notes).to_contain_text("The Graphviz diagram cannot be read")
    expect(diagram.notes).to_contain_text("The model could not repair it.")
    expect(diagram.source).to_be_visible()
    assert diagram.source.text_content() == STUBBORN
    expect(diagram.node.locator("mark")).to_have_text(STUBBORN)
    expect(diagram.image).to_have_count(0)
    diagram.click("repair")
    diagram.expect_state("failed")
    assert len(drawings.repairs) == 2


def hold_repairs(page: Page) -> list[Route]:
    """Keep the model from answering until the test says so."""
    held: list[Route] = []
    page.route(REPAIR_ROUTE, lambda route: held.append(route))
    return held


def test_a_repair_is_stopped(page: Page, drawings: Drawings) -> None:
    hold_repairs(page)
    diagram = ask(page, "BROKEN")
    diagram.expect_state("repairing")
    expect(diagram.notes).to_contain_text("The model is repairing this diagram…")
    with page.expect_event("requestfailed", lambda failed: "repair" in failed.url):
        diagram.click("stop-repair")
    diagram.expect_state("failed")
    expect(diagram.button("repair")).to_be_visible()
    page.unroute_all()
    diagram.click("repair")
    diagram.expect_picture("Sun")
    assert len(drawings.repairs) == 2


def test_history_is_drawn_again_but_repaired_by_a_click_only(
    page: Page, drawings: Drawings
) -> None:
    hold_repairs(page)
    diagram = ask(page, "BROKEN")
    diagram.expect_state("repairing")
    page.unroute_all(behavior="ignoreErrors")
    Chat(page).ask("FLOWCHART please")
    last_diagram(page).expect_picture("Sun")
    page.reload()
    page.wait_for_selector("#jp-main-dock-panel")
    page.wait_for_function(
        "() => window.jupyterapp?.commands.hasCommand('localllm:open-chat') === true"
    )
    page.evaluate("() => window.jupyterapp.commands.execute('localllm:open-chat')")
    last_diagram(page).expect_picture("Sun")
    old = Diagram(page.locator(f"{PANEL} .jp-LocalLLMDiagram").first)
    old.expect_state("failed")
    n_repairs = len(drawings.repairs)
    old.click("repair")
    old.expect_picture("Sun")
    assert len(drawings.repairs) == n_repairs + 1


def test_a_setting_turns_repairs_off(page: Page, drawings: Drawings) -> None:
    change = """async value => {
      const {serviceManager: {serverSettings}} = window.jupyterapp;
      const id = encodeURIComponent('jupyter-localllm:chat');
      const token = new URLSearchParams({token: serverSettings.token});
      const reply = await fetch(`${serverSettings.baseUrl}lab/api/settings/${id}?${token}`, {
        method: 'PUT', body: JSON.stringify({raw: JSON.stringify(value)})
      });
      return reply.status;
    }"""
    assert page.evaluate(change, {"repairDiagrams": False}) == 204
    try:
        page.reload()
        page.wait_for_selector(".jp-Launcher")
        diagram = ask(page, "BROKEN")
        diagram.expect_state("failed")
        assert drawings.repairs == []
        expect(diagram.button("repair")).to_be_visible()
    finally:
        assert page.evaluate(change, {}) == 204


def test_where_nothing_can_draw_the_source_stays(page: Page) -> None:
    sentence = "Diagrams cannot be drawn on this machine."
    error = {"code": "diagrams_unavailable", "message": sentence, "hint": "Install it."}
    page.route(DRAW_ROUTE, lambda route: route.fulfill(status=503, json={"error": error}))
    diagram = ask(page, "FLOWCHART")
    diagram.expect_state("failed")
    expect(diagram.notes).to_contain_text(sentence)
    assert diagram.source.text_content() == FLOW
    expect(diagram.button("repair")).to_be_hidden()


def test_what_failed_on_the_way_is_drawn_again_by_a_click(page: Page) -> None:
    page.route(DRAW_ROUTE, lambda route: route.abort())
    diagram = ask(page, "FLOWCHART")
    diagram.expect_state("failed")
    page.unroute_all()
    diagram.click("retry")
    diagram.expect_picture("Sun")


def test_hostile_sources_do_nothing(page: Page, diagram_lab: LabProcess) -> None:
    n_pages = len(page.context.pages)
    outside: list[str] = []
    page.on(
        "request",
        lambda request: (
            outside.append(request.url)
            if not request.url.startswith((f"{diagram_lab.url}/", "data:"))
            else None
        ),
    )
    ask(page, "HOSTILE")
    diagrams = page.locator(f"{PANEL} .jp-LocalLLMDiagram")
    expect(diagrams).to_have_count(3)
    for index in range(3):
        diagram = Diagram(diagrams.nth(index))
        expect(diagram.node).to_have_attribute("data-state", "drawn", timeout=PATIENCE_MS)
        diagram.click("enlarge")
        page.locator(".jp-LocalLLMDiagram-frame").click()
        page.keyboard.press("Escape")
        diagram.image.click()
    inside = page.locator(f"{PANEL} .jp-LocalLLMDiagram")
    expect(inside.locator("a, script, iframe, object, embed, foreignObject, style")).to_have_count(
        0
    )
    expect(inside.locator("svg image, svg use, .jp-LocalLLMDiagram-picture svg")).to_have_count(0)
    assert page.evaluate("() => window.pwned ?? null") is None
    assert outside == []
    assert len(page.context.pages) == n_pages
