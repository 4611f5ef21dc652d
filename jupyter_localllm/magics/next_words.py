"""The words that may follow in a line: commands, actions, options, models, chats.

Nothing is loaded and no host is started for it. Called by ``completion.py``, with the first Tab.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from .actions import ACTION_NAMES, FORMATS
from .diagrams.arguments import OF_CODE, declare
from .diagrams.cells import cell_parser as diagram_parser
from .diagrams.options import DIRECTIONS, THEMES, TYPES
from .line_arguments import LINE_ACTIONS, LINE_COMMANDS
from .names import DIAGRAM_CELLS
from .options import CONTEXTS, cell_parser
from .parsers import Parser

if TYPE_CHECKING:
    from .magics import LocalLLM

#: How long a person waits for a list of models before there is none.
_MODELS_TIMEOUT_S = 1.0
_WITH_TARGET = ("error", "fix", "explain", "improve", "test", "doc", "summarise")


class NextWords:
    """What may follow the words of a line."""

    def __init__(self, owner: LocalLLM) -> None:
        self._owner = owner

    def after(self, magic: str, before: list[str]) -> Iterable[str]:
        """Return the words that may come next; also some that do not fit what is typed."""
        last = before[-1] if before else ""
        values = self._values_of(last)
        if magic == "%llm" and before[:1] == ["diagram"] and last == "--type":
            return OF_CODE
        if values is not None:
            return values()
        if magic.removeprefix("%%") in DIAGRAM_CELLS:
            return list(diagram_parser(magic[2:])._option_string_actions)
        if magic.startswith("%%"):
            return self._cell_words(before)
        if not before:
            return [*LINE_COMMANDS, *LINE_ACTIONS, "help"]
        return self._line_words(before)

    def _cell_words(self, before: list[str]) -> Iterable[str]:
        options = _options()
        names = [word for word in before if not word.startswith("-")]
        if not before:
            return [*ACTION_NAMES, *self._owner.aliases, *self._models(), *options]
        if len(names) == len(before) == 1 and names[0] in ACTION_NAMES:
            return [*self._owner.aliases, *self._models(), *options]
        return options

    def _line_words(self, before: list[str]) -> Iterable[str]:
        command = before[0]
        if command in ("use", "unload"):
            return self._models()
        if command == "help":
            return [*LINE_COMMANDS, *LINE_ACTIONS]
        if command == "dealias":
            return list(self._owner.aliases)
        if command == "config":
            return list(self._owner.class_traits(config=True)) if len(before) == 1 else []
        if command == "show":
            return ["answer", "code", "prompt", "diagram"]
        if command == "diagram":
            parser = Parser("%llm diagram", "", "")
            declare(parser)
            return [*self._things(), *parser._option_string_actions]
        if command in ("history", "save"):
            return ["--chat", "--help"]
        if command in _WITH_TARGET:
            return [*(self._targets() if len(before) == 1 else []), *_options()]
        return ["--help"]

    def _values_of(self, option: str) -> Callable[[], Iterable[str]] | None:
        """Return where the values of an option come from, if it takes one."""
        table: dict[str, Callable[[], Iterable[str]]] = {
            "-m": self._models,
            "--model": self._models,
            "-f": lambda: FORMATS,
            "--format": lambda: FORMATS,
            "--context": lambda: CONTEXTS,
            "--chat": self._chats,
            "-p": self._personas,
            "--persona": self._personas,
            "--type": lambda: TYPES,
            "--theme": lambda: THEMES,
            "--direction": lambda: DIRECTIONS,
        }
        return table.get(option)

    def _targets(self) -> list[str]:
        runs = self._owner.runs
        cells = [f"In[{run.number}]" for run in runs.finished() if run.number][-20:]
        return [*cells, *(f"Err[{number}]" for number in runs.errors)]

    def _things(self) -> list[str]:
        """Return what can be drawn: cells, and names of functions, classes, modules and tables."""
        import inspect

        def is_drawn(value: object) -> bool:
            is_code = inspect.isfunction(value) or inspect.isclass(value) or inspect.ismodule(value)
            return is_code or type(value).__name__ == "DataFrame"

        names = self._owner.variables().items()
        cells = [target for target in self._targets() if target.startswith("In")]
        return [*cells, *(name for name, held in names if name[0] != "_" and is_drawn(held))]

    def _models(self) -> list[str]:
        """Return the names that a running host lists; none where no host runs."""
        from ..client import bridge

        session = self._owner.host_session()

        async def ask() -> list[str]:
            client = await session.find()
            return [] if client is None else [model.id for model in await client.models()]

        with contextlib.suppress(Exception):
            return bridge.run(ask(), _MODELS_TIMEOUT_S)
        return []

    def _chats(self) -> list[str]:
        titles = self._owner.chats().titles()
        return [title if title and " " not in title else f'"{title}"' for title in titles]

    def _personas(self) -> list[str]:
        from .personas import persona_names

        return persona_names(self._owner.personas)


def _options() -> list[str]:
    return list(cell_parser()._option_string_actions)
