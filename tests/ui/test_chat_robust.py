"""The chat through losses: reloads, two pages, killed servers and workers, other versions.

Each test uses a real Lab, and what is killed is really killed.
"""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, WebSocketRoute, expect

from tests.model_fixtures import REPLIES

from .chat_driver import ANSWERS, CONTENT, MIDDLE, PANEL, Chat
from .conftest import lab_with_models
from .lab_process import TOKEN, LabProcess
from .lab_tab import lab_page
from .notebook_page import PATIENCE_MS

BANNER = f"{PANEL} .jp-LocalLLMChat-banner"
OPEN = "() => window.jupyterapp.commands.execute('localllm:open-chat')"


@pytest.fixture(scope="module")
def robust_lab(
    chromium: str, tmp_path_factory: pytest.TempPathFactory, scripted_model: Path, slow_model: Path
) -> Iterator[LabProcess]:
    """A JupyterLab whose default model never ends; the scripted one has little room."""
    home = tmp_path_factory.mktemp("robust")
    models = {"scripted": scripted_model, "slow": slow_model}
    small = "--LocalLLMExtension.context_window=1024"
    with lab_with_models(home, models, "slow", small) as process:
        yield process


@pytest.fixture
def page(context: BrowserContext, robust_lab: LabProcess) -> Iterator[Page]:
    """A fresh page with an empty chat."""
    with lab_page(context, robust_lab) as page:
        # Lab has a dialog of its own for a server that is away; it would cover the chat.
        dialog = page.locator(".jp-Dialog").filter(has_text="Server Connection Error")
        page.add_locator_handler(dialog, lambda dialog: dialog.locator("button").first.click())
        yield page


def stop(page: Page) -> None:
    """Stop the answer and wait until it is kept."""
    page.locator(f"{PANEL} .jp-LocalLLMChat-stop").click()
    state = re.compile("stopped|failed|interrupted")
    expect(page.locator(ANSWERS).last).to_have_attribute("data-state", state, timeout=PATIENCE_MS)


def check_ticks(text: str) -> int:
    """Check that no piece of an endless answer is missing or doubled; return how many it has."""
    words = text.split()
    # The last one may be cut.
    assert words[:-1] == [f"tick{index % 100}" for index in range(len(words) - 1)]
    return len(words)


def test_a_reload_in_mid_answer_goes_on_where_it_was(page: Page) -> None:
    chat = Chat.open(page)
    chat.begin_endless()
    page.reload()
    page.wait_for_selector(".jp-Launcher")
    page.evaluate(OPEN)
    answer = page.locator(ANSWERS).last
    expect(answer).to_have_attribute("data-state", "writing", timeout=PATIENCE_MS)
    n_before = check_ticks(answer.locator(CONTENT).text_content() or "tick0")
    page.wait_for_function(
        "([selector, n]) => document.querySelector(selector).textContent.split(' ').length > n + 5",
        arg=[f"{ANSWERS}:last-of-type {CONTENT}", n_before],
    )
    stop(page)
    assert check_ticks(chat.messages[-1]["content"]) > n_before
    assert check_ticks(answer.locator(CONTENT).text_content() or "") > n_before


def test_two_pages_show_the_same_chat_live(page: Page, robust_lab: LabProcess) -> None:
    chat = Chat.open(page)
    chat.begin_endless()
    other_page = page.context.new_page()
    other_page.goto(f"{robust_lab.url}/lab/workspaces/other?token={TOKEN}&reset")
    other_page.wait_for_selector(".jp-Launcher")
    other_page.evaluate(OPEN)
    other = Chat(other_page)
    other_page.locator(f"{PANEL} .jp-LocalLLMChat-openList").click()
    other_page.locator(".jp-LocalLLMChat-chatOpen").first.click()
    there = other_page.locator(ANSWERS).last
    expect(there.locator(CONTENT)).to_contain_text(MIDDLE, timeout=PATIENCE_MS)
    # Stopped in one, it is stopped in both, with the same text.
    stop(other_page)
    expect(page.locator(ANSWERS).last).to_have_attribute("data-state", "stopped")
    # What was kept comes to both a moment after Stop.
    shown = page.locator(ANSWERS).last.locator(CONTENT)
    expect(shown).to_have_text(there.locator(CONTENT).text_content() or "")
    assert check_ticks(chat.messages[-1]["content"])
    assert chat.messages[-1] == other.messages[-1]
    # What is asked here is there at once.
    chat.choose_model("scripted")
    chat.ask("HELLO please")
    expect(other_page.locator(ANSWERS).last).to_contain_text(REPLIES["HELLO"])
    other_page.close()


def test_a_killed_server_loses_nothing_and_comes_back(page: Page, robust_lab: LabProcess) -> None:
    chat = Chat.open(page)
    chat.choose_model("scripted")
    chat.ask("HELLO please")
    chat.choose_model("slow")
    chat.begin_endless()
    robust_lab.kill()
    expect(page.locator(BANNER)).to_contain_text("Reconnecting", timeout=PATIENCE_MS)
    robust_lab.start()
    expect(page.locator(BANNER)).to_have_count(0, timeout=PATIENCE_MS)
    answer = page.locator(ANSWERS).last
    expect(answer).to_have_attribute("data-state", "interrupted", timeout=PATIENCE_MS)
    expect(page.locator(ANSWERS).first).to_contain_text(REPLIES["HELLO"])
    check_ticks(chat.messages[-1]["content"] or "tick0")
    chat.choose_model("scripted")
    chat.ask("CODE please")
    expect(page.locator(ANSWERS).last).to_contain_text("It prints 45.")


def test_a_question_that_was_typed_while_the_server_was_away_is_answered(
    page: Page, robust_lab: LabProcess
) -> None:
    chat = Chat.open(page)
    chat.choose_model("scripted")
    chat.ask("HELLO please")
    robust_lab.kill()
    expect(page.locator(BANNER)).to_contain_text("Reconnecting", timeout=PATIENCE_MS)
    chat.submit("CODE please")
    robust_lab.start()
    expect(page.locator(ANSWERS).last).to_contain_text("It prints 45.", timeout=PATIENCE_MS)
    expect(page.locator(ANSWERS)).to_have_count(2)


def test_a_crash_of_the_worker_leaves_the_text_the_reason_and_a_retry(
    page: Page, robust_lab: LabProcess
) -> None:
    chat = Chat.open(page)
    chat.begin_endless()
    workers = robust_lab.get_json("localllm/status")["workers"]
    pid = next(worker["pid"] for worker in workers if worker["model"] == "slow")
    os.kill(pid, signal.SIGKILL)
    answer = page.locator(ANSWERS).last
    expect(answer).to_have_attribute("data-state", "failed", timeout=PATIENCE_MS)
    expect(answer.locator(CONTENT)).to_contain_text(MIDDLE)
    expect(answer.locator(".jp-LocalLLMChat-error")).to_contain_text("ended")
    chat.choose_model("scripted")
    answer.locator(".jp-LocalLLMChat-retry").click()
    expect(page.locator(ANSWERS).last).to_have_attribute("data-state", "complete")
    expect(page.locator(ANSWERS).last.locator(".jp-LocalLLMChat-branch")).to_contain_text("2/2")


def test_what_no_longer_fits_is_said_where_it_happened(page: Page) -> None:
    chat = Chat.open(page)
    chat.choose_model("scripted")
    for _ in range(3):
        chat.ask("LONG please")
    divider = page.locator(f"{PANEL} .jp-LocalLLMChat-divider")
    expect(divider).to_contain_text("not sent to the model", timeout=PATIENCE_MS)
    expect(page.locator(ANSWERS).last).to_have_attribute("data-state", "complete")


@pytest.mark.parametrize("version", [0, 99])
def test_another_version_of_the_protocol_is_said(
    context: BrowserContext, robust_lab: LabProcess, version: int
) -> None:
    def on_socket(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def on_message(message: str | bytes) -> None:
            frame = json.loads(message)
            if frame["type"] == "hello":
                frame["protocol_version"] = version
            socket.send(json.dumps(frame))

        server.on_message(on_message)

    with lab_page(context, robust_lab) as page:
        page.route_web_socket(re.compile("localllm/chat"), on_socket)
        page.reload()
        page.wait_for_selector(".jp-Launcher")
        page.evaluate(OPEN)
        banner = page.locator(BANNER)
        expect(banner).to_contain_text(f"version {version}", timeout=PATIENCE_MS)
        expect(banner).to_have_attribute("role", "alert")


def test_a_damaged_history_is_set_aside_and_said(page: Page, robust_lab: LabProcess) -> None:
    chat = Chat.open(page)
    chat.choose_model("scripted")
    chat.ask("HELLO please")
    robust_lab.kill()
    folder = robust_lab.home / "data" / "localllm"
    # What is not written back yet could heal the file's beginning.
    for path in (folder / "chats.sqlite3", folder / "chats.sqlite3-wal"):
        with path.open("r+b") as file:
            file.write(b"This is not a database. " * (path.stat().st_size // 24))
    robust_lab.start()
    page.reload()
    page.wait_for_selector(".jp-Launcher")
    page.evaluate(OPEN)
    expect(chat.notices.first).to_contain_text("damaged", timeout=PATIENCE_MS)
    assert list(folder.glob("chats-damaged-*.sqlite3"))
    chat = Chat.open(page)
    chat.choose_model("scripted")
    chat.ask("HELLO please")
    expect(page.locator(ANSWERS).last).to_contain_text(REPLIES["HELLO"])
