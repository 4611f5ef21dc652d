"""Diagrams in notebooks of a real Lab: kept pictures, their tools, Graphviz text, hostile outputs.

A notebook that was only written to the disk is not trusted; one whose cells were run is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from jupyter_localllm.assistant.diagrams.bundle import mime_bundle
from jupyter_localllm.assistant.diagrams.nouns import DIAGRAM_MIME, DiagramTheme, DrawRequest
from jupyter_localllm.assistant.diagrams.pipeline import draw_here

from .diagram_page import DRAW_ROUTE, Diagram, Drawings, record_clipboard, set_theme
from .lab_process import LabProcess
from .lab_tab import SharedTab
from .notebook_page import PATIENCE_MS, NotebookPage, code, write_notebook

FLOW = "flowchart LR\n  A[Sun] --> B[Leaf]"
GRAPH = "digraph { root -> stem -> flower }"
BROKEN_GRAPH = "digraph {\n  a -> -> b [[[\n}"
SINK = "http://127.0.0.1:9"

HOSTILE_SVG = f"""<svg xmlns="http://www.w3.org/2000/svg" width="80" height="40"
  onload="window.pwned=1"><script>window.pwned=1; parent.pwned=1</script>
  <image href="{SINK}/x.png" width="9" height="9"/>
  <a href="javascript:window.pwned=1"><rect width="80" height="40" fill="#cc0000"/></a>
  <foreignObject width="9" height="9"><img xmlns="http://www.w3.org/1999/xhtml"
    src="{SINK}/y.png" onerror="window.pwned=1"/></foreignObject></svg>"""


def output(data: dict[str, Any], metadata: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a code cell with this output, as a notebook on the disk has it."""
    shown = {"output_type": "display_data", "data": data, "metadata": metadata or {}}
    return code("shown") | {"outputs": [shown]}


def kept(source: str, theme: DiagramTheme = "neutral") -> dict[str, Any]:
    """Return a code cell with a diagram as the magics keep it."""
    return output(*mime_bundle(draw_here(DrawRequest(source, None, theme))))


@pytest.fixture
def page(shared_tab: SharedTab) -> Iterator[Page]:
    """Lab in a page that has drawn nothing yet, and tells what is copied."""
    with shared_tab.lend(is_anew=True) as page:
        record_clipboard(page)
        yield page


@pytest.fixture
def drawings(page: Page) -> Iterator[Drawings]:
    """What the page asks to be drawn."""
    with Drawings(page) as drawings:
        yield drawings


def open_notebook(page: Page, lab: LabProcess, name: str, *cells: dict[str, Any]) -> NotebookPage:
    write_notebook(lab, f"{name}.ipynb", list(cells))
    return NotebookPage.open(page, lab, f"{name}.ipynb", len(cells))


def diagram_of(notebook: NotebookPage, index: int) -> Diagram:
    return Diagram(notebook.cell(index).locator(".jp-LocalLLMDiagram"))


def outputs_of(notebook: NotebookPage, index: int) -> list[dict[str, Any]]:
    """What the notebook would save of a cell's outputs."""
    script = "i => window.jupyterapp.shell.currentWidget.content.widgets[i].model.outputs.toJSON()"
    found: list[dict[str, Any]] = notebook.page.evaluate(script, index)
    return found


def is_trusted(notebook: NotebookPage, index: int) -> bool:
    script = "i => window.jupyterapp.shell.currentWidget.content.widgets[i].model.trusted"
    return bool(notebook.page.evaluate(script, index))


def test_a_kept_picture_is_shown_at_once_where_nothing_is_trusted(
    page: Page, lab: LabProcess, drawings: Drawings
) -> None:
    cell = kept(FLOW)
    notebook = open_notebook(page, lab, "kept", cell)
    assert not is_trusted(notebook, 0)
    diagram = diagram_of(notebook, 0)
    diagram.expect_picture("Sun", "Leaf")
    assert (diagram.image.get_attribute("src") or "").startswith("data:image/svg+xml;base64,")
    assert drawings.bodies == []
    # One picture, not one for each type of the bundle.
    expect(notebook.cell(0).locator(".jp-OutputArea-output img")).to_have_count(1)
    expect(notebook.cell(0).locator(".jp-OutputArea-output svg:not(button svg)")).to_have_count(0)
    assert outputs_of(notebook, 0) == cell["outputs"]


def test_without_an_svg_the_png_is_shown_in_its_size(page: Page, lab: LabProcess) -> None:
    cell = kept(FLOW)
    data = cell["outputs"][0]["data"]
    del data["image/svg+xml"]
    notebook = open_notebook(page, lab, "png", cell, kept(FLOW))
    sizes = []
    for index in range(2):
        diagram = diagram_of(notebook, index)
        diagram.expect_picture("Sun")
        sizes.append([diagram.image.get_attribute(name) for name in ("width", "height")])
    assert sizes[0] == sizes[1]


def test_the_tools_of_an_output(page: Page, lab: LabProcess, drawings: Drawings) -> None:
    notebook = open_notebook(page, lab, "tools", kept(FLOW), code("x = 1"))
    diagram = diagram_of(notebook, 0)
    diagram.expect_picture()
    toolbar = diagram.node.locator(".jp-LocalLLMDiagram-head")
    page.mouse.move(0, 0)
    expect(toolbar).to_have_css("opacity", "0")
    diagram.button("source").focus()
    expect(toolbar).to_have_css("opacity", "1")
    page.keyboard.press("Enter")
    expect(diagram.source).to_be_visible()
    assert diagram.source.text_content() == FLOW
    diagram.click("copy-source")
    diagram.choose("copy-svg")
    page.wait_for_function("() => window.copied.length === 2")
    source, svg = diagram.copied
    assert source == FLOW
    assert svg.lstrip().startswith("<svg")
    assert [body["theme"] for body in drawings.bodies] == ["neutral"]
    diagram.click("enlarge")
    expect(page.locator("dialog.jp-LocalLLMDiagram-dialog img")).to_be_visible()
    page.keyboard.press("Escape")
    diagram.click("insert")
    # The click has made the diagram's own cell the active one.
    assert notebook.sources == ["shown", f"%%mermaid\n{FLOW}", "x = 1"]
    expect(diagram.button("repair")).to_be_hidden()


def test_the_dark_one_is_asked_for_unless_its_author_chose(
    page: Page, lab: LabProcess, drawings: Drawings
) -> None:
    cells = [kept(FLOW), kept(GRAPH, "default")]
    notebook = open_notebook(page, lab, "dark", *cells)
    neutral, chosen = diagram_of(notebook, 0), diagram_of(notebook, 1)
    neutral.expect_picture()
    chosen.expect_picture()
    before = [diagram.image.get_attribute("src") or "" for diagram in (neutral, chosen)]
    try:
        set_theme(page, "JupyterLab Dark")
        expect(neutral.image).not_to_have_attribute("src", before[0], timeout=PATIENCE_MS)
        neutral.expect_picture("Sun")
        expect(chosen.image).to_have_attribute("src", before[1])
        ground = chosen.node.locator(".jp-LocalLLMDiagram-picture")
        expect(ground).to_have_css("background-color", "rgb(255, 255, 255)")
    finally:
        set_theme(page, "JupyterLab Light")
    # What stands in the notebook is never changed.
    expect(neutral.image).to_have_attribute("src", before[0], timeout=PATIENCE_MS)
    assert [(body["source"], body["theme"]) for body in drawings.bodies] == [
        (FLOW, "dark"),
        (FLOW, "neutral"),
    ]
    assert outputs_of(notebook, 0) == cells[0]["outputs"]


def test_the_kept_picture_stays_where_nobody_draws(page: Page, lab: LabProcess) -> None:
    page.route(DRAW_ROUTE, lambda route: route.abort())
    notebook = open_notebook(page, lab, "away", kept(FLOW))
    diagram = diagram_of(notebook, 0)
    diagram.expect_picture()
    before = diagram.image.get_attribute("src") or ""
    try:
        with page.expect_event("requestfailed", lambda failed: "diagrams" in failed.url):
            set_theme(page, "JupyterLab Dark")
        diagram.expect_picture("Sun")
        expect(diagram.image).to_have_attribute("src", before)
    finally:
        set_theme(page, "JupyterLab Light")


def test_graphviz_text_becomes_a_picture(page: Page, lab: LabProcess, drawings: Drawings) -> None:
    cells = [output({"text/vnd.graphviz": text}) for text in (GRAPH, BROKEN_GRAPH)]
    notebook = open_notebook(page, lab, "graphviz", *cells)
    diagram_of(notebook, 0).expect_picture("root", "flower")
    broken = diagram_of(notebook, 1)
    broken.expect_state("failed")
    expect(broken.notes).to_contain_text("The Graphviz diagram cannot be read")
    expect(broken.node.locator("mark")).to_have_text(BROKEN_GRAPH.splitlines()[1])
    assert broken.source.text_content() == BROKEN_GRAPH
    assert {body["kind"] for body in drawings.bodies} == {"dot"}


def test_a_cell_that_was_run_shows_its_picture_again_after_a_reload(
    page: Page, lab: LabProcess
) -> None:
    cells = [
        code("%load_ext jupyter_localllm"),
        code(f"%%mermaid\n{FLOW}"),
        code(f"%%dot\n{GRAPH}"),
    ]
    notebook = open_notebook(page, lab, "run", *cells)
    for index in range(3):
        notebook.run_cell(index)
    assert is_trusted(notebook, 1)
    diagram_of(notebook, 1).expect_picture("Sun")
    diagram_of(notebook, 2).expect_picture("flower")
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
    again = NotebookPage.load(page, lab, "run.ipynb", 3)
    diagram_of(again, 1).expect_picture("Sun")
    diagram_of(again, 2).expect_picture("flower")


def test_hostile_outputs_do_nothing(page: Page, lab: LabProcess) -> None:
    n_pages = len(page.context.pages)
    outside: list[str] = []
    allowed = (f"{lab.url}/", "data:", "blob:")
    page.on(
        "request",
        lambda request: None if request.url.startswith(allowed) else outside.append(request.url),
    )
    text = f"<img src={SINK}/z.png onerror=window.pwned=1><script>window.pwned=1</script>"
    click = f'flowchart LR\n A["{text}"] --> B\n click A "javascript:window.pwned=1"'

    def about(**fields: Any) -> dict[str, Any]:
        return {DIAGRAM_MIME: {"kind": "mermaid", "source": click, "alt": text, **fields}}

    cells = [
        output({**about(), "image/svg+xml": HOSTILE_SVG, "text/plain": text}),
        output({**about(), "image/png": 'AAAA" onerror="window.pwned=1'}),
        output({**about(kind="javascript"), "text/plain": text}),
        output({**about(source=[text]), "text/plain": text}),
        output({"text/vnd.graphviz": f'digraph {{ a [URL="javascript:window.pwned=1" '
                f'image="{SINK}/i.png" label=<{text}>] }}'}),
        output({"text/vnd.graphviz": 'digraph { a [URL="javascript:window.pwned=1" '
                'tooltip="x"]; b [href="https://evil.example"]; a -> b }'}),
    ]  # fmt: skip
    notebook = open_notebook(page, lab, "hostile", *cells)
    first = diagram_of(notebook, 0)
    first.expect_state("drawn")
    # Shown as an image: there is its red, and nothing of what it wanted.
    assert first.n_inked > 1000
    first.image.click()
    first.choose("copy-svg")
    page.wait_for_function("() => window.copied.length === 1")
    assert "script" not in first.copied[0]
    assert SINK not in first.copied[0].replace("&", "")
    for index in (1, 4, 5):
        diagram_of(notebook, index).expect_state("drawn")
    for index in (2, 3):
        expect(notebook.cell(index).locator(".jp-LocalLLMDiagramOutput pre")).to_have_text(text)
    outputs = page.locator(".jp-LocalLLMDiagramOutput")
    expect(outputs).to_have_count(len(cells))
    for hostile in ("a", "script", "iframe", "object", "embed", "foreignObject", "style", "table"):
        expect(outputs.locator(hostile)).to_have_count(0)
    assert page.evaluate("() => window.pwned ?? null") is None
    assert outside == []
    assert len(page.context.pages) == n_pages
