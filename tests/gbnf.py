"""Reads grammars in llama.cpp's notation and writes sentences of them by chance.

What a grammar allows is tested on its own text, as llama.cpp gets it, without a model.
"""

from __future__ import annotations

import random
from collections.abc import Callable

#: A part of a rule: given a source of chance and a list to write to.
Part = Callable[[random.Random, list[str]], None]

_ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "]": "]", "[": "["}


class Grammar:
    """A grammar that can be walked.

    Parameters
    ----------
    text : str
        GBNF: literals, classes, groups, alternatives, ``? * + {m,n}``.
    most_repeats : int
        Longest run of ``*`` and ``+``.
    """

    def __init__(self, text: str, most_repeats: int = 5) -> None:
        self._most_repeats = most_repeats
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
        self._rules["root"](random.Random(seed), written)
        return "".join(written)

    def _peek(self) -> str:
        while self._text[self._at : self._at + 1] == " ":
            self._at += 1
        return self._text[self._at : self._at + 1]

    def _alternatives(self) -> Part:
        choices = [self._sequence()]
        while self._peek() == "|":
            self._at += 1
            choices.append(self._sequence())
        return lambda chance, out: chance.choice(choices)(chance, out)

    def _sequence(self) -> Part:
        parts: list[Part] = []
        while (sign := self._peek()) and sign not in "|)":
            parts.append(self._repeated(self._one()))

        def write(chance: random.Random, out: list[str]) -> None:
            for part in parts:
                part(chance, out)

        return write

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
        while self._text[self._at : self._at + 1].isalnum():
            self._at += 1
        name = self._text[start : self._at]
        assert name, self._text[self._at :]
        self._used.add(name)
        return lambda chance, out: self._rules[name](chance, out)

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
        text = ""
        while self._text[self._at] != '"':
            text += self._character()
        self._at += 1
        return lambda chance, out: out.append(text)

    def _class(self) -> Part:
        self._at += 1
        ranges: list[tuple[int, int]] = []
        assert self._text[self._at] != "^", "such classes are not used"
        while self._text[self._at] != "]":
            first = last = self._character()
            if self._text[self._at] == "-" and self._text[self._at + 1] != "]":
                self._at += 1
                last = self._character()
            ranges.append((ord(first), ord(last)))
        self._at += 1

        def write(chance: random.Random, out: list[str]) -> None:
            out.append(chr(chance.randint(*chance.choice(ranges))))

        return write

    def _repeated(self, part: Part) -> Part:
        sign = self._text[self._at : self._at + 1]
        least, most = {
            "?": (0, 1),
            "*": (0, self._most_repeats),
            "+": (1, self._most_repeats),
        }.get(sign, (1, 1))
        if sign == "{":
            end = self._text.index("}", self._at)
            lower, _, upper = self._text[self._at + 1 : end].partition(",")
            least, most = int(lower), int(upper or lower)
            self._at = end + 1
        elif (least, most) != (1, 1):
            self._at += 1

        def write(chance: random.Random, out: list[str]) -> None:
            for _ in range(chance.randint(least, most)):
                part(chance, out)

        return write
