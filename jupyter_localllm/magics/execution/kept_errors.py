"""Errors of generated code: kept in place of being shown, whatever IPython makes of their kind.

IPython prints groups of exceptions, unknown magics and ``SystemExit`` by other ways than errors
else. Called by ``execute.py``.
"""

from __future__ import annotations

import builtins
import contextlib
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from IPython.core.error import UsageError

from ..cells.errors_of_cells import error_text, name_of_cell
from .replaced import replaced
from .time_limit import drop_own_frames

_GROUP: Any = getattr(builtins, "BaseExceptionGroup", ())
#: What IPython says behind each SystemExit, of how to leave the session.
_HOW_TO_EXIT = "To exit: use"


@contextlib.contextmanager
def kept_errors(shell: Any, kept: list[str]) -> Iterator[None]:
    """Put into ``kept`` what IPython would have shown of the last error."""
    # IPython's own, or what another tool put there.
    show = shell.showtraceback
    silenced: list[Any] = []

    def keep(kind: Any, value: Any, lines: list[str]) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        if drop_own_frames(value):
            structured = shell.InteractiveTB.structured_traceback
            lines = structured(kind, value, value.__traceback__)
        kept[:] = lines

    def showtraceback(exc_tuple: Any = None, *args: Any, **kwargs: Any) -> None:
        error = (exc_tuple or sys.exc_info())[1]
        if isinstance(error, SystemExit) and not silenced:
            # The code has ended; until now, filters were its own business.
            warnings.filterwarnings("ignore", message=_HOW_TO_EXIT)
            silenced.append(warnings.filters[0])
        if error is not None and (isinstance(error, UsageError) or _has_group(error)):
            drop_own_frames(error)
            kept[:] = [error_text(error, lambda filename: name_of_cell(shell, filename))]
        else:
            show(exc_tuple, *args, **kwargs)

    try:
        with replaced(shell, _showtraceback=keep, showtraceback=showtraceback):
            yield
    finally:
        # It is a list, typed for those who only read.
        filters: Any = warnings.filters
        for entry in silenced:
            with contextlib.suppress(ValueError):
                filters.remove(entry)


def has_ended_well(error: BaseException | None) -> bool:
    """Whether this is no error: none at all, or an exit that says that all is well."""
    return error is None or (isinstance(error, SystemExit) and error.code in (None, 0))


def _has_group(error: BaseException | None) -> bool:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, _GROUP):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False
