"""Which kind of front end shows this shell's output.

Notebooks update an output in place. Terminals do not: IPython in a terminal would print each
update again, and ``jupyter console`` ignores updates, so both get plain streamed text. A kernel
cannot ask its front end; the program that started it is the best sign there is.
"""

from __future__ import annotations

import os
import sys
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from IPython.core.interactiveshell import InteractiveShell

#: Front ends that ignore ``update_display_data``.
_TERMINALS = {"console", "qtconsole"}


def updates_outputs(shell: InteractiveShell) -> bool:
    """Whether an output that was shown can be updated."""
    return hasattr(shell, "kernel") and not _is_started_by_console()


def is_rich(shell: InteractiveShell, kind: str) -> bool:
    """Whether outputs are updated here, where the setting ``display`` is ``kind``."""
    return updates_outputs(shell) if kind == "auto" else kind == "rich"


def can_erase(shell: InteractiveShell) -> bool:
    """Whether plain output goes to a terminal, where a carriage return goes back."""
    return hasattr(shell, "kernel") or bool(getattr(sys.stdout, "isatty", lambda: False)())


def _is_started_by_console() -> bool:
    import psutil

    try:
        parent = psutil.Process(os.getppid())
        # A Windows virtual environment puts a launcher between the two.
        starters = [parent, *(parent.parents()[:1] if os.name == "nt" else [])]
        return any(is_console(starter.cmdline()) for starter in starters)
    except (psutil.Error, OSError):
        return False


def is_console(command: Sequence[str]) -> bool:
    """Whether a command line is ``jupyter console`` or ``jupyter qtconsole``, however spelt."""
    words: list[str] = []
    for argument in command[:5]:
        name = PureWindowsPath(argument) if "\\" in argument else PurePosixPath(argument)
        words.append(name.name.removesuffix(".exe").removesuffix(".py").replace("_", "-"))
        if name.name == "__main__.py":
            words.append(name.parent.name.replace("_", "-"))
    names = {word.removeprefix("jupyter-") for word in words if word.startswith("jupyter-")}
    subcommands = set(words) if "jupyter" in words else set()
    return bool(_TERMINALS & (names | subcommands))
