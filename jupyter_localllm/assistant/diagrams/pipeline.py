"""From a source to a drawing, in the child process: the order of the steps.

Sanitise the source, draw it as it is; only if the parser refuses it, repair it by rules, asking
the parser after each, and draw that. Then sanitise the SVG and make PNG, PDF and the words that
stand for the picture. A source that parses is never changed by a repair.
"""

from __future__ import annotations

import hashlib

from ... import errors
from . import faults
from .drawing import dot, mermaid
from .drawing.alt_text import alt_text
from .drawing.picture import pdf_of, png_of
from .drawing.safe_source import SafeSource, safe_source
from .drawing.safe_svg import FONTS, UnusableSvg, clean_svg
from .extract import kind_of, named_kind_of
from .nouns import DiagramKind, DiagramTheme, Drawing, DrawRequest, Rendered


def draw_here(request: DrawRequest) -> Drawing:
    """Draw in this process; see :func:`.renderer.draw`, which does it in a child.

    Raises
    ------
    DiagramInvalid, DiagramTooLarge, DiagramsUnavailable
    """
    kind, note = _language(request)
    safe, rendered = _laid_out(request.source, kind, request.theme)
    is_dot = kind == "dot"
    background = dot.COLORS[request.theme][0] if is_dot else mermaid.BACKGROUNDS[request.theme]
    digest = hashlib.sha256(f"{request.theme}\0{safe.source}".encode()).hexdigest()[:8]
    try:
        clean = clean_svg(
            rendered.svg,
            id_prefix=f"d{digest}-",
            sans=FONTS["sans"] if is_dot else mermaid.FONT,
            text_widths=rendered.text_widths,
            background=background,
            ink=dot.COLORS[request.theme][1] if is_dot else None,
        )
    except UnusableSvg as error:
        raise faults.too_large(f"The diagram cannot be shown. {error}") from None
    alt = alt_text(kind, rendered, clean.texts)
    svg = clean.document(alt, background)
    try:
        png = png_of(svg, clean.width, clean.height, background)
    except ImportError:
        if not is_dot:
            raise
        # Machines that the other library has no build for.
        png = dot.png(safe.source, request.theme)
    return Drawing(
        kind=kind,
        source=safe.source,
        given=request.source,
        theme=request.theme,
        svg=svg,
        png=png,
        pdf=pdf_of(png, clean.width, clean.height),
        width=clean.width,
        height=clean.height,
        alt=alt,
        changes=(*note, *safe.changes, *rendered.notes),
    )


def _language(request: DrawRequest) -> tuple[DiagramKind, tuple[str, ...]]:
    """Return the language to draw a text in, and a sentence where it is not the one asked for."""
    given = request.kind
    if given is None:
        return kind_of(request.source) or "mermaid", ()
    # Only the first words tell it plainly: a repair may have to add those.
    named = named_kind_of(request.source)
    if named is None or named == given:
        return given, ()
    try:
        _render(safe_source(request.source, given).source, given, request.theme)
    except errors.DiagramInvalid:
        return named, (f"This is {faults.LANGUAGES[named]} text, and was drawn as such.",)
    return given, ()


def _laid_out(source: str, kind: DiagramKind, theme: DiagramTheme) -> tuple[SafeSource, Rendered]:
    safe = safe_source(source, kind)
    try:
        return safe, _render(safe.source, kind, theme)
    except errors.DiagramInvalid as error:
        fault = error
    from .repair.repairs import repair

    def check(tried: str) -> errors.DiagramInvalid | None:
        try:
            _render(safe_source(tried, kind).source, kind, theme)
        except errors.DiagramInvalid as refused:
            return refused
        return None

    repaired = repair(source, kind, check)
    if repaired is None:
        raise fault
    # What is drawn was sanitised last, whatever the repairs wrote.
    safe = safe_source(repaired.source, kind)
    changes = (*repaired.changes, *safe.changes)
    return SafeSource(safe.source, changes), _render(safe.source, kind, theme)


def _render(source: str, kind: DiagramKind, theme: DiagramTheme) -> Rendered:
    return dot.render(source, theme) if kind == "dot" else mermaid.render(source, theme)
