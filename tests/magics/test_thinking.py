"""Thinking is told apart from the answer however the pieces are cut, folded, and not sent back."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_localllm.magics.answers.thinking import ThinkingSplitter
from jupyter_localllm.magics.output.display import RichDisplay
from jupyter_localllm.protocol import CompletionChunk
from tests.gguf_builders.scripted import build_scripted
from tests.magics.kernel_session import KernelSession
from tests.magics.test_display import Clock, clock, done, published

__all__ = ["clock", "published"]

CASES = {
    "<think>\na < b and </b> too\n</think>\n\nHello": ("a < b and </b> too", "Hello"),
    "no <think>x</think> here": ("", "no <think>x</think> here"),
    "<th is not a mark": ("", "<th is not a mark"),
    "<think>a</think><think>b</think>c": ("ab", "c"),
    "<Thinking>x</Thinking>y": ("x", "y"),
    # The chat template has opened it already.
    "first this\n</think>\n\nanswer": ("first this", "answer"),
    "<think>never ends": ("never ends", ""),
    "<think>ends in a mark</thi": ("ends in a mark</thi", ""),
    " \n<think></think>\n\nA": ("", "A"),
    "<html></html>": ("", "<html></html>"),
    "code:\n```html\n</think>\n```": ("", "code:\n```html\n</think>\n```"),
    "": ("", ""),
}


@pytest.mark.parametrize("text", CASES)
def test_any_cut_gives_the_same_parts(text: str) -> None:
    cuts = random.Random(3)
    for _ in range(50):
        splitter = ThinkingSplitter()
        position = 0
        while position < len(text):
            end = position + cuts.randint(1, 5)
            splitter.feed(text[position:end])
            position = end
        splitter.finish()
        assert (splitter.thinking.strip(), splitter.text) == CASES[text]


def test_no_half_mark_is_ever_shown_as_text() -> None:
    splitter = ThinkingSplitter()
    added = [splitter.feed(letter) for letter in "<think>x</think>Yes"]
    assert "".join(added) == "Yes"


def test_thinking_gets_an_output_of_its_own_that_is_left_alone(
    published: list[dict[str, Any]], clock: Clock
) -> None:
    answer = RichDisplay(clock=clock)
    for piece in ["<think>", "one ", "two", "</think>", "\n\nThe ", "answer"]:
        clock.now += 1
        answer.show(CompletionChunk(piece))
    answer.show(done())
    ids = list(dict.fromkeys(p["transient"]["display_id"] for p in published))
    assert len(ids) == 2
    thought = [p for p in published if p["transient"]["display_id"] == ids[0]]
    said = [p for p in published if p["transient"]["display_id"] == ids[1]]
    assert published.index(thought[-1]) < published.index(said[0])
    assert "<details open><summary>Thinking …</summary>" in thought[0]["data"]["text/markdown"]
    last = thought[-1]["data"]["text/markdown"]
    assert last.startswith("<details><summary>Thought for 3 s</summary>")
    assert "one two" in last
    assert said[-1]["data"] == {"text/markdown": "The answer", "text/plain": "The answer"}
    assert answer.thinking == "one two"


def test_hostile_thinking_cannot_leave_its_fold(
    published: list[dict[str, Any]], clock: Clock
) -> None:
    answer = RichDisplay(clock=clock)
    clock.now += 1
    answer.show(CompletionChunk("<think></details><script>x</script>\n```\nopen</think>Hi"))
    answer.show(done())
    fold = next(p for p in published if "Thought" in p["data"]["text/markdown"])
    markdown = fold["data"]["text/markdown"]
    assert markdown.count("</details>") == 1
    assert markdown.endswith("\n```\n\n</details>")
    assert "<script" not in markdown


def test_thinking_is_kept_and_never_sent_back(
    start_kernel: Callable[..., KernelSession], tmp_path: Path
) -> None:
    scripts = {"PONDER": "<think>secret steps</think>It is 42."}
    model = build_scripted(tmp_path / "thinker.gguf", scripts)
    kernel = start_kernel()
    kernel.run(f"%llm use {model}").check_ok()
    kernel.run("%%llm\nPONDER\n").check_ok()
    text = kernel.run("print(_llm.last.text, '|', _llm.last.thinking)").check_ok().stdout
    assert text == "It is 42. | secret steps\n"
    prompt = kernel.run("%%llm --show-prompt\nAnd now?\n").check_ok()
    assert "secret steps" not in str(prompt.messages)
