"""Drives the chat as a user does, for the tests with hostile text."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from jupyter_localllm.assistant.chat_export import to_json
from jupyter_localllm.chat_protocol import Chat

TIMEOUT_MS = 30_000
MESSAGES = ".jp-LocalLLMChat-messages"
ANSWERS = f'{MESSAGES} [data-role="assistant"] .jp-RenderedHTMLCommon'

#: Brings every message near to what is seen, so that it is rendered.
SHOW_ALL = """
async () => {
  const list = document.querySelector('.jp-LocalLLMChat-messages');
  for (let top = 0; top < list.scrollHeight; top += 1200) {
    list.scrollTop = top;
    await new Promise(requestAnimationFrame);
  }
}
"""
#: Nothing waits to be rendered or typeset.
IS_SHOWN = """
() => {
  const chat = document.querySelector('.jp-LocalLLMChat');
  const formulas = [...chat.querySelectorAll('.mathjax_process')];
  return (
    chat.querySelector('.jp-mod-waiting, .jp-LocalLLMChat-content.jp-LocalLLMChat-plain') ===
      null && formulas.every(formula => formula.querySelector('mjx-container') !== null)
  );
}
"""
#: Points at, focuses and clicks on everything but links and the chat's own buttons.
TOUCH_ALL = """
() => {
  const chat = document.querySelector('.jp-LocalLLMChat-messages');
  const drawn = chat.querySelectorAll('.jp-RenderedHTMLCommon, .jp-RenderedHTMLCommon *');
  const touched = [...drawn].filter(node => node.closest('a, button') === null);
  const kinds = ['pointerover', 'mouseover', 'focus', 'pointerdown', 'mousedown', 'click', 'input'];
  for (const node of touched) {
    for (const kind of [...kinds, 'dblclick', 'auxclick', 'contextmenu', 'toggle', 'submit']) {
      node.dispatchEvent(new MouseEvent(kind, { bubbles: kind !== 'toggle', cancelable: true }));
    }
  }
  return touched.length;
}
"""
#: For each link its host, and what the reader sees of it.
HOST_OF_LINKS = """
links => links.map(link => {
  const url = new URL(link.href);
  const place = link.nextElementSibling;
  const isPlace = place !== null && place.classList.contains('jp-LocalLLMChat-linkPlace');
  return {
    host: url.host === '' ? url.pathname : url.host,
    shown: link.textContent.toLowerCase() + (isPlace ? place.textContent : '')
  };
})
"""


def ask(page: Page, text: str) -> None:
    """Send a question and wait for the end of its answer."""
    count = page.locator(f'{MESSAGES} [data-role="assistant"]').count()
    box = page.locator(".jp-LocalLLMChat-input")
    box.fill(text)
    box.press("Enter")
    answers = page.locator(f'{MESSAGES} [data-role="assistant"][data-state="complete"]')
    expect(answers).to_have_count(count + 1, timeout=TIMEOUT_MS)


def new_chat(page: Page) -> None:
    page.locator(".jp-LocalLLMChat-new").click()
    expect(page.locator(".jp-LocalLLMChat-message")).to_have_count(0)


def show_all(page: Page) -> None:
    """Have every message of the chat rendered to its end."""
    page.evaluate(SHOW_ALL)
    page.wait_for_function(IS_SHOWN)


def touch_all(page: Page) -> int:
    """Do to all that was drawn what a pointer does; return how many elements that were."""
    return int(page.evaluate(TOUCH_ALL))


def hosts_of_links(page: Page) -> list[dict[str, str]]:
    """Return for each link of an answer its ``host`` and what is ``shown`` of it."""
    found: list[dict[str, str]] = page.locator(f"{ANSWERS} a[href]").evaluate_all(HOST_OF_LINKS)
    return found


def choose_chat_file(page: Page, chat: Chat) -> None:
    """Have the page take in an exported chat, as a user does."""
    page.locator(".jp-LocalLLMChat-files").click()
    with page.expect_file_chooser() as chooser:
        page.locator(".jp-LocalLLMChat-import").click()
    file = to_json(chat).encode()
    chooser.value.set_files({"name": "a.chat", "mimeType": "application/json", "buffer": file})


def import_chat(page: Page, chat: Chat) -> None:
    """Take in a chat, and wait until it is shown."""
    choose_chat_file(page, chat)
    title = page.locator(".jp-LocalLLMChat-title")
    expect(title).to_have_text(" ".join(chat.title.split()), timeout=TIMEOUT_MS)
    messages = page.locator(".jp-LocalLLMChat-message")
    expect(messages).to_have_count(len(chat.messages), timeout=TIMEOUT_MS)


def attach(page: Page, mention: str) -> None:
    """Type a mention and choose what completes it."""
    box = page.locator(".jp-LocalLLMChat-input")
    box.fill(mention)
    expect(box).to_have_attribute("aria-expanded", "true")
    box.press("Tab")
    expect(page.locator(".jp-LocalLLMChat-chips .jp-LocalLLMChat-chip")).to_have_count(1)
