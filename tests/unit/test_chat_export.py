"""A chat as Markdown, as a notebook, and in our own format and back."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_localllm.assistant import chat_export
from jupyter_localllm.assistant.chat_export import from_json, to_json, to_markdown, to_notebook
from jupyter_localllm.assistant.chat_tree import branch
from jupyter_localllm.chat_protocol import Chat, ContextItem, MessageRecord, MessageState
from jupyter_localllm.errors import RequestError

from .history_samples import answer, full_answer, question


def chat_of(*messages: MessageRecord, current_id: str | None = None, title: str = "Loops") -> Chat:
    return Chat("c1", title, 1, 2, "tiny", "Be kind.", current_id, list(messages))


def turn(content: str) -> Chat:
    """A chat of one question and this answer."""
    return chat_of(question("q1"), answer("a1", "q1", content))


def cells(chat: Chat) -> list[tuple[str, str]]:
    """Kind and source of the notebook's cells, once it is valid."""
    notebook = nbformat.reads(to_notebook(chat), as_version=4)
    nbformat.validate(notebook)
    assert nbformat.writes(notebook) == nbformat.writes(
        nbformat.reads(nbformat.writes(notebook), as_version=4)
    )
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


# --- Markdown ---------------------------------------------------------------------------------


def test_markdown_has_the_branch_that_is_shown() -> None:
    chat = chat_of(
        question("q1", "First?"),
        answer("a1", "q1", "Old."),
        answer("a2", "q1", "New."),
        question("q2", "Then?", "a2"),
        current_id="a2",
    )
    assert to_markdown(chat) == ("# Loops\n\n## Question\n\nFirst?\n\n## Answer\n\nNew.\n")
    chat.current_id = None
    assert "Then?" in to_markdown(chat)
    assert [each.message_id for each in branch(chat)] == ["q1", "a2", "q2"]
    chat.current_id = "unknown"
    assert [each.message_id for each in branch(chat)] == ["q1", "a2", "q2"]


def test_attachments_are_folded_and_cannot_get_out() -> None:
    text = "```\n</details>\n````\n# out"
    item = ContextItem("file", "@file:<b>.md", text, "dir/<b>.md", "mark down\n", 5, True)
    asked = MessageRecord("q1", "user", "Why?", 1, action="explain", context=[item])
    assert to_markdown(chat_of(asked)) == (
        "# Loops\n\n## Question\n\n`/explain`\n\nWhy?\n\n"
        "<details>\n<summary>@file:&lt;b&gt;.md (dir/&lt;b&gt;.md), shortened</summary>\n\n"
        f"`````markdown\n{text}\n`````\n\n</details>\n"
    )


def test_an_unfinished_fence_does_not_swallow_the_next_question() -> None:
    chat = chat_of(
        question("q1"),
        answer("a1", "q1", "```py\nx", MessageState.STOPPED),
        question("q2", "Then?", "a1"),
    )
    text = to_markdown(chat)
    assert "```py\nx\n```\n\n*This answer was stopped before its end.*\n\n## Question" in text


def test_a_failed_answer_says_why_and_a_title_is_only_text() -> None:
    failed = full_answer("a1", "q1")
    text = to_markdown(chat_of(question("q1"), failed, title="# *a*\n<b> [x](y)"))
    assert text.startswith("# \\# \\*a\\* \\<b\\> \\[x\\](y)\n")
    assert "## Answer (tiny)" in text
    assert "*This answer failed.* Worker ended." in text
    assert to_markdown(chat_of(title="")) == "# Chat\n"


# --- notebook ---------------------------------------------------------------------------------


def test_python_becomes_code_cells_and_the_rest_stays_markdown() -> None:
    content = (
        "First:\n\n```python\nx = 1\n```\n\nthen\n\n```bash\nls\n```\nand\n~~~\ny = 2\n~~~\nDone."
    )
    assert cells(turn(content)) == [
        ("markdown", "# Loops"),
        ("markdown", "## Question\n\nWhy?"),
        ("markdown", "## Answer\n\nFirst:"),
        ("code", "x = 1"),
        ("markdown", "then\n\n```bash\nls\n```\nand"),
        ("code", "y = 2"),
        ("markdown", "Done."),
    ]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("```py\nx\ny", [("markdown", "## Answer"), ("code", "x\ny")]),
        ("```r\nx", [("markdown", "## Answer\n\n```r\nx\n```")]),
        ("```\n\n```", [("markdown", "## Answer")]),
        ("- a\n  ```py\n  if x:\n      y\n  ```", [("markdown", "## Answer\n\n- a")]),
        ("", [("markdown", "## Answer")]),
        ("```py\r\nx\r\ny\r\n```", [("markdown", "## Answer"), ("code", "x\ny")]),
        ("````md\n```py\nx\n```\n````", [("markdown", "## Answer\n\n````md\n```py\nx\n```\n````")]),
    ],
)
def test_every_kind_of_fence_has_its_place(content: str, found: list[tuple[str, str]]) -> None:
    made = cells(turn(content))[2:]
    assert made[: len(found)] == found
    if content.startswith("- a"):
        assert made[1:] == [("code", "if x:\n    y")]


def test_the_notebook_has_no_outputs_and_names_its_kernel() -> None:
    made = json.loads(to_notebook(turn("```\nx\n```")))
    assert (made["nbformat"], made["nbformat_minor"]) == (4, 5)
    assert made["metadata"]["kernelspec"]["name"] == "python3"
    code = made["cells"][-1]
    assert (code["outputs"], code["execution_count"]) == ([], None)
    ids = [cell["id"] for cell in made["cells"]]
    assert len(set(ids)) == len(ids)
    assert to_notebook(turn("x")) == to_notebook(turn("x"))


def test_a_question_stays_one_cell_with_its_code_and_attachments() -> None:
    item = ContextItem("cell", "@cell 1", "x = 1", language="python")
    asked = MessageRecord("q1", "user", "```py\nx", 1, context=[item])
    (_, (kind, source)) = cells(chat_of(asked))
    assert kind == "markdown"
    assert source.startswith("## Question\n\n```py\nx\n```\n\n<details>")


def test_an_unfinished_answer_says_so_below_its_code() -> None:
    chat = chat_of(question("q1"), answer("a1", "q1", "```\nx", MessageState.INTERRUPTED))
    made = cells(chat)[-2:]
    assert made[0] == ("code", "x")
    assert made[1][1].startswith("*This answer was interrupted")


# --- our own format ---------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
trees = st.lists(st.tuples(st.integers(-1, 30), texts, st.sampled_from(MessageState)), max_size=12)


def tree_of(drawn: list[tuple[int, str, MessageState]]) -> Chat:
    """A chat in which each message answers one before it, or none."""
    messages: list[MessageRecord] = []
    for number, (parent, content, state) in enumerate(drawn):
        parent_id = f"m{parent % number}" if number and parent >= 0 else None
        made = full_answer(f"m{number}", "x") if number % 3 == 2 else question(f"m{number}")
        changes: dict[str, Any] = {"parent_id": parent_id, "content": content, "state": state}
        messages.append(msgspec.structs.replace(made, **changes))
    return chat_of(*messages, current_id=messages[-1].message_id if messages else None)


@settings(max_examples=100, deadline=None)
@given(trees)
def test_what_is_exported_can_be_imported_again(drawn: list[tuple[int, str, MessageState]]) -> None:
    chat = tree_of(drawn)
    assert from_json(to_json(chat)) == chat
    assert from_json("\ufeff" + to_json(chat)) == chat


@settings(max_examples=100, deadline=None)
@given(trees)
def test_every_chat_makes_a_valid_notebook(drawn: list[tuple[int, str, MessageState]]) -> None:
    cells(tree_of(drawn))
    assert to_markdown(tree_of(drawn)).endswith("\n")


def test_messages_in_any_order_come_after_the_one_they_answer() -> None:
    chat = chat_of(answer("a1", "q1"), question("q2", "", "a1"), question("q1"))
    found = from_json(to_json(chat))
    assert [each.message_id for each in found.messages] == ["q1", "a1", "q2"]


def edited(**changes: Any) -> str:
    """An export in which something is changed; ``None`` takes it away."""
    made = json.loads(to_json(turn("x")))
    for path, value in changes.items():
        *folders, name = [int(part) if part.isdigit() else part for part in path.split("__")]
        place = made
        for folder in folders:
            place = place[folder]
        if value is None:
            place.pop(name, None)
        else:
            place[name] = value
    return json.dumps(made)


DEEP = '{"a":' * 10_000 + "1" + "}" * 10_000


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        ("# Notes", "not JSON"),
        ('{"format": "jupyter_localllm.chat"', "not JSON"),
        ('"\\ud800"', "not JSON"),
        ("\ud800", "not JSON"),
        ("1e999", "not JSON"),
        ("[1]", "not a chat of this program"),
        ("null", "not a chat of this program"),
        ('{"messages": []}', "not a chat of this program"),
        (edited(format="jupyter-chat"), "not a chat of this program"),
        (edited(version=2), "newer version"),
        (edited(version=0), "version"),
        (edited(version=True), "version"),
        (edited(version="1"), "version"),
        (edited(version=None), "version"),
        (edited(chat=None), "no chat"),
        (edited(chat=[]), "no chat"),
        (edited(more=1), "more"),
        (edited(chat__secret=1), "secret"),
        (edited(chat__messages__0__secret=1), "secret"),
        (edited(chat__title=None), "title"),
        (edited(chat__title=5), "title"),
        (edited(chat__messages={}), "messages"),
        (edited(chat__messages__0=[]), "messages"),
        (edited(chat__messages__0__content=None), "content"),
        (edited(chat__messages__0__role="system"), "role"),
        (edited(chat__messages__0__state="lost"), "state"),
        (edited(chat__messages__0__created_ms=2**60), "out of range"),
        (edited(chat__messages__0__created_ms=10**400), "."),
        (edited(chat__messages__1__seed=2**70), "out of range"),
        (edited(chat__messages__1__n_left_out=-1), "out of range"),
        (edited(chat__messages__1__usage={"prompt_tokens": 10**300}), "out of range"),
        (edited(chat__messages__1__timings={"prompt_ms": 1e300}), "out of range"),
        ("1" * 5000, "not JSON"),
        (edited(chat__messages__0__context=[{"kind": "x"}]), "kind"),
        (edited(chat__messages__0__parent_id="a1"), "circle"),
        (edited(chat__messages__1__parent_id="a1"), "circle"),
        (edited(chat__messages__1__parent_id="gone"), "not in the file"),
        (edited(chat__messages__1__message_id="q1"), "same id"),
        (edited(chat__current_id="gone"), "branch to be shown"),
        (DEEP, "nested too deeply"),
        (edited(chat__messages__1__error={"a": json.loads("[" * 40 + "]" * 40)}), "nested"),
        (edited(chat__messages__1__error="DEEP").replace('"DEEP"', DEEP), "nested too deeply"),
        ("[" * 10_000 + "]" * 10_000, "nested too deeply"),
    ],
)
def test_another_file_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(RequestError) as raised:
        from_json(text)
    assert raised.value.error_code == "invalid_chat_file"
    assert raised.value.message.startswith("The file cannot be imported: ")
    assert reason in raised.value.message
    assert len(raised.value.message) < 300
    assert raised.value.hint


def test_a_file_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    text = to_json(turn("ä" * 1000))
    monkeypatch.setattr(chat_export, "MAX_FILE_BYTES", len(text.encode()) - 1)
    with pytest.raises(RequestError, match="larger than"):
        from_json(text)
    monkeypatch.setattr(chat_export, "MAX_FILE_BYTES", len(text.encode()))
    assert from_json(text).messages


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["chat", "messages", "error", "context", "x", "usage"]),
                inner,
                max_size=3,
            )
        ),
        max_leaves=8,
    ),
    st.sampled_from(["chat", "chat__messages", "chat__messages__1", "chat__messages__1__error"]),
)
def test_nothing_but_its_own_error_comes_out(value: Any, place: str) -> None:
    text = edited(**{place: value if value is not None else 0})
    try:
        chat = from_json(text)
    except RequestError as error:
        assert error.error_code == "invalid_chat_file"
    else:
        assert from_json(to_json(chat)) == chat


def test_a_notebook_made_of_a_chat_loads_nothing_when_it_is_opened() -> None:
    answer = (
        "Look: ![x](http://h.invalid/i.png) <img src=//h>\n\n```html\n<img src='cat.png'>\n```\n"
    )
    made = nbformat.reads(to_notebook(turn(answer)), as_version=4)
    text = made.cells[-1].source
    assert "Look: &#33;[x](http://h.invalid/i.png) &lt;img src=//h>" in text
    assert "<img src='cat.png'>" in text
