"""Whether widgets work here *while a cell runs*, which is when progress and questions need them.

A kernel is busy with its cell, so a click is heard only if the front end sends it to a *subshell*,
a second thread of the kernel (Jupyter's enhancement proposal 91; JupyterLab 4.4 and ipykernel 7).
A front end that does so makes the subshell when the first widget is opened. That is the sign
waited for here: it means that somebody draws widgets and that their clicks arrive. Everywhere else
(older front ends, VS Code, nbconvert, terminals) there are text lines, ``input()`` and the
interrupt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def may_have_live_widgets(shell: InteractiveShell) -> bool:
    """Whether it is worth opening a widget to see what the front end does."""
    kernel = getattr(shell, "kernel", None)
    if kernel is None or not getattr(kernel, "_allow_stdin", False):
        return False
    if _subshell_manager(shell) is None:
        return False
    from importlib.util import find_spec

    return find_spec("ipywidgets") is not None


def has_subshell(shell: InteractiveShell) -> bool:
    """Whether the front end has made a subshell in this kernel."""
    manager = _subshell_manager(shell)
    try:
        return bool(manager is not None and manager.list_subshell())
    except (AttributeError, RuntimeError):
        return False


def let_subshell_listen(widget: Any) -> None:
    """Let what the front end says about this widget go to the subshell, as the front end asks.

    ipykernel sends it to whatever wrote to the widget last, which is the busy main shell. Nothing
    may be written to the widget from a cell after this.
    """
    # Not there before ipykernel 7.4, which does as the front end asks.
    vars(widget.comm).pop("_reply_subshell_id", None)


def _subshell_manager(shell: InteractiveShell) -> Any:
    kernel = getattr(shell, "kernel", None)
    if not getattr(kernel, "_supports_kernel_subshells", False):
        return None
    manager = getattr(getattr(kernel, "shell_channel_thread", None), "manager", None)
    return manager if hasattr(manager, "list_subshell") else None
