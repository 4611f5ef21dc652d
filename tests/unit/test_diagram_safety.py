"""Hostile diagrams: nothing is run, linked, loaded or read, and each ends in a picture or an error.

The corpus is in ``hostile_diagrams``. The first wall (the source) and the second (the SVG) are
tested together and each alone.
"""

from __future__ import annotations

import json
import re
import struct
import subprocess
import sys
import xml.etree.ElementTree as ET
import zlib
from pathlib import Path

import pytest

from jupyter_localllm import errors
from jupyter_localllm.assistant.diagrams.drawing import dot, mermaid
from jupyter_localllm.assistant.diagrams.drawing.safe_source import safe_source
from jupyter_localllm.assistant.diagrams.drawing.safe_svg import UnusableSvg, clean_svg
from jupyter_localllm.assistant.diagrams.nouns import DiagramKind, Drawing, DrawRequest
from jupyter_localllm.assistant.diagrams.pipeline import draw_here

from . import hostile_diagrams as hostile

ROOT = Path(__file__).parents[2]

ELEMENTS = {
    *("svg", "g", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon"),
    *("text", "tspan", "title", "defs", "linearGradient", "radialGradient", "stop"),
}
CASES: list[tuple[str, DiagramKind, str]] = [
    *((name, "mermaid", source) for name, source in hostile.MERMAID.items()),
    *((name, "dot", source) for name, source in hostile.DOT.items()),
    *((name, "dot", source) for name, source in hostile.attribute_sources().items()),
]


def faults_of(svg: str) -> list[str]:
    """Everything in an SVG that could run, link, load or style."""
    faults = [word for word in ("<!", "<?", "&#x", "]]>") if word in svg]
    for element in ET.fromstring(svg).iter():
        name = element.tag.rpartition("}")[2]
        if name not in ELEMENTS:
            faults.append(f"<{name}>")
        for key, value in element.attrib.items():
            attribute = key.rpartition("}")[2]
            if attribute.startswith("on") or attribute in {"href", "style", "src", "base", "xmlns"}:
                faults.append(attribute)
            for target in re.findall(r"url\(([^)]*)", value):
                if not target.startswith("#"):
                    faults.append(f"{attribute}={value}")
            if re.search(r"javascript:|data:|https?:|file:|expression|@import|[<>\\]", value):
                faults.append(f"{attribute}={value}")
    return faults


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of 900 x 900 that no diagram may show."""
    rows = b"".join(b"\0" + b"\xff\0\0" * 900 for _ in range(900))
    head = struct.pack(">IIBBBBB", 900, 900, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n"
    for name, data in ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
        png += struct.pack(">I", len(data)) + name + data
        png += struct.pack(">I", zlib.crc32(name + data))
    path = tmp_path_factory.mktemp("pictures") / "secret.png"
    path.write_bytes(png)
    return path


def drawn(source: str, kind: DiagramKind) -> Drawing | None:
    """The drawing; ``None`` where it was refused in a sentence."""
    source = source.encode("utf-8", "replace").decode()
    try:
        return draw_here(DrawRequest(source, kind))
    except (errors.DiagramInvalid, errors.DiagramTooLarge) as error:
        assert error.message.endswith(".") and error.hint
        return None


@pytest.mark.parametrize(("name", "kind", "source"), CASES, ids=[case[0] for case in CASES])
def test_a_hostile_diagram_holds_nothing_but_shapes(
    name: str, kind: DiagramKind, source: str, file: Path
) -> None:
    drawing = drawn(hostile.filled(source, str(file)), kind)
    if drawing is None:
        return
    assert faults_of(drawing.svg) == []
    # The picture of the file is larger than any of these.
    assert min(drawing.width, drawing.height) < 600
    assert drawing.png.startswith(b"\x89PNG")


@pytest.mark.parametrize(("name", "kind", "source"), CASES, ids=[case[0] for case in CASES])
def test_the_second_wall_holds_alone(name: str, kind: DiagramKind, source: str, file: Path) -> None:
    """What the renderers write of the source as it is, with the first wall taken away."""
    source = hostile.filled(source, str(file)).encode("utf-8", "replace").decode()
    renderer = dot if kind == "dot" else mermaid
    try:
        rendered = renderer.render(source, "neutral")
        clean = clean_svg(rendered.svg, id_prefix="t-")
    except (errors.DiagramInvalid, UnusableSvg):
        return
    assert faults_of(clean.document("A title & <more>", "#fff")) == []
    assert min(clean.width, clean.height) < 600


def test_most_hostile_diagrams_are_drawn_without_what_is_hostile(file: Path) -> None:
    kinds = [drawn(hostile.filled(source, str(file)), kind) for _, kind, source in CASES]
    # The others do not parse; an error is no way to be safe.
    assert sum(drawing is not None for drawing in kinds) > 0.85 * len(CASES)


_AUDIT = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from jupyter_localllm.assistant.diagrams.nouns import DrawRequest
from jupyter_localllm.assistant.diagrams.pipeline import draw_here
from jupyter_localllm.errors import LocalLLMError
cases = json.load(sys.stdin)
seen = []
is_on = False
def note(event, arguments):
    if event == "open" and isinstance(arguments[0], int):
        return  # an end of a pipe to the layout program
    if is_on and event.split(".")[0] in ("open", "socket", "subprocess", "os", "urllib", "ctypes"):
        seen.append([event, repr(arguments)])
sys.addaudithook(note)
for _ in range(2):  # what is imported or read once is read in the first round
    for kind, source in cases:
        try:
            draw_here(DrawRequest(source, kind))
        except LocalLLMError:
            pass
    is_on = True
print(json.dumps(seen))
"""


def test_no_file_is_read_and_nothing_is_connected(file: Path) -> None:
    sources = [
        (kind, hostile.filled(source, str(file)).encode("utf-8", "replace").decode())
        for _, kind, source in CASES
    ]
    child = subprocess.run(
        [sys.executable, "-c", _AUDIT, str(ROOT)],
        input=json.dumps(sources),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert child.returncode == 0, child.stderr
    seen = json.loads(child.stdout)
    programs = [about for event, about in seen if event == "subprocess.Popen"]
    assert programs and all("graphviz-pure" in program for program in programs)
    assert all(str(file) not in about and hostile.URL not in about for _, about in seen)
    others = {event for event, _ in seen} - {"subprocess.Popen", "os.posix_spawn"}
    assert others == set()


def test_the_layout_program_opens_no_file_of_a_source(file: Path) -> None:
    """Its own wall: the same program reads the file without it."""
    source = f'digraph {{ a [shape=box, image="{file}"] }}'
    program = dot._program()
    assert program is not None
    unguarded = subprocess.run(
        [program, "-Tsvg"], input=source.encode(), capture_output=True, timeout=30, env={}
    )
    assert b"<image" in unguarded.stdout
    assert "<image" not in dot.render(source, "neutral").svg


@pytest.mark.parametrize(
    ("kind", "source", "gone", "kept"),
    [
        ("mermaid", 'flowchart TD\nA-->B\nclick A "x"\nB-->C', "click", "B-->C"),
        ("mermaid", "flowchart TD\nA-->B\nstyle A fill:url(x),stroke:red", "url", "stroke:red"),
        ("mermaid", 'flowchart TD\nA["<b>x</b><br/>y"]', "<b>", "x<br/>y"),
        ("mermaid", '---\nconfig:\n  a: b\ntitle: Plan\n---\npie\n"a": 1', "config", "title: Plan"),
        ("mermaid", 'flowchart TD\nA@{ img: "x", label: "L" }', "img", 'label: "L"'),
        ("dot", 'digraph { a [URL="x", label="y"] }', "URL", 'label="y"'),
        ("dot", 'digraph { a [label=<<B>x</B><IMG SRC="y"/>>] }', "IMG", "<B>x</B>"),
        ("dot", "digraph { dpi=600; rankdir=LR; a }", "dpi", "rankdir=LR"),
    ],
)
def test_only_what_reaches_out_is_left_out_and_said(
    kind: DiagramKind, source: str, gone: str, kept: str
) -> None:
    safe = safe_source(source, kind)
    assert gone not in safe.source
    assert kept in safe.source
    assert len(safe.changes) == 1
    assert safe.source.count("\n") == source.count("\n")


HARMLESS_MERMAID = [
    "flowchart TD\nclicks[click here] --> styled[style guide]\nstyle clicks fill:#f9f",
    "mindmap\n root\n  style this way: always\n  click A to go",
    "sequenceDiagram\nclick->>link: style A\nlink-->>click: 1 < 2 and 3 > 2",
    "classDiagram\nclass A {\n<<interface>>\n+List~int~ x\n}\nA <|-- B",
    "flowchart LR\nA <--> B\nA -->|x < y| C\nclassDef k fill:#123,stroke-dasharray: 5 5",
    'flowchart TD\nA@{ shape: cyl, label: "icon and img" }\n%% click A "x"',
    "---\ntitle: A plain title\n---\nflowchart TD\nA-->B",
]
HARMLESS_DOT = [
    'digraph "my graph" { node [fontname="Helvetica", shape=box]; a:p -> b [label="href=x"] }',
    "# a comment\ndigraph { /* image=x */ a // URL=y\n -> b }",
    'digraph { a [label=<<TABLE BORDER="0"><TR><TD PORT="x">y</TD></TR></TABLE>>]; size="8,5" }',
    'strict graph { a -- { b c } [color="#ff0000;0.5:blue", style="dashed,bold"] }',
]


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        *(("mermaid", source) for source in HARMLESS_MERMAID),
        *(("dot", source) for source in HARMLESS_DOT),
    ],
)
def test_a_harmless_source_is_not_touched(kind: DiagramKind, source: str) -> None:
    safe = safe_source(source, kind)
    assert safe.source == source
    assert safe.changes == ()
    assert draw_here(DrawRequest(source, kind)).source == source


def _svg(body: str, attributes: str = "") -> str:
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="10" height="10" {attributes}>{body}</svg>'
    )


@pytest.mark.parametrize(
    "body",
    [
        "<script>alert(1)</script>",
        "<style>@import url(x)</style>",
        '<image xlink:href="x" width="9" height="9"/>',
        '<use xlink:href="#x"/>',
        "<foreignObject><body xmlns='http://www.w3.org/1999/xhtml'>x</body></foreignObject>",
        '<animate attributeName="href" values="javascript:1"/>',
        '<set attributeName="onload" to="1"/>',
        '<iframe xmlns="http://www.w3.org/1999/xhtml" src="x"/>',
        '<x:rect xmlns:x="urn:x" onload="1"/>',
        '<rect onload="alert(1)" onclick="1"/>',
        '<rect href="http://x" xlink:href="javascript:alert(1)"/>',
        '<rect style="fill:url(http://x)"/>',
        '<rect fill="url(http://x)"/>',
        '<rect fill="url( #a) url(http://x)"/>',
        '<rect width="1;expression(1)"/>',
        '<path d="M0 0 javascript:1"/>',
        '<g transform="url(http://x)"/>',
        '<g font-family="x;}@import url(http://x)"/>',
        '<g class="jp-Dialog node"/>',
        '<g id="main"/>',
        '<g xml:base="http://x"/>',
        '<?xml-stylesheet href="http://x"?>',
        '<filter id="f"><feImage xlink:href="http://x"/></filter>',
    ],
)
def test_the_list_lets_nothing_else_pass(body: str) -> None:
    clean = clean_svg(_svg(f'{body}<text x="1">ok</text>'), id_prefix="t-")
    document = clean.document("t", "#fff")
    assert faults_of(document) == []
    assert "ok" in clean.texts
    for word in ("alert", "@import", "http://x", "javascript", "jp-Dialog", "main", "onload"):
        assert word not in clean.body


@pytest.mark.parametrize(
    "svg",
    [
        '<!DOCTYPE svg [<!ENTITY e "x">]><svg>&e;</svg>',
        "<svg",
        "no picture",
        _svg("<g>"),
        _svg("&nbsp;"),
        "<svg xmlns='http://www.w3.org/2000/svg' width='1e9' height='1'/>",
        "<svg xmlns='http://www.w3.org/2000/svg' width='0' height='0'/>",
        "<svg xmlns='urn:other' width='1' height='1'/>",
    ],
)
def test_what_is_no_picture_is_refused(svg: str) -> None:
    with pytest.raises(UnusableSvg):
        clean_svg(svg, id_prefix="t-")


def test_a_link_is_left_out_and_what_it_holds_is_kept() -> None:
    clean = clean_svg(_svg('<a xlink:href="javascript:1"><text>x</text></a>'), id_prefix="t-")
    assert clean.body == "<text>x</text>"


def test_gradients_keep_their_names_apart() -> None:
    body = '<linearGradient id="a"><stop offset="0"/></linearGradient><rect fill="url(#a)"/>'
    clean = clean_svg(_svg(body), id_prefix="d1-")
    assert 'id="d1-a"' in clean.body
    assert 'fill="url(#d1-a)"' in clean.body
