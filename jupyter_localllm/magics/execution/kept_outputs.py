"""What is shown of generated code outlives the ``clear_output`` of that code.

Animations clear the output for each frame; the code that ran, with its model and seed, is a part
of it. Called by ``execute.py``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

_NAME = "clear_output"


@contextlib.contextmanager
def kept_outputs(shell: Any, show_again: Callable[[], None]) -> Iterator[None]:
    """Call ``show_again`` after each time that the outputs of the cell are cleared."""
    publisher = shell.display_pub
    replaced, clear = vars(publisher).get(_NAME), publisher.clear_output

    def clear_output(*args: Any, **kwargs: Any) -> None:
        clear(*args, **kwargs)
        show_again()

    publisher.clear_output = clear_output
    try:
        yield
    finally:
        if replaced is None:
            vars(publisher).pop(_NAME, None)
        else:
            publisher.clear_output = replaced
