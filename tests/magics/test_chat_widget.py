"""``chat_widget()``: a conversation made of ipywidgets alone, with a real model host."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

import jupyter_localllm
from jupyter_localllm.magics.chats.chat_widget import OutputDisplay, chat_widget
from jupyter_localllm.protocol import CompletionChunk
from tests.gguf_builders.scripted import build_scripted
from tests.magics.test_display import Clock, done


def parts(box: Any) -> tuple[Any, Any, Any]:
    """Return the conversation, the question's field and the button."""
    log, row = box.children
    question, button = row.children
    return log, question, button


def seen(log: Any) -> list[str]:
    """The texts of the conversation, oldest first."""
    texts = []
    for child in reversed(log.children):
        outputs = getattr(child, "outputs", None)
        texts.append(outputs[0]["data"]["text/plain"] if outputs else child.value)
    return texts


def wait_for_answer() -> None:
    for thread in threading.enumerate():
        if thread.name == "localllm-chat":
            thread.join(60)


def test_it_is_found_where_people_look() -> None:
    assert jupyter_localllm.chat_widget is chat_widget
    with pytest.raises(AttributeError):
        _ = jupyter_localllm.nothing_of_this_name


def test_a_conversation(tmp_path: Path) -> None:
    scripts = {"FIRST": "One <img src=x>.", "SECOND": "<think>hm</think>Two."}
    box = chat_widget(str(build_scripted(tmp_path / "chat.gguf", scripts)), greeting="Hello!")
    log, question, button = parts(box)
    for text in ("FIRST", "  ", "SECOND"):
        question.value = text
        button.click()
        wait_for_answer()
        if text.strip():
            assert question.value == ""
    assert button.description == "Send"
    assert seen(log) == [
        "Hello!", "You", "FIRST", "Model", "One <img src=x>.", "You", "SECOND", "Model", "Two.",
    ]  # fmt: skip
    markdown = [c.outputs[0]["data"].get("text/markdown", "") for c in log.children[::2]]
    assert not any("<img" in text for text in markdown)


def test_stop_keeps_what_is_there(slow_model: Path) -> None:
    log, question, button = parts(chat_widget(str(slow_model), max_tokens=2000))
    is_streaming = threading.Event()
    question.value = "go"
    button.click()
    output = log.children[0]

    def look(_: object) -> None:
        if "tick2" in output.outputs[0]["data"]["text/plain"]:
            is_streaming.set()

    output.observe(look, "outputs")
    assert is_streaming.wait(60)
    assert button.description == "Stop"
    button.click()
    wait_for_answer()
    assert seen(log)[-1].startswith("tick0 tick1 tick2")
    assert seen(log)[-1].endswith("[Stopped.]")
    assert button.description == "Send"


def test_a_cut_answer_says_how_this_chat_gives_longer_ones(slow_model: Path) -> None:
    log, question, button = parts(chat_widget(str(slow_model), max_tokens=5))
    question.value = "go"
    button.click()
    wait_for_answer()
    assert seen(log)[-1].endswith("For a longer one, write `chat_widget(max_tokens=10)`.]")


def test_an_error_is_told_in_the_chat(tmp_path: Path) -> None:
    log, question, button = parts(chat_widget(str(tmp_path / "none.gguf")))
    question.value = "Hello"
    button.click()
    wait_for_answer()
    assert "none.gguf" in seen(log)[-1]
    assert button.description == "Send"


def test_without_ipywidgets_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(UsageError, match="pip install ipywidgets"):
        chat_widget()


def test_a_terminal_is_told_that_it_needs_a_notebook(shell: InteractiveShell) -> None:
    assert not hasattr(shell, "kernel")
    with pytest.raises(UsageError, match="needs a notebook"):
        chat_widget()


def test_a_long_answer_is_painted_less_often() -> None:
    class Output:
        def __setattr__(self, name: str, value: Any) -> None:
            paints.append(len(str(value)))

    paints: list[int] = []
    clock, output = Clock(), Output()
    display = OutputDisplay(output, clock=clock)
    for _ in range(1000):
        clock.now += 0.05
        display.show(CompletionChunk("word "))
    display.show(done())
    assert sum(paints) < 1_000_000
