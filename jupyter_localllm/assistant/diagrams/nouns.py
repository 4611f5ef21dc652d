"""The values that diagrams are: what goes between kernel or server and the child that draws."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

#: Languages a diagram can be written in; ``graphviz`` is another name of ``dot``.
DiagramKind = Literal["mermaid", "dot"]

DiagramTheme = Literal["default", "dark", "neutral"]

#: The source with its kind and its alternative text, in a notebook. Never ``text/vnd.mermaid``,
#: which JupyterLab lays out in the live page.
DIAGRAM_MIME = "application/vnd.jupyter-localllm.diagram+json"


class DrawRequest(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One source to draw.

    Attributes
    ----------
    source : str
        The text of one diagram, without fences; what a model wrote around it may still be there.
    kind : str or None
        ``None``: told from the text.
    """

    source: str
    kind: DiagramKind | None = None
    theme: DiagramTheme = "neutral"


class Drawing(Struct, frozen=True, omit_defaults=True):
    """A diagram that was drawn.

    Attributes
    ----------
    kind : str
        Its language.
    source : str
        What was drawn, after repairs.
    given : str
        What was asked for.
    changes : tuple of str
        What was changed in it, a plain sentence each; empty when nothing was.
    theme : str
        The colours of ``svg`` and ``png``.
    svg : str
        Sanitised; no scripts, links or references to anything outside of it.
    png : bytes
        Twice the size of the SVG, on an opaque background.
    pdf : bytes
        One page with the same picture, for exports that use TeX.
    width, height : float
        CSS pixels.
    alt : str
        One or two sentences that say what it shows, made from its nodes.
    """

    kind: DiagramKind
    source: str
    given: str
    theme: DiagramTheme
    svg: str
    png: bytes
    pdf: bytes
    width: float
    height: float
    alt: str
    changes: tuple[str, ...] = ()


class Rendered(Struct, frozen=True):
    """What a renderer of one language gives, before its SVG is sanitised.

    Attributes
    ----------
    svg : str
        As the library wrote it: hostile still.
    diagram_type : str
        ``flowchart``, ``sequence``, ``digraph`` ...
    nodes : tuple of str
        Labels, in the order of the source; empty where the library does not tell.
    edges : tuple of (str, str, str)
        Label of the start, label of the end, label of the edge itself or "".
    text_widths : dict
        Points that the layout took for a text, by text and font size in points.
    notes : tuple of str
        What is drawn in another way than was asked for, a plain sentence each.
    """

    svg: str
    diagram_type: str
    nodes: tuple[str, ...] = ()
    edges: tuple[tuple[str, str, str], ...] = ()
    text_widths: dict[tuple[str, float], float] = {}
    notes: tuple[str, ...] = ()
