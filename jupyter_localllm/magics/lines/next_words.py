"""The words that may follow in a line: commands, actions, options, models, chats.

Options and which of them take a value are read from the parsers themselves. Nothing is loaded and
no host is started for it. Called by ``completion.py``, with the first Tab.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from ..actions import ACTION_NAMES, FORMATS
from ..diagrams.arguments import DATABASES, OF_CODE
from ..diagrams.cells import cell_parser as diagram_parser
from ..diagrams.options import DIRECTIONS, SUFFIXES, THEMES, TYPES
from ..names import DIAGRAM_CELLS
from .line_actions import LINE_ACTIONS
from .line_arguments import LINE_COMMANDS, PARTS
from .options import CONTEXTS, cell_parser
from .parsers import Parser
from .typed_words import Typed, cut, files, in_quotes

if TYPE_CHECKING:
    from ..magics import LocalLLM

#: How long a person waits for a list of models before there is none.
_MODELS_TIMEOUT_S = 1.0
#: Options that count only in the first line of a cell.
_OF_CELLS = frozenset({"execute", "confirm", "time_limit", "dry_run"})
_CONVERSATIONS = (".md", ".ipynb", ".chat")
_DRAWN = (FunctionType, ModuleType, type)
_SESSION = frozenset({"In", "Out", "Err"})


@dataclass(frozen=True)
class Offer:
    """``texts`` that may stand in the place of ``fragment``, which is what is typed of the word."""

    fragment: str
    texts: tuple[str, ...]


@dataclass(frozen=True)
class _Line:
    """What is typed, without the magic's name.

    Attributes
    ----------
    before : list of str
        The words before the one at the cursor; ``words`` are those that are neither options
        nor their values.
    """

    parser: Parser
    before: list[str]
    words: list[str]


class NextWords:
    """What may follow the words of a line."""

    def __init__(self, owner: LocalLLM) -> None:
        self._owner = owner

    def after(self, magic: str, typed: str) -> Offer | None:
        """Return what may stand at the cursor; ``None`` for what IPython knows better.

        Parameters
        ----------
        magic : str
            As it is typed: ``%llm``, ``%%llm``.
        typed : str
            From behind the magic to the cursor.
        """
        words, word = cut(typed)
        name = magic.lstrip("%")
        if magic.startswith("%%"):
            parser = diagram_parser(name) if name in DIAGRAM_CELLS else cell_parser()
            line = _line(parser, words)
            first = ["explain"] if name == "explain" else []
            candidates = [] if name in DIAGRAM_CELLS else self._cell_words([*first, *line.words])
        else:
            line = _line(_parser_of(words), words)
            candidates = self._line_words(line, word)
        values = self._values(line, word)
        if values is not None:
            return _offered(word, values)
        option, sign, rest = word.text.partition("=")
        if sign and not word.quote and _takes_value(line.parser, option):
            # What stands behind the sign is a word of its own.
            behind = Typed(word.raw.partition("=")[2], rest)
            known = self._values(_line(line.parser, [*words, option]), behind)
            return _offered(behind, known or [])
        if word.text.startswith("-") and not word.quote:
            return _offered(word, _options(line, magic, is_short=not word.text.startswith("--")))
        if "." in word.text and not magic.startswith("%%") and not word.quote:
            return None
        options = [] if word.text else _options(line, magic, is_short=False)
        return _offered(word, [*candidates, *options])

    # --- words ------------------------------------------------------------------------------

    def _cell_words(self, words: list[str]) -> list[str]:
        if not words:
            return [*ACTION_NAMES, *self._owner.aliases, *self._models()]
        n_words = 2 if words[0] == "translate" else 1
        if words[0] not in ACTION_NAMES or len(words) != n_words:
            return []
        return [*self._owner.aliases, *self._models()]

    def _line_words(self, line: _Line, word: Typed) -> list[str]:
        if not line.before:
            return [*LINE_COMMANDS, *LINE_ACTIONS, "help"]
        command, *words = line.before[:1] + line.words[1:]
        if command in LINE_ACTIONS:
            n_before = 1 if command == "translate" else 0
            return self._targets() if len(words) == n_before else []
        if command == "diagram":
            return [*self._targets(of_code=True), *files(word.text, DATABASES)]
        if command == "alias":
            return [*self._models(), *files(word.text, (".gguf",))] if words else []
        offered: dict[str, Callable[[], list[str]]] = {
            "use": lambda: [*self._models(), *files(word.text, (".gguf",))],
            "unload": self._models,
            "help": lambda: [*LINE_COMMANDS, *LINE_ACTIONS],
            "dealias": lambda: list(self._owner.aliases),
            "config": lambda: list(self._owner.class_traits(config=True)),
            "show": lambda: list(PARTS),
            "save": lambda: files(word.text, _CONVERSATIONS),
        }
        return offered[command]() if command in offered and not words else []

    # --- values -----------------------------------------------------------------------------

    def _values(self, line: _Line, word: Typed) -> list[str] | None:
        """Return what the value at the cursor may be; ``None`` where no value is expected."""
        before = line.before
        if len(before) > 1 and _n_values(line.parser, before[-2]) > 1:
            return []
        if before[-2:] == ["--context", "cells"]:
            return []
        if not before or not _takes_value(line.parser, before[-1]):
            return None
        action = line.parser._option_string_actions[before[-1]]
        types = OF_CODE if line.parser.prog == "%llm diagram" else tuple(TYPES)
        table: dict[str, Callable[[], Iterable[str]]] = {
            "model": lambda: [*self._models(), *files(word.text, (".gguf",))],
            "format": lambda: FORMATS,
            "schema": lambda: [*self._schemas(), *files(word.text, (".json",))],
            "context": lambda: CONTEXTS,
            "chat": lambda: self._owner.chats().titles(),
            "persona": self._personas,
            "param": self._parameters,
            "type": lambda: types,
            "theme": lambda: THEMES,
            "direction": lambda: DIRECTIONS,
            "save": lambda: files(word.text, tuple(SUFFIXES)),
        }
        return list(table[action.dest]()) if action.dest in table else []

    def _variables(self) -> dict[str, object]:
        hidden = self._owner.the_shell.user_ns_hidden
        return {
            name: value
            for name, value in self._owner.variables().items()
            if not name.startswith("_") and name not in hidden and name not in _SESSION
        }

    def _schemas(self) -> list[str]:
        """Return the variables that hold a schema, or a class that describes one."""

        def is_schema(value: Any) -> bool:
            marks = ("model_json_schema", "__dataclass_fields__", "__total__", "__struct_fields__")
            kinds = value.__mro__ if issubclass(type(value), type) else ()
            is_described = any(mark in vars(kind) for kind in kinds for mark in marks)
            return issubclass(type(value), dict) or is_described

        return [name for name, value in self._variables().items() if is_schema(value)]

    def _targets(self, *, of_code: bool = False) -> list[str]:
        """Return cells and variables; ``of_code``: what can be drawn of them."""

        def is_drawn(value: object) -> bool:
            kind = type(value)
            return issubclass(kind, _DRAWN) or kind.__name__ == "DataFrame"

        runs = self._owner.runs
        cells = [f"In[{run.number}]" for run in runs.finished() if run.number][-20:]
        if of_code:
            return [*cells, *(n for n, value in self._variables().items() if is_drawn(value))]
        return [*cells, *(f"Err[{number}]" for number in runs.errors), *self._variables()]

    def _models(self) -> list[str]:
        """Return the names that a running host lists; none where no host runs."""
        from ...client import bridge

        session = self._owner.host_session()

        async def ask() -> list[str]:
            client = await session.find()
            return [] if client is None else [model.id for model in await client.models()]

        with contextlib.suppress(Exception):
            return bridge.run(ask(), _MODELS_TIMEOUT_S)
        return []

    def _personas(self) -> list[str]:
        from ..questions.personas import persona_names

        return persona_names(self._owner.personas)

    def _parameters(self) -> list[str]:
        from .parameters import NAMES

        return list(NAMES)


# --- what the parsers say -----------------------------------------------------------------------


def _parser_of(words: list[str]) -> Parser:
    """Return the parser of a ``%llm`` line."""
    command = words[0] if words else ""
    if command in LINE_ACTIONS or command == "alias":
        return cell_parser()
    parser = Parser(f"%llm {command}".rstrip(), "", "")
    if command in LINE_COMMANDS:
        LINE_COMMANDS[command].declare(parser)
    return parser


def _line(parser: Parser, before: list[str]) -> _Line:
    words: list[str] = []
    n_values = 0
    for word in before:
        if n_values:
            n_values -= 1
        elif word.startswith("-"):
            n_values = _n_values(parser, word)
        else:
            words.append(word)
    return _Line(parser, before, words)


def _n_values(parser: Parser, option: str) -> int:
    action = parser._option_string_actions.get(option)
    if action is None:
        return 0
    return 1 if action.nargs is None else int(action.nargs)


def _takes_value(parser: Parser, option: str) -> bool:
    return _n_values(parser, option) > 0


def _options(line: _Line, magic: str, *, is_short: bool) -> list[str]:
    """Return the options that are not given yet; ``is_short``: also those of one letter."""
    known = line.parser._option_string_actions
    given = {known.get(word.partition("=")[0]) for word in line.before}
    left_out = frozenset() if magic.startswith("%%") else _OF_CELLS
    return [
        name
        for name, action in known.items()
        if (is_short or name.startswith("--"))
        and action.dest not in left_out
        and (action not in given or isinstance(action, argparse._AppendAction))
    ]


def _offered(word: Typed, candidates: Iterable[str]) -> Offer:
    """Return those of the words that begin as it is typed, with the quotes they need."""
    begun = word.text.lower()
    fitting = (each for each in candidates if each.lower().startswith(begun))
    texts = (in_quotes(each, word.quote) for each in fitting)
    return Offer(word.raw, tuple(dict.fromkeys(filter(None, texts))))
