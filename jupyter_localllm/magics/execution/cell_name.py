"""What tracebacks call generated code: by the number of the cell that ran it, as its output is.

IPython has counted on already when the code begins, so it would have the number of the next cell.
Called by ``execute.py``.
"""

from __future__ import annotations

import re
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from .replaced import replaced

_CELL = re.compile(r"In\[(?P<number>\d+)\]")


def named_as_running_cell(shell: Any) -> AbstractContextManager[None]:
    """Give the code that is compiled in here the number of the cell that runs already."""
    compiler, next_number = shell.compile, shell.execution_count
    running = _running_number(compiler)
    if running is None:
        return nullcontext()
    # IPython's own, or what another tool put there.
    cache = compiler.cache

    def cache_by_number(transformed_code: str, number: int = 0, raw_code: str | None = None) -> Any:
        # A cell that the code runs in turn, and that is counted, keeps its own.
        return cache(transformed_code, running if number == next_number else number, raw_code)

    return replaced(compiler, cache=cache_by_number)


def _running_number(compiler: Any) -> int | None:
    """Return the number of the outermost cell that runs: what it runs in turn has none."""
    number = None
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        named = compiler.format_code_name(frame.f_code.co_filename)
        match = _CELL.fullmatch(str(named[1])) if named else None
        number = int(match["number"]) if match else number
    return number
