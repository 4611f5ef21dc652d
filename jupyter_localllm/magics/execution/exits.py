"""``exit()`` in generated code: ends that code, and neither the kernel nor the terminal.

Scripts end with it, and so models write it; here it would end the session with all its variables.
Called by ``execute.py``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NoReturn

from .replaced import replaced

#: What leaves the session by IPython's own hand; ``from sys import exit`` takes their place.
_NAMES = ("exit", "quit")


@contextlib.contextmanager
def kept_session(shell: Any) -> Iterator[None]:
    """Let nothing that runs in here end the session; the person's own names are kept."""
    missing = object()
    names = {name: shell.user_ns.get(name, missing) for name in _NAMES}
    try:
        # Whatever name calls it, this is what IPython's own `exit` comes to.
        with replaced(shell, ask_exit=_end_code):
            yield
    finally:
        for name, value in names.items():
            if value is missing:
                shell.user_ns.pop(name, None)
            else:
                shell.user_ns[name] = value


def _end_code() -> NoReturn:
    raise SystemExit
