"""What is shown of generated code outlives the ``clear_output`` of that code.

Animations clear the output for each frame; the code that ran, with its model and seed, is a part
of it. Called by ``execute.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from .replaced import replaced


def kept_outputs(shell: Any, show_again: Callable[[], None]) -> AbstractContextManager[None]:
    """Call ``show_again`` after each time that the outputs of the cell are cleared."""
    publisher = shell.display_pub
    clear = publisher.clear_output

    def clear_output(*args: Any, **kwargs: Any) -> None:
        clear(*args, **kwargs)
        show_again()

    return replaced(publisher, clear_output=clear_output)
