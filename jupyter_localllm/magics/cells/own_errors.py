"""Which errors are about the words of a line of ours, and so never what ``%llm fix`` is about.

A mistyped command would else take the place of the error that its person asks about. Called by
``cell_runs.py``, with the first error.
"""

from __future__ import annotations

import difflib
import re
import traceback

from IPython.core.error import UsageError

from ..names import NAMES

_MAGICS = __name__.rpartition(".cells.")[0]
#: How IPython says that there is no such magic, or nothing below it.
_NAMED = re.compile(r"(?:(?:Cell|Line) magic (?:function )?`)?(?P<marks>%%?)(?P<name>\w+)")
#: How alike a mistyped name is to one of ours.
_ALIKE = 0.65


def is_own_error(error: BaseException) -> bool:
    """Whether a magic of ours, or IPython in the place of one, refused what was typed."""
    modules = {
        frame.f_globals.get("__name__") for frame, _ in traceback.walk_tb(error.__traceback__)
    }
    if f"{_MAGICS}.magics" in modules:
        return True
    if not isinstance(error, UsageError):
        # A diagram that cannot be drawn: the text below %%mermaid is a person's, as code is.
        return False
    return f"{_MAGICS}.diagrams.cells" in modules or bool(_marks_of_mistyped(error))


def is_mistyped_cell(error: BaseException) -> bool:
    """Whether IPython knows no cell magic of a name that is much like one of ours."""
    return isinstance(error, UsageError) and _marks_of_mistyped(error) == "%%"


def _marks_of_mistyped(error: UsageError) -> str:
    match = _NAMED.match(str(error))
    if match is None:
        return ""
    close = difflib.get_close_matches(match["name"].lower(), NAMES, n=1, cutoff=_ALIKE)
    return match["marks"] if close else ""
