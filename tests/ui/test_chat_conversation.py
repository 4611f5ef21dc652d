"""Talking in the chat: answers, stopping, branches, several chats, with a real worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.model_fixtures import REPLIES

from .chat_driver import ANSWERS, CONTENT, PANEL, Chat
from .conftest import lab_with_models
from .lab_process import LabProcess
from .lab_tab import lab_page

MESSAGES = f"{PANEL} .jp-LocalLLMChat-messages"
QUESTIONS = f'{PANEL} .jp-LocalLLMChat-message[data-role="user"]'


@pytest.fixture(scope="module")
def talk_lab(
    chromium: str, tmp_path_factory: pytest.TempPathFactory, scripted_model: Path, slow_model: Path
) -> Iterator[LabProcess]:
    """A JupyterLab with the scripted model, its default, and the one that never ends."""
    models = {"scripted": scripted_model, "slow": slow_model}
    with lab_with_models(tmp_path_factory.mktemp("talk"), models, "scripted") as process:
        yield process


@pytest.fixture(scope="module")
def talk_page(context: BrowserContext, talk_lab: LabProcess) -> Iterator[Page]:
    """One page for the tests of this module, which begin chats of their own."""
    with lab_page(context, talk_lab) as page:
        yield page


@pytest.fixture
def chat(talk_page: Page) -> Iterator[Chat]:
    """An empty chat with the scripted model."""
    chat = Chat.open(talk_page)
    chat.choose_model("scripted")
    yield chat
    stop = talk_page.locator(f"{PANEL} .jp-LocalLLMChat-stop")
    if stop.count():
        stop.click()


def begin_endless(chat: Chat) -> Locator:
    """Ask the model that never ends, which is not this Lab's default."""
    chat.choose_model("slow")
    return chat.begin_endless()


def test_an_answer_is_shown_as_markdown_with_its_measures(chat: Chat) -> None:
    chat.ask("MARKDOWN please")
    answer = chat.page.locator(ANSWERS).last
    expect(answer).to_have_attribute("data-state", "complete")
    expect(answer.locator("h1")).to_have_text("Title")
    expect(answer.locator("table td").first).to_have_text("pi")
    expect(answer.locator("mjx-container")).to_have_count(2)
    expect(answer.locator("ol li")).to_have_count(2)
    footer = answer.locator(".jp-LocalLLMChat-footer")
    expect(footer).to_contain_text("scripted")
    expect(footer).to_contain_text("first token")
    expect(footer).to_contain_text("tokens/s")
    expect(chat.page.locator(f"{PANEL} .jp-LocalLLMChat-meter")).to_contain_text("/")


def test_code_is_highlighted(chat: Chat) -> None:
    chat.ask("CODE please")
    block = chat.page.locator(ANSWERS).last.locator(".jp-LocalLLMChat-code")
    expect(block.locator("pre span").first).to_be_visible()
    assert (block.locator("pre").text_content() or "").startswith("total = sum(range(10))")


def test_a_follow_up_says_what_was_reused(chat: Chat) -> None:
    chat.ask("LONG please")
    chat.ask("HELLO please")
    footer = chat.page.locator(ANSWERS).last.locator(".jp-LocalLLMChat-footer")
    expect(footer).to_contain_text("reused")


def test_the_text_of_an_answer_is_whole(chat: Chat) -> None:
    chat.ask("LONG please")
    assert chat.messages[-1]["content"] == REPLIES["LONG"]
    expect(chat.page.locator(ANSWERS).last.locator(CONTENT)).to_have_text(REPLIES["LONG"])


def test_stop_works_before_the_first_token(chat: Chat) -> None:
    chat.choose_model("slow")
    chat.submit("Read all of this first. " * 200)
    chat.page.locator(f"{PANEL} .jp-LocalLLMChat-stop").click()
    answer = chat.page.locator(ANSWERS).last
    expect(answer).to_have_attribute("data-state", "stopped")
    assert chat.messages[-1]["content"] == ""
    expect(answer.locator(".jp-LocalLLMChat-retry")).to_be_visible()
    expect(chat.page.locator(f"{PANEL} .jp-LocalLLMChat-send")).to_be_visible()


def test_stop_keeps_what_was_written(chat: Chat) -> None:
    answer = begin_endless(chat)
    chat.page.locator(f"{PANEL} .jp-LocalLLMChat-stop").click()
    expect(answer).to_have_attribute("data-state", "stopped")
    kept = chat.messages[-1]["content"].split()
    assert len(kept) >= 4
    assert kept[:-1] == [f"tick{i % 100}" for i in range(len(kept) - 1)]


def test_the_stream_is_followed_only_at_the_bottom(chat: Chat) -> None:
    chat.ask("LONG please")
    begin_endless(chat)
    messages = chat.page.locator(MESSAGES)
    messages.evaluate("node => { node.scrollTop = 0; }")
    expect(chat.page.locator(f"{PANEL} .jp-LocalLLMChat-jump")).to_be_visible()
    answer = chat.page.locator(ANSWERS).last.locator(CONTENT)
    seen = len(answer.text_content() or "")
    chat.page.wait_for_function(
        "([selector, seen]) => [...document.querySelectorAll(selector)].at(-1)"
        ".textContent.length > seen + 100",
        arg=[f"{ANSWERS} {CONTENT}", seen],
    )
    assert messages.evaluate("node => node.scrollTop") == 0
    chat.page.locator(f"{PANEL} .jp-LocalLLMChat-jump").click()
    expect(chat.page.locator(f"{PANEL} .jp-LocalLLMChat-jump")).to_have_count(0)
    chat.page.wait_for_function(
        "selector => { const node = document.querySelector(selector);"
        " return node.scrollHeight - node.scrollTop - node.clientHeight < 40; }",
        arg=MESSAGES,
    )


def test_typing_goes_on_while_an_answer_streams(chat: Chat) -> None:
    begin_endless(chat)
    chat.input.press_sequentially("Meanwhile I write this.")
    expect(chat.input).to_have_value("Meanwhile I write this.")
    chat.input.press("Enter")
    expect(chat.input).to_have_value("Meanwhile I write this.")


def test_another_answer_is_a_branch(chat: Chat) -> None:
    chat.ask("HELLO please")
    answer = chat.page.locator(ANSWERS).last
    answer.locator('[data-action="regenerate"]').click()
    branch = chat.page.locator(ANSWERS).last.locator(".jp-LocalLLMChat-branch")
    expect(branch).to_contain_text("2/2")
    expect(chat.page.locator(ANSWERS).last).to_have_attribute("data-state", "complete")
    branch.locator('[data-action="previous"]').click()
    expect(chat.page.locator(ANSWERS).last.locator(".jp-LocalLLMChat-branch")).to_contain_text(
        "1/2"
    )
    expect(chat.page.locator(ANSWERS)).to_have_count(1)


def test_a_changed_question_is_a_branch(chat: Chat) -> None:
    chat.ask("HELLO please")
    chat.ask("CODE please")
    question = chat.page.locator(QUESTIONS).first
    question.hover()
    question.locator('[data-action="edit"]').click()
    box = question.locator(".jp-LocalLLMChat-edit textarea")
    expect(box).to_have_value("HELLO please")
    box.fill("EMOJI please")
    question.locator(".jp-LocalLLMChat-edit").get_by_role("button", name="Send").click()
    expect(chat.page.locator(ANSWERS).last).to_contain_text("日本語")
    expect(chat.page.locator(QUESTIONS)).to_have_count(1)
    branch = chat.page.locator(QUESTIONS).first.locator(".jp-LocalLLMChat-branch")
    expect(branch).to_contain_text("2/2")
    expect(chat.page.locator(ANSWERS).last).to_have_attribute("data-state", "complete")
    branch.locator('[data-action="previous"]').click()
    # The whole branch is back, with what followed.
    expect(chat.page.locator(QUESTIONS)).to_have_count(2)
    expect(chat.page.locator(ANSWERS).last).to_contain_text("It prints 45.")


def open_list(page: Page) -> Locator:
    """Show the list of chats."""
    page.locator(f"{PANEL} .jp-LocalLLMChat-openList").click()
    found = page.locator(".jp-LocalLLMChat-chatList")
    expect(found).to_be_visible()
    return found


def test_chats_are_titled_found_renamed_deleted_and_brought_back(chat: Chat) -> None:
    page = chat.page
    chat.ask("What is a zeugma? HELLO please")
    title = page.locator(f"{PANEL} .jp-LocalLLMChat-title")
    expect(title).to_contain_text("What is a zeugma?")
    page.locator(f"{PANEL} .jp-LocalLLMChat-new").click()
    expect(page.locator(f"{PANEL} .jp-LocalLLMChat-empty")).to_be_visible()
    chat.ask("A chat about litotes, CODE please")

    chats = open_list(page)
    chats.locator(".jp-LocalLLMChat-search").fill("zeugma")
    item = chats.locator(".jp-LocalLLMChat-chatItem")
    expect(item).to_have_count(1)
    item.hover()
    item.locator('[data-action="rename"]').click()
    page.keyboard.press("Control+A")
    page.keyboard.type("Figures of speech")
    page.keyboard.press("Enter")
    expect(chats).to_contain_text("Figures of speech")
    chats.locator(".jp-LocalLLMChat-search").fill("prints 45")
    expect(chats.locator(".jp-LocalLLMChat-snippet").first).to_contain_text("prints 45")
    chats.locator(".jp-LocalLLMChat-search").fill("figures")
    expect(chats.locator(".jp-LocalLLMChat-chatName")).to_have_text(["Figures of speech"])
    chats.locator(".jp-LocalLLMChat-chatOpen").click()
    expect(title).to_contain_text("Figures of speech")

    chats = open_list(page)
    item = chats.locator(".jp-LocalLLMChat-chatItem").filter(has_text="Figures of speech")
    item.hover()
    item.locator('[data-action="delete"]').click()
    expect(chats.get_by_text("Figures of speech")).to_have_count(0)
    page.keyboard.press("Escape")
    chat.notices.get_by_role("button", name="Undo").click()
    open_list(page)
    expect(chats).to_contain_text("Figures of speech")
    page.keyboard.press("Escape")


def test_enter_and_shift_enter_change_places_by_a_setting(chat: Chat) -> None:
    page = chat.page
    chat.input.fill("one")
    chat.input.press("Shift+Enter")
    chat.input.press_sequentially("two")
    expect(chat.input).to_have_value("one\ntwo")
    set_setting = """([name, value]) => window.jupyterapp.serviceManager.settings
      .save('jupyter-localllm:chat', JSON.stringify({[name]: value}))"""
    try:
        page.evaluate(set_setting, ["sendWithShiftEnter", True])
        page.reload()
        page.wait_for_selector(".jp-Launcher")
        chat = Chat.open(page)
        chat.input.fill("HELLO")
        chat.input.press("Enter")
        chat.input.press_sequentially("please")
        expect(chat.input).to_have_value("HELLO\nplease")
        chat.input.press("Shift+Enter")
        expect(page.locator(ANSWERS).last).to_contain_text("Hello from the scripted model.")
    finally:
        page.evaluate(set_setting, ["sendWithShiftEnter", False])
        page.reload()
        page.wait_for_selector(".jp-Launcher")
