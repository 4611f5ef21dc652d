"""Diagrams of classes and imports against what Python itself finds in the code."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from types import ModuleType

import pytest

from jupyter_localllm.assistant.diagrams.sources.from_code import diagram_of_code

from .mermaid_pictures import parsed

# -- Classes: what Python itself finds in them ------------------------------------------------

CLASSES = """
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import Enum

class Colour(Enum):
    RED = 1
    BLUE = 2

class Shape(ABC):
    colour: Colour = Colour.RED
    n_made, n_lost = 0, 0
    def __init__(self, name: str, *tags: str, scale: float = 1.0, **more) -> None:
        self.name = name
        self.parts: list[Shape] = []
        self._first, (self.second, *self.rest) = 1, (2, 3)
        for self.last in range(2):
            pass
    @abstractmethod
    def area(self, unit: str = "cm") -> float: ...
    @property
    def label(self) -> str:
        return self.name
    @label.setter
    def label(self, value):
        self.name = value
    @classmethod
    def made(cls, text: str, /) -> "Shape":
        return cls(text)
    @staticmethod
    def click(a, b=2): ...

class Square(Shape):
    def area(self, unit="cm"):
        self.side = 2
        return 4.0
    async def load(self, *, key: dict[str, int]) -> None: ...

class Text(str, Shape): ...

@dataclass
class Point:
    x: float = 0
    y: float = 0
    at: "Square | None" = None
    near: "dict[str, list[Point]]" = field(default_factory=dict)
"""


def _class_boxes(source: str) -> dict[str, dict[str, list[str]]]:
    """Return name -> its attribute and method lines, and the relations under ''."""
    plain = source
    for entity, character in {
        "#95;": "_",
        "#99;": "c",
        "#42;": "*",
        "#quot;": '"',
        "#123;": "{",
        "#40;": "(",
        "#41;": ")",
        "#gt;": ">",
    }.items():
        plain = plain.replace(entity, character)
    boxes: dict[str, dict[str, list[str]]] = {}
    current = ""
    for line in plain.splitlines()[1:]:
        line = line.strip()
        if found := re.match(r'class (\w+)\["(.*)"\]', line):
            current = found[2]
            boxes[current] = {"attributes": [], "methods": [], "word": [found[1]]}
        elif re.match(r"<<|\}", line) or " <|-- " in line or " *-- " in line:
            continue
        else:
            boxes[current]["methods" if "(" in line else "attributes"].append(line)
    return boxes


def test_classes_have_what_inspect_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    diagram = diagram_of_code(CLASSES, what="classes")
    boxes = _class_boxes(diagram.source)
    module = ModuleType("drawn")
    # dataclasses looks the module up to read annotations in quotes.
    monkeypatch.setitem(sys.modules, "drawn", module)
    scope = vars(module)
    exec(compile(CLASSES, "<classes>", "exec", dont_inherit=True), scope)
    real = {
        name: value
        for name, value in scope.items()
        if inspect.isclass(value) and value.__module__ == "drawn"
    }
    assert set(real) == set(boxes) - {"str"}
    for name, cls in real.items():
        own = {
            method: value
            for method, value in vars(cls).items()
            if isinstance(inspect.unwrap(getattr(value, "__func__", value)), type(lambda: 0))
            # Made by the decorator or the metaclass, not written in the code.
            and f"def {method}" in inspect.cleandoc(_text_of(name))
        }
        drawn = {
            line.partition("(")[0].removeprefix("async "): line for line in boxes[name]["methods"]
        }
        assert set(drawn) == set(own)
        for method, value in own.items():
            function = getattr(value, "__func__", value)
            names = list(inspect.signature(function).parameters)
            names = names if isinstance(value, staticmethod) else names[1:]
            arguments = re.search(r"\((.*)\)", drawn[method])
            assert arguments is not None
            written = [
                part.strip().lstrip("*").partition(":")[0] for part in _top_level(arguments[1])
            ]
            assert [word for word in written if word not in ("", "/")] == names
            is_static = isinstance(value, (staticmethod, classmethod))
            assert (")$" in drawn[method]) == is_static
            assert (")*" in drawn[method]) == getattr(function, "__isabstractmethod__", False)
            assert drawn[method].startswith("async ") == inspect.iscoroutinefunction(function)
    square = real["Square"]("s", "t", scale=2)
    square.area()
    attributes = {
        line.partition(":")[0].partition(" =")[0]
        for box in ("Shape", "Square")
        for line in boxes[box]["attributes"]
    }
    assert attributes == set(vars(square)) | {"colour", "n_made", "n_lost", "label"}
    assert [line.partition(" = ")[0] for line in boxes["Colour"]["attributes"]] == list(
        real["Colour"].__members__
    )
    words = {name: box["word"][0] for name, box in boxes.items()}
    inherits = {tuple(match) for match in re.findall(r"(\w+) <\|-- (\w+)", diagram.source)}
    assert inherits == {
        (words[base.__name__], words[name])
        for name, cls in real.items()
        for base in cls.__bases__
        if base.__name__ in words
    }
    holds = set(re.findall(r'(\w+) \*-- (?:"(.*?)" )?(\w+) : (\w+)', diagram.source))
    assert holds == {
        (words["Shape"], "", words["Colour"], "colour"),
        (words["Shape"], "0..*", words["Shape"], "parts"),
        (words["Point"], "0..1", words["Square"], "at"),
        (words["Point"], "0..*", words["Point"], "near"),
    }
    parsed(diagram.source)


def _text_of(name: str) -> str:
    node = next(n for n in ast.parse(CLASSES).body if getattr(n, "name", "") == name)
    return ast.get_source_segment(CLASSES, node) or ""


def _top_level(arguments: str) -> list[str]:
    """Return the arguments, split at the commas that are not in brackets."""
    return re.split(r",(?![^\[]*\])", arguments)


# -- Imports ----------------------------------------------------------------------------------


def test_imports_are_those_of_the_code() -> None:
    code = (
        "import os, sys as system\nimport os.path\nfrom collections import *\n"
        "from . import a\nfrom ..b.c import d as e, f\nimport numpy\n"
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pathlib\n"
        "def g():\n    import json\ntry:\n    import x\nexcept ImportError:\n    x = None\n"
    )
    diagram = diagram_of_code(code, what="imports")
    shown = {
        tuple(text.replace("#42;", "*").split("<br>"))
        for text in re.findall(r'm\d+\["(.*)"\]', diagram.source)
    }
    expected = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                expected.add((f"{alias.name} as {alias.asname}" if alias.asname else alias.name,))
        elif isinstance(node, ast.ImportFrom):
            name = "." * node.level + (node.module or "")
            names = [f"{a.name} as {a.asname}" if a.asname else a.name for a in node.names]
            expected.add((name if name.strip(".") else f"from {name}", ", ".join(names)))
    assert shown == expected
    dotted = dict(re.findall(r'-\.->\|"(.*)"\| (m\d+)', diagram.source))
    assert set(dotted) == {"for types only", "in g()", "try"}
    groups = re.split(r"subgraph", diagram.source)
    assert "numpy" in groups[2] and "..b.c" in groups[3] and "json" in groups[1]
    parsed(diagram.source)
