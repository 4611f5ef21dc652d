"""A question with two buttons, answered while the cell that asks it is running.

Called by ``consent.py``. Needs ipywidgets and a front end with live widgets.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from .live_widgets import has_subshell, keep_subshell, let_subshell_listen, may_have_live_widgets
from .passing_output import PassingOutput

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

#: How long a front end may take to show that it draws widgets.
_SIGN_S = 2.0
_STEP_S = 0.05


def ask_with_buttons(shell: InteractiveShell, question: str, *, yes: str, no: str) -> bool | None:
    """Return what was clicked; ``None`` where buttons do not work.

    Raises
    ------
    KeyboardInterrupt
        The wait was interrupted.
    """
    if not may_have_live_widgets(shell):
        return None
    import ipywidgets

    clicked: list[bool] = []
    is_answered = threading.Event()

    def button(text: str, style: str, value: bool) -> Any:
        def on_click(_: object) -> None:
            clicked.append(value)
            is_answered.set()

        made = ipywidgets.Button(description=text, button_style=style)
        made.on_click(on_click)
        let_subshell_listen(shell, made)
        return made

    keep_subshell()
    choices = [button(yes, "warning", True), button(no, "", False)]
    box = ipywidgets.HBox([ipywidgets.Label(question), *choices])
    output = PassingOutput(box)
    try:
        deadline = time.monotonic() + _SIGN_S
        while not has_subshell(shell):
            if time.monotonic() > deadline:
                return None
            time.sleep(_STEP_S)
        output.show(question)
        while not is_answered.wait(_STEP_S):
            pass
        return clicked[0]
    finally:
        output.close()
