"""Diagrams on a page, looked at: their pictures by pixels, their buttons, what they asked for.

Used by the tests of diagrams in the chat and in notebooks.
"""

from __future__ import annotations

import json
import re
from typing import Any

from playwright.sync_api import Locator, Page, Request, expect

from .notebook_page import PATIENCE_MS

#: Lab adds a query against caches.
DRAW_ROUTE = re.compile(r"/localllm/diagrams(\?|$)")
REPAIR_ROUTE = re.compile(r"/localllm/diagrams/repair(\?|$)")

#: The picture, drawn on a white canvas: how many pixels are not nearly white.
_INK = """
async image => {
  await image.decode();
  const canvas = document.createElement('canvas');
  const [width, height] = [image.naturalWidth, image.naturalHeight];
  Object.assign(canvas, {width, height});
  const context = canvas.getContext('2d');
  context.fillStyle = '#fff';
  context.fillRect(0, 0, width, height);
  context.drawImage(image, 0, 0, width, height);
  const {data} = context.getImageData(0, 0, width, height);
  let n = 0;
  for (let i = 0; i < data.length; i += 4) {
    if (data[i] < 200 || data[i + 1] < 200 || data[i + 2] < 200) { n += 1; }
  }
  return n;
}
"""

#: What the copy buttons write, as browsers without a window have no clipboard to ask.
RECORD_CLIPBOARD = """
window.copied = [];
Object.defineProperty(navigator, 'clipboard', {configurable: true, value: {
  writeText: async text => { window.copied.push(text); },
  write: async items => {
    for (const item of items) {
      for (const type of item.types) {
        const bytes = new Uint8Array(await (await item.getType(type)).arrayBuffer());
        window.copied.push([type, ...bytes.slice(0, 4)].join(' '));
      }
    }
  }
}});
"""


def record_clipboard(page: Page) -> None:
    """Let the page tell what is copied from now on, until it is loaded again."""
    page.evaluate(f"() => {{ {RECORD_CLIPBOARD} }}")


class Drawings:
    """Records what a page asks of the routes that draw; use as a context manager."""

    def __init__(self, page: Page) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.repairs: list[dict[str, Any]] = []
        self._page = page

    def __enter__(self) -> Drawings:
        self._page.on("request", self._on_request)
        return self

    def __exit__(self, *_: object) -> None:
        self._page.remove_listener("request", self._on_request)

    def _on_request(self, request: Request) -> None:
        path = request.url.split("?")[0]
        if path.endswith("/localllm/diagrams"):
            self.bodies.append(json.loads(request.post_data or "{}"))
        elif path.endswith("/localllm/diagrams/repair"):
            self.repairs.append(json.loads(request.post_data or "{}"))

    @property
    def sources(self) -> list[str]:
        """What was to be drawn, in order."""
        return [body["source"] for body in self.bodies]


class Diagram:
    """One diagram in the page."""

    def __init__(self, node: Locator) -> None:
        self.node = node
        self.page = node.page

    @property
    def image(self) -> Locator:
        """The picture."""
        return self.node.locator(".jp-LocalLLMDiagram-picture img")

    @property
    def source(self) -> Locator:
        """The source, where it is shown."""
        return self.node.locator("pre > code").first

    @property
    def notes(self) -> Locator:
        """What stands below the picture."""
        return self.node.locator(".jp-LocalLLMDiagram-notes")

    def expect_state(self, state: str) -> None:
        """Wait until the diagram is drawn, failed, repairing, or its source."""
        expect(self.node).to_have_attribute("data-state", state, timeout=PATIENCE_MS)

    def expect_picture(self, *words: str) -> None:
        """Wait for a picture with ink on it whose description has these words."""
        self.expect_state("drawn")
        for word in words:
            assert word in (self.image.get_attribute("alt") or "")
        assert (self.image.get_attribute("src") or "").startswith("data:image/")
        assert self.image.evaluate("image => image.naturalWidth") > 0
        assert self.n_inked > 100
        expect(self.image).to_be_visible()

    @property
    def n_inked(self) -> int:
        """Pixels of the picture that are not those of blank paper."""
        return int(self.image.evaluate(_INK))

    def button(self, action: str) -> Locator:
        """One of the buttons."""
        return self.node.locator(f'[data-action="{action}"]')

    def click(self, action: str) -> None:
        """Use a button; those of outputs are seen while the pointer is there."""
        self.node.hover()
        self.button(action).click()

    def choose(self, action: str) -> None:
        """Use an entry of the menu of the picture."""
        self.click("picture")
        self.page.locator(f'.jp-LocalLLMDiagram-menu [data-action="{action}"]').click()

    @property
    def copied(self) -> list[str]:
        """What was copied; see :data:`RECORD_CLIPBOARD`."""
        found: list[str] = self.page.evaluate("() => window.copied")
        return found


def set_theme(page: Page, theme: str) -> None:
    """Choose a theme as Lab's menu does, and wait until it is there."""
    page.evaluate(
        "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme
    )
    page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=theme)
