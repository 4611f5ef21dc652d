"""Outlines of SVG shapes as polygons, which is enough to tell what lies behind a point.

``contrast`` calls it, with sanitised attributes. Curves become a few straight lines.
"""

from __future__ import annotations

import math
import re
from itertools import pairwise

Point = tuple[float, float]
#: ``a b c d e f`` as SVG's ``matrix`` has them.
Matrix = tuple[float, float, float, float, float, float]

IDENTITY: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)

#: Corners of a circle.
_N_CORNERS = 24
_N_OF_ARC = 16
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?")
_STEP = re.compile(r"([MLHVCSQTAZmlhvcsqtaz])([^MLHVCSQTAZmlhvcsqtaz]*)")
#: Larger numbers are not places in a picture, and squares of them are no numbers.
_MAX_NUMBER = 1e6
_MAX_CHARS = 20_000
_N_NUMBERS = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "A": 7}


def outlines_of(name: str, values: dict[str, str]) -> list[list[Point]]:
    """Return the outlines of a shape; of others than shapes, none."""
    if name == "rect":
        x, y, width, height = (_first(values.get(key)) for key in ("x", "y", "width", "height"))
        return [[(x, y), (x + width, y), (x + width, y + height), (x, y + height)]]
    if name in {"circle", "ellipse"}:
        radius = _first(values.get("r"))
        rx, ry = (_first(values.get(key)) or radius for key in ("rx", "ry"))
        center = _first(values.get("cx")), _first(values.get("cy"))
        return [_round(center, rx, ry, 0.0, math.tau, _N_CORNERS)]
    if name in {"polygon", "polyline"}:
        numbers = _numbers(values.get("points", ""))
        return [list(zip(numbers[::2], numbers[1::2], strict=False))]
    return _path(values.get("d", "")[:_MAX_CHARS]) if name == "path" else []


def matrix_of(above: Matrix, transform: str) -> Matrix:
    """Return the matrix of an element from that of its parent and its ``transform``."""
    for name, text in re.findall(r"([A-Za-z]+)\s*\(([^)]*)\)", transform):
        numbers = _numbers(text)
        if numbers:
            above = _times(above, _one(name, numbers))
    return above


def moved(points: list[Point], matrix: Matrix) -> list[Point]:
    """Return points in the coordinates of the picture."""
    a, b, c, d, e, f = matrix
    return [(a * x + c * y + e, b * x + d * y + f) for x, y in points]


def contains(outline: list[Point], point: Point) -> bool:
    """Tell whether a point lies in a polygon, by the number of sides to its right."""
    x, y = point
    is_inside = False
    for (x1, y1), (x2, y2) in pairwise([*outline, *outline[:1]]):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            is_inside = not is_inside
    return is_inside


def _one(name: str, numbers: list[float]) -> Matrix:
    first, second = numbers[0], numbers[1] if len(numbers) > 1 else 0.0
    if name == "translate":
        return 1.0, 0.0, 0.0, 1.0, first, second
    if name == "scale":
        return first, 0.0, 0.0, second if len(numbers) > 1 else first, 0.0, 0.0
    if name == "rotate":
        cos, sin = math.cos(math.radians(first)), math.sin(math.radians(first))
        x, y = (numbers[1], numbers[2]) if len(numbers) > 2 else (0.0, 0.0)
        return cos, sin, -sin, cos, x - cos * x + sin * y, y - sin * x - cos * y
    if name == "matrix" and len(numbers) >= 6:
        return numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]
    return IDENTITY


def _times(one: Matrix, two: Matrix) -> Matrix:
    a, b, c, d, e, f = one
    g, h, i, j, k, m = two
    return (
        a * g + c * h,
        b * g + d * h,
        a * i + c * j,
        b * i + d * j,
        a * k + c * m + e,
        (b * k + d * m + f),
    )


def _path(text: str) -> list[list[Point]]:
    outlines: list[list[Point]] = []
    line: list[Point] = []
    here: Point = (0.0, 0.0)
    for letter, rest in _STEP.findall(text):
        step, numbers = letter.upper(), _numbers(rest)
        n = _N_NUMBERS.get(step, 0)
        if not n:
            here = line[0] if line else here
        for place in range(0, len(numbers) - n + 1, n) if n else ():
            part = _absolute(step, numbers[place : place + n], here, letter.islower())
            if step == "M" and not place:
                line = []
                outlines.append(line)
            line.extend(_drawn(step, part, here))
            here = part[-2], part[-1]
    return outlines


def _absolute(step: str, part: list[float], here: Point, is_relative: bool) -> list[float]:
    """Return the numbers of a step, which end with the point it leads to."""
    x, y = here if is_relative else (0.0, 0.0)
    if step == "H":
        return [x + part[0], here[1]]
    if step == "V":
        return [here[0], y + part[0]]
    if step == "A":
        return [*part[:5], part[5] + x, part[6] + y]
    return [number + (y if place % 2 else x) for place, number in enumerate(part)]


def _drawn(step: str, part: list[float], here: Point) -> list[Point]:
    end = part[-2], part[-1]
    if step == "A":
        return [*_arc(here, end, part[0], part[1], bool(part[3]), bool(part[4])), end]
    if step in {"C", "S", "Q"}:
        first = (part[0], part[1])
        second = (part[2], part[3]) if step == "C" else first
        return [_on_curve(here, first, second, end, t / 4) for t in range(1, 5)]
    return [end]


def _on_curve(one: Point, two: Point, three: Point, four: Point, t: float) -> Point:
    weights = ((1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t * t, t**3)
    points = (one, two, three, four)
    x = sum(weight * point[0] for weight, point in zip(weights, points, strict=True))
    return x, sum(weight * point[1] for weight, point in zip(weights, points, strict=True))


def _arc(
    start: Point, end: Point, rx: float, ry: float, is_large: bool, is_positive: bool
) -> list[Point]:
    """Points of an arc that is not turned, by its centre (SVG 1.1, appendix F.6.5)."""
    if not rx or not ry or start == end:
        return []
    x, y = (start[0] - end[0]) / 2 / rx, (start[1] - end[1]) / 2 / ry
    length = math.hypot(x, y)
    if length < 1e-9:
        return []
    if length > 1:
        rx, ry, x, y, length = rx * length, ry * length, x / length, y / length, 1.0
    factor = math.sqrt(max(1 / length**2 - 1, 0.0)) * (-1 if is_large == is_positive else 1)
    cx, cy = factor * y, -factor * x
    center = cx * rx + (start[0] + end[0]) / 2, cy * ry + (start[1] + end[1]) / 2
    first = math.atan2(y - cy, x - cx)
    turn = (math.atan2(-y - cy, -x - cx) - first) % math.tau
    return _round(center, rx, ry, first, turn if is_positive else turn - math.tau, _N_OF_ARC)


def _round(
    center: Point, rx: float, ry: float, first: float, turn: float, n_points: int
) -> list[Point]:
    angles = [first + turn * n / n_points for n in range(n_points)]
    return [(center[0] + rx * math.cos(a), center[1] + ry * math.sin(a)) for a in angles]


def _numbers(text: str) -> list[float]:
    return [_clamped(number) for number in _NUMBER.findall(text)]


def _first(text: str | None) -> float:
    found = _NUMBER.match(text.strip()) if text else None
    return _clamped(found[0]) if found else 0.0


def _clamped(number: str) -> float:
    return min(max(float(number), -_MAX_NUMBER), _MAX_NUMBER)
