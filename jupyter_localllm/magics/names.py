"""The names that the magics go by, and who owns a name.

Beside ``%llm`` and ``%%llm``, ``%%explain`` is there for those who know it from courses,
``%%mermaid`` and ``%%dot`` for those who write diagrams by hand; ``%%ai`` and ``%ai`` only on
request. A name that another package has is left to it. Called at registration. Imported by
``%load_ext``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

Kind = Literal["line", "cell"]

_KINDS = ("line", "cell")
_PACKAGE = __name__.partition(".")[0]
#: Magics that draw the text below them.
DIAGRAM_CELLS = ("mermaid", "dot", "graphviz")
#: All names that may be ours.
NAMES = ("llm", "explain", "ai", *DIAGRAM_CELLS)


def owner_of(shell: InteractiveShell, kind: str, name: str) -> str | None:
    """Return the package that a magic is from; ``None`` where there is no such magic."""
    function = shell.magics_manager.magics[kind].get(name)
    if function is None:
        return None
    module = getattr(function, "__module__", "") or ""
    return module.partition(".")[0] or "another extension"


def foreign_owner(shell: InteractiveShell) -> str | None:
    """Return the package that owns ``%llm`` or ``%%llm``, if it is not ours."""
    owners = [owner_of(shell, kind, "llm") for kind in _KINDS]
    return next((owner for owner in owners if owner not in (None, _PACKAGE)), None)


def is_ours(shell: InteractiveShell, kind: str, name: str) -> bool:
    """Tell whether there is a magic of this name and this package provides it."""
    return owner_of(shell, kind, name) == _PACKAGE


def add_name(shell: InteractiveShell, kind: Kind, name: str, function: Callable[..., Any]) -> bool:
    """Register a magic under a name that nobody else has; return whether it is ours now."""
    if owner_of(shell, kind, name) not in (None, _PACKAGE):
        return False
    shell.magics_manager.magics[kind][name] = function
    return True


def remove_names(shell: InteractiveShell) -> None:
    """Take all names that are ours out of the shell."""
    for kind in _KINDS:
        for name in NAMES:
            if is_ours(shell, kind, name):
                del shell.magics_manager.magics[kind][name]
