"""The words after ``%llm`` and ``%%llm`` as typed commands: the door to the parsers.

``magics.py`` calls it. Imported by ``%load_ext``: standard library and IPython only.
"""

from __future__ import annotations

from .cell_arguments import alias_words, parse_cell
from .commands import (
    Ask,
    Command,
    ListModels,
    ShowHelp,
    ShowStatus,
    ShowVersion,
    UnloadModel,
    UseModel,
)
from .help_texts import action_help, cell_help
from .line_arguments import line_help, parse_line

__all__ = [
    "Ask",
    "Command",
    "ListModels",
    "ShowHelp",
    "ShowStatus",
    "ShowVersion",
    "UnloadModel",
    "UseModel",
    "action_help",
    "alias_words",
    "cell_help",
    "line_help",
    "parse_cell",
    "parse_line",
]
