"""Hostile diagrams in a notebook, reopened and exported: nothing runs, loads, links or leaves.

The drawing core's own tests look at its SVG; here it is a browser that shows what was kept.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.magics.kernel_session import child_python_path
from tests.unit.hostile_diagrams import DOT, MERMAID, attribute_sources, filled

from .lab_process import LabProcess
from .lab_tab import SharedTab
from .notebook_page import PATIENCE_MS, NotebookPage

#: What must not be in an output; pictures are images of what was kept.
_LIVE = """
root => {
  const found = [];
  for (const element of document.querySelectorAll(`${root} *`)) {
    const tag = element.localName;
    // Lab makes links of addresses in any text, such as the source in an error.
    if (tag === 'a' && element.closest('.jp-RenderedText') &&
        element.protocol !== 'javascript:') {
      continue;
    }
    if (/^(script|a|iframe|object|embed|foreignobject|form|base|meta|link|use|animate|set)$/
        .test(tag)) {
      found.push(tag);
    }
    for (const {name, value} of element.attributes) {
      const isOwn = tag === 'img' && name === 'src' && value.startsWith('data:image/');
      if (name.startsWith('on') || (/(href|src|action|data)$/.test(name) && !isOwn &&
          !name.startsWith('data-'))) {
        found.push(`${tag} ${name}=${value.slice(0, 80)}`);
      }
    }
  }
  return found;
}
"""


@dataclass
class Watch:
    """What the pages of a context do beyond showing."""

    context: BrowserContext
    asked: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.context.on("request", lambda request: self.asked.append(request.url))
        self.context.on("dialog", self._on_dialog)

    def _on_dialog(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    @property
    def evil(self) -> list[str]:
        """Requests for an address that stands in a diagram."""
        return [url for url in self.asked if "evil" in url and not url.startswith("data:")]


def has_surrogates(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text)


@pytest.fixture(scope="module")
def hostile_notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A notebook in which every hostile source was drawn, or refused."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "secret.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    file = str(folder / "secret.png")
    dots = [*DOT.values(), *attribute_sources().values()]
    sources = [f"%%dot\n{filled(source, file)}" for source in dots]
    sources += [f"%%mermaid\n{filled(source, file)}" for source in MERMAID.values()]
    # A kernel's messages are UTF-8; a source that is not comes no further.
    sources = [source for source in sources if not has_surrogates(source)]
    cells = [nbformat.v4.new_code_cell(s) for s in ("%load_ext jupyter_localllm", *sources)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    resources = {"metadata": {"path": str(folder)}}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in child_python_path().items():
            patch.setenv(name, value)
        NotebookClient(notebook, timeout=120, resources=resources, allow_errors=True).execute()
    # What was refused says so as text.
    outputs = [output for cell in notebook.cells for output in cell.outputs]
    kinds = {name for output in outputs for name in output.get("data", {})}
    assert not {"text/html", "text/vnd.mermaid", "application/javascript"} & kinds
    pictures = [output for output in outputs if "image/svg+xml" in output.get("data", {})]
    assert len(pictures) > len(sources) / 2
    path = folder / "hostile.ipynb"
    nbformat.write(notebook, path)
    yield path


@pytest.fixture
def offline(browser: Browser) -> Iterator[Page]:
    """A page that opens files and nothing else."""
    context = browser.new_context(offline=True)
    yield context.new_page()
    context.close()


def test_the_watch_sees_what_it_must(offline: Page, tmp_path: Path) -> None:
    watch = Watch(offline.context)
    page = tmp_path / "page.html"
    bad = (
        '<svg xmlns:xlink="http://www.w3.org/1999/xlink"><a xlink:href="javascript:x"><g/></a>'
        '<image href="http://127.0.0.1:9/evil"/></svg><script>alert(1)</script>'
    )
    page.write_text(f"<div class=jp-OutputArea>{bad}</div>")
    offline.goto(page.as_uri())
    assert len(offline.evaluate(_LIVE, ".jp-OutputArea")) == 4
    assert watch.dialogs == ["1"] and len(watch.evil) == 1


def test_an_exported_notebook_shows_and_does_nothing_else(
    hostile_notebook: Path, offline: Page
) -> None:
    command = [sys.executable, "-m", "nbconvert", "--to", "html", hostile_notebook.name]
    subprocess.run(
        command, cwd=hostile_notebook.parent, check=True, capture_output=True, timeout=120
    )
    watch = Watch(offline.context)
    offline.goto(hostile_notebook.with_suffix(".html").as_uri(), wait_until="load")
    pictures = offline.locator(".jp-OutputArea img")
    assert pictures.count() > 50
    assert offline.evaluate(_LIVE, ".jp-OutputArea") == []
    assert (watch.evil, watch.dialogs) == ([], [])


def test_a_reopened_notebook_shows_and_does_nothing_else(
    hostile_notebook: Path, shared_chat_tab: SharedTab, chat_lab: LabProcess
) -> None:
    target = chat_lab.home / "notebooks" / "hostile.ipynb"
    target.write_bytes(hostile_notebook.read_bytes())
    n_cells = len(nbformat.read(target, as_version=4).cells)
    # Every cell on the page, not only those in sight.
    settings = chat_lab.home / "config" / "lab" / "user-settings" / "@jupyterlab"
    (settings / "notebook-extension").mkdir(parents=True, exist_ok=True)
    (settings / "notebook-extension" / "tracker.jupyterlab-settings").write_text(
        '{"windowingMode": "none"}'
    )
    with shared_chat_tab.lend(is_anew=True) as page:
        watch = Watch(page.context)
        notebook = NotebookPage.open(page, chat_lab, "hostile.ipynb", n_cells)
        pictures = page.locator(".jp-Notebook .jp-OutputArea img")
        expect(pictures.nth(50)).to_be_attached(timeout=PATIENCE_MS)
        for is_trusted in (False, True):
            if is_trusted:
                # As a person does who trusts the file: then the SVG may be shown, too.
                page.evaluate(
                    """() => { for (const cell of
                        window.jupyterapp.shell.currentWidget.content.model.cells) {
                        cell.trusted = true; } }"""
                )
            for index in range(0, n_cells, 10):
                notebook.cell(index).scroll_into_view_if_needed()
            assert page.evaluate(_LIVE, ".jp-Notebook .jp-OutputArea") == []
        assert (watch.evil, watch.dialogs) == ([], [])
