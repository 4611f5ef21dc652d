"""Pictures of the chat's main states and of the magics, of a real Lab; the README shows some.

Each state is waited for before its picture is taken. With ``LOCALLLM_PICTURES=FOLDER`` the pictures
are kept there: ``LOCALLLM_PICTURES=docs/pictures make test TEST_ARGS="-k pictures"``.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.gguf_builders import scripted

from .chat_driver import ANSWERS, INPUT, PANEL, Chat
from .conftest import lab_with_models
from .lab_process import LabProcess
from .lab_tab import lab_page
from .notebook_page import PATIENCE_MS, NotebookPage, code, markdown, write_notebook

WIDTH_PX = 420

ERROR = """The name `temperatures` is not defined: the cell calls it, but no cell before has
made it. In the cell above the list is called `temps`.

```python
temps = [12.5, 14.0, 11.8]
mean = sum(temps) / len(temps)
print(f"{mean:.1f} °C")
```

Run the cell with the list **before** the one that uses it."""
VARIANCE = """The **variance** says how far values lie from their mean $\\bar x$:

$$s^2 = \\frac{1}{n-1} \\sum_{i=1}^{n} (x_i - \\bar x)^2$$

| value | distance | squared |
|------:|---------:|--------:|
| 12.5 | −0.27 | 0.07 |
| 14.0 | 1.23 | 1.52 |
| 11.8 | −0.97 | 0.93 |

```python
from statistics import variance

print(variance([12.5, 14.0, 11.8]))
```"""
STATION = """A reading goes through these steps:

```mermaid
flowchart LR
  Sensor --> Check{In range (-40…60)?}
  Check -->|yes| Store[(Table)]
  Check -->|no| Repeat[Measure again]
  Repeat -> Check
```

What is out of range is measured once more."""
#: By a word of the question that is not in the reply.
SCRIPT = {"morning": ERROR, "vary": VARIANCE, "happens": STATION}
CELLS = [
    markdown("# Weather at the station\nThree readings of one morning."),
    code("temps = [12.5, 14.0, 11.8]"),
    code("# mean of the morning\nmean = sum(temperatures) / len(temperatures)"),
]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the pictures go."""
    wanted = os.environ.get("LOCALLLM_PICTURES")
    folder = Path(wanted) if wanted else tmp_path_factory.mktemp("pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def lesson_lab(
    chromium: str, tmp_path_factory: pytest.TempPathFactory, slow_model: Path
) -> Iterator[LabProcess]:
    """A JupyterLab with a notebook of a lesson, and a model that knows it by heart."""
    home = tmp_path_factory.mktemp("lesson")
    lesson = scripted.build_scripted(home / "lesson.gguf", SCRIPT)
    with lab_with_models(home, {"slow": slow_model, "lesson": lesson}, "lesson") as process:
        write_notebook(process, "weather.ipynb", CELLS)
        yield process


@pytest.fixture(scope="module")
def page(context: BrowserContext, lesson_lab: LabProcess) -> Iterator[Page]:
    """Lab with the notebook and the chat beside it, as wide as a person would make it."""
    with lab_page(context, lesson_lab) as page:
        yield page


def take(page: Page, pictures: Path, name: str) -> None:
    """Take the picture, and see that there is something on it."""
    path = pictures / f"{name}.png"
    page.screenshot(path=str(path), animations="disabled")
    assert path.stat().st_size > 20_000


def widen(page: Page) -> None:
    """Drag the edge of the chat, as a person does."""
    box = page.locator(PANEL).bounding_box()
    assert box is not None
    x, y = box["x"] - 2, box["y"] + 300
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + box["width"] - WIDTH_PX, y, steps=5)
    page.mouse.up()
    page.wait_for_function(
        "([selector, width]) => Math.abs(document.querySelector(selector).offsetWidth - width) < 9",
        arg=[PANEL, WIDTH_PX],
    )


def test_the_main_states_have_their_pictures(
    page: Page, lesson_lab: LabProcess, pictures: Path
) -> None:
    notebook = NotebookPage.open(page, lesson_lab, "weather.ipynb", len(CELLS))
    page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
    chat = Chat.open(page)
    widen(page)
    notebook.activate(1)
    take(page, pictures, "empty")

    notebook.run_cell(1)
    notebook.run_cell(2)
    notebook.activate(2)
    page.locator(INPUT).focus()
    chat.attach("@cell")
    chat.attach("@error")
    expect(page.locator(f"{PANEL} .jp-LocalLLMChat-chip")).to_have_count(2)
    expect(page.locator(f"{PANEL} .jp-LocalLLMChat-chips")).to_contain_text(
        "tokens", timeout=PATIENCE_MS
    )
    take(page, pictures, "context")
    chat.remove_chips()

    chat.ask("/fix")
    expect(page.locator(ANSWERS).last).to_contain_text("Run the cell with the list")
    chat.code_button("insert-above").hover()
    take(page, pictures, "code")

    chat.ask("How much do the values vary, and how do I compute that?")
    expect(page.locator(ANSWERS).last.locator("mjx-container").first).to_be_visible()
    page.locator(ANSWERS).last.locator('[data-action="regenerate"]').click()
    branch = page.locator(ANSWERS).last.locator(".jp-LocalLLMChat-branch")
    expect(branch).to_contain_text("2/2", timeout=PATIENCE_MS)
    expect(page.locator(ANSWERS).last.locator("mjx-container").first).to_be_visible()
    take(page, pictures, "branch")

    change = "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"
    page.evaluate(change, "JupyterLab Dark")
    page.wait_for_function("() => document.body.dataset.jpThemeName === 'JupyterLab Dark'")
    take(page, pictures, "dark")
    page.evaluate(change, "JupyterLab Light")

    chat.choose_model("slow")
    chat.submit("Tick until you are stopped.")
    expect(page.locator(ANSWERS).last).to_contain_text("tick5", timeout=PATIENCE_MS)
    take(page, pictures, "streaming")
    workers = lesson_lab.get_json("localllm/status")["workers"]
    os.kill(next(w["pid"] for w in workers if w["model"] == "slow"), signal.SIGKILL)
    expect(page.locator(ANSWERS).last).to_have_attribute(
        "data-state", "failed", timeout=PATIENCE_MS
    )
    take(page, pictures, "error")


def run_notebook(
    page: Page, lab: LabProcess, path: str, cells: list[dict[str, Any]]
) -> NotebookPage:
    """Write a notebook, open it and run all of it."""
    write_notebook(lab, path, cells)
    notebook = NotebookPage.open(page, lab, path, len(cells))
    for index in range(len(cells)):
        notebook.run_cell(index)
    return notebook


MAGIC_CELLS = [
    code("%load_ext jupyter_localllm\n%config LocalLLM.max_history = 0"),
    CELLS[2],
    code("%llm fix -f markdown"),
    code("%%llm\nHow much do the values vary?"),
]


def test_a_lesson_with_magics_has_its_picture(
    context: BrowserContext, lesson_lab: LabProcess, pictures: Path
) -> None:
    with lab_page(context, lesson_lab) as page:
        notebook = run_notebook(page, lesson_lab, "magics.ipynb", MAGIC_CELLS)
        fixed = notebook.cell(2).locator(".jp-RenderedMarkdown")
        expect(fixed.last).to_contain_text("Run the cell with the list")
        told = notebook.cell(3).locator(".jp-RenderedMarkdown mjx-container")
        expect(told.first).to_be_visible()
        notebook.activate(2)
        take(page, pictures, "magics")


DIAGRAM_CELLS = [
    code("%load_ext jupyter_localllm"),
    code(
        "%%dot --into seasons\n"
        "digraph { rankdir=LR; node [shape=box style=rounded]\n"
        "  spring -> summer -> autumn -> winter -> spring }"
    ),
    code("%%llm\nWhat happens to a reading?"),
]


def test_a_notebook_and_the_chat_with_diagrams_have_their_pictures(
    context: BrowserContext, lesson_lab: LabProcess, pictures: Path
) -> None:
    with lab_page(context, lesson_lab) as page:
        notebook = run_notebook(page, lesson_lab, "diagrams.ipynb", DIAGRAM_CELLS)
        drawn = page.locator(".jp-Notebook .jp-LocalLLMDiagram img")
        expect(drawn).to_have_count(2)
        notebook.activate(1)
        take(page, pictures, "diagrams")
        page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
        chat = Chat.open(page)
        widen(page)
        chat.ask("What happens to a reading?")
        picture = page.locator(f"{PANEL} .jp-LocalLLMDiagram img")
        expect(picture).to_be_visible(timeout=PATIENCE_MS)
        picture.hover()
        take(page, pictures, "chat-diagram")
