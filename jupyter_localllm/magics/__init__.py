"""``%load_ext jupyter_localllm``: puts ``%llm`` and ``%%llm`` into an IPython shell.

This package turns a cell into a request and an answer into a display. It talks to a model host
through ``client`` and starts one through ``host.launch``; it never runs a model and never imports
``server``. Loading the extension is on everybody's start-up path, so ``msgspec``, ``httpx`` and
``asyncio`` come with the first question, not before.

``magics.py`` is what IPython calls. What is typed is read in ``lines/``; ``cells/`` knows the cells
of the session; ``questions/`` puts a question together, with ``values/`` in it; ``answers/`` has it
answered, with ``execution/`` for ``-x``; ``output/`` shows it, ``chats/`` remembers it, and
``diagrams/`` draws.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .magics import LocalLLM

#: What the magics had when they left a shell: ``%reload_ext`` takes them out before it loads them.
_left: WeakKeyDictionary[InteractiveShell, SimpleNamespace] = WeakKeyDictionary()


def register(shell: InteractiveShell) -> None:
    """Register the magics; called again by ``%reload_ext``, where it replaces its own.

    Raises
    ------
    UsageError
        Another extension owns ``%llm`` or ``%%llm``; IPython shows it as one line.
    """
    from IPython.core.error import UsageError

    from .names import foreign_owner

    owner = foreign_owner(shell)
    if owner is not None:
        raise UsageError(
            f"{owner} already provides %%llm in this session, so jupyter_localllm was not loaded. "
            "Restart the kernel and load only one of the two."
        )
    from .cells.own_cells import read_own_cells
    from .lines.completion import complete_with
    from .magics import LocalLLM

    earlier = _remove_own(shell) or _returned(shell)
    magics = LocalLLM(shell=shell)
    if earlier is not None:
        magics.take_over(earlier)
    shell.register_magics(magics)
    magics.start()
    complete_with(shell, magics)
    read_own_cells(shell)


def unregister(shell: InteractiveShell) -> None:
    """Take the magics out of the shell; called by ``%unload_ext``."""
    from .cells.own_cells import stop_reading_own_cells
    from .lines.completion import stop_completing

    stop_completing(shell)
    stop_reading_own_cells(shell)
    magics = _remove_own(shell)
    if magics is not None:
        _left[shell] = SimpleNamespace(**magics.kept(), names=magics.take_away_names())


def _returned(shell: InteractiveShell) -> SimpleNamespace | None:
    """Return what was left in a shell, with its names back in the namespace where they are free."""
    left = _left.pop(shell, None)
    if left is not None:
        free = {name: held for name, held in left.names.items() if name not in shell.user_ns}
        # IPython leaves it untyped.
        push: Callable[..., object] = shell.push
        push(free, interactive=False)
    return left


def _remove_own(shell: InteractiveShell) -> LocalLLM | None:
    """Remove an earlier registration of ours and return it."""
    from .names import remove_names

    remove_names(shell)
    found: LocalLLM | None = None
    # By name: after a reload, the class of the earlier registration is another object.
    earlier: Any
    for earlier in [c for c in shell.configurables if type(c).__name__ == "LocalLLM"]:
        if type(earlier).__module__.startswith(__name__):
            shell.configurables.remove(earlier)
            found = earlier
            getattr(earlier, "close", lambda: None)()
    shell.magics_manager.registry.pop("LocalLLM", None)
    return found
