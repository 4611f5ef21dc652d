"""Package entry: the version and the two hooks that Jupyter and IPython look for.

Nothing heavy is imported here: a kernel, a server and a worker all pay for this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__version__ = "0.1.0"


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Tell Jupyter Server which extension application this package holds."""
    from .server.app import LocalLLMExtension

    return [{"module": "jupyter_localllm", "app": LocalLLMExtension}]


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Tell JupyterLab where the prebuilt front end lies and what it is called."""
    return [{"src": "labextension", "dest": "jupyter-localllm"}]


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register ``%llm`` and ``%%llm``; called by ``%load_ext jupyter_localllm``."""
    from .magics import register

    register(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take the magics away again; called by ``%unload_ext jupyter_localllm``."""
    from .magics import unregister

    unregister(shell)


def __getattr__(name: str) -> Any:
    """Import ``chat_widget``, a chat for a cell, only where somebody asks for it."""
    if name == "chat_widget":
        from .magics.chats.chat_widget import chat_widget

        return chat_widget
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
