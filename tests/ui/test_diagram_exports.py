"""Diagrams in exported notebooks, with the network off: each is there, at its place, not blank.

The pictures have colours of their own, which are counted in what Chromium shows.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from playwright.sync_api import Browser, Page

from tests.gguf_builders.scripted import build_scripted
from tests.magics.kernel_session import child_python_path

DOT = 'digraph { a [label="Graphviz" style=filled fillcolor="#ff0000"]; a -> b }'
MERMAID = "flowchart LR\n A[Mermaid] --> B[end of it]\n style A fill:#00ff00"
ANSWER = (
    "Here it is.\n\n```mermaid\nflowchart LR\n C[From the model] --> D[2]\n"
    " style C fill:#0000ff\n```\n\nThat was it."
)
#: Heading of a cell -> the colour of the picture below it, as red, green, blue.
COLOURS = {"One": (255, 0, 0), "Two": (0, 255, 0), "Three": (0, 0, 255)}
MIN_PIXELS = 500

#: How many pixels of a PNG have about this colour.
_COUNT = """
async ([address, colour]) => {
  const image = new Image();
  image.src = address;
  await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext('2d');
  context.drawImage(image, 0, 0);
  const {data} = context.getImageData(0, 0, image.width, image.height);
  let count = 0;
  for (let i = 0; i < data.length; i += 4) {
    count += colour.every((value, j) => Math.abs(data[i + j] - value) < 40) ? 1 : 0;
  }
  return count;
}
"""


@pytest.fixture(scope="module")
def lesson(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An executed notebook with three diagrams: drawn by hand twice, and once by a model."""
    folder = tmp_path_factory.mktemp("lesson")
    model = build_scripted(folder / "draws.gguf", {"DRAW": ANSWER})
    cells = [
        nbformat.v4.new_code_cell("%load_ext jupyter_localllm"),
        nbformat.v4.new_markdown_cell("# One"),
        nbformat.v4.new_code_cell(f"%%dot\n{DOT}"),
        nbformat.v4.new_markdown_cell("# Two"),
        nbformat.v4.new_code_cell(f"%%mermaid\n{MERMAID}"),
        nbformat.v4.new_markdown_cell("# Three"),
        nbformat.v4.new_code_cell(f"%%llm -m {model}\nDRAW"),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    resources = {"metadata": {"path": str(folder)}}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in child_python_path().items():
            patch.setenv(name, value)
        for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR"):
            patch.setenv(name, str(tmp_path_factory.mktemp("own")))
        NotebookClient(notebook, timeout=120, resources=resources).execute()
    nbformat.validate(notebook)
    path = folder / "lesson.ipynb"
    nbformat.write(notebook, path)
    yield path


@pytest.fixture
def offline(browser: Browser) -> Iterator[Page]:
    """A page that opens files and nothing else."""
    context = browser.new_context(viewport={"width": 1200, "height": 900}, offline=True)
    yield context.new_page()
    context.close()


def export(lesson: Path, kind: str, *options: str) -> Path:
    """Run nbconvert as a person does; return what it wrote."""
    command = [sys.executable, "-m", "nbconvert", "--to", kind, *options, lesson.name]
    done = subprocess.run(
        command, cwd=lesson.parent, env=os.environ, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr[-2000:]
    # The last one: a PDF is made of a TeX file.
    [*_, written] = re.findall(r"Writing \d+ bytes to (\S+)", done.stderr)
    return lesson.parent / str(written)


def n_pixels(page: Page, png: bytes, colour: tuple[int, int, int]) -> int:
    address = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    return int(page.evaluate(_COUNT, [address, list(colour)]))


def check_pictures_in_place(page: Page) -> None:
    """Between each heading and the next there is its picture, and it is not blank."""
    tops = [page.get_by_role("heading", name=name).bounding_box() for name in COLOURS]
    places = [box["y"] for box in tops if box is not None]
    assert places == sorted(places) and len(places) == len(COLOURS)
    bottoms = [*places[1:], float("inf")]
    # At the end of the page, not of the window.
    page_png = page.screenshot(full_page=True)
    counter = page.context.new_page()
    for (name, colour), top, bottom in zip(COLOURS.items(), places, bottoms, strict=True):
        pictures = [
            box
            for image in page.locator("img, svg, object").all()
            if (box := image.bounding_box()) and top < box["y"] < bottom and box["width"] > 40
        ]
        assert len(pictures) == 1, f"{name}: {len(pictures)} pictures"
        [box] = pictures
        clip = {key: box[key] for key in ("x", "y", "width", "height")}
        part = page.screenshot(full_page=True, clip=clip)
        assert n_pixels(counter, part, colour) > MIN_PIXELS, name
    assert n_pixels(counter, page_png, (0, 0, 255)) > MIN_PIXELS
    counter.close()


def test_html_shows_every_diagram(lesson: Path, offline: Page) -> None:
    exported = export(lesson, "html")
    offline.goto(exported.as_uri(), wait_until="domcontentloaded")
    check_pictures_in_place(offline)
    assert 'class="mermaid"' not in exported.read_text(encoding="utf-8").split("<body", 1)[1]


def test_slides_show_every_diagram(lesson: Path, offline: Page) -> None:
    exported = export(lesson, "slides")
    offline.goto(exported.as_uri(), wait_until="domcontentloaded")
    check_pictures_in_place(offline)


def test_markdown_has_every_picture_beside_it(lesson: Path, offline: Page) -> None:
    exported = export(lesson, "markdown")
    text = exported.read_text(encoding="utf-8")
    assert "```mermaid" not in text.replace("%%mermaid", "")
    parts = re.split(r"^# (\w+)$", text, flags=re.M)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    for name, colour in COLOURS.items():
        [picture] = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", sections[name])
        offline.goto((exported.parent / picture).as_uri())
        shown = offline.screenshot()
        assert n_pixels(offline.context.new_page(), shown, colour) > MIN_PIXELS, name


def image_of(pdf: bytes) -> bytes:
    """The one image of a PDF, whose samples are compressed as PNG has them, as a PNG."""
    found = re.search(rb"/Width (\d+)\s*/Height (\d+).*?stream\r?\n(.*?)\r?\nendstream", pdf, re.S)
    colors = re.search(rb"/Colors (\d)", pdf)
    assert found is not None and colors is not None
    color_type = {b"1": 0, b"2": 4, b"3": 2, b"4": 6}[colors[1]]
    header = struct.pack(">IIBBBBB", int(found[1]), int(found[2]), 8, color_type, 0, 0, 0)

    def chunk(name: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + checksum

    parts = [chunk(b"IHDR", header), chunk(b"IDAT", found[3]), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.skipif(shutil.which("pandoc") is None, reason="nbconvert writes LaTeX with pandoc")
def test_latex_has_every_picture_and_needs_no_inkscape(lesson: Path, offline: Page) -> None:
    exported = export(lesson, "latex")
    parts = re.split(r"\\section\{(\w+)\}", exported.read_text(encoding="utf-8"))
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    for name, colour in COLOURS.items():
        [picture] = re.findall(r"\\adjustimage\{.*\}\{([^{}]+\.pdf)\}", sections[name])
        pdf = (exported.parent / picture).read_bytes()
        assert n_pixels(offline, image_of(pdf), colour) > MIN_PIXELS, name


@pytest.mark.skipif(
    not all(map(shutil.which, ("pandoc", "xelatex", "pdftoppm"))), reason="no TeX is installed"
)
def test_pdf_shows_every_diagram(lesson: Path, offline: Page) -> None:
    exported = export(lesson, "pdf")
    subprocess.run(
        ["pdftoppm", "-r", "60", "-png", exported.name, "page"], cwd=exported.parent, check=True
    )
    pages = [path.read_bytes() for path in sorted(exported.parent.glob("page-*.png"))]
    for name, colour in COLOURS.items():
        assert any(n_pixels(offline, png, colour) > MIN_PIXELS // 4 for png in pages), name
