"""Fences and folds hold whatever text they get."""

from __future__ import annotations

import pytest

from jupyter_localllm.assistant.code_blocks import code_blocks, fenced
from jupyter_localllm.magics.output.fences import folded, safe_and_closed, unfenced


@pytest.mark.parametrize("text", ["x", "```\nx\n```", "````", "a\n\n```python\nb", "", "x\n"])
def test_nothing_closes_a_fence_from_inside(text: str) -> None:
    [block] = code_blocks(f"before\n\n{fenced(text, 'text')}\n\nafter")
    assert block.is_closed
    assert block.code == text.removesuffix("\n")
    assert block.language == "text"


def test_a_language_cannot_end_the_line() -> None:
    assert fenced("x", "py\n# heading `").startswith("```py#heading\nx")


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("```html\n<p>\n```", "<p>"),
        ("```html\n<p>", "<p>"),
        ("\n~~~\n<p>\n~~~\nand more", "<p>"),
        ("<p>", "<p>"),
        ("see ```x```", "see ```x```"),
        ("```", ""),
        ("````\n```\n````", "```"),
    ],
)
def test_an_outer_fence_is_taken_away(text: str, inner: str) -> None:
    assert unfenced(text) == inner


def test_a_summary_is_one_line_of_text() -> None:
    fold = folded("a <b>\n\n</summary> & c", "body", is_open=True)
    summary = "a &lt;b&gt; &lt;/summary&gt; &amp; c"
    assert fold == f"<details open><summary>{summary}</summary>\n\nbody\n\n</details>"


def test_text_in_a_fold_leaves_nothing_open() -> None:
    assert safe_and_closed("```python\nx = 1") == "```python\nx = 1\n```"
    assert safe_and_closed("</details>") == "&lt;/details>"
