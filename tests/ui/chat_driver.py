"""The chat in a real Lab, driven as a person does: open it, type, send, look at chips."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, Page, expect

from .notebook_page import PATIENCE_MS

PANEL = "#jp-localllm-chat"
INPUT = f"{PANEL} .jp-LocalLLMChat-input"
ANSWERS = f'{PANEL} .jp-LocalLLMChat-message[data-role="assistant"]'
CONTENT = ".jp-LocalLLMChat-content"
CHIPS = f"{PANEL} .jp-LocalLLMChat-chips .jp-LocalLLMChat-chip"
NOTICES = f"{PANEL} .jp-LocalLLMChat-notice"

#: Enough of an endless answer to be in its middle.
MIDDLE = "tick6"

#: What the server keeps of the chat that is shown: each message with all that was sent with it.
_MESSAGES = """
() => {
  const panel = [...window.jupyterapp.shell.widgets('right')]
    .find(widget => widget.id === 'jp-localllm-chat');
  return panel.chat.model.state.messages.map(({record}) => record);
}
"""

_IS_ANSWERED = f"""
nBefore => {{
  const records = ({_MESSAGES})();
  return records.length > nBefore && records.at(-1).role === 'assistant' &&
    records.at(-1).state !== 'writing';
}}
"""


class Chat:
    """The chat that is open in the page."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @classmethod
    def open(cls, page: Page) -> Chat:
        """Show the panel, with an empty chat that is connected."""
        page.evaluate("() => window.jupyterapp.commands.execute('localllm:open-chat')")
        expect(page.locator(INPUT)).to_be_visible(timeout=PATIENCE_MS)
        page.evaluate("() => window.jupyterapp.commands.execute('localllm:new-chat')")
        return cls(page)

    @property
    def input(self) -> Locator:
        """Where questions are typed."""
        return self.page.locator(INPUT)

    @property
    def notices(self) -> Locator:
        """The sentences over the conversation."""
        return self.page.locator(NOTICES)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages of the branch that is shown."""
        found: list[dict[str, Any]] = self.page.evaluate(_MESSAGES)
        return found

    def chip(self, label: str) -> Locator:
        """The chip with exactly this label."""
        name = self.page.locator(".jp-LocalLLMChat-chipLabel").get_by_text(label, exact=True)
        return self.page.locator(CHIPS).filter(has=name)

    def chip_text(self, label: str) -> str:
        """Open a chip and return what it says will be sent."""
        button = self.chip(label).locator("button").first
        button.click(timeout=PATIENCE_MS)
        text = self.page.locator(f"{PANEL} .jp-LocalLLMChat-itemText pre").text_content() or ""
        button.click()
        return text

    def remove_chips(self) -> None:
        """Take every chip off."""
        chips = self.page.locator(CHIPS)
        while chips.count():
            chips.first.locator('[data-action="remove"]').click()

    def attach(self, mention: str) -> None:
        """Choose an entry of the Attach menu."""
        self.page.locator(f"{PANEL} .jp-LocalLLMChat-attach").click()
        self.page.locator(f'.jp-LocalLLMChat-attachMenu [data-mention="{mention}"]').click()

    def choose_model(self, name: str) -> None:
        """Choose a model for the next question."""
        self.page.locator(f"{PANEL} .jp-LocalLLMChat-modelButton").click()
        self.page.locator(f'[data-model-id="{name}"] .jp-LocalLLMChat-modelChoice').click()
        self.input.focus()

    def submit(self, text: str) -> None:
        """Type a text and send it, past any list of completions."""
        self.input.fill(text)
        self.page.locator(f"{PANEL} .jp-LocalLLMChat-send").click()

    def ask(self, text: str) -> None:
        """Send a question and wait for its whole answer."""
        n_before = len(self.messages)
        self.submit(text)
        self.page.wait_for_function(_IS_ANSWERED, arg=n_before)

    def begin_endless(self) -> Locator:
        """Ask the model that never ends; return its answer once it is in its middle."""
        self.submit("Tick until you are stopped.")
        answer = self.page.locator(ANSWERS).last
        expect(answer.locator(CONTENT)).to_contain_text(MIDDLE, timeout=PATIENCE_MS)
        return answer

    def expect_notice(self, text: str) -> None:
        """Wait for the last notice to say this, then dismiss all of them."""
        expect(self.notices.last).to_contain_text(text, timeout=PATIENCE_MS)
        while self.notices.count():
            self.notices.last.get_by_role("button", name="Dismiss").click()

    def code_button(self, action: str) -> Locator:
        """A button of the last block of code."""
        block = self.page.locator(f"{PANEL} .jp-LocalLLMChat-code").last
        return block.locator(f'[data-action="{action}"]')
