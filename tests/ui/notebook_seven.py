"""A real Jupyter Notebook 7: its server, and what its page says is wrong.

Used by the tests of Notebook, where there are no sidebar tabs, no status bar and no file browser
beside a notebook.
"""

from __future__ import annotations

from typing import ClassVar

from playwright.sync_api import ConsoleMessage, Error, Page

from .lab_process import LabProcess
from .notebook_page import NotebookPage


class NotebookSeven(LabProcess):
    """A running ``jupyter notebook``; use as a context manager."""

    application: ClassVar[tuple[str, ...]] = ("notebook",)
    settings_class: ClassVar[str] = "JupyterNotebookApp"


class SevenPage(NotebookPage):
    """The notebook that is a page of its own."""

    address: ClassVar[str] = "notebooks"


class Complaints:
    """Errors and warnings of a page that name us or come from our scripts.

    Notebook has some of its own: it throws for settings of plugins that it leaves out.
    """

    def __init__(self, page: Page) -> None:
        self._ours: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", self._on_error)

    def take(self) -> list[str]:
        """Return what came since the last time."""
        taken, self._ours = self._ours, []
        return taken

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._add(f"{message.text} ({message.location['url']})")

    def _on_error(self, error: Error) -> None:
        self._add(f"{error.message}\n{error.stack or ''}")

    def _add(self, text: str) -> None:
        # The package, the plugins and the folder of the scripts all have this in their names.
        if "localllm" in text.lower():
            self._ours.append(text)
