"""Pictures of diagrams: what is drawn, what is said about it, and what an output holds of it."""

from __future__ import annotations

import base64
import re
import struct
import xml.etree.ElementTree as ET
import zlib

import pytest

from jupyter_localllm import errors
from jupyter_localllm.assistant.diagrams.bundle import mime_bundle
from jupyter_localllm.assistant.diagrams.drawing import dot, mermaid, picture
from jupyter_localllm.assistant.diagrams.nouns import (
    DIAGRAM_MIME,
    DiagramKind,
    DiagramTheme,
    Drawing,
    DrawRequest,
)
from jupyter_localllm.assistant.diagrams.pipeline import draw_here

MERMAID = {
    "flowchart": "flowchart TD\nA[Start] --> B{ok?}\nB -->|yes| C([End])\nB -->|no| A",
    "sequence": "sequenceDiagram\nparticipant A as Alice\nA->>Bob: Hello\nBob-->>A: Hi",
    "class": "classDiagram\nAnimal <|-- Dog : is a\nclass Animal {\n+int age\n+eat() bool\n}",
    "state": "stateDiagram-v2\n[*] --> Idle\nIdle --> Busy : go\nBusy --> [*]",
    "er": "erDiagram\nCUSTOMER ||--o{ ORDER : places\nORDER {\nint id PK\n}",
    "mindmap": "mindmap\n root((Main))\n  Left\n  Right",
    "pie": 'pie title Pets\n"Dogs" : 3\n"Cats" : 4',
    "gantt": "gantt\ntitle Plan\ndateFormat YYYY-MM-DD\nsection S\nBuild :a1, 2024-01-01, 3d",
    "timeline": "timeline\ntitle Times\n2002 : first\n2004 : second",
    "journey": "journey\ntitle Day\nsection Work\nWrite: 5: Me",
    "git": 'gitGraph\ncommit id: "one"\nbranch dev\ncommit id: "two"',
    "quadrant": "quadrantChart\ntitle Q\nx-axis a --> b\ny-axis c --> d\nPoint: [0.3, 0.6]",
    "c4": 'C4Context\ntitle C\nPerson(a, "Ann", "who")\nSystem(b, "Box")\nRel(a, b, "uses")',
    "xychart": 'xychart-beta\ntitle "X"\nx-axis [jan, feb]\nbar [3, 4]',
}
DOT = {
    "digraph": 'digraph { a [label="Start"]; a -> b [label="next"]; b -> c }',
    "graph": "graph { one -- two -- three }",
    "cluster": 'digraph { subgraph cluster_x { label="Group"; a; b } a -> c }',
    "record": 'digraph { node [shape=record]; s [label="<x> left|right"]; s:x -> t }',
    "html": "digraph { a [label=<<TABLE><TR><TD><B>Head</B></TD></TR></TABLE>>]; a -> b }",
    "gradient": 'digraph { a [style=filled, fillcolor="red:blue", label="Warm"] }',
    **{
        engine: f"graph {{ layout={engine}; first -- second }}"
        for engine in ("neato", "fdp", "sfdp", "twopi", "circo", "osage", "patchwork")
    },
}
CASES: list[tuple[DiagramKind, str]] = [
    *(("mermaid", source) for source in MERMAID.values()),
    *(("dot", source) for source in DOT.values()),
]
NAMES = [*MERMAID, *DOT]


def draw(source: str, kind: DiagramKind | None = None, theme: DiagramTheme = "neutral") -> Drawing:
    return draw_here(DrawRequest(source, kind, theme))


def pixels(png: bytes) -> tuple[int, int, list[bytes]]:
    """Width, height and the rows of an RGBA picture."""
    width, height, depth, color, *_ = struct.unpack(">IIBBBBB", png[16:29])
    assert (depth, color) == (8, 6)
    data = zlib.decompress(b"".join(picture._chunks(png, b"IDAT")))
    rows, before = [], bytearray(4 * width)
    for start in range(0, len(data), 4 * width + 1):
        kind, row = data[start], bytearray(data[start + 1 : start + 1 + 4 * width])
        for i in range(len(row)):
            left = row[i - 4] if i >= 4 else 0
            up, corner = before[i], before[i - 4] if i >= 4 else 0
            guess = left + up - corner
            near = min((abs(guess - c), n, c) for n, c in enumerate((left, up, corner)))[2]
            row[i] = (row[i] + (0, left, up, (left + up) // 2, near)[kind]) & 255
        rows.append(bytes(row))
        before = row
    return width, height, rows


@pytest.mark.parametrize(("kind", "source"), CASES, ids=NAMES)
def test_every_kind_of_diagram_is_drawn(kind: DiagramKind, source: str) -> None:
    drawing = draw(source, kind)
    assert drawing.source == drawing.given == source
    assert drawing.changes == ()
    root = ET.fromstring(drawing.svg)
    assert drawing.svg.count("xmlns=") == 1
    assert root.get("role") == "img"
    title = root.find("{http://www.w3.org/2000/svg}title")
    assert title is not None and title.text == drawing.alt
    # The words of the source are in the picture.
    shown = " ".join("".join(text.itertext()) for text in root.iter() if text.tag.endswith("}text"))
    words = set(re.findall(r"\b[A-Z][a-z]{2,}\b", source)) & set(re.findall(r"\w+", shown))
    assert words or len(shown) > 2
    width, height = struct.unpack(">II", drawing.png[16:24])
    assert abs(width - 2 * drawing.width) <= 2
    assert abs(height - 2 * drawing.height) <= 2
    assert 10 < len(drawing.alt) <= 300


@pytest.mark.parametrize("kind", ["mermaid", "dot"])
@pytest.mark.parametrize(("theme", "paper"), [("default", 255), ("neutral", 255), ("dark", 0x1F)])
def test_a_theme_has_an_opaque_paper_and_readable_ink(
    kind: DiagramKind, theme: DiagramTheme, paper: int
) -> None:
    source = "digraph { Hello -> World }" if kind == "dot" else "flowchart TD\nHello --> World"
    drawing = draw(source, kind, theme)
    _, _, rows = pixels(drawing.png)
    assert rows[0][0] == paper
    first = next(element for element in ET.fromstring(drawing.svg) if "title" not in element.tag)
    assert first.tag.endswith("}rect")
    assert first.get("fill") == ("#1F2020" if theme == "dark" else "#FFFFFF")
    assert all(row[3::4] == b"\xff" * (len(row) // 4) for row in rows)
    ink = min(min(row[0::4]) for row in rows), max(max(row[0::4]) for row in rows)
    assert (ink[1] > 0xE0) if theme == "dark" else (ink[0] < 0x40)


@pytest.mark.parametrize("kind", ["mermaid", "dot"])
@pytest.mark.parametrize("label", ["数据加载与预处理", "Ελληνικά", "Кириллица", "straße"])
def test_letters_are_inside_of_their_node(kind: DiagramKind, label: str) -> None:
    """Wide letters make a wide node, as many Latin letters do."""
    one, many = (
        draw(
            f'digraph {{ a [label="{text}", shape=box] }}'
            if kind == "dot"
            else f'flowchart TD\na["{text}"]',
            kind,
        )
        for text in (label, label * 3)
    )
    em = 14 * 96 / 72 if kind == "dot" else 16
    is_wide = label[0] >= "\u2e80" and label[0] < "\ua000"
    growth = (many.width - one.width) / (2 * len(label)) / em
    if "flow" not in many.source or many.height == one.height:
        assert growth > (0.95 if is_wide else 0.4)
    assert "\u200b" not in many.svg + many.source + many.alt


def test_a_text_is_as_wide_as_the_layout_took_it_for() -> None:
    """Whatever font it is shown in; of letters that were only guessed, it is not said."""
    svg = draw(
        'digraph { a [label="WWWWWWWW"]; b [label="iiiiiiii"]; c [label="数据加载"] }', "dot"
    ).svg
    wide, narrow, unknown = re.findall(r"<text([^>]*)>[^<]{2,}</text>", svg)
    lengths = [float(re.findall(r'textLength="([\d.]+)"', text)[0]) for text in (wide, narrow)]
    assert lengths[0] > 3 * lengths[1] > 0
    assert "textLength" not in unknown


def test_a_name_in_quotes_keeps_its_letters() -> None:
    drawing = draw(
        'digraph { "数据加载与预处理" -> "b c":n; x [label=<<B>标题标题标题</B>>] }', "dot"
    )
    titles = [
        element.text for element in ET.fromstring(drawing.svg).iter() if "title" in element.tag
    ]
    assert "数据加载与预处理" in titles
    assert "b c" in titles


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("graph TD\nA-->B", "mermaid"),
        ("graph { a -- b }", "dot"),
        ("strict digraph G {\n a -> b }", "dot"),
        ("// made by hand\ndigraph { a }", "dot"),
        ("sequenceDiagram\nA->>B: hi", "mermaid"),
    ],
)
def test_the_language_is_told_from_the_text(source: str, kind: str) -> None:
    assert draw(source).kind == kind


@pytest.mark.parametrize(
    ("kind", "source", "line", "column", "word"),
    [
        ("dot", "digraph {\n a -> ;\n}", 2, 7, ";"),
        ("dot", "digraph {\n a -> b", 2, 0, "ends before"),
        ("dot", 'digraph {\n a [label="x]\n}', 2, 0, "quote is not closed"),
        ("dot", "graph {\n a -> b\n}", 2, 4, "->"),
        ("dot", "digraph {\n a [label=<<b>x</i>>]\n}", 0, 0, "node a"),
        ("mermaid", "flowchart TD\n A[f(x)] --> B", 2, 5, "(x)"),
        ("mermaid", "flowchart TD\n A --> ", 2, 7, "not expected"),
        ("mermaid", "this is no diagram", 1, 0, "begin"),
        ("mermaid", "", 0, 0, "no text"),
    ],
)
def test_an_error_says_where_and_what(
    kind: DiagramKind, source: str, line: int, column: int, word: str
) -> None:
    """Of the parsers as they are; the pipeline repairs some of these."""
    renderer = dot if kind == "dot" else mermaid
    with pytest.raises(errors.DiagramInvalid) as caught:
        renderer.render(source, "neutral")
    details = caught.value.details
    assert (details["kind"], details["line"]) == (kind, line)
    assert details["column"] == column
    assert word in details["reason"]
    assert details["reason"] in caught.value.message
    assert details["source_line"] == (source.split("\n")[line - 1] if line else "")
    assert "\n" not in caught.value.message


def test_what_cannot_be_repaired_is_refused_with_the_first_error() -> None:
    with pytest.raises(errors.DiagramInvalid) as caught:
        draw("digraph {\n a -> ;\n}", "dot")
    assert caught.value.details["line"] == 2


def test_a_repaired_source_says_what_was_changed() -> None:
    drawing = draw("flowchart TD\n A[f(x)] --> B", "mermaid")
    assert drawing.given != drawing.source
    assert drawing.changes
    assert drawing.alt.startswith("Flowchart with 2 nodes: f(x), B.")


@pytest.mark.parametrize(
    ("source", "alt"),
    [
        (
            MERMAID["flowchart"],
            "Flowchart with 3 nodes: Start, ok?, End. Start leads to ok?; ok? leads to End (yes); "
            "ok? leads to Start (no).",
        ),
        (
            MERMAID["sequence"],
            "Sequence diagram with 2 participants: Alice, Bob. Alice calls Bob (Hello); Bob calls "
            "Alice (Hi).",
        ),
        (
            MERMAID["state"],
            "State diagram with 2 states: Idle, Busy. the start leads to Idle; Idle leads to Busy "
            "(go); Busy leads to the end.",
        ),
        (
            DOT["digraph"],
            "Directed graph with 3 nodes: Start, b, c. Start leads to b (next); b leads to c.",
        ),
        (
            DOT["graph"],
            "Graph with 3 nodes: one, two, three. one is joined to two; two is joined to three.",
        ),
        (MERMAID["mindmap"], "Mind map: Left, Right, Main."),
    ],
)
def test_the_words_for_a_picture_name_its_nodes(source: str, alt: str) -> None:
    assert draw(source).alt == alt


def test_the_words_for_a_large_picture_say_how_much_is_left_out() -> None:
    alt = draw("digraph { " + "->".join(f"node_number_{n}" for n in range(60)) + "}").alt
    assert len(alt) <= 300
    assert re.search(r"Directed graph with 60 nodes: .* and \d+ more\. .* and \d+ more\.$", alt)


def test_an_output_holds_every_safe_form_and_no_other() -> None:
    drawing = draw(MERMAID["flowchart"])
    data, metadata = mime_bundle(drawing)
    assert set(data) == {
        DIAGRAM_MIME,
        "image/svg+xml",
        "image/png",
        "application/pdf",
        "text/plain",
    }
    assert data["text/plain"] == drawing.source
    assert base64.b64decode(data["image/png"]) == drawing.png
    assert data[DIAGRAM_MIME] == {
        "kind": "mermaid",
        "source": drawing.source,
        "alt": drawing.alt,
    }
    assert metadata["image/png"]["width"] == drawing.width


def test_the_pdf_holds_the_pixels_of_the_png() -> None:
    drawing = draw(MERMAID["flowchart"])
    pdf = drawing.pdf
    assert pdf.startswith(b"%PDF-1.4") and pdf.endswith(b"%%EOF\n")
    places = [int(place) for place in re.findall(rb"(\d{10}) 00000 n", pdf)]
    assert [pdf[place:].split()[0] for place in places] == [b"%d" % n for n in range(1, 7)]
    (table,) = re.findall(rb"startxref\n(\d+)", pdf)
    assert pdf[int(table) :].startswith(b"xref")
    image = pdf[places[5] :]
    (length,) = re.findall(rb"/Length (\d+)", image)
    start = image.index(b"stream\n") + 7
    assert image[start : start + int(length)] == b"".join(picture._chunks(drawing.png, b"IDAT"))
    box = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf)[0]
    assert [float(side) for side in box] == [drawing.width * 0.75, drawing.height * 0.75]


def test_a_very_long_picture_is_drawn_smaller() -> None:
    drawing = draw("digraph { " + "->".join(f"n{n}" for n in range(900)) + "}")
    width, height = struct.unpack(">II", drawing.png[16:24])
    assert height <= picture.MAX_SIDE_PIXELS
    assert width * height <= picture.MAX_PIXELS
    assert height < 2 * drawing.height


def test_five_hundred_edges_are_all_there() -> None:
    graph = draw(
        "digraph {" + ";".join(f"n{n % 97}->n{(n * 7 + 1) % 89}" for n in range(500)) + "}"
    )
    assert graph.svg.count('class="edge"') == 500
    chart = draw(
        "flowchart TD\n" + "\n".join(f"n{n % 97}-->n{(n * 7 + 1) % 89}" for n in range(500))
    )
    assert chart.svg.count('class="pele-edge"') == 500


def test_a_dense_graph_is_drawn_with_straight_edges_and_says_so() -> None:
    dense = "digraph {" + ";".join(f"n{n % 50}->n{(n * 7 + 1) % 49}" for n in range(300)) + "}"
    (note,) = draw(dense).changes
    assert "straight" in note
    # Curves of an edge that is not straight have more than one part.
    paths = re.findall(r'<path [^>]*d="M[^"]*"', draw(dense).svg)
    assert len(paths) >= 290


def test_a_machine_without_the_rasteriser_draws_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> bytes:
        raise ImportError("resvg_py")

    monkeypatch.setattr("jupyter_localllm.assistant.diagrams.pipeline.png_of", missing)
    drawing = draw('digraph { a [label="数据", color=red] }', theme="dark")
    width, height, rows = pixels(drawing.png)
    assert (width, height) != (0, 0)
    assert rows[0][:4] == b"\x1f\x20\x20\xff"


def test_a_missing_library_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "mermaid_render.renderer", None)
    with pytest.raises(errors.DiagramsUnavailable, match="mermaid-render") as caught:
        draw(MERMAID["pie"])
    assert "pip install" in caught.value.hint
    monkeypatch.setattr(dot, "_program", lambda: None)
    with pytest.raises(errors.DiagramsUnavailable, match="graphviz-pure"):
        draw(DOT["graph"])
