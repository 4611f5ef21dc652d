"""A real notebook in a real Lab: opening it, choosing and running its cells, looking at them.

Used by the tests of the chat's notebook side. Everything goes through Lab's own commands, keys and
models; nothing here knows the chat.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

from playwright.sync_api import Locator, Page, TimeoutError, expect

from .lab_process import TOKEN, LabProcess

#: For what may take long on a loaded machine.
PATIENCE_MS = 60_000

#: A notebook shows as idle before its session has a kernel; running cells then asks for one.
_HAS_KERNEL = """
() => {
  const context = window.jupyterapp.shell.currentWidget?.context?.sessionContext;
  return context?.isReady === true && context.session?.kernel?.status === 'idle';
}
"""

#: What Lab does with the path in its address.
_OPEN = """
path => window.jupyterapp.commands.execute('filebrowser:open-path', {path}).then(() => undefined)
"""

_IS_BUSY = """
() => window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.status === 'busy'
"""

_CELLS = """
() => {
  const {cells} = window.jupyterapp.shell.currentWidget.content.model.sharedModel;
  return cells.map(cell => [cell.cell_type, cell.getSource()]);
}
"""

_ACTIVATE = """
index => {
  const notebook = window.jupyterapp.shell.currentWidget.content;
  notebook.deselectAll();
  notebook.activeCellIndex = index;
}
"""

_SELECT = """
([index, start, end]) => {
  const {editor} = window.jupyterapp.shell.currentWidget.content.widgets[index];
  editor.setSelection({start: editor.getPositionAt(start), end: editor.getPositionAt(end)});
}
"""

#: Waits until the cell that was run has its answer; a cell that is running shows ``[*]``.
_IS_DONE = """
index => {
  const panel = window.jupyterapp.shell.currentWidget;
  const cell = panel.content.widgets[index].model;
  return cell.executionCount !== null && cell.executionState !== 'running' &&
    panel.context.sessionContext.session.kernel.status === 'idle';
}
"""


def markdown(source: str, **metadata: Any) -> dict[str, Any]:
    """Return a text cell."""
    return {"cell_type": "markdown", "metadata": metadata, "source": source}


def code(source: str, **metadata: Any) -> dict[str, Any]:
    """Return a code cell that was not run."""
    rest: dict[str, Any] = {"execution_count": None, "outputs": []}
    return {"cell_type": "code", "metadata": metadata, "source": source} | rest


def write_notebook(lab: LabProcess, path: str, cells: list[dict[str, Any]]) -> None:
    """Write a Python notebook below Lab's folder."""
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    body = {
        "cells": [{"id": f"cell{i}"} | cell for i, cell in enumerate(cells)],
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    target = lab.home / "notebooks" / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(body), encoding="utf-8")


class NotebookPage:
    """The notebook that is open in the page."""

    #: Where the server shows notebooks.
    address: ClassVar[str] = "lab/tree"

    def __init__(self, page: Page) -> None:
        self.page = page

    @classmethod
    def open(cls, page: Page, lab: LabProcess, path: str, n_cells: int) -> NotebookPage:
        """Open a notebook in the Lab that is on the page, as from its address."""
        assert page.url.startswith(f"{lab.url}/lab")
        page.evaluate(_OPEN, path)
        return cls._ready(page, n_cells)

    @classmethod
    def load(cls, page: Page, lab: LabProcess, path: str, n_cells: int) -> NotebookPage:
        """Load the page of this notebook."""
        page.goto(f"{lab.url}/{cls.address}/{path}?token={TOKEN}&reset")
        return cls._ready(page, n_cells)

    @classmethod
    def _ready(cls, page: Page, n_cells: int) -> NotebookPage:
        """Wait for the kernel."""
        # Where Lab asks which kernel to use, take the one it proposes.
        choice = page.get_by_role("button", name="Select Kernel", exact=True)
        page.add_locator_handler(choice, lambda button: button.click())
        try:
            cells = page.locator(".jp-Notebook .jp-Cell")
            expect(cells).to_have_count(n_cells, timeout=PATIENCE_MS)
            page.wait_for_function(_HAS_KERNEL)
        finally:
            page.remove_locator_handler(choice)
        return cls(page)

    @property
    def cells(self) -> list[list[str]]:
        """Type and source of every cell."""
        found: list[list[str]] = self.page.evaluate(_CELLS)
        return found

    @property
    def sources(self) -> list[str]:
        """The source of every cell."""
        return [source for _, source in self.cells]

    @property
    def active_index(self) -> int:
        """The active cell."""
        script = "() => window.jupyterapp.shell.currentWidget.content.activeCellIndex"
        return int(self.page.evaluate(script))

    @property
    def is_dirty(self) -> bool:
        """Whether there is something that is not saved."""
        script = "() => window.jupyterapp.shell.currentWidget.context.model.dirty"
        return bool(self.page.evaluate(script))

    def cell(self, index: int) -> Locator:
        """A cell on the screen."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index)

    def expect_cells(self, expected: list[list[str]]) -> None:
        """Wait until these are the cells, by type and source."""
        script = f"expected => JSON.stringify(({_CELLS})()) === JSON.stringify(expected)"
        try:
            self.page.wait_for_function(script, arg=expected, timeout=20_000)
        except TimeoutError:
            assert self.cells == expected

    def open_beside(self, path: str) -> None:
        """Open another document in front of the notebook, or the notebook again."""
        script = """path => window.jupyterapp.commands.execute('docmanager:open', {path})
            .then(() => undefined)"""
        self.page.evaluate(script, path)

    def type_into(self, index: int, text: str) -> None:
        """Type into a cell's editor."""
        self.cell(index).locator(".cm-content").focus()
        self.page.keyboard.type(text)

    def activate(self, index: int) -> None:
        """Make a cell the active one, without its editor."""
        self.page.evaluate(_ACTIVATE, index)

    def select_text(self, index: int, start: int, end: int) -> None:
        """Select a part of a cell's source, as with the mouse."""
        self.activate(index)
        self.page.evaluate(_SELECT, [index, start, end])

    def start_cell(self, index: int) -> None:
        """Run a cell without waiting for it."""
        self.activate(index)
        self.page.evaluate(
            "() => { void window.jupyterapp.commands.execute('notebook:run-cell'); }"
        )

    def run_cell(self, index: int) -> None:
        """Run a cell to its end."""
        self.start_cell(index)
        self.wait_until_done(index)

    def wait_until_done(self, index: int) -> None:
        """Wait for the end of a cell that was started, which is after its last output."""
        self.page.wait_for_function(_IS_DONE, arg=index)

    def wait_until_busy(self) -> None:
        """Wait until the kernel says that it is computing."""
        self.page.wait_for_function(_IS_BUSY)

    def interrupt(self) -> None:
        """Interrupt the kernel and wait until it is idle."""
        self.page.evaluate(
            "() => { void window.jupyterapp.commands.execute('notebook:interrupt-kernel'); }"
        )
        self.page.wait_for_function(_HAS_KERNEL)

    def execution_counts(self) -> list[int | None]:
        """The numbers that the cells show."""
        script = """() => window.jupyterapp.shell.currentWidget.content.widgets
            .map(cell => cell.model.executionCount ?? null)"""
        found: list[int | None] = self.page.evaluate(script)
        return found

    def press_undo(self) -> None:
        """Undo a change of cells: Z in the notebook's command mode, as Lab has it."""
        self.page.evaluate(
            "() => { window.jupyterapp.shell.currentWidget.content.mode = 'command'; }"
        )
        self.page.locator(".jp-Notebook .jp-Cell.jp-mod-active").focus()
        self.page.keyboard.press("z")

    def press_undo_in_editor(self, index: int) -> None:
        """Ctrl+Z with the focus in a cell's editor."""
        self.cell(index).locator(".cm-content").focus()
        self.page.keyboard.press("Control+z")
