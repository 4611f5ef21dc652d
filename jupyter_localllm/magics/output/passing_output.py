"""An output with a widget that is gone when it is closed: nothing of it stays in the notebook.

Called by ``progress_widget.py`` and ``button_question.py``.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from IPython.display import display, update_display

_VIEW = "application/vnd.jupyter.widget-view+json"


class PassingOutput:
    """Shows a widget once, and takes it away."""

    def __init__(self, widget: Any) -> None:
        self._widget = widget
        self._display_id: str | None = None

    @property
    def is_shown(self) -> bool:
        """Whether it can be seen."""
        return self._display_id is not None

    def show(self, text: str) -> None:
        """Show the widget; ``text`` stands for it where widgets are not drawn."""
        view = {"version_major": 2, "version_minor": 0, "model_id": self._widget.model_id}
        self._display_id = f"localllm-{uuid.uuid4().hex}"
        publish: Callable[..., Any] = display
        publish(
            {_VIEW: view, "text/plain": text},
            raw=True,
            display_id=self._display_id,
        )

    def close(self) -> None:
        """Take it away and free the widgets."""
        if self._display_id is not None:
            # An output cannot be removed alone; an empty one takes no room.
            publish: Callable[..., Any] = update_display
            publish({"text/plain": ""}, raw=True, display_id=self._display_id)
            self._display_id = None
        for widget in (*getattr(self._widget, "children", ()), self._widget):
            # Each has a layout and most have a style, which are widgets that nobody else closes.
            for part in (widget, getattr(widget, "layout", None), getattr(widget, "style", None)):
                if part is not None:
                    part.close()
