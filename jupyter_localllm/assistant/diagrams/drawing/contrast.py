"""Text that can be read on what is painted behind it; ``safe_svg`` asks while it writes.

A theme chooses the colour of a text for its own fills. Where a source sets a fill and no colour
for the text, this chooses dark or light by what is behind it. A colour that the source gave to a
text itself is never changed.
"""

from __future__ import annotations

import colorsys
import re
from collections.abc import Sequence

from msgspec import Struct

from .color_names import NAMED
from .outlines import IDENTITY, Matrix, Point, contains, matrix_of, moved, outlines_of

Color = tuple[float, float, float]

#: What WCAG 2 asks of text of a common size (success criterion 1.4.3).
MIN_CONTRAST = 4.5
#: One of both has a contrast of more than 4.5 with every colour.
_INKS = ("#000000", "#FFFFFF")
#: Shapes that are looked at for one text; those painted before are not seen.
_MAX_SHAPES = 5000
#: No text is on what is smaller, such as the head of an arrow.
_MIN_SIDE = 11.0
#: From the baseline to the middle of small letters, in em.
_MIDDLE_EM = 0.33
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?")
_INHERITED = ("fill", "fill-opacity", "font-size", "text-anchor")


class _Shape(Struct):
    """A filled outline, in the coordinates of the picture; more colours are a gradient."""

    outlines: list[list[Point]]
    left: float
    top: float
    right: float
    bottom: float
    colors: list[Color]
    opacity: float


class _Level(Struct):
    """What an open element passes down to those in it."""

    values: dict[str, str]
    matrix: Matrix
    opacity: float
    is_given: bool = False


class Ground:
    """What has been painted so far, element by element.

    Parameters
    ----------
    background : str
        ``#RRGGBB``; what is seen where nothing is painted.
    ink : str or None
        The colour that the layout gives a text where the source says none. ``None``: any that
        is an attribute; those of the source are in a ``style``.
    """

    def __init__(self, background: str, ink: str | None) -> None:
        self._background = rgb(background) or (255.0, 255.0, 255.0)
        self._ink = rgb(ink or "")
        self._shapes: list[_Shape] = []
        self._gradients: dict[str, list[Color]] = {}
        self._gradient = ""
        self._levels = [_Level({"fill": "#000000"}, IDENTITY, 1.0)]

    def open(self, name: str, values: dict[str, str], *, is_given: bool) -> None:
        """Note an element and what it paints.

        Parameters
        ----------
        name : str
        values : dict
            Its sanitised attributes.
        is_given : bool
            Whether its ``fill`` was in a ``style``.
        """
        above = self._levels[-1]
        passed = above.values | {key: values[key] for key in _INHERITED if key in values}
        matrix = matrix_of(above.matrix, values.get("transform", ""))
        opacity = above.opacity * _number(values.get("opacity"), 1.0)
        is_given = is_given or (above.is_given and "fill" not in values)
        level = _Level(passed, matrix, opacity, is_given)
        self._levels.append(level)
        if name.endswith("Gradient"):
            self._gradient = values.get("id", "")
        elif name == "stop":
            color = rgb(values.get("stop-color", ""))
            self._gradients.setdefault(self._gradient, []).extend([color] if color else [])
        else:
            self._paint(name, values, level)

    def close(self) -> None:
        """Note the end of the element that was opened last."""
        self._levels.pop()

    def readable_ink(self, values: dict[str, str]) -> str | None:
        """Return another colour for the text that was opened last, or ``None`` to keep its own.

        Parameters
        ----------
        values : dict
            Sanitised attributes of the ``text`` or ``tspan``. One that says no place has the
            colour of what it is in.
        """
        level = self._levels[-1]
        color = rgb(level.values["fill"])
        if color is None or level.is_given or not values.keys() & {"x", "y", "transform"}:
            return None
        if self._ink is not None and color != self._ink:
            return None
        behind = self._behind(_middle(level, values))
        if min(contrast(color, seen) for seen in behind) >= MIN_CONTRAST:
            return None
        return max(_INKS, key=lambda ink: min(contrast(rgb(ink) or color, c) for c in behind))

    def _paint(self, name: str, values: dict[str, str], level: _Level) -> None:
        paint = level.values["fill"]
        opacity = level.opacity * _number(level.values.get("fill-opacity"), 1.0)
        if paint == "none" or opacity <= 0 or values.get("visibility") == "hidden":
            return
        color = rgb(paint)
        colors = [color] if color else self._gradients.get(paint[5:-1], [])
        outlines = [moved(line, level.matrix) for line in outlines_of(name, values)]
        points = [point for line in outlines for point in line]
        if not points or not colors:
            return
        xs, ys = [x for x, _ in points], [y for _, y in points]
        left, top, right, bottom = min(xs), min(ys), max(xs), max(ys)
        if right - left >= _MIN_SIDE or bottom - top >= _MIN_SIDE:
            shape = _Shape(outlines, left, top, right, bottom, colors[:4], min(opacity, 1.0))
            self._shapes.append(shape)

    def _behind(self, point: Point) -> Sequence[Color]:
        """The colours that are seen at a point: more than one where a gradient is."""
        x, y = point
        found: list[_Shape] = []
        for shape in reversed(self._shapes[-_MAX_SHAPES:]):
            is_near = shape.left <= x <= shape.right and shape.top <= y <= shape.bottom
            if is_near and any(contains(line, point) for line in shape.outlines):
                found.append(shape)
                if shape.opacity >= 1.0 or len(found) > 8:
                    break
        seen: list[Color] = [self._background]
        for shape in reversed(found):
            seen = [_over(top, below, shape.opacity) for top in shape.colors for below in seen[:4]]
        return seen


def rgb(value: str) -> Color | None:
    """Read a colour of SVG; ``None`` where it is none, or paints nothing."""
    text = value.strip().lower()
    text = NAMED.get(text, text)
    if re.fullmatch(r"#[0-9a-f]{3,8}", text):
        digits = text[1:]
        if len(digits) in {3, 4}:
            digits = "".join(digit * 2 for digit in digits[:3])
        if len(digits) in {6, 8}:
            return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:6], 16)
        return None
    found = re.match(r"(rgb|hsl)a?\(", text)
    parts = re.findall(r"([\d.]+)(%?)", text)
    if found is None or len(parts) < 3:
        return None
    numbers = [_number(part[0], 0.0) for part in parts[:3]]
    if found[1] == "hsl":
        red, green, blue = colorsys.hls_to_rgb(
            numbers[0] / 360 % 1, min(numbers[2] / 100, 1), min(numbers[1] / 100, 1)
        )
        return red * 255, green * 255, blue * 255
    scaled = [
        min(number * (2.55 if part[1] else 1), 255.0)
        for number, part in zip(numbers, parts[:3], strict=True)
    ]
    return scaled[0], scaled[1], scaled[2]


def contrast(one: Color, other: Color) -> float:
    """Return the contrast of two colours by WCAG 2, from 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(color: Color) -> float:
    red, green, blue = (
        part / 255 / 12.92 if part / 255 <= 0.04045 else ((part / 255 + 0.055) / 1.055) ** 2.4
        for part in color
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _over(top: Color, below: Color, opacity: float) -> Color:
    red, green, blue = (
        one * opacity + other * (1 - opacity) for one, other in zip(top, below, strict=True)
    )
    return red, green, blue


def _middle(level: _Level, values: dict[str, str]) -> Point:
    """A point in the text: near its anchor, at half the height of its small letters."""
    size = _number(level.values.get("font-size"), 16.0)
    side = {"middle": 0.0, "end": -0.3}.get(level.values.get("text-anchor", ""), 0.3)
    x = _number(values.get("x"), 0.0) + side * size
    y = _number(values.get("y"), 0.0) - _MIDDLE_EM * size
    return moved([(x, y)], level.matrix)[0]


def _number(text: str | None, default: float) -> float:
    found = _NUMBER.match(text.strip()) if text else None
    return float(found[0]) if found else default
