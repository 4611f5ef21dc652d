"""Labels can be read on fills that a source sets; text of another language or of none."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from jupyter_localllm import errors
from jupyter_localllm.assistant.diagrams.bundle import mime_bundle
from jupyter_localllm.assistant.diagrams.drawing.contrast import MIN_CONTRAST, contrast, rgb
from jupyter_localllm.assistant.diagrams.drawing.safe_svg import clean_svg
from jupyter_localllm.assistant.diagrams.nouns import (
    DIAGRAM_MIME,
    DiagramKind,
    DiagramTheme,
    DrawRequest,
)
from jupyter_localllm.assistant.diagrams.pipeline import draw_here

THEMES: tuple[DiagramTheme, ...] = ("neutral", "default", "dark")
#: Source, and what is behind each label.
FILLED: dict[str, tuple[str, dict[str, str]]] = {
    "style": ("flowchart TD\nA --> B\nstyle A fill:#f9f\nstyle B fill:#123", {"A": "#f9f"}),
    "shapes": (
        "flowchart TD\nA[(db)] --> B((go)) --> C>no]\nclassDef x fill:#ffd\nclassDef y fill:navy\n"
        "class A,B x\nclass C y",
        {"db": "#ffd", "go": "#ffd", "no": "navy"},
    ),
    "class": (
        "classDiagram\nclass Cat {\n+int age\n}\nstyle Cat fill:#ffd",
        {"Cat": "#ffd", "+int age": "#ffd"},
    ),
    "state": (
        "stateDiagram-v2\nOne --> Two\nclassDef x fill:#ffd\nclassDef y fill:#111\n"
        "class One x\nclass Two y",
        {"One": "#ffd", "Two": "#111"},
    ),
    "sequence": (
        "sequenceDiagram\nrect rgb(255,250,200)\nA->>B: light\nend\nrect rgb(20,20,60)\n"
        "A->>B: dark\nend",
        {"light": "rgb(255,250,200)", "dark": "rgb(20,20,60)"},
    ),
    "pie": ('pie\n"a" : 30\n"b" : 50\n"c" : 20', {"30%": "#4c78a8", "50%": "#f58518"}),
    "dot": (
        "digraph { one [style=filled, fillcolor=yellow]; two [style=filled, fillcolor=black]; "
        "subgraph cluster_a { label=group; bgcolor=lightyellow; three } "
        'four [shape=none, label=<<TABLE><TR><TD BGCOLOR="white">w</TD>'
        '<TD BGCOLOR="navy">n</TD></TR></TABLE>>]; five [style=filled, fillcolor="white:yellow"] }',
        {
            "one": "yellow",
            "two": "black",
            "group": "lightyellow",
            "three": "lightyellow",
            "w": "white",
            "n": "navy",
            "five": "white",
        },
    ),
    "dot turned": (
        "digraph { rotate=90; one [style=filled, fillcolor=white]; one -> two }",
        {"one": "white"},
    ),
}


def _inks(svg: str) -> dict[str, str]:
    """Colour of each text, as it is passed down to it."""
    found: dict[str, str] = {}
    todo = [(ET.fromstring(svg), "black")]
    while todo:
        element, above = todo.pop()
        fill = element.get("fill", above)
        if element.tag.endswith(("}text", "}tspan")) and (element.text or "").strip():
            found[(element.text or "").strip()] = fill
        todo += [(child, fill) for child in element]
    return found


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", FILLED)
def test_a_label_can_be_read_on_a_fill_of_the_source(name: str, theme: DiagramTheme) -> None:
    source, grounds = FILLED[name]
    inks = _inks(draw_here(DrawRequest(source, None, theme)).svg)
    for label, ground in grounds.items():
        ink, behind = rgb(inks[label]), rgb(ground)
        assert ink is not None and behind is not None
        assert contrast(ink, behind) >= MIN_CONTRAST, (label, inks[label])


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(
    "source",
    [
        "flowchart TD\nA[one]\nstyle A fill:#ffffff,color:#dcdcdc",
        'digraph { one [style=filled, fillcolor=white, fontcolor="#dcdcdc"] }',
    ],
)
def test_a_colour_that_the_source_gives_a_text_stays(source: str, theme: DiagramTheme) -> None:
    assert _inks(draw_here(DrawRequest(source, None, theme)).svg)["one"] == "#dcdcdc"


def test_contrast_is_that_of_wcag() -> None:
    black, white, grey = rgb("black"), rgb("#fff"), rgb("rgb(118, 118, 118)")
    assert black and white and grey
    assert contrast(black, white) == pytest.approx(21)
    assert contrast(grey, white) == pytest.approx(4.54, abs=0.01)
    assert rgb("hsl(120, 100%, 50%)") == pytest.approx((0, 255, 0))


@pytest.mark.parametrize(
    "source",
    [
        "nonsense",
        "Hello world, this is text.",
        "The arrow -> points right, says the text.",
        "zenuml\n  title Demo\n  Alice->John: Hello\n  John->Alice: Hi",
    ],
)
@pytest.mark.parametrize("kind", ["mermaid", None])
def test_what_is_no_diagram_is_refused(source: str, kind: DiagramKind | None) -> None:
    with pytest.raises(errors.DiagramInvalid):
        draw_here(DrawRequest(source, kind))


@pytest.mark.parametrize(
    ("source", "asked", "drawn", "name"),
    [
        ("digraph { a -> b }", "mermaid", "dot", "Graphviz"),
        ("digraph { a -> b", "mermaid", "dot", "Graphviz"),
        ("flowchart TD\nA --> B", "dot", "mermaid", "Mermaid"),
    ],
)
def test_text_of_the_other_language_is_drawn_as_what_it_is(
    source: str, asked: DiagramKind, drawn: DiagramKind, name: str
) -> None:
    drawing = draw_here(DrawRequest(source, asked))
    assert drawing.kind == drawn
    assert drawing.changes[0] == f"This is {name} text, and was drawn as such."


def test_what_is_valid_as_asked_for_is_drawn_as_that() -> None:
    source = 'graph LR { a -- b [label="-->"] }'
    drawing = draw_here(DrawRequest(source, "dot"))
    assert (drawing.kind, drawing.changes) == ("dot", ())


@pytest.mark.parametrize("theme", THEMES)
def test_an_output_names_its_theme_unless_it_follows_the_front_end(theme: DiagramTheme) -> None:
    data, _ = mime_bundle(draw_here(DrawRequest("graph { a }", "dot", theme)))
    assert data[DIAGRAM_MIME].get("theme") == (None if theme == "neutral" else theme)


@pytest.mark.parametrize(
    "body",
    [
        '<g transform="rotate(1e999) scale(1e999)"><rect width="1e999" height="9" fill="red"/>'
        '<text x="1">ok</text></g>',
        '<path fill="red" d="M1e300 0A1e300 1e-300 0 0 1 1e300 5A0 0 0 1 1 2 2zHV L1"/>'
        '<text x="1">ok</text>',
        '<rect fill="rgb(999,1,...)" width="50" height="50"/><text x="1">ok</text>',
    ],
)
def test_numbers_that_are_no_places_do_no_harm(body: str) -> None:
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">{body}</svg>'
    assert clean_svg(svg, id_prefix="t-").texts == ("ok",)
