"""The options of diagrams, their types, and the type that the words of a question ask for.

Called by ``options.py`` and ``line_arguments.py`` for the words of a line, by ``magics.py`` for
the type. Loaded with the first line: standard library and IPython only. What the types are made of
is in ``assistant/diagrams/grammar/grammars.py``.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

from ..actions import DRAWN
from ..lines.commands import Ask, DiagramOptions
from ..lines.marks import variable_in_word
from ..lines.parsers import Parser, nearest

#: Types of diagrams, and the language of each.
TYPES = {
    "flowchart": "mermaid",
    "sequence": "mermaid",
    "class": "mermaid",
    "state": "mermaid",
    "er": "mermaid",
    "mindmap": "mermaid",
    "pie": "mermaid",
    "gantt": "mermaid",
    "timeline": "mermaid",
    "digraph": "dot",
    "graph": "dot",
}
DIRECTIONS = ("TB", "TD", "BT", "LR", "RL")
#: Types that can run in more than one direction.
_WITH_DIRECTION = frozenset({"flowchart", "class", "state", "er", "digraph", "graph"})
THEMES = ("default", "dark", "neutral")
#: What a diagram can be saved as; the sources only of their own language.
SUFFIXES = {
    ".svg": "",
    ".png": "",
    ".pdf": "",
    ".mmd": "mermaid",
    ".dot": "dot",
    ".gv": "dot",
}
_DEFAULTS = {"mermaid": "flowchart", "dot": "digraph"}

#: Words that ask for a type, the surest first.
_WORDS = {
    "sequence": r"sequence diagrams?",
    "class": r"class diagrams?|uml diagrams?|class hierarchy",
    "state": r"state (?:diagrams?|machines?|charts?)|statecharts?",
    "er": r"er diagrams?|erd|entit(?:y|ies)[- ]relationships?|database schema",
    "mindmap": r"mind ?-?maps?",
    "pie": r"pie ?charts?|pie diagrams?",
    "gantt": r"gantt(?: charts?| diagrams?)?|project (?:plan|schedule)",
    "timeline": r"time ?lines?",
    "flowchart": r"flow ?-?charts?|flow diagrams?|mermaid",
    "digraph": r"digraphs?|directed graphs?|graphviz|dot (?:graph|diagram|language)",
    "graph": r"undirected graphs?|network (?:graph|diagram)s?",
}
_PATTERNS = {name: re.compile(rf"\b(?:{words})\b", re.I) for name, words in _WORDS.items()}


def type_in(words: str, kind: str = "") -> str:
    """Return the type that a question names first; "" where it names none of this language."""
    found = [
        (match.start(), name)
        for name, pattern in _PATTERNS.items()
        if (not kind or TYPES[name] == kind) and (match := pattern.search(words))
    ]
    return min(found)[1] if found else ""


def with_type(ask: Ask, words: str) -> Ask:
    """Return the question with the type and the language of the diagram that it asks for."""
    if ask.format not in DRAWN or ask.diagram.type:
        return ask
    name = type_in(words, ask.diagram.kind)
    if not name and ask.diagram.is_free:
        return ask
    name = name or _DEFAULTS[ask.diagram.kind or DRAWN[ask.format]]
    diagram = dataclasses.replace(ask.diagram, type=name)
    return dataclasses.replace(ask, format=TYPES[name], diagram=checked(diagram))


def checked(diagram: DiagramOptions) -> DiagramOptions:
    """Return the options without a direction that the type, told from words, does not have."""
    if diagram.direction and diagram.type and diagram.type not in _WITH_DIRECTION:
        return dataclasses.replace(diagram, direction="")
    return diagram


# --- the words of a line --------------------------------------------------------------------


def add_type_options(parser: Parser) -> None:
    """Declare what only a diagram of a model has."""
    add = parser.add_argument_group("diagrams (%%llm diagram, -f mermaid, -f dot)").add_argument
    add("--type", type=_choice("type of diagram", TYPES), metavar="TYPE", help=", ".join(TYPES))
    add("--free", action="store_true", help="do not hold the model to the type's grammar")
    add_drawing_options(add)


def add_drawing_options(add: Callable[..., Any]) -> None:
    """Declare what every diagram that is asked for has."""
    directions = _choice("direction", DIRECTIONS, str.upper)
    add("--direction", type=directions, metavar="DIR", help=", ".join(DIRECTIONS))
    add_keeping_options(add)


def add_keeping_options(add: Callable[..., Any]) -> None:
    """Declare what every picture has."""
    themes = _choice("theme", THEMES)
    add("--theme", type=themes, metavar="THEME", help=f"{', '.join(THEMES)} (neutral)")
    add("--save", type=_file, metavar="FILE", help=f"also save it: {', '.join(SUFFIXES)}")
    add("--force", action="store_true", help="with --save: replace a file that is there")


def read_options(
    parser: Parser, values: argparse.Namespace, kind: str, name: str = ""
) -> DiagramOptions:
    """Return the options as typed values; ``kind`` and ``name`` are the language and the type.

    Raises
    ------
    UsageError
        They contradict each other.
    """
    direction = getattr(values, "direction", None) or ""
    if name and kind and TYPES[name] != kind:
        fitting = [each for each, language in TYPES.items() if language == kind]
        parser.error(f"--type {name} is none of -f {kind}, which has {', '.join(fitting)}")
    if name and direction and name not in _WITH_DIRECTION:
        parser.error(f"a diagram of type {name} has no --direction")
    if values.force and values.save is None:
        parser.error("--force belongs to --save")
    language = kind or (TYPES[name] if name else "")
    if values.save is not None:
        check_suffix(parser, values.save, language)
    return DiagramOptions(
        type=name,
        kind=language,
        is_free=getattr(values, "free", False),
        direction=direction,
        theme=values.theme or "neutral",
        save=values.save or "",
        may_replace=values.force,
    )


def check_suffix(parser: Parser, path: str, kind: str) -> None:
    """Refuse to save a source under the ending of the other language."""
    wanted = SUFFIXES[PurePath(path).suffix.lower()]
    if wanted and kind and wanted != kind:
        ending = next(end for end, language in SUFFIXES.items() if language == kind)
        parser.error(f"--save {path} would hold {kind} source; end its name with {ending}")


def has_any(values: argparse.Namespace) -> str:
    """Return the first option in a line that only diagrams have; "" for none."""
    given = {
        "--type": values.type,
        "--free": values.free,
        "--direction": values.direction,
        "--save": values.save,
        "--force": values.force,
    }
    return next((name for name, value in given.items() if value), "")


def _choice(
    what: str, known: Any, normal: Callable[[str], str] = str.lower
) -> Callable[[str], str]:
    def read(text: str) -> str:
        name = normal(text)
        if name not in known:
            raise argparse.ArgumentTypeError(
                f"{text!r} is no {what}{nearest(text, list(known))} There are {', '.join(known)}."
            )
        return name

    return read


def _file(text: str) -> str:
    if problem := variable_in_word(text, "--save {path}"):
        raise argparse.ArgumentTypeError(problem)
    if PurePath(text).suffix.lower() not in SUFFIXES:
        raise argparse.ArgumentTypeError(
            f"{text!r} does not say which kind of file is wanted. "
            f"End its name with {', '.join(SUFFIXES)}."
        )
    return text
