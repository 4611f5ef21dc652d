"""Graphviz sources without files, links, styles and values that would take the machine's time.

``safe_source`` calls :func:`safe_dot`. The text is cut into DOT's own tokens (strings with their
escapes and ``+``, HTML strings, comments, preprocessor lines), so that nothing can hide in a
spelling; what is left out leaves its line breaks behind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .. import faults
from .safe_html import safe_html

#: Edges as they are written; ``{a b} -> {c d}`` is one here, and the layout's time limit counts.
MAX_EDGES = 2_000
MAX_DEPTH = 60

LAYOUTS = frozenset({"dot", "neato", "fdp", "sfdp", "twopi", "circo", "osage", "patchwork"})

#: Attributes that name a file, a link, a style sheet, or another picture inside of this one.
_REACHING = re.compile(r"url|href|target|image|file|path|sheet|script|src|^_|^class$|^id$")
#: Attributes that only change how large the output is, or how it is cut into pages.
_PAGING = frozenset({"dpi", "resolution", "viewport", "page", "pagedir", "charset", "fontnames"})
#: Attributes with free text; it ends as text of the picture.
_TEXT = re.compile(
    r"x?label|headlabel|taillabel|(?:edge|head|tail|label)?tooltip|comment|lhead|ltail|group|"
    r"samehead|sametail|root|headport|tailport|description|name"
)
_FONT = re.compile(r"[A-Za-z][A-Za-z0-9 ,_-]{0,60}")
_COLOR = re.compile(r"[A-Za-z0-9#.,:;/%+\s-]{0,300}")
_SHAPE = re.compile(r"(?!epsf$)[A-Za-z_][A-Za-z0-9_]{0,40}")
_PLAIN = re.compile(r"[\w\s.,:;+\-!#/()%*|=^@?]{0,2000}")
_SIZE = re.compile(r"\s*\d{1,2}(?:\.\d+)?(?:\s*,\s*\d{1,2}(?:\.\d+)?)?\s*!?\s*")
#: Largest values that a picture on a screen can need; lengths are inches, sizes are points.
_LARGEST = {
    "fontsize": 200,
    "labelfontsize": 200,
    "width": 50,
    "height": 50,
    "margin": 20,
    "pad": 20,
    "nodesep": 20,
    "ranksep": 20,
    "penwidth": 50,
    "arrowsize": 20,
    "peripheries": 10,
    "sides": 60,
    "minlen": 50,
    "len": 100,
    "weight": 100_000,
    "scale": 20,
    "sep": 100,
    "esep": 100,
    "labeldistance": 50,
    "quantum": 10,
    "samplepoints": 100,
    "mindist": 50,
    "nslimit": 1000,
    "nslimit1": 1000,
    "mclimit": 100,
    "maxiter": 10_000,
    "searchsize": 1000,
    "dim": 10,
    "dimen": 10,
    "levels": 10_000,
}

_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\n]+)
    | (?P<comment>//[^\n]*|/\*.*?(?:\*/|\Z))
    | (?P<string>"(?:\\.|[^"\\])*"?)
    | (?P<word>-?(?:\.\d+|\d+(?:\.\d*)?)|[A-Za-z_\u0080-\U0010ffff][\w\u0080-\U0010ffff]*)
    | (?P<edge>->|--)
    | (?P<mark>.)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class _Token:
    """``kind``: space, comment, string, html, word, edge or mark; ``text`` as it is written."""

    kind: str
    text: str

    @property
    def value(self) -> str:
        """What an identifier means."""
        if self.kind == "string":
            body = self.text[1:-1] if self.text.endswith('"') else self.text[1:]
            return body.replace("\\\n", "").replace('\\"', '"')
        return self.text[1:-1] if self.kind == "html" else self.text


def safe_dot(source: str) -> tuple[str, tuple[str, ...]]:
    """Return a graph that reaches nothing, and what was left out, a sentence each.

    Raises
    ------
    DiagramTooLarge
        Too many edges, or nested too deeply.
    """
    return _Cleaner(list(_tokens(source))).clean()


def _tokens(source: str) -> Iterator[_Token]:
    place = 0
    while place < len(source):
        if source[place] == "<":
            end = _end_of_html(source, place)
            yield _Token("html", source[place:end])
        elif source[place] == "#" and (place == 0 or source[place - 1] == "\n"):
            # A line for C's preprocessor, with a file's name.
            end = source.find("\n", place)
            end = len(source) if end < 0 else end
            yield _Token("comment", source[place:end])
        else:
            found = _TOKEN.match(source, place)
            assert found is not None and found.lastgroup is not None
            end = found.end()
            yield _Token(found.lastgroup, found.group())
        place = end


def _end_of_html(source: str, start: int) -> int:
    """The place after an HTML string; the end of the source when it is not closed."""
    depth = 0
    place = start
    while place < len(source):
        if source.startswith("<!--", place) and depth:
            end = source.find("-->", place)
            if end < 0:
                break
            place = end + 3
            continue
        depth += {"<": 1, ">": -1}.get(source[place], 0)
        place += 1
        if not depth:
            return place
    return len(source)


class _Cleaner:
    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._out: list[str] = []
        self._unsafe: dict[str, None] = {}
        self._too_much: dict[str, None] = {}
        self._html: dict[str, None] = {}

    def clean(self) -> tuple[str, tuple[str, ...]]:
        n_edges = sum(token.kind == "edge" for token in self._tokens)
        if n_edges > MAX_EDGES:
            raise faults.too_large(f"The graph has {n_edges:,} edges; {MAX_EDGES:,} can be drawn.")
        self._check_depth()
        place = 0
        while place < len(self._tokens):
            place = self._step(place)
        return "".join(self._out), tuple(self._changes())

    def _check_depth(self) -> None:
        depth = 0
        for token in self._tokens:
            if token.kind == "mark":
                depth += {"{": 1, "}": -1}.get(token.text, 0)
                if depth > MAX_DEPTH:
                    raise faults.too_large(
                        f"The graph's parts are nested more than {MAX_DEPTH} deep."
                    )

    def _step(self, place: int) -> int:
        """Write the token at a place, or decide on an assignment; return the next place."""
        token = self._tokens[place]
        if token.kind not in ("string", "html", "word"):
            self._out.append(token.text)
            return place + 1
        name, after = self._identifier(place)
        sign = self._skip(after)
        if not self._is_mark(sign, "="):
            self._write(place, after)
            return after
        start = self._skip(sign + 1)
        if start >= len(self._tokens) or self._tokens[start].kind not in ("string", "html", "word"):
            self._write(place, start)
            return start
        value, end = self._identifier(start)
        is_html = self._tokens[start].kind == "html"
        if self._may_stand(name, value, is_html=is_html):
            self._write(place, end)
            return end
        # With the comma behind it; what parsed before parses still.
        behind = self._skip(end)
        if self._is_mark(behind, ",") or self._is_mark(behind, ";"):
            end = behind + 1
        self._out += ["\n" * token.text.count("\n") for token in self._tokens[place:end]]
        return end

    def _identifier(self, place: int) -> tuple[str, int]:
        """The value of an identifier, with strings that are joined by ``+``, and what is next."""
        value, place = self._tokens[place].value, place + 1
        while self._is_mark(plus := self._skip(place), "+"):
            part = self._skip(plus + 1)
            if part >= len(self._tokens) or self._tokens[part].kind != "string":
                break
            value, place = value + self._tokens[part].value, part + 1
        return value, place

    def _skip(self, place: int) -> int:
        while place < len(self._tokens) and self._tokens[place].kind in ("space", "comment"):
            place += 1
        return place

    def _is_mark(self, place: int, text: str) -> bool:
        return (
            place < len(self._tokens)
            and self._tokens[place].kind == "mark"
            and self._tokens[place].text == text
        )

    def _write(self, start: int, end: int) -> None:
        for token in self._tokens[start:end]:
            if token.kind == "html" and len(token.text) > 2 and token.text.endswith(">"):
                body, left_out = safe_html(token.text[1:-1])
                self._html |= dict.fromkeys(left_out)
                self._out.append(f"<{body}>" if left_out else token.text)
            else:
                self._out.append(token.text)

    def _may_stand(self, given: str, value: str, *, is_html: bool) -> bool:
        # Names are told apart by case; one that differs only in that has no effect.
        name = given.lower()
        if name in _PAGING or not _is_small(name, value):
            self._too_much[given] = None
            return False
        if _REACHING.search(name) or not _is_harmless(name, value, is_html=is_html):
            self._unsafe[given] = None
            return False
        return True

    def _changes(self) -> Iterator[str]:
        if self._unsafe:
            yield f"Left out for safety: {_listed(self._unsafe)}."
        if self._too_much:
            yield f"Left out, because the picture is sized to fit: {_listed(self._too_much)}."
        if self._html:
            yield f"Left out of the labels: {_listed(self._html)}."


def _is_small(name: str, value: str) -> bool:
    if name == "size":
        return _SIZE.fullmatch(value) is not None
    largest = _LARGEST.get(name)
    if largest is None:
        return True
    # "1e9" is no spelling that a person uses.
    if len(value) > 200 or re.search(r"\d[eE][+-]?\d", value):
        return False
    numbers = re.findall(r"\d+\.?\d*|\.\d+", value)
    return all(float(number) <= largest for number in numbers)


def _is_harmless(name: str, value: str, *, is_html: bool) -> bool:
    if _TEXT.fullmatch(name):
        return True
    if is_html:
        return False
    if name in ("fontname", "labelfontname"):
        return _FONT.fullmatch(value) is not None
    if name == "layout":
        return value in LAYOUTS
    if name == "shape":
        return _SHAPE.fullmatch(value) is not None
    if name.endswith("color"):
        return _COLOR.fullmatch(value) is not None and "url" not in value.lower()
    return _PLAIN.fullmatch(value) is not None


def _listed(names: dict[str, None]) -> str:
    shown = [name if len(name) <= 30 else f"{name[:29]}…" for name in list(names)[:8]]
    return ", ".join(shown) + (" and more" if len(names) > 8 else "")
