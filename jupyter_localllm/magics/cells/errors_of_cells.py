"""An exception of a cell as plain text: what ``Err`` holds and what a model is shown.

Short on purpose: the frames of the person's own code and of libraries, by the names of cells, no
frames of the shell, no colours. Reads nothing but the exception. Called by ``cell_runs.py``.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from IPython.core.error import UsageError

#: Longest text that is kept of one error.
MAX_CHARACTERS = 6_000
_MAX_FRAMES = 60

#: How a name of compiled code becomes a cell's, such as ``In[3]``; ``None``: it is no cell.
CellName = Callable[[str], "str | None"]

_COLOURS = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")


def name_of_cell(shell: Any, filename: str) -> str | None:
    """Return what the shell calls the cell of this compiled code, such as ``In[3]``."""
    named = shell.compile.format_code_name(filename)
    return None if named is None else str(named[1])


def is_interrupt(error: BaseException) -> bool:
    """Whether a person stopped the cell: code, code that awaits, or a debugger in it."""
    asyncio, bdb = sys.modules.get("asyncio"), sys.modules.get("bdb")
    kinds = [KeyboardInterrupt]
    kinds += [asyncio.CancelledError] if asyncio is not None else []
    kinds += [bdb.BdbQuit] if bdb is not None else []
    return isinstance(error, tuple(kinds))


def error_text(error: BaseException, cell_name: CellName) -> str:
    """Return an exception as Python's own traceback, bounded.

    An exception that draws itself for IPython, as the errors of this package do, is its lines.
    """
    own = _own_lines(error)
    if own is not None:
        return _bounded("\n".join(own))
    try:
        lines = _lines_of(error, cell_name)
    except Exception:
        # One that looks up its attributes in a way that fails: Python cannot show it either.
        lines = [_in_one_line(error)]
    return _bounded("".join(lines).rstrip("\n"))


def _lines_of(error: BaseException, cell_name: CellName) -> list[str]:
    trace = traceback.TracebackException(
        type(error), error, _without_shell(error.__traceback__), limit=-_MAX_FRAMES, compact=True
    )
    _rename(trace, cell_name)
    return list(trace.format())


def _in_one_line(error: BaseException) -> str:
    name = type(error).__name__
    try:
        return f"{name}: {error}"
    except Exception:
        return name


def error_reason(error: BaseException) -> str:
    """Return the one line that says what went wrong: not a hint or a note that stands below it."""
    lines = _own_lines(error)
    if lines is None:
        try:
            lines = traceback.format_exception_only(type(error), error)
        except Exception:
            lines = [_in_one_line(error)]
    lines = without_colours("\n".join(lines)).splitlines()
    # Above that of a syntax error stands its place, indented.
    said = [line for line in lines if line.strip() and not line[0].isspace()]
    return said[0][:MAX_CHARACTERS] if said else type(error).__name__


def _own_lines(error: BaseException) -> list[str] | None:
    if isinstance(error, UsageError):
        # IPython shows it as one line, because its place says nothing.
        return [f"UsageError: {error}"]
    try:
        # An exception may look up its attributes in a way that fails.
        draw = getattr(error, "_render_traceback_", None)
        lines = draw() if draw is not None else None
    except Exception:
        return None
    is_text = isinstance(lines, list) and all(isinstance(line, str) for line in lines)
    return lines if is_text else None


def _without_shell(trace: TracebackType | None) -> TracebackType | None:
    """Return the traceback from the first frame that is not the shell's."""
    while trace is not None and _is_shell(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return trace


def _is_shell(filename: str) -> bool:
    folders = [
        f"{Path(str(module.__file__)).parent}{os.sep}"
        for name in ("IPython", "ipykernel", __name__.partition(".")[0])
        if (module := sys.modules.get(name)) is not None
    ]
    return filename.startswith(tuple(folders))


def _rename(trace: traceback.TracebackException, cell_name: CellName) -> None:
    """Drop the shell's frames, and call cells by their numbers; also of what was the cause."""
    pending = [trace]
    seen: set[int] = set()
    while pending:
        each = pending.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        kept = [frame for frame in each.stack if not _is_shell(frame.filename)]
        each.stack = traceback.StackSummary.from_list(
            [
                traceback.FrameSummary(
                    cell_name(frame.filename) or frame.filename,
                    frame.lineno,
                    frame.name,
                    lookup_line=False,
                    line=frame.line,
                )
                for frame in kept
            ]
        )
        if isinstance(getattr(each, "filename", None), str):
            # Of a syntax error.
            each.filename = cell_name(each.filename) or each.filename
        pending += [cause for cause in (each.__cause__, each.__context__) if cause is not None]
        pending += getattr(each, "exceptions", None) or []


def without_colours(text: str) -> str:
    """Return a text without the signs that colour it in a terminal."""
    return _COLOURS.sub("", text)


def _bounded(text: str) -> str:
    text = without_colours(text)
    if len(text) <= MAX_CHARACTERS:
        return text
    n_head = MAX_CHARACTERS // 3
    n_tail = MAX_CHARACTERS - n_head
    left_out = len(text) - MAX_CHARACTERS
    # What went wrong stands at the end.
    return f"{text[:n_head]}\n[… {left_out:,} characters left out …]\n{text[-n_tail:]}"
