"""A drawing -> what a notebook's output holds of it. Magics call it."""

from __future__ import annotations

import base64
from typing import Any

from .nouns import DIAGRAM_MIME, Drawing


def mime_bundle(drawing: Drawing) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the data and the metadata of an output.

    PNG is shown also where a notebook is not trusted, and SVG where it is; the PDF is for
    exports that use TeX. ``text/vnd.mermaid`` is never there: JupyterLab would lay it out in the
    live page, whatever else the bundle has.

    Returns
    -------
    data, metadata : dict
        By type, as ``IPython.display.publish_display_data`` takes them.
    """
    about: dict[str, Any] = {
        "kind": drawing.kind,
        "source": drawing.source,
        "alt": drawing.alt,
    }
    # Without one, a front end draws it anew in its own theme.
    if drawing.theme != "neutral":
        about["theme"] = drawing.theme
    data: dict[str, Any] = {
        DIAGRAM_MIME: about,
        "image/svg+xml": drawing.svg,
        "image/png": base64.b64encode(drawing.png).decode("ascii"),
        "application/pdf": base64.b64encode(drawing.pdf).decode("ascii"),
        "text/plain": drawing.source,
    }
    # What the PNG is shown with: CSS pixels, half of its own.
    size = {"width": round(drawing.width), "height": round(drawing.height)}
    return data, {"image/png": {**size, "alt": drawing.alt}}
