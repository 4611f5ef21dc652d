"""``%load_ext jupyter_localllm``: puts ``%llm`` and ``%%llm`` into an IPython shell.

This package turns a cell into a request and an answer into a display. It talks to a model host
through ``client`` and starts one through ``host.launch``; it never runs a model and never imports
``server``. Loading the extension is on everybody's start-up path, so ``msgspec``, ``httpx`` and
``asyncio`` come with the first question, not before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_KINDS = ("line", "cell")


def register(shell: InteractiveShell) -> None:
    """Register the magics; called again by ``%reload_ext``, where it replaces its own.

    Raises
    ------
    UsageError
        Another extension owns ``%llm`` or ``%%llm``; IPython shows it as one line.
    """
    from IPython.core.error import UsageError

    owner = _foreign_owner(shell)
    if owner is not None:
        raise UsageError(
            f"{owner} already provides %%llm in this session, so jupyter_localllm was not loaded. "
            "Restart the kernel and load only one of the two."
        )
    from .magics import LocalLLM

    model = _remove_own(shell)
    magics = LocalLLM(shell=shell)
    if model:
        magics.model = model
    shell.register_magics(magics)


def unregister(shell: InteractiveShell) -> None:
    """Take the magics out of the shell; called by ``%unload_ext``."""
    _remove_own(shell)


def _foreign_owner(shell: InteractiveShell) -> str | None:
    """Return the package that owns one of our names, if it is not ours."""
    for kind in _KINDS:
        function = shell.magics_manager.magics[kind].get("llm")
        module = getattr(function, "__module__", "") or ""
        package = module.partition(".")[0]
        if function is not None and package != __name__.partition(".")[0]:
            return package or "another extension"
    return None


def _remove_own(shell: InteractiveShell) -> str:
    """Remove an earlier registration of ours; return the model that was chosen in it."""
    model = ""
    for kind in _KINDS:
        shell.magics_manager.magics[kind].pop("llm", None)
    # By name: after a reload, the class of the earlier registration is another object.
    for earlier in [c for c in shell.configurables if type(c).__name__ == "LocalLLM"]:
        if type(earlier).__module__.startswith(__name__):
            shell.configurables.remove(earlier)
            model = getattr(earlier, "model", "")
            getattr(earlier, "close", lambda: None)()
    shell.magics_manager.registry.pop("LocalLLM", None)
    return model
