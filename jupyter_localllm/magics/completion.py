"""Tab completion of ``%llm`` and ``%%llm``: how IPython comes to ask us.

What is offered is ``next_words``'s business. Imported by ``%load_ext``: nothing of ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .magics import LocalLLM

_KEYS = (
    *("%%llm", "%llm", "%%explain", "%%ai", "%ai"),
    *("%%mermaid", "%%dot", "%%graphviz"),
)


def complete_with(shell: InteractiveShell, owner: LocalLLM) -> None:
    """Let the shell ask us about our own lines."""
    stop_completing(shell)
    completer = LineCompleter(owner)
    # IPython leaves it untyped.
    set_hook: Callable[..., object] = shell.set_hook
    for key in _KEYS:
        set_hook("complete_command", completer, str_key=key)


def stop_completing(shell: InteractiveShell) -> None:
    """Take our completions out of the shell."""
    dispatch = shell.strdispatchers.get("complete_command")
    if dispatch is None:
        return
    for key in _KEYS:
        chain = dispatch.strs.get(key)
        if chain is None:
            continue
        # By name: after a reload, the class of the earlier one is another object.
        kept = [entry for entry in chain.chain if type(entry[1]).__name__ != "LineCompleter"]
        if kept:
            chain.chain[:] = kept
        else:
            del dispatch.strs[key]


class LineCompleter:
    """Offers the next word of a line; called by IPython with what stands before the cursor."""

    def __init__(self, owner: LocalLLM) -> None:
        self._owner = owner

    def __call__(self, shell: Any, event: Any = None) -> list[str]:
        """Return the words that may stand at the cursor.

        Parameters
        ----------
        shell, event : Any
            IPython passes the shell first where hooks are bound to it.
        """
        event = shell if event is None else event
        typed = str(event.text_until_cursor)
        words = typed.split()
        if not typed[-1:].isspace():
            words = words[:-1]
        if not words:
            return []
        magic, *before = words
        try:
            from .next_words import NextWords

            return sorted(set(NextWords(self._owner).after(magic, before)))
        except Exception:
            # A completion that fails offers nothing, and is no reason to disturb anybody.
            return []
