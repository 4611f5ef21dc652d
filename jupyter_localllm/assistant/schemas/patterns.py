"""Patterns and formats of strings: read, kept to a length, made distinct, and written again.

A pattern is read into a small tree, of which only regular parts are taken; what is written is of
the few signs that every converter to grammars knows, anchored, and without a repetition that has
no limit. Pure; ``strings`` calls it.

What is written is read twice: by the engine as text of the answer, by others as text of the
value. Characters that JSON escapes therefore stand only where nothing else will do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import Unenforceable

Range = tuple[int, int]

_LAST = 0x10FFFF
_UNSAFE = {ord('"'): '"', ord("\\"): "\\", 0x0A: "n", 0x09: "t", 0x0D: "r"}
#: Nothing that would have to be escaped in JSON, or an escape that is one.
_ANY_WRITTEN = r'([^"\\\x00-\x1F]|\\["\\/nt])'


@dataclass(frozen=True)
class Chars:
    """One character of sorted ranges."""

    ranges: tuple[Range, ...]


@dataclass(frozen=True)
class Row:
    """One part after the other."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Either:
    """One of several."""

    options: tuple[Node, ...]


@dataclass(frozen=True)
class Repeat:
    """A part several times; ``most`` may be open."""

    part: Node
    least: int
    most: int | None


@dataclass(frozen=True)
class Anchor:
    """The beginning or the end of the text; gone when a pattern has been read."""

    is_start: bool


Node = Chars | Row | Either | Repeat | Anchor

ANY = Chars(((0, _LAST),))


# --- characters -----------------------------------------------------------------------------


def chars(ranges: list[Range]) -> Chars:
    """Return the character class of these ranges, in any order."""
    joined: list[Range] = []
    for low, high in sorted(ranges):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return Chars(tuple(joined))


def others(taken: Chars, last: int = _LAST) -> Chars:
    """Return the characters that are not of these."""
    left: list[Range] = []
    start = 0
    for low, high in taken.ranges:
        if low > start:
            left.append((start, min(low - 1, last)))
        start = high + 1
    if start <= last:
        left.append((start, last))
    return Chars(tuple(r for r in left if r[0] <= r[1]))


def single(letter: str) -> Chars:
    """Return the class of one character."""
    return Chars(((ord(letter), ord(letter)),))


_DIGITS = chars([(0x30, 0x39)])
_WORD = chars([(0x30, 0x39), (0x41, 0x5A), (0x61, 0x7A), (0x5F, 0x5F)])
_SPACE = chars([(0x09, 0x0D), (0x20, 0x20)])
#: What Python takes for a digit, a letter or a space is more than ASCII, so the rest is ASCII.
_CLASSES = {
    "d": _DIGITS, "w": _WORD, "s": _SPACE,
    "D": others(_DIGITS, 0x7E), "W": others(_WORD, 0x7E), "S": others(_SPACE, 0x7E),
}  # fmt: skip
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}
#: As Python reads it, a count from nothing on may leave out the nothing.
_QUANTIFIER = re.compile(r"\*|\+|\?|\{(?:(\d+)|(\d*),(\d*))\}")
#: Classes by name, and sets that are joined: to Python, these are single characters.
_RUST_ONLY = re.compile(r"\[:\^?\w+:\]|&&|--\[|~~")
_GROUP = re.compile(r"\((?:\?:|\?P?<[A-Za-z_]\w*>)?")


# --- reading --------------------------------------------------------------------------------


def read_pattern(pattern: str) -> Node:
    """Return the tree of a pattern that may match anywhere in a text.

    Raises
    ------
    Unenforceable
        It has something that no grammar can say, such as a look-ahead.
    """
    reader = _Reader(pattern)
    tree = reader.either()
    if reader.at < len(pattern):
        raise Unenforceable(f"the pattern {pattern} has a bracket too many")
    return _whole(tree)


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self.at = 0

    def either(self) -> Node:
        options = [self._row()]
        while self._peek() == "|":
            self.at += 1
            options.append(self._row())
        return options[0] if len(options) == 1 else Either(tuple(options))

    def _peek(self) -> str:
        return self._text[self.at : self.at + 1]

    def _take(self, count: int = 1) -> str:
        taken = self._text[self.at : self.at + count]
        self.at += count
        return taken

    def _row(self) -> Node:
        parts: list[Node] = []
        while self._peek() not in ("", "|", ")"):
            parts.append(self._repeated(self._one()))
        return parts[0] if len(parts) == 1 else Row(tuple(parts))

    def _repeated(self, part: Node) -> Node:
        found = _QUANTIFIER.match(self._text, self.at)
        if found is None:
            return part
        self.at = found.end()
        if self._peek() == "?":
            self.at += 1
        elif self._peek() == "+":
            raise self._refused("a possessive repetition")
        if isinstance(part, Anchor):
            raise self._refused("a repeated anchor")
        sign = found[0]
        if sign in ("*", "+"):
            return Repeat(part, int(sign == "+"), None)
        if sign == "?":
            return Repeat(part, 0, 1)
        if found[1]:
            return Repeat(part, int(found[1]), int(found[1]))
        most = int(found[3]) if found[3] else None
        return Repeat(part, int(found[2] or 0), most)

    def _one(self) -> Node:
        if self._peek() == "(":
            return self._group()
        letter = self._take()
        match letter:
            case "[":
                return self._class()
            case "^" | "$":
                return Anchor(letter == "^")
            case ".":
                return others(single("\n"))
            case "\\":
                return self._escape()
        return single(letter)

    def _group(self) -> Node:
        opening = _GROUP.match(self._text, self.at)
        assert opening is not None
        if self._text.startswith("?", opening.end()):
            what = "a look-ahead or look-behind"
            if self._text[opening.end() + 1 : opening.end() + 2] not in ("=", "!", "<"):
                what = "a special group"
            raise self._refused(what)
        self.at = opening.end()
        inside = self.either()
        if self._take() != ")":
            raise self._refused("a bracket that is not closed")
        return inside

    def _escape(self) -> Node:
        letter = self._take()
        if letter in _CLASSES:
            return _CLASSES[letter]
        if letter in ("A", "Z"):
            return Anchor(letter == "A")
        if letter in ("b", "B"):
            raise self._refused("a word boundary")
        return single(self._escaped(letter))

    def _escaped(self, letter: str) -> str:
        width = {"x": 2, "u": 4, "U": 8}.get(letter)
        if width:
            try:
                return chr(int(self._take(width), 16))
            except (ValueError, OverflowError):
                raise self._refused(f"the escape \\{letter}") from None
        if letter in _CONTROLS:
            return _CONTROLS[letter]
        if letter.isalnum() or not letter:
            raise self._refused(f"the escape \\{letter}")
        return letter

    def _class(self) -> Chars:
        is_negated = self._peek() == "^"
        self.at += is_negated
        ranges: list[Range] = []
        last, is_first = _LAST, True
        while self._peek() != "]" or is_first:
            is_first = False
            if _RUST_ONLY.match(self._text, self.at):
                raise self._refused("a class that only Rust reads as it is meant")
            low = self._member()
            if isinstance(low, Chars):
                ranges += low.ranges
                last = 0x7E
            elif self._peek() == "-" and self._text[self.at + 1 : self.at + 2] not in ("]", ""):
                self.at += 1
                high = self._member()
                if isinstance(high, Chars):
                    raise self._refused("a range that ends in a class")
                ranges.append((ord(low), ord(high)))
            else:
                ranges.append((ord(low), ord(low)))
        self.at += 1
        taken = chars(ranges)
        return others(taken, last) if is_negated else taken

    def _member(self) -> str | Chars:
        letter = self._take()
        if not letter:
            raise self._refused("a class that is not closed")
        if letter != "\\":
            return letter
        escaped = self._take()
        if escaped in _CLASSES:
            return _CLASSES[escaped]
        return "\b" if escaped == "b" else self._escaped(escaped)

    def _refused(self, what: str) -> Unenforceable:
        return Unenforceable(f"the pattern {self._text} has {what}")


def _whole(tree: Node) -> Node:
    """Return what matches a whole text: where it is not anchored, anything may stand around it."""
    if isinstance(tree, Either):
        return Either(tuple(_whole(option) for option in tree.options))
    parts = list(tree.parts) if isinstance(tree, Row) else [tree]
    is_grouped = len(parts) == 1 and isinstance(parts[0], (Either, Row))
    if is_grouped:
        return _whole(parts[0])
    around = Repeat(ANY, 0, None)
    has_start = bool(parts) and parts[0] == Anchor(True)
    has_end = bool(parts) and parts[-1] == Anchor(False)
    while parts and parts[0] == Anchor(True):
        parts.pop(0)
    while parts and parts[-1] == Anchor(False):
        parts.pop()
    if any(map(_has_anchor, parts)):
        raise Unenforceable("a pattern has an anchor inside of it")
    return Row((*([] if has_start else [around]), *parts, *([] if has_end else [around])))


def _has_anchor(node: Node) -> bool:
    match node:
        case Anchor():
            return True
        case Row(parts) | Either(parts):
            return any(map(_has_anchor, parts))
        case Repeat(part):
            return _has_anchor(part)
    return False


# --- writing --------------------------------------------------------------------------------


def written(node: Node) -> str:
    """Return the pattern of a tree, anchored.

    Raises
    ------
    Unenforceable
        It needs a character that cannot be written.
    """
    return f"^{_written(node) or '()'}$"


def _written(node: Node) -> str:
    match node:
        case Chars(ranges):
            return _class_of(ranges)
        case Row(parts):
            return "".join(map(_written, parts))
        case Either(options):
            texts = list(dict.fromkeys(map(_written, options)))
            filled = "|".join(filter(None, texts))
            if not filled:
                return ""
            return f"({filled})?" if "" in texts else f"({filled})"
        case Repeat(part, least, most):
            text = _written(part)
            if not text or most == 0:
                return ""
            if not isinstance(part, (Chars, Either)) or text.endswith("?"):
                text = f"({text})"
            if least == most == 1:
                return text
            return f"{text}?" if (least, most) == (0, 1) else f"{text}{{{least},{most}}}"
    raise AssertionError("an anchor was left")


def _class_of(ranges: tuple[Range, ...]) -> str:
    if ranges == ANY.ranges:
        return _ANY_WRITTEN
    unsafe = [code for code in _UNSAFE if any(low <= code <= high for low, high in ranges)]
    kept = _without_unsafe(ranges)
    if kept:
        inside = "".join(
            _sign(low) if low == high else f"{_sign(low)}-{_sign(high)}" for low, high in kept
        )
        return f"[{inside}]"
    if not unsafe:
        raise Unenforceable("a pattern needs a character that JSON cannot hold")
    return "(" + "|".join(f"\\\\[{_sign(ord(_UNSAFE[code]))}]" for code in unsafe) + ")"


def _without_unsafe(ranges: tuple[Range, ...]) -> list[Range]:
    refused = chars([(0, 0x1F), (0x22, 0x22), (0x5C, 0x5C), (0x7F, 0x9F), (0xD800, 0xDFFF)])
    allowed = others(refused).ranges
    return [
        (max(low, first), min(high, last))
        for low, high in ranges
        for first, last in allowed
        if max(low, first) <= min(high, last)
    ]


def _sign(code: int) -> str:
    letter = chr(code)
    if code < 0x80 and (letter.isalnum() or letter in " _"):
        return letter
    return (
        f"\\x{code:02X}"
        if code < 0x80
        else f"\\u{code:04X}"
        if code < 0x10000
        else (f"\\U{code:08X}")
    )
