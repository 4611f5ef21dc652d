"""The line under a running ``%%llm`` cell: what it is doing, and a Stop button.

Shown only where clicks arrive while the cell runs (``live_widgets``), and only for answers that
take a moment; gone when the answer has ended. Called by ``answer.py``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .live_widgets import has_subshell, keep_subshell, let_subshell_listen, may_have_live_widgets
from .passing_output import PassingOutput

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

#: Quick answers show nothing.
PATIENCE_S = 1.0
#: How long a front end may take to show that it draws widgets.
_SIGN_S = 1.5
_UPDATE_INTERVAL_S = 1.0


class _State(Enum):
    QUIET = auto()
    ASKING = auto()
    SHOWN = auto()
    OFF = auto()


class ProgressLine:
    """One line of progress with a Stop button; implements ``display.ProgressView``.

    Parameters
    ----------
    model : str
        What the line is headed by.
    """

    def __init__(
        self,
        shell: InteractiveShell,
        model: str = "",
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shell = shell
        # A path is too long for a line.
        self._model = Path(model).stem if model.endswith(".gguf") else model
        self._clock = clock
        self._state = _State.QUIET if may_have_live_widgets(shell) else _State.OFF
        self._since = clock()
        self._last_update = 0.0
        self._stop = threading.Event()
        self._label: Any = None
        self._output: PassingOutput | None = None

    @property
    def is_stopped(self) -> bool:
        """Whether Stop was clicked."""
        return self._stop.is_set()

    @property
    def hides_waiting(self) -> bool:
        """Whether the output needs no line about waiting now."""
        return self._state is not _State.OFF

    def tick(self, line: str) -> None:
        """Show a line; called often, does little."""
        now = self._clock()
        if self._state is _State.QUIET and now - self._since >= PATIENCE_S:
            self._open(line)
        elif self._state is _State.ASKING:
            if has_subshell(self._shell):
                self._show(line)
            elif now - self._since > _SIGN_S:
                self.close()
        elif self._state is _State.SHOWN and now - self._last_update >= _UPDATE_INTERVAL_S:
            self._label.value = self._text(line)
            self._last_update = now

    def close(self) -> None:
        """Take the line away."""
        self._state = _State.OFF
        if self._output is not None:
            self._output.close()
            self._output = None

    def _open(self, line: str) -> None:
        import ipywidgets

        keep_subshell()
        self._label = ipywidgets.Label(self._text(line))
        button = ipywidgets.Button(
            description="Stop", icon="stop", tooltip="Stop the answer and keep what is there"
        )
        button.on_click(self._on_click)
        let_subshell_listen(self._shell, button)
        self._output = PassingOutput(ipywidgets.HBox([button, self._label]))
        self._state, self._since = _State.ASKING, self._clock()

    def _show(self, line: str) -> None:
        if self._output is not None:
            self._label.value = self._text(line)
            self._output.show(line)
            self._state, self._last_update = _State.SHOWN, self._clock()

    def _text(self, line: str) -> str:
        return f"{self._model}: {line}" if self._model else line

    def _on_click(self, button: Any) -> None:
        # In the subshell's thread; the cell sees it at its next event, a quarter second at most.
        self._stop.set()
        button.disabled = True
