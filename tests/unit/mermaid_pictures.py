"""Mermaid sources read by the real parser, and the texts of the pictures it makes."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from mermaid_render.renderer import render


def parsed(source: str) -> Any:
    """Lay the source out; raises where the parser refuses it or it takes too much."""
    return render(source)["result"]


def texts(source: str) -> list[str]:
    """Return the texts that the picture shows, in its order."""
    root = ElementTree.fromstring(parsed(source)["svg"])
    return [
        "".join(element.itertext())
        for element in root.iter()
        if element.tag.rpartition("}")[2] == "text"
    ]
