"""Reads grammars in llama.cpp's notation: writes sentences of them by chance, and recognises them.

What a grammar allows is tested on its own text, as llama.cpp gets it, without a model.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

#: How often a sentence has what may be repeated without a limit.
_MOST_OPEN = 3
#: What is written for a class of all but some characters.
_SAMPLES = [*map(chr, range(0x20, 0x7F)), "é", "ß", "中", "😀"]
_ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "]": "]", "[": "["}


@dataclass(frozen=True)
class Part:
    """A part of a rule.

    Attributes
    ----------
    write : callable
        Appends what it stands for, as chance has it, to a list.
    ends : callable
        Given a text and a position in it, where a match that begins there can end.
    """

    write: Callable[[random.Random, list[str]], None]
    ends: Callable[[str, int], frozenset[int]]


class Grammar:
    """A grammar of literals, classes, groups, alternatives and ``? {m,n}``, a rule in each line.

    Parameters
    ----------
    may_be_open : bool
        Whether it may have ``* +`` and classes by what is not in them.
    """

    def __init__(self, text: str, *, may_be_open: bool = False) -> None:
        self._may_be_open = may_be_open
        self._rules: dict[str, Part] = {}
        self._used: set[str] = {"root"}
        for line in text.splitlines():
            if line.strip():
                name, _, body = line.partition("::=")
                assert name.strip() not in self._rules, f"the rule {name} stands there twice"
                self._text, self._at = body.strip(), 0
                self._rules[name.strip()] = self._alternatives()
                assert self._at == len(self._text), self._text[self._at :]
        assert self._used <= set(self._rules), self._used - set(self._rules)

    def sentence(self, seed: int) -> str:
        """Return a sentence; the same one for the same seed."""
        written: list[str] = []
        self._rules["root"].write(random.Random(seed), written)
        return "".join(written)

    def accepts(self, text: str) -> bool:
        """Whether the text is a sentence."""
        return len(text) in self._rules["root"].ends(text, 0)

    def _peek(self) -> str:
        while self._text[self._at : self._at + 1] == " ":
            self._at += 1
        return self._text[self._at : self._at + 1]

    def _alternatives(self) -> Part:
        choices = [self._sequence()]
        while self._peek() == "|":
            self._at += 1
            choices.append(self._sequence())
        return Part(
            lambda chance, out: chance.choice(choices).write(chance, out),
            lambda text, at: frozenset().union(*(each.ends(text, at) for each in choices)),
        )

    def _sequence(self) -> Part:
        parts: list[Part] = []
        while (sign := self._peek()) and sign not in "|)":
            parts.append(self._repeated(self._one()))

        def write(chance: random.Random, out: list[str]) -> None:
            for part in parts:
                part.write(chance, out)

        def ends(text: str, at: int) -> frozenset[int]:
            places = frozenset({at})
            for part in parts:
                places = _onward(part, text, places)
            return places

        return Part(write, ends)

    def _one(self) -> Part:
        sign = self._peek()
        if sign == "(":
            self._at += 1
            group = self._alternatives()
            assert self._peek() == ")", self._text[self._at :]
            self._at += 1
            return group
        if sign == '"':
            return self._literal()
        if sign == "[":
            return self._class()
        start = self._at
        while re.match(r"[\w-]", self._text[self._at : self._at + 1]):
            self._at += 1
        name = self._text[start : self._at]
        assert name, self._text[self._at :]
        self._used.add(name)
        return Part(
            lambda chance, out: self._rules[name].write(chance, out),
            lambda text, at: self._rules[name].ends(text, at),
        )

    def _character(self) -> str:
        sign = self._text[self._at]
        self._at += 1
        if sign != "\\":
            return sign
        kind = self._text[self._at]
        self._at += 1
        if kind in "xuU":
            width = {"x": 2, "u": 4, "U": 8}[kind]
            self._at += width
            return chr(int(self._text[self._at - width : self._at], 16))
        return _ESCAPES[kind]

    def _literal(self) -> Part:
        self._at += 1
        said = ""
        while self._text[self._at] != '"':
            said += self._character()
        self._at += 1
        return Part(
            lambda _, out: out.append(said),
            lambda text, at: frozenset({at + len(said)} if text.startswith(said, at) else ()),
        )

    def _class(self) -> Part:
        self._at += 1
        ranges: list[tuple[str, str]] = []
        is_negated = self._text[self._at] == "^"
        assert not is_negated or self._may_be_open, "such classes are not used"
        self._at += is_negated
        while self._text[self._at] != "]":
            first = last = self._character()
            if self._text[self._at] == "-" and self._text[self._at + 1] != "]":
                self._at += 1
                last = self._character()
            ranges.append((first, last))
        self._at += 1

        def has(letter: str) -> bool:
            return any(first <= letter <= last for first, last in ranges) != is_negated

        def write(chance: random.Random, out: list[str]) -> None:
            if is_negated:
                out.append(chance.choice(list(filter(has, _SAMPLES))))
                return
            first, last = chance.choice(ranges)
            out.append(chr(chance.randint(ord(first), ord(last))))

        def ends(text: str, at: int) -> frozenset[int]:
            return frozenset({at + 1} if at < len(text) and has(text[at]) else ())

        return Part(write, ends)

    def _repeated(self, part: Part) -> Part:
        sign = self._text[self._at : self._at + 1]
        if sign in ("*", "+") and sign:
            assert self._may_be_open, "a repetition without a limit"
            least, most = int(sign == "+"), _MOST_OPEN
            self._at += 1
        elif sign == "?":
            least, most = 0, 1
            self._at += 1
        elif sign == "{":
            end = self._text.index("}", self._at)
            lower, _, upper = self._text[self._at + 1 : end].partition(",")
            least, most = int(lower), int(upper or lower)
            self._at = end + 1
        else:
            return part

        def write(chance: random.Random, out: list[str]) -> None:
            for _ in range(chance.randint(least, most)):
                part.write(chance, out)

        def ends(text: str, at: int) -> frozenset[int]:
            places = frozenset({at})
            found = places if least == 0 else frozenset()
            for count in range(1, most + 1):
                places = _onward(part, text, places)
                if not places:
                    break
                found = found | places if count >= least else found
            return found

        return Part(write, ends)


def _onward(part: Part, text: str, places: frozenset[int]) -> frozenset[int]:
    return frozenset().union(*(part.ends(text, at) for at in places))
