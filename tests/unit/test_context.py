"""What a model is sent: turns in order, attachments fenced, roles alternating."""

from __future__ import annotations

import pytest

from jupyter_localllm.assistant.context import (
    attachment_text,
    compose,
    question_text,
    without_thoughts,
)
from jupyter_localllm.chat_protocol import ContextItem, MessageRecord, MessageState
from jupyter_localllm.protocol import ChatMessage

from .history_samples import record

PROMPTS = {"fix": "Fix the code {above}."}


def test_the_order_is_system_turns_question() -> None:
    path = [record("q1", "one"), record("a1", "eins"), record("q2", "two")]
    found = compose(path, "Be brief.", PROMPTS)
    assert found.messages() == [
        ChatMessage("system", "Be brief."),
        ChatMessage("user", "one"),
        ChatMessage("assistant", "eins"),
        ChatMessage("user", "two"),
    ]
    assert found.messages(1) == [found.messages()[0], found.messages()[-1]]
    assert (found.start_id(0), found.start_id(1)) == ("q1", "q2")
    assert compose(path, " \n", PROMPTS).messages()[0].role == "user"


def test_a_question_is_its_attachments_its_prompt_and_its_words() -> None:
    cell = ContextItem("cell", "@cell 3", "x = {1}", source="a.ipynb", language="python")
    error = ContextItem("error", "@error", "TypeError: no\n", is_truncated=True)
    asked = record("q1", "Why {x}?", action="fix", context=[cell, error])
    assert question_text(asked, PROMPTS) == (
        "@cell 3 from a.ipynb:\n```python\nx = {1}\n```\n\n"
        "@error, shortened:\n```\nTypeError: no\n```\n\n"
        "Fix the code {above}.\n\nWhy {x}?"
    )
    # A prompt that was taken away since: the rest is sent.
    assert question_text(record("q1", "Why?", action="gone"), PROMPTS) == "Why?"


@pytest.mark.parametrize("inside", ["```", "````python\nx\n````", "`" * 20, "~~~", "", "\n\n"])
def test_no_text_gets_out_of_its_fence(inside: str) -> None:
    text = attachment_text(ContextItem("file", "@file:a.md", inside))
    head, opening, *_, closing = text.split("\n")
    assert head == "@file:a.md:"
    assert opening == closing and set(opening) == {"`"} and len(opening) >= 3
    assert opening not in inside
    assert (
        text == f"{head}\n{opening}\n{inside}{'' if inside.endswith(chr(10)) else chr(10)}{closing}"
    )


def test_labels_and_languages_stay_in_their_line() -> None:
    item = ContextItem("cell", "a\n```\nb", "x", source="c\r\nd", language="py`\nthon")
    assert attachment_text(item) == "a ``` b from c d:\n```python\nx\n```"
    assert attachment_text(ContextItem("file", "", "x")).startswith("file:\n")


@pytest.mark.parametrize(
    ("answer", "rest"),
    [
        ("Plain.", "Plain."),
        ("<think>\nHm.\n</think>\n\nYes.", "Yes."),
        ("  <think></think>Yes.", "Yes."),
        ("Hm. So.\n</think>\nYes.", "Yes."),
        ("<think>\nNever ended", ""),
        (
            "The tag `<think>` opens, `</think>` closes.",
            "The tag `<think>` opens, `</think>` closes.",
        ),
        ("", ""),
    ],
)
def test_thoughts_are_not_sent_back(answer: str, rest: str) -> None:
    assert without_thoughts(answer) == rest


def test_questions_without_an_answer_are_left_out_so_that_roles_alternate() -> None:
    path = [
        record("q1", "one"),
        record("a1", "", state=MessageState.FAILED),
        record("q2", "two"),
        record("a2", "half", state=MessageState.STOPPED),
        record("q3", "three"),
        record("a3", "<think>only", state=MessageState.INTERRUPTED),
        # Imported chats may have any shape.
        record("q4", "four"),
        record("q5", "five"),
        record("a5", "fünf"),
        record("a6", "sechs"),
        record("q7", "seven"),
    ]
    sent = compose(path, "", PROMPTS).messages()
    assert [m.text for m in sent] == ["two", "half", "five", "fünf", "seven"]
    assert [m.role for m in sent] == ["user", "assistant"] * 2 + ["user"]


def test_the_last_trimmed_start_is_known() -> None:
    path = [
        record("q1", "one"),
        record("a1", "eins", first_sent_id="q0"),
        record("q2", "two"),
        record("a2", "zwei"),
        record("q3", "three"),
    ]
    assert compose(path, "", PROMPTS).previous_start_id == "q0"
    path[3] = record("a2", "zwei", first_sent_id="q1")
    assert compose(path, "", PROMPTS).previous_start_id == "q1"


@pytest.mark.parametrize("path", [[], [record("q1", "one"), record("a1", "eins")]])
def test_a_path_ends_in_a_question(path: list[MessageRecord]) -> None:
    with pytest.raises(ValueError, match="question"):
        compose(path, "", PROMPTS)
