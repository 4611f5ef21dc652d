"""What a question is about and what goes in with it: composed for a real shell, asked of nobody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from jupyter_localllm.assistant.prompts import load_prompts
from jupyter_localllm.magics import register, unregister
from jupyter_localllm.magics.lines.cell_arguments import parse_cell
from jupyter_localllm.magics.lines.commands import ActOn, Ask
from jupyter_localllm.magics.lines.line_arguments import parse_line
from jupyter_localllm.magics.questions.composer import Composed
from tests.magics.conftest import owner_of


class Session:
    """A shell with the magics, and questions of it as they would be sent."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self.owner = owner_of(shell)

    def run(self, code: str, cell_id: str | None = None) -> None:
        self.shell.run_cell(code, store_history=True, cell_id=cell_id)

    def cell(self, line: str, body: str = "") -> Composed:
        ask = parse_cell(line, self.shell.user_ns, self.owner.aliases)
        assert isinstance(ask, Ask)
        return self.owner._composer().compose(ask, body and f"{body}\n")

    def line(self, line: str) -> Composed:
        act = parse_line(line, self.shell.user_ns)
        assert isinstance(act, ActOn)
        return self.owner._composer().compose(act)

    def text(self, line: str, body: str = "") -> str:
        """The last message of a cell."""
        return sent(self.cell(line, body))


def sent(composed: Composed) -> str:
    return composed.question.request.messages[-1].text


@pytest.fixture
def session(shell: InteractiveShell) -> Iterator[Session]:
    register(shell)
    yield Session(shell)
    unregister(shell)


# --- actions --------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["explain", "fix", "improve", "test", "doc"])
def test_code_in_the_body_is_sent_as_it_stands(session: Session, action: str) -> None:
    session.run("name = 'secret'")
    composed = session.cell(action, "print(f'{name}', {name}, {{name}})")
    assert "```python\nprint(f'{name}', {name}, {{name}})\n```" in sent(composed)
    assert composed.question.action == action
    assert composed.question.code == "print(f'{name}', {name}, {{name}})"
    assert load_prompts()[action].text in sent(composed)


@pytest.mark.parametrize("line", ["explain", "fix", "improve", "test", "doc", "translate French"])
def test_an_empty_body_means_the_cell_above(session: Session, line: str) -> None:
    with pytest.raises(UsageError, match="No cell with code ran"):
        session.cell(line)
    session.run("def area(r):\n    return 3.14 * r * r")
    session.run("%llm version")
    session.run("%%llm --bogus\nhello")
    assert "def area(r):" in session.text(line)


def test_one_placeholder_as_the_body_is_that_cell(session: Session) -> None:
    """The idiom of jupyter-ai: ``%%ai explain`` with ``{In[3]}`` below."""
    session.run("first = 1")
    session.run("second = 2")
    assert session.cell("explain", "{In[1]}").question.code == "first = 1"


def test_the_error_goes_with_the_code(session: Session) -> None:
    session.run("good = 1", "one")
    session.run("[1, 2][5]", "two")
    session.run("print('later')", "three")
    for composed in (session.line("fix"), session.line("error"), session.line("fix In[2]")):
        assert "```python\n[1, 2][5]\n```" in sent(composed)
        assert "IndexError: list index out of range" in sent(composed)
        assert "Traceback" in sent(composed)
    assert "IndexError" in session.text("fix", "[1, 2][5]")
    assert session.line("error").question.action == "explain"
    session.run("[1, 2][0]", "two")
    for line in ("fix", "error"):
        with pytest.raises(UsageError, match="No error is left"):
            session.line(line)


def test_what_a_line_chose_itself_is_named(session: Session) -> None:
    session.run("df = {}\ndf['pirce']")
    session.run("print(valeu)")
    session.run("print(3)")
    chosen = "About In[2]: NameError: name 'valeu' is not defined"
    for line in ("fix", "error"):
        assert session.line(line).notes == (chosen,)
        assert session.line(f"{line} In[1]").notes == ()
    assert session.line("explain").notes == ("About In[3].",)
    assert session.cell("fix").notes == ("About In[3].",)
    assert session.cell("fix", "print(3)").notes == ()


def test_an_error_is_explained_only_of_a_cell_that_failed(session: Session) -> None:
    session.run("missing")
    session.run("1 + 1")
    for target in ("In[2]", "2", "Err[2]"):
        with pytest.raises(UsageError, match=r"In\[2\] did not fail. There are Err\[1\]"):
            session.line(f"error {target}")
    assert "NameError" in sent(session.line("error In[1]"))
    assert "1 + 1" in sent(session.line("fix In[2]"))


@pytest.mark.parametrize("value", ["5", "None", "ValueError('mine')", "b'x'"])
def test_what_a_person_puts_into_err_is_text(session: Session, value: str) -> None:
    session.run("1")
    session.run(f"Err[1] = {value}")
    for line in ("explain Err[1]", "error In[1]", "explain --context cells 1"):
        assert value in sent(session.line(line))


def test_nothing_failed_is_said(session: Session) -> None:
    session.run("1 + 1")
    with pytest.raises(UsageError, match="No cell has failed in this session"):
        session.line("fix")


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("explain In[1]", "def twice(n):"),
        ("explain 1", "def twice(n):"),
        ("test twice", "def twice(n):"),
        ("explain Out[2]", "Out[2]:\n```\n42"),
        ("summarise answer", "answer:\n```\n42"),
        ("translate French Out[2]", "Translate into French."),
        ("improve In[1] without a function", "without a function"),
        ("explain Err[3]", "NameError"),
    ],
)
def test_targets_of_a_line(session: Session, line: str, part: str) -> None:
    session.run("def twice(n):\n    return 2 * n")
    session.run("answer = twice(21)\nanswer")
    session.run("missing")
    assert part in sent(session.line(line))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("fix In[99]", "No cell ran as In[99] in this session. The last one was In[1]."),
        ("explain Out[1]", "There is no Out[1]"),
        ("explain Err[1]", "In[1] did not fail. No cell has failed."),
        ("explain vlaue", "did you mean `value`?"),
        ("explain what is pi", "To ask in words, write %%llm"),
        ("fix --bogus", "--bogus is not an option"),
    ],
)
def test_targets_that_are_not_there(session: Session, line: str, reason: str) -> None:
    session.run("value = 1")
    with pytest.raises(UsageError) as caught:
        session.line(line)
    assert reason in str(caught.value)


def test_a_prompt_of_the_users_own_takes_the_place_of_ours(
    session: Session, tmp_path: Path
) -> None:
    (tmp_path / "explain.md").write_text("Reply as a pirate.")
    (tmp_path / "formats").mkdir()
    (tmp_path / "formats" / "json.md").write_text("Only JSON, matey.")
    session.owner.prompt_folder = str(tmp_path)
    assert session.text("explain", "x = 1").endswith("Reply as a pirate.")
    assert session.text("-f json", "Name a sea.") == "Only JSON, matey.\n\nName a sea."
    (tmp_path / "fix.md").write_bytes(b"\xff")
    assert any("fix.md" in note for note in session.cell("fix", "x = 1").notes)


# --- options --------------------------------------------------------------------------------


def test_cellmages_arguments_are_taken(session: Session) -> None:
    session.owner.personas = {"tutor": "You are a tutor."}
    line = "-p tutor -t 0.5 --max-tokens 9 --no-history --no-stream --param top_p 0.9 smol"
    question = session.cell(line, "hi").question
    request = question.request
    assert (request.model, request.temperature, request.max_tokens) == ("smol", 0.5, 9)
    assert (request.top_p, question.is_streaming) == (0.9, False)
    assert request.messages[0].text == "You are a tutor."
    assert question.on_answer is None


def test_m_with_a_brace_is_parameters(session: Session) -> None:
    """Seen elsewhere: jupyter-ai's ``-m`` holds parameters, which its version 3 ignores."""
    for line in (
        '-m {"top_k": 3, "stop": ["a b"]} -m smol',
        '-m \'{"top_k": 3, "stop": ["a b"]}\' smol',
        'smol --model-parameters={"top_k":3,"stop":["a b"]}',
    ):
        request = session.cell(line, "hi").question.request
        assert (request.model, request.top_k, request.stop) == ("smol", 3, ["a b"])
    assert session.cell('-t 1 -m {"temperature":0.1}', "hi").question.request.temperature == 1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("--param topp 1", "did you mean `top_p`?"),
        ("--param top_p 3", "top_p: expected"),
        ("--param response_format x", "response_format is not a parameter. There are max_tokens"),
        ("--param top_p high", "top_p: expected a number. Correct"),
        ("--param top_k 0.5", "top_k: expected a whole number. Correct"),
        ("--param cache_prompt 3", "cache_prompt: expected true or false. Correct"),
        ("--param stop 3", "stop: expected a text or a list. Correct"),
        ("--param min_p -1", "min_p: expected a number of at least 0.0. Correct"),
        ("-m {'top_p':1}", "is not JSON"),
        ("-m '[1]' -m '{\"a\": 1}'", "a is not a parameter"),
        ("-p nobody", "There is no persona nobody"),
    ],
)
def test_bad_parameters_are_one_line(session: Session, line: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        session.cell(line, "hi")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_persona_from_a_file_without_its_head(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "llm_personas").mkdir()
    (tmp_path / "llm_personas" / "pirate.md").write_text("---\nname: P\n---\nYou are a pirate.\n")
    assert session.cell("-p pirate", "hi").question.request.messages[0].text == "You are a pirate."
    with pytest.raises(UsageError, match="There are pirate"):
        session.cell("-p ../pirate", "hi")


def test_the_names_that_jupyter_ai_has_for_the_model(session: Session) -> None:
    session.run("%config LocalLLM.default_language_model = 'smol'")
    assert session.owner.model == "smol"


# --- context --------------------------------------------------------------------------------


def test_context_from_the_session(session: Session) -> None:
    session.run("rate = 0.25", "one")
    session.run("rate * 4", "two")
    session.run("broken(", "three")
    session.run("rate = 0.5", "one")
    text = session.text("--context above", "Why?")
    assert text.endswith("\n\nWhy?")
    assert "rate = 0.5" in text
    assert "rate = 0.25" not in text
    assert "rate * 4\nOut[2]:\n1.0" in text
    assert "SyntaxError" in text
    numbered = session.text("--context cells 1-2", "Why?")
    assert "In[1]:\nrate = 0.25" in numbered
    assert "broken" not in numbered
    assert session.text("", "Why?") == "Why?"
    composed = session.cell("--context notebook", "Why?")
    assert any("file is not known here" in note for note in composed.notes)
    session.owner.context = "above"
    assert "rate" in session.text("", "Why?")
    assert session.text("--context none", "Why?") == "Why?"


def test_context_is_bounded_and_says_so(session: Session) -> None:
    for number in range(1, 30):
        session.run(f"value_{number} = '{'x' * 200}'", f"cell{number}")
    session.owner.context_tokens = 300
    composed = session.cell("--context above", "Why?")
    assert "value_29" in sent(composed)
    assert "value_2 " not in sent(composed)
    assert len(sent(composed)) < 1200
    assert any("left out" in note for note in composed.notes)


def test_a_single_cell_that_is_too_long_is_marked_as_shortened(session: Session) -> None:
    session.run(f"value = '{'x ' * 2000}'", "cell1")
    session.owner.context_tokens = 100
    composed = session.cell("--context above", "Why?")
    assert any("only the beginning and the end" in note for note in composed.notes)
    assert not any("left out" in note for note in composed.notes)
    assert "cells above, shortened" in sent(composed)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("--context cells 7-9", "None of the cells 7-9 ran"),
        ("--context cells 9-7", "smaller number first"),
    ],
)
def test_cells_that_are_not_there(session: Session, line: str, reason: str) -> None:
    session.run("x = 1")
    with pytest.raises(UsageError, match=reason):
        session.cell(line, "hi")


def test_context_from_the_saved_notebook(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Markdown, order and cells that did not run are known where the file and the ids are."""

    def cell(kind: str, cell_id: str, source: str) -> dict[str, object]:
        return {"cell_type": kind, "id": cell_id, "source": source, "metadata": {}}

    cells = [
        cell("markdown", "intro", "# Prices"),
        cell("code", "ran", "saved = 'old text'"),
        cell("code", "not-run", "later = 2"),
        cell("code", "question", "%%llm --context above\nWhy?"),
        cell("code", "below", "below = 3"),
    ]
    path = tmp_path / "lesson.ipynb"
    path.write_text(json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5}))
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    session.run("saved = 'new text'", "ran")
    texts: list[str] = []
    session.shell.user_ns["ask"] = lambda line: texts.append(session.text(line, "Why?"))
    session.run("ask('--context above'); ask('--context notebook'); ask('explain')", "question")
    above, notebook, _ = texts
    for text in (above, notebook):
        assert text.index("# Prices") < text.index("new text") < text.index("later = 2")
        assert "old text" not in text
        assert "%%llm" not in text
    assert "below" not in above
    assert "below = 3" in notebook
    # The cell above is the one that stands above, not the one that ran before.
    session.shell.user_ns["ask"] = lambda line: texts.append(session.text(line))
    session.run("ask('explain')", "question")
    assert "later = 2" in texts[-1]
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "renamed.ipynb"))
    assert "file is not known" in str(session.cell("--context notebook", "Why?").notes)


# --- values ---------------------------------------------------------------------------------


def test_a_long_value_is_summarised_and_it_is_said(session: Session) -> None:
    session.run("text = 'word ' * 5000")
    composed = session.cell("", "Sum up {text}")
    assert len(sent(composed)) < 4000
    assert any("{text} is summarised" in note for note in composed.notes)
