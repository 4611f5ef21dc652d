"""Cells that IPython would answer before our magics are asked, changed so that they are asked.

A cell magic without a body is refused, so such a cell is given an empty line: it is about the cell
above, or we say what is missing. ``%llm What is a list?`` would open the help of ``list``. And
``%%llm`` below the first line would be told as a magic that nobody has. Imported by ``%load_ext``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from IPython.core.error import UsageError

from ..names import is_ours

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_NAME = "read_own_cells"
_CELL = re.compile(r"%%(?P<name>\w+)")
_QUESTION_LINE = re.compile(r"%(?P<name>\w+)[ \t]+(?P<words>\w.*\?)\s*")


class _OwnCells:
    """An input transformer: takes the lines of a cell and returns those that IPython reads."""

    __name__ = _NAME
    #: Then IPython leaves it out where it asks whether a cell is complete: a terminal has to wait
    #: for the question below ``%%llm``.
    has_side_effects = True

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell

    def __call__(self, lines: list[str]) -> list[str]:
        if not lines:
            return lines
        if not lines[0].startswith("%%"):
            self._refuse_below(lines)
            return self._with_question_marks(lines)
        match = _CELL.match(lines[0])
        is_empty = not any(line.strip() for line in lines[1:])
        if match is None or not is_empty or not is_ours(self._shell, "cell", match["name"]):
            return lines
        return [lines[0].rstrip("\n") + "\n", "\n"]

    def _refuse_below(self, lines: list[str]) -> None:
        for place, line in enumerate(lines):
            match = _CELL.match(line)
            if match is None or not is_ours(self._shell, "cell", match["name"]):
                continue
            # In a text of several lines it is just text; in an open block, Python says so.
            above = "".join([*lines[:place], "\n"])
            if self._shell.check_complete(above)[0] != "incomplete":
                raise UsageError(
                    f"{match[0]} must be the first line of its cell. Move what is above it into a "
                    "cell of its own."
                )
            return

    def _with_question_marks(self, lines: list[str]) -> list[str]:
        """Return the lines with the calls that IPython makes of ours, but for its own ``?``."""
        read = list(lines)
        for place, line in enumerate(lines):
            match = _QUESTION_LINE.fullmatch(line)
            # Further below, a line may be inside of a text.
            if not line.startswith("%") and line.strip():
                break
            if match is not None and is_ours(self._shell, "line", match["name"]):
                call = f"run_line_magic({match['name']!r}, {match['words']!r})"
                read[place] = f"get_ipython().{call}\n"
        return read


def read_own_cells(shell: InteractiveShell) -> None:
    """Let every cell of the shell pass through first."""
    stop_reading_own_cells(shell)
    shell.input_transformers_cleanup.append(_OwnCells(shell))


def stop_reading_own_cells(shell: InteractiveShell) -> None:
    """Take that back."""
    # By name: after a reload, the class of the earlier one is another object.
    shell.input_transformers_cleanup[:] = [
        each for each in shell.input_transformers_cleanup if getattr(each, "__name__", "") != _NAME
    ]
