"""The words after ``%llm diagram``. Called by ``line_arguments.py``; loaded with the first line."""

from __future__ import annotations

import argparse

from ..lines.commands import DrawTarget
from ..lines.options import variable_name
from ..lines.parsers import Parser
from .options import add_drawing_options, read_options

#: What can be drawn of code.
OF_CODE = ("flow", "classes", "imports")
#: Files whose tables can be drawn.
DATABASES = (".sqlite", ".sqlite3", ".db", ".db3")

USAGE = "[In[n] | NAME … | FILE] [options]"
SUMMARY = "draw a cell, a function, a class, a module, DataFrames or an SQLite file; no model"
EXAMPLES = (
    "    %llm diagram\n    %llm diagram In[3] --type flow --direction LR\n"
    "    %llm diagram my_function --save steps.svg\n    %llm diagram orders customers\n"
    "    %llm diagram school.sqlite --into tables\n\n"
    "To have a model draw what you describe, write %%llm diagram in the first line of a cell.\n"
)


def declare(parser: Parser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("--type", type=str.lower, metavar="TYPE", help=f"of code: {', '.join(OF_CODE)}")
    add_drawing_options(add)
    add("--into", type=variable_name, metavar="NAME", help="also put the diagram into a variable")


def read(parser: Parser, values: argparse.Namespace, words: list[str]) -> DrawTarget:
    """Return the command.

    Raises
    ------
    UsageError
        It contradicts itself.
    """
    if values.type is not None and values.type not in OF_CODE:
        parser.error(
            f"--type {values.type} is none of {', '.join(OF_CODE)}; other types are for "
            "%%llm diagram, which asks a model"
        )
    options = read_options(parser, values, "mermaid")
    return DrawTarget(tuple(words), values.type or "auto", options, values.into)
