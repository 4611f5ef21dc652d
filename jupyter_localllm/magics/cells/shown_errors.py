"""Errors that a shell shows and that its cell does not end with: of ``%run``, of ``%%capture``.

Called by ``cell_runs.py``.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_NAME = "showtraceback"


class ShownErrors:
    """Tells of each error that a shell shows.

    Parameters
    ----------
    tell : callable
        Gets the exception, before it is shown.
    """

    def __init__(self, shell: InteractiveShell, tell: Callable[[BaseException], None]) -> None:
        # IPython types it for those who only read.
        self._shell: Any = shell
        self._tell: Callable[[BaseException], None] | None = tell
        self._mine: Callable[..., Any] | None = None
        self._replaced: Any = None
        self._told: BaseException | None = None
        #: What could not be shown: the shell then shows what came of that.
        self._unshown: BaseException | None = None

    def listen(self) -> None:
        """Begin to hear; whatever another tool put in the method's place is still called."""
        self._replaced = vars(self._shell).get(_NAME)

        @functools.wraps(getattr(self._shell, _NAME))
        def showtraceback(*args: Any, **kwargs: Any) -> Any:
            # Showing an error matters more than hearing of it.
            with contextlib.suppress(Exception):
                self._hear(*args, **kwargs)
            try:
                if self._replaced is not None:
                    return self._replaced(*args, **kwargs)
                # Looked up now: another tool may have changed the class since.
                return getattr(type(self._shell), _NAME)(self._shell, *args, **kwargs)
            except BaseException:
                self._unshown = self._told
                raise
            finally:
                self._told = None

        self._mine = showtraceback
        setattr(self._shell, _NAME, showtraceback)

    def close(self) -> None:
        """Hear no more; where another tool wrapped the method since, ours only passes it on."""
        self._tell = None
        if self._mine is None or vars(self._shell).get(_NAME) is not self._mine:
            return
        if self._replaced is None:
            delattr(self._shell, _NAME)
        else:
            setattr(self._shell, _NAME, self._replaced)

    def _hear(self, exc_tuple: Any = None, *_: Any, **__: Any) -> None:
        error = (exc_tuple or sys.exc_info())[1]
        if self._tell is None or not isinstance(error, BaseException):
            return
        self._told = error
        if self._unshown is not None and self._unshown in _with_contexts(error):
            self._told = self._unshown
            return
        self._unshown = None
        self._tell(error)


def _with_contexts(error: BaseException) -> list[BaseException]:
    found = [error]
    while (context := found[-1].__context__) is not None and context not in found:
        found.append(context)
    return found
