"""SVG of a layout library -> SVG that holds nothing but shapes and text.

An allow-list of elements, attributes and the grammar of each value; whatever is not on it is
left out, an element with all that is in it. There are no links, scripts, styles, images, fonts or
references to anything outside in the result, whatever the library wrote, and the result is
well-formed whatever came in. The child's ``pipeline`` calls :func:`clean_svg`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from msgspec import Struct

from .contrast import Ground

SVG_NAMESPACE = "http://www.w3.org/2000/svg"
_XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace"

#: Characters of SVG that are read; a picture of 2,000 edges has two million.
MAX_SVG_CHARS = 12_000_000
MAX_DEPTH = 200
#: CSS pixels; what is larger is not a picture that anyone can look at.
MAX_SIDE_PX = 100_000.0

_SHAPES = {"path", "rect", "circle", "ellipse", "line", "polyline", "polygon"}
_GRADIENTS = {"linearGradient", "radialGradient"}
_ELEMENTS = _SHAPES | _GRADIENTS | {"svg", "g", "text", "tspan", "title", "defs", "stop"}
#: Left out, but what they hold is kept.
_TRANSPARENT = {"a"}
_HOLDS_TEXT = {"text", "tspan", "title"}

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?"
_LENGTH = re.compile(rf"{_NUMBER}(?:px|pt|em|%)?")
_LENGTHS = re.compile(rf"\s*{_NUMBER}(?:px|pt)?(?:[\s,]+{_NUMBER}(?:px|pt)?)*\s*")
_PATH = re.compile(r"[MmLlHhVvCcSsQqTtAaZz0-9eE+\-.,\s]*")
_POINTS = re.compile(r"[0-9eE+\-.,\s]*")
_TRANSFORM = re.compile(
    r"\s*(?:(?:translate|scale|rotate|matrix|skewX|skewY)\s*\([0-9eE+\-.,\s]*\)[\s,]*)*"
)
_COLOR = re.compile(
    r"#[0-9A-Fa-f]{3,8}|[A-Za-z]{3,30}|(?:rgb|hsl)a?\(\s*[0-9.%]+(?:deg)?(?:[\s,/]+[0-9.%]+){2,3}\s*\)"
)
_LOCAL = re.compile(r"url\(#([A-Za-z0-9_.\-]{1,80})\)")
_ID = re.compile(r"[A-Za-z0-9_.\-]{1,80}")
_CLASS = re.compile(r"pele(?:-[a-z0-9-]{1,40})?|node|edge|cluster|graph")
_DECLARATION = re.compile(r"\s*([a-z-]+)\s*:\s*([^;]*?)\s*(?:;|$)")

_MONO = re.compile(r"mono|courier|consol|menlo", re.IGNORECASE)

#: Generic family -> what is asked of the one who shows it.
FONTS = {
    "sans": "Helvetica, Arial, Liberation Sans, Noto Sans, sans-serif",
    "mono": "Courier New, Liberation Mono, DejaVu Sans Mono, monospace",
}


def _words(*allowed: str) -> Callable[[str], bool]:
    return frozenset(allowed).__contains__


def _matches(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda value: pattern.fullmatch(value) is not None


def _is_weight(value: str) -> bool:
    return value in {"normal", "bold", "bolder", "lighter"} or (
        len(value) == 3 and value[0] in "123456789" and value[1:] == "00"
    )


_is_length = _matches(_LENGTH)
_is_lengths = _matches(_LENGTHS)
_is_color = _matches(_COLOR)

#: Attribute -> whether a value may stand; without the colours, which may point to a gradient.
_GRAMMARS: dict[str, Callable[[str], bool]] = {
    **dict.fromkeys(("x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "fx", "fy"), _is_lengths),
    **dict.fromkeys(("dx", "dy", "r", "rx", "ry", "width", "height", "offset"), _is_lengths),
    **dict.fromkeys(("opacity", "fill-opacity", "stroke-opacity", "stop-opacity"), _is_length),
    **dict.fromkeys(("stroke-width", "stroke-miterlimit", "stroke-dashoffset"), _is_length),
    **dict.fromkeys(("font-size", "letter-spacing"), _is_length),
    "textLength": _is_length,
    "lengthAdjust": _words("spacing", "spacingAndGlyphs"),
    "d": _matches(_PATH),
    "points": _matches(_POINTS),
    "viewBox": _matches(_POINTS),
    "transform": _matches(_TRANSFORM),
    "gradientTransform": _matches(_TRANSFORM),
    "gradientUnits": _words("userSpaceOnUse", "objectBoundingBox"),
    "stroke-dasharray": lambda value: value == "none" or _is_lengths(value),
    "stroke-linecap": _words("butt", "round", "square"),
    "stroke-linejoin": _words("miter", "round", "bevel"),
    "fill-rule": _words("nonzero", "evenodd"),
    "font-weight": _is_weight,
    "font-style": _words("normal", "italic", "oblique"),
    "text-anchor": _words("start", "middle", "end"),
    "text-decoration": _words("none", "underline", "overline", "line-through"),
    "dominant-baseline": _words("auto", "middle", "central", "hanging", "alphabetic"),
    "baseline-shift": lambda value: value in {"sub", "super", "baseline"} or _is_length(value),
    "visibility": _words("visible", "hidden"),
}
_PAINTS = {"fill", "stroke"}
_COLORS = {"color", "stop-color"}


class CleanSvg(Struct):
    """The shapes and texts of one picture.

    Attributes
    ----------
    width, height : float
        CSS pixels.
    view_box : str
        Four numbers.
    root : dict
        What the root passes down to its children (``fill``, ``color``).
    body : str
        Well-formed content of the root.
    texts : tuple of str
        The texts in it, in order.
    """

    width: float
    height: float
    view_box: str
    root: dict[str, str]
    body: str
    texts: tuple[str, ...]

    def document(self, title: str, background: str) -> str:
        """Return the whole SVG, with its alternative text and an opaque background."""
        x, y, width, height = self.view_box.split()
        passed_down = "".join(f" {name}={quoteattr(value)}" for name, value in self.root.items())
        return (
            f'<svg xmlns="{SVG_NAMESPACE}" width="{_text_of(self.width)}" '
            f'height="{_text_of(self.height)}" viewBox="{self.view_box}" role="img"{passed_down}>'
            f"<title>{escape(title)}</title>"
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" '
            f'fill="{background}" stroke="none"/>'
            f"{self.body}</svg>"
        )


class UnusableSvg(ValueError):
    """What a library wrote is not an SVG that can be shown."""


def clean_svg(
    svg: str,
    *,
    id_prefix: str,
    sans: str = FONTS["sans"],
    text_widths: dict[tuple[str, float], float] | None = None,
    background: str = "#FFFFFF",
    ink: str | None = None,
) -> CleanSvg:
    """Return what may be shown of an SVG.

    Parameters
    ----------
    svg : str
        Hostile. A prologue before ``<svg`` is cut off.
    id_prefix : str
        Put before the names of gradients, which are one namespace for a whole page.
    sans : str
        ``font-family`` of texts without serifs.
    text_widths : dict
        Widths by text and font size; such a text is given exactly that, whatever font it is
        shown in.
    background : str
        ``#RRGGBB`` behind the picture.
    ink : str or None
        The colour of a text that the source gives none; see :class:`.contrast.Ground`.

    Raises
    ------
    UnusableSvg
        Not well-formed, declares a type or entities, too large, or has no size.
    """
    start = svg.find("<svg")
    if start < 0:
        raise UnusableSvg("There is no picture in it.")
    if len(svg) > MAX_SVG_CHARS:
        raise UnusableSvg("The picture is too large.")
    reader = _Reader(id_prefix, sans, text_widths or {}, Ground(background, ink))
    reader.read(svg[start:])
    return reader.result()


class _Reader:
    """Goes through one SVG and writes what may stand."""

    def __init__(
        self,
        id_prefix: str,
        sans: str,
        text_widths: dict[tuple[str, float], float],
        ground: Ground,
    ) -> None:
        self._prefix = id_prefix
        self._fonts = {**FONTS, "sans": sans}
        self._text_widths = text_widths
        self._ground = ground
        self._out: list[str] = []
        self._texts: list[str] = []
        #: Per open element what closes it; "" where only its content is kept.
        self._open: list[str] = []
        self._n_left_out = 0
        self._root: dict[str, str] | None = None
        self._size = (0.0, 0.0)
        self._view_box = ""
        self._held: list[str] = []
        #: Where in ``_out`` the open text begins, and its size: its width is known at its end.
        self._text_start = (-1, 0.0)

    def read(self, svg: str) -> None:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = _refuse
        parser.EntityDeclHandler = _refuse
        try:
            parser.Parse(svg, True)
        except expat.ExpatError as error:
            raise UnusableSvg(f"The picture is not well-formed: {error}.") from None

    def result(self) -> CleanSvg:
        if self._root is None:
            raise UnusableSvg("There is no picture in it.")
        width, height = self._size
        return CleanSvg(
            width, height, self._view_box, self._root, "".join(self._out), tuple(self._texts)
        )

    def _start(self, full_name: str, attributes: dict[str, str]) -> None:
        namespace, _, name = full_name.rpartition(" ")
        if self._n_left_out or namespace != SVG_NAMESPACE or len(self._open) > MAX_DEPTH:
            self._n_left_out += 1
        elif self._root is None:
            self._start_root(name, attributes)
        elif name in _TRANSPARENT:
            self._ground.open(name, {}, is_given=False)
            self._open.append("")
        elif name in _ELEMENTS:
            self._out.append(f"<{name}{self._attributes(name, attributes)}>")
            self._open.append(name)
            if name == "text":
                size = re.match(_NUMBER, attributes.get("font-size", ""))
                self._text_start = (len(self._out) - 1, float(size[0]) if size else 0.0)
            if name in _HOLDS_TEXT:
                self._held = []
        else:
            self._n_left_out += 1

    def _start_root(self, name: str, attributes: dict[str, str]) -> None:
        if name != "svg":
            raise UnusableSvg("There is no picture in it.")
        width, height = _pixels(attributes.get("width")), _pixels(attributes.get("height"))
        numbers = re.findall(_NUMBER, attributes.get("viewBox", ""))
        box = [float(number) for number in numbers]
        if len(box) != 4:
            box = [0.0, 0.0, width, height]
        if not (0 < width <= MAX_SIDE_PX and 0 < height <= MAX_SIDE_PX and min(box[2:]) > 0):
            raise UnusableSvg("The picture has no size that can be shown.")
        self._size = (width, height)
        self._view_box = " ".join(_text_of(number) for number in box)
        kept = self._allowed("svg", attributes)
        self._root = {name: kept[name] for name in ("fill", "color") if name in kept}
        self._ground.open(name, self._root, is_given=False)
        self._root |= {"font-family": self._fonts["sans"], "font-size": "16"}
        self._open.append("")

    def _end(self, _: str) -> None:
        if self._n_left_out:
            self._n_left_out -= 1
            return
        name = self._open.pop()
        self._ground.close()
        if name == "text":
            self._end_text("".join(self._held))
        if name:
            self._out.append(f"</{name}>")

    def _end_text(self, text: str) -> None:
        if text.strip():
            self._texts.append(text.strip())
        place, size = self._text_start
        width = self._text_widths.get((text, size), 0.0)
        if width > 0 and len(text) > 1 and place >= 0:
            self._out[place] = (
                f'{self._out[place][:-1]} textLength="{_text_of(width)}" '
                'lengthAdjust="spacingAndGlyphs">'
            )

    def _characters(self, data: str) -> None:
        if not self._n_left_out and self._open and self._open[-1] in _HOLDS_TEXT:
            self._held.append(data)
            self._out.append(escape(data))

    def _attributes(self, element: str, given: dict[str, str]) -> str:
        kept = self._allowed(element, given)
        style = (name for name, _ in _DECLARATION.findall(given.get("style", "")[:2000]))
        self._ground.open(element, kept, is_given="fill" in style)
        if element in {"text", "tspan"} and (ink := self._ground.readable_ink(kept)):
            kept["fill"] = ink
        return "".join(f" {name}={quoteattr(value)}" for name, value in kept.items())

    def _allowed(self, element: str, given: dict[str, str]) -> dict[str, str]:
        values = dict(given)
        # A style wins over an attribute of that name; none is written.
        style = values.pop("style", "")
        if len(style) <= 2000:
            for name, value in _DECLARATION.findall(style):
                if name in _GRAMMARS or name in _PAINTS or name in _COLORS:
                    values[name] = value
        kept = {}
        for name, value in values.items():
            clean = self._value(element, name, value)
            if clean is not None:
                kept[name.replace(f"{_XML_NAMESPACE} ", "xml:")] = clean
        return kept

    def _value(self, element: str, name: str, value: str) -> str | None:
        if name in _GRAMMARS:
            return value if _GRAMMARS[name](value) else None
        if name in _COLORS or (name in _PAINTS and not value.startswith("url")):
            return value if _is_color(value) else None
        if name in _PAINTS:
            local = _LOCAL.fullmatch(value)
            return None if local is None else f"url(#{self._prefix}{local.group(1)})"
        if name == "id":
            is_named = element in _GRADIENTS and _ID.fullmatch(value)
            return f"{self._prefix}{value}" if is_named else None
        if name == "class":
            return " ".join(word for word in value.split() if _CLASS.fullmatch(word)) or None
        if name == "font-family":
            return self._fonts[_family(value)]
        if name == f"{_XML_NAMESPACE} space":
            return value if value == "preserve" else None
        return None


def _refuse(*_: object) -> None:
    raise UnusableSvg("The picture declares a document type.")


def _family(value: str) -> str:
    # Graphs have one text font on every machine: what is written was measured in it.
    return "mono" if _MONO.search(value) else "sans"


def _pixels(value: str | None) -> float:
    found = re.fullmatch(rf"\s*({_NUMBER})(px|pt)?\s*", value or "")
    if found is None:
        return 0.0
    return float(found.group(1)) * (96 / 72 if found.group(2) == "pt" else 1.0)


def _text_of(number: float) -> str:
    return f"{number:.4f}".rstrip("0").rstrip(".")
