"""The command that shows the models, in a real JupyterLab."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from jupyter_localllm import __version__

from .lab_process import LabProcess

COMMAND = "localllm:show-status"
DIALOG = ".jp-Dialog"


def show_status(page: Page) -> None:
    """Run the command without waiting for the dialog to be closed."""
    page.evaluate("id => { void window.jupyterapp.commands.execute(id); }", COMMAND)


def answer_with(page: Page, body: Any, status: int = 200) -> None:
    """Let the page see what a real server of this version cannot be made to say."""

    def fulfill(route: Route) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        route.fulfill(status=status, content_type="application/json", body=text)

    page.route("**/localllm/status*", fulfill)


def test_the_dialog_lists_the_servers_models(page: Page, lab: LabProcess) -> None:
    status = lab.get_json("localllm/status")
    assert status["protocol_version"] == 1
    assert status["server_version"] == __version__
    show_status(page)
    dialog = page.locator(DIALOG)
    expect(dialog.locator(".jp-Dialog-header")).to_have_text("Local LLM")
    expect(dialog).to_contain_text(__version__ if status["models"] else "No model was found")
    items = dialog.locator(".jp-LocalLLMStatus-model")
    expect(items).to_have_count(len(status["models"]))
    for model in status["models"]:
        item = dialog.locator(f'[data-model-id="{model["id"]}"]')
        expect(item).to_contain_text(model["id"])
        expect(item).to_have_attribute("data-state", model.get("state", "not_loaded"))
    dialog.get_by_role("button", name="Ok").click()
    expect(dialog).to_have_count(0)


def test_the_palette_has_the_command(page: Page) -> None:
    page.keyboard.press("Control+Shift+C")
    search = page.locator(".lm-CommandPalette-input")
    search.fill("local llm")
    entry = page.locator(f'.lm-CommandPalette-item[data-command="{COMMAND}"]')
    expect(entry).to_contain_text("Local LLM: Show Status")


def test_another_protocol_version_is_said(page: Page) -> None:
    answer_with(page, {"protocol_version": 2, "models": "in a new shape"})
    show_status(page)
    error = page.locator(f"{DIALOG} .jp-LocalLLMStatus-error")
    expect(error).to_contain_text("version 2 of the protocol and this page version 1")
    expect(page.locator(f"{DIALOG} .jp-LocalLLMStatus-hint")).to_contain_text(
        "This page is the older one: reload it"
    )


@pytest.mark.parametrize(
    ("body", "status", "message", "hint"),
    [
        (
            {"error": {"code": "queue_full", "message": "It is full.", "hint": "Try later."}},
            503,
            "It is full.",
            "Try later.",
        ),
        ("<html>no such page</html>", 404, "does not have the jupyter_localllm extension", "list"),
        ("<html>broken</html>", 500, "answered with status 500", "log"),
        ({"protocol_version": 1, "server_version": "0"}, 200, "models should be a list", "Restart"),
        ("not JSON", 200, "it is not JSON", "Restart"),
    ],
    ids=["our error", "no extension", "server fault", "missing field", "not JSON"],
)
def test_a_failure_is_said_with_the_next_step(
    page: Page, body: Any, status: int, message: str, hint: str
) -> None:
    answer_with(page, body, status)
    show_status(page)
    expect(page.locator(f"{DIALOG} .jp-LocalLLMStatus-error")).to_contain_text(message)
    expect(page.locator(f"{DIALOG} .jp-LocalLLMStatus-hint")).to_contain_text(hint)


def test_names_of_models_are_text(page: Page) -> None:
    name = "<img src=x onerror='window.pwned = 1'>"
    model = {"id": name, "state": "failed", "warnings": [name]}
    answer_with(page, {"protocol_version": 1, "server_version": "0.1.0", "models": [model]})
    show_status(page)
    item = page.locator(".jp-LocalLLMStatus-model")
    expect(item.locator("strong")).to_have_text(name)
    expect(item.locator(".jp-LocalLLMStatus-note")).to_have_text(name)
    assert item.locator("img").count() == 0
    assert page.evaluate("window.pwned") is None
