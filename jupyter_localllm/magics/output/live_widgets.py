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

_keeper: Any = None


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


def let_subshell_listen(shell: InteractiveShell, widget: Any) -> None:
    """Let what the front end says about this widget go to a subshell while the cell runs.

    ipykernel asks the widget's comm where a message goes, and the comm says to whatever wrote to
    it last, which is the busy main shell. A page may also name no subshell, as it has not heard of
    it yet, or one that is gone. Before 7.4 ipykernel does as the page asks.
    """
    manager = _subshell_manager(shell)

    def listener(_: object, asked: str | None) -> str | None:
        # Called in the thread of the shell channel.
        there: list[str] = manager.list_subshell()
        return asked if asked in there or not there else there[-1]

    widget.comm._reply_subshell_for = listener


def keep_subshell() -> None:
    """Open one widget that is never drawn and never closed, so the front end's subshell lasts.

    JupyterLab deletes the subshell with the last widget. Widgets opened while it still waits for
    that subshell get the deleted one, and every click on them is lost: that is a progress line
    closed early, and then a question.
    """
    global _keeper
    # A cell can close all widgets there are.
    if _keeper is None or _keeper.comm is None:
        import ipywidgets

        _keeper = ipywidgets.Layout()


def _subshell_manager(shell: InteractiveShell) -> Any:
    kernel = getattr(shell, "kernel", None)
    if not getattr(kernel, "_supports_kernel_subshells", False):
        return None
    manager = getattr(getattr(kernel, "shell_channel_thread", None), "manager", None)
    return manager if hasattr(manager, "list_subshell") else None
