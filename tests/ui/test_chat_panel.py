"""The chat's panel, its commands and settings, in a real JupyterLab."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Request, expect

from .lab_process import FRONT_END, TOKEN, LabProcess
from .lab_tab import SharedTab

PANEL = "#jp-localllm-chat"
CHAT = f"{PANEL} .jp-LocalLLMChat"
COMMANDS = {
    "localllm:ask-about-cell": "Local LLM: Ask About This Cell",
    "localllm:choose-model": "Local LLM: Choose Model…",
    "localllm:explain-cell": "Local LLM: Explain This Cell",
    "localllm:export-chat": "Local LLM: Save Chat as File",
    "localllm:fix-cell": "Local LLM: Fix This Cell",
    "localllm:new-chat": "Local LLM: New Chat",
    "localllm:open-chat": "Local LLM: Open Chat",
    "localllm:show-status": "Local LLM: Show Status",
    "localllm:stop": "Local LLM: Stop the Answer",
}

#: Bytes of JavaScript, as a server sends them, that Lab loads of us before the chat is opened.
MAX_STUB_BYTES = 15 * 1024


def execute(page: Page, command: str) -> None:
    """Run a command of Lab and wait until it is done."""
    page.evaluate("id => window.jupyterapp.commands.execute(id)", command)


def static_chunks(urls: list[str]) -> set[str]:
    """The files of our own front end among these addresses."""
    own = (re.search(r"/extensions/jupyter-localllm/static/([^?]+\.js)", url) for url in urls)
    return {match[1] for match in own if match}


def open_lab(page: Page, lab: LabProcess, path: str = "lab?reset") -> None:
    """Load Lab anew."""
    page.goto(f"{lab.url}/{path}")
    page.wait_for_selector(".jp-Launcher")
    page.evaluate("() => window.jupyterapp.restored")


@pytest.fixture
def fresh_page(shared_chat_tab: SharedTab) -> Iterator[Page]:
    """A page just loaded, in which the chat was never open."""
    with shared_chat_tab.lend(is_anew=True) as page:
        yield page


@pytest.fixture
def requests(fresh_page: Page) -> list[str]:
    """The addresses that the page asks from now on."""
    seen: list[str] = []

    def on_request(request: Request) -> None:
        seen.append(request.url)

    fresh_page.on("request", on_request)
    return seen


def test_lab_starts_with_the_stub_only(
    fresh_page: Page, chat_lab: LabProcess, requests: list[str]
) -> None:
    open_lab(fresh_page, chat_lab)
    item = fresh_page.locator(".jp-LocalLLMStatusItem")
    expect(item).to_have_text("scripted")
    chunks = static_chunks(requests)
    assert chunks and not [name for name in chunks if name.startswith("chat.")]
    assert not [url for url in requests if "/localllm/chat" in url]
    expect(fresh_page.locator(CHAT)).to_have_count(0)
    packed = sum(len(gzip.compress((FRONT_END / "static" / name).read_bytes())) for name in chunks)
    assert packed <= MAX_STUB_BYTES, f"{packed} bytes at Lab's start: {sorted(chunks)}"


def test_the_first_opening_loads_the_chat_once(fresh_page: Page, requests: list[str]) -> None:
    execute(fresh_page, "localllm:open-chat")
    expect(fresh_page.locator(CHAT)).to_be_visible()
    chunks = static_chunks(requests)
    assert [name for name in chunks if name.startswith("chat.")]
    requests.clear()
    fresh_page.evaluate("() => window.jupyterapp.shell.collapseRight()")
    expect(fresh_page.locator(CHAT)).not_to_be_visible()
    execute(fresh_page, "localllm:open-chat")
    expect(fresh_page.locator(CHAT)).to_be_visible()
    assert not static_chunks(requests)


def test_a_chunk_that_does_not_come_is_said_and_tried_again(fresh_page: Page) -> None:
    chunk = "**/extensions/jupyter-localllm/static/chat.*"
    fresh_page.route(chunk, lambda route: route.abort())
    execute(fresh_page, "localllm:open-chat")
    panel = fresh_page.locator(PANEL)
    expect(panel).to_contain_text("The chat could not be loaded.")
    expect(panel).to_contain_text("Check that the Jupyter server is running")
    fresh_page.unroute(chunk)
    panel.get_by_role("button", name="Retry").click()
    expect(fresh_page.locator(CHAT)).to_be_visible()


def test_the_palette_has_every_command_with_a_caption(chat_page: Page) -> None:
    described = chat_page.evaluate(
        """ids => {
          const { commands } = window.jupyterapp;
          return ids.map(id => [id, {
            label: commands.label(id), caption: commands.caption(id)
          }]);
        }""",
        sorted(COMMANDS),
    )
    for command, text in described:
        assert text["label"] == COMMANDS[command]
        assert text["caption"] and text["caption"] != text["label"]
    chat_page.keyboard.press("Control+Shift+C")
    chat_page.locator(".lm-CommandPalette-input").fill("local llm")
    for command in COMMANDS:
        entry = chat_page.locator(f'.lm-CommandPalette-item[data-command="{command}"]')
        expect(entry).to_have_count(1)


def test_commands_that_cannot_do_anything_are_disabled(chat_page: Page) -> None:
    enabled = chat_page.evaluate(
        "ids => ids.filter(id => window.jupyterapp.commands.isEnabled(id))", sorted(COMMANDS)
    )
    assert "localllm:open-chat" in enabled
    # No notebook is open, and nothing is being answered.
    cells = {"localllm:ask-about-cell", "localllm:explain-cell", "localllm:fix-cell"}
    assert not {*cells, "localllm:stop"} & set(enabled)


def test_the_shortcut_opens_the_chat(fresh_page: Page) -> None:
    fresh_page.locator("body").press("Alt+Shift+L")
    expect(fresh_page.locator(CHAT)).to_be_visible()


def test_the_settings_editor_shows_the_settings(chat_page: Page) -> None:
    chat_page.evaluate(
        "() => { void window.jupyterapp.commands.execute('settingeditor:open',"
        " { query: 'Local LLM chat' }); }"
    )
    editor = chat_page.locator(".jp-SettingsPanel")
    for title in ("Send with Shift+Enter", "Instructions of new chats", "Longest answer"):
        expect(editor).to_contain_text(title)
    expect(editor).to_contain_text("Temperature")


def test_an_open_panel_is_restored_after_a_reload(fresh_page: Page, chat_lab: LabProcess) -> None:
    execute(fresh_page, "localllm:open-chat")
    expect(fresh_page.locator(CHAT)).to_be_visible()
    # The layout is saved a while after it has changed.
    with fresh_page.expect_response(
        lambda response: "/api/workspaces" in response.url and response.request.method == "PUT"
    ):
        fresh_page.evaluate("() => window.jupyterapp.shell.expandLeft()")
    fresh_page.goto(f"{chat_lab.url}/lab?token={TOKEN}")
    expect(fresh_page.locator(CHAT)).to_be_visible()


def test_an_answer_survives_a_reload_in_its_middle(chat_page: Page, chat_lab: LabProcess) -> None:
    execute(chat_page, "localllm:open-chat")
    chat_page.locator(f"{CHAT} textarea").first.fill("LONG")
    chat_page.keyboard.press("Enter")
    expect(chat_page.locator(CHAT)).to_contain_text("word3")
    open_lab(chat_page, chat_lab)
    execute(chat_page, "localllm:open-chat")
    expect(chat_page.locator(CHAT)).to_contain_text("word399")
    words = chat_page.locator(CHAT).inner_text().split()
    numbers = [int(word[4:]) for word in words if re.fullmatch(r"word\d+", word)]
    assert numbers == list(range(400))
