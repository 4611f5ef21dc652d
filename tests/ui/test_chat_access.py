"""The chat for everybody: keyboard, screen readers, narrow panels, dark and high contrast."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from .chat_driver import ANSWERS, INPUT, PANEL, Chat
from .lab_process import ROOT, LabProcess
from .lab_tab import lab_page

AXE = ROOT / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
THEMES = ["JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast"]

_RUN_AXE = """async selector => {
  const {violations} = await window.axe.run(selector, {resultTypes: ['violations']});
  return violations
    .filter(({impact}) => impact === 'serious' || impact === 'critical')
    .map(({id, nodes}) => [id, nodes.map(({html, failureSummary}) => [html, failureSummary])]);
}"""

_FOCUSED = """() => {
  const node = document.activeElement;
  return node.getAttribute('aria-label') ?? node.textContent;
}"""


@pytest.fixture(scope="module")
def talked_page(context: BrowserContext, chat_lab: LabProcess) -> Iterator[Page]:
    """One page with a chat that has code, a table and mathematics in it."""
    with lab_page(context, chat_lab, "access") as page:
        chat = Chat.open(page)
        chat.ask("MARKDOWN please")
        chat.ask("CODE please")
        page.locator(ANSWERS).last.locator('[data-action="regenerate"]').click()
        expect(page.locator(ANSWERS).last).to_contain_text("It prints 45.")
        yield page


@pytest.fixture
def access_page(talked_page: Page) -> Page:
    """That page, in front of the others."""
    talked_page.bring_to_front()
    return talked_page


def check_with_axe(page: Page, selector: str = PANEL) -> None:
    """Fail on every serious finding of axe in the panel, or in another part of the page."""
    if not page.evaluate("() => 'axe' in window"):
        # As text: a script element would be refused by nobody, but axe is not part of the page.
        page.evaluate(Path(AXE).read_text())
    found: list[Any] = page.evaluate(_RUN_AXE, selector)
    assert found == []


def set_theme(page: Page, theme: str) -> None:
    """Choose a theme as Lab's menu does, and wait until it is there."""
    page.evaluate(
        "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme
    )
    page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=theme)


@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_serious(access_page: Page, theme: str) -> None:
    set_theme(access_page, theme)
    check_with_axe(access_page)
    access_page.locator(f"{PANEL} .jp-LocalLLMChat-openList").click()
    check_with_axe(access_page)
    access_page.keyboard.press("Escape")
    access_page.locator(f"{PANEL} .jp-LocalLLMChat-modelButton").click()
    check_with_axe(access_page)
    access_page.keyboard.press("Escape")
    access_page.locator(INPUT).fill("/")
    access_page.keyboard.type("e")
    expect(access_page.locator(f"{PANEL} .jp-LocalLLMChat-completion").first).to_be_visible()
    check_with_axe(access_page)
    access_page.keyboard.press("Escape")
    access_page.locator(INPUT).fill("")
    set_theme(access_page, THEMES[0])


def test_the_keyboard_reaches_everything(access_page: Page) -> None:
    access_page.locator(f"{PANEL} .jp-LocalLLMChat-openList").focus()
    reached = []
    for _ in range(60):
        reached.append(access_page.evaluate(_FOCUSED))
        if access_page.evaluate("s => document.activeElement.matches(s)", INPUT):
            break
        access_page.keyboard.press("Tab")
    for name in ("Export or import", "New chat", "Rename this chat", "Conversation", "Message"):
        assert name in reached
    for name in ("Copy text", "Copy as Markdown", "Edit and send as a branch", "Answer again"):
        assert name in reached
    assert any(name.startswith("Model:") for name in reached)
    # One stop for the toolbar of a block; arrows go on inside.
    first = access_page.locator(f"{PANEL} .jp-LocalLLMChat-codeToolbar button").first
    first.focus()
    actions = []
    for _ in range(5):
        actions.append(access_page.evaluate("() => document.activeElement.dataset.action"))
        access_page.keyboard.press("ArrowRight")
    assert actions == ["insert-above", "insert-below", "replace", "copy", "run"]


def test_an_answer_is_announced_by_its_start_and_its_end(chat_page: Page) -> None:
    chat = Chat.open(chat_page)
    chat_page.evaluate(
        """selector => {
          window.__said = [];
          new MutationObserver(() => {
            window.__said.push(document.querySelector(selector).textContent);
          }).observe(document.querySelector(selector), {childList: true, subtree: true});
        }""",
        f"{PANEL} .jp-LocalLLMChat-status",
    )
    chat.ask("LONG please")
    log = chat_page.locator(f"{PANEL} .jp-LocalLLMChat-messages")
    expect(log).to_have_attribute("role", "log")
    expect(log).to_have_attribute("aria-live", "off")
    chat_page.wait_for_function("() => window.__said.some(text => /finished/i.test(text))")
    said = [text for text in chat_page.evaluate("() => window.__said") if text]
    assert len(said) == 2, said


def test_it_works_at_280_pixels(access_page: Page) -> None:
    access_page.evaluate(
        """selector => {
          const panel = document.querySelector(selector);
          panel.style.maxWidth = '280px';
        }""",
        PANEL,
    )
    try:
        wide = access_page.evaluate(
            """selector => [...document.querySelectorAll(`${selector} *`)]
              .filter(node => !node.closest('pre, table, mjx-container, .jp-LocalLLMChat-table'))
              .filter(node => {
                const panel = document.querySelector(selector).getBoundingClientRect();
                const own = node.getBoundingClientRect();
                return own.width > 1 && own.right > panel.left + 281;
              }).map(node => node.className)""",
            PANEL,
        )
        assert wide == []
    finally:
        access_page.evaluate("s => { document.querySelector(s).style.maxWidth = ''; }", PANEL)
