"""Tab in our lines: what may follow and nothing else, with jedi and without it."""

from __future__ import annotations

from pathlib import Path

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from jupyter_localllm.magics import register, unregister
from jupyter_localllm.magics.lines.typed_words import cut, files, in_quotes
from tests.magics.conftest import owner_of

SETUP = """
from dataclasses import dataclass
prices = [1, 2]
wanted = {"type": "array"}
@dataclass
class Wish:
    name: str
def area(radius):
    return radius
"""


@pytest.fixture
def ready(
    shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> InteractiveShell:
    """A shell with the magics and some names, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    register(shell)
    shell.run_cell(SETUP, store_history=True)
    owner_of(shell).personas = {"tutor": "Be patient.", "two words": "Be brief."}
    return shell


def offered(shell: InteractiveShell, text: str) -> list[str]:
    """What the last word becomes; the same with and without jedi."""
    completer = shell.Completer
    assert completer is not None
    found = []
    for use_jedi in (True, False):
        completer.use_jedi = use_jedi
        with provisionalcompleter():
            completions = list(completer.completions(text, len(text)))
        begin = len(text) - len(cut(text.rpartition("\n")[2])[1].raw)
        found.append([text[begin : each.start] + each.text for each in completions])
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("%%llm --c", ["--context", "--chat", "--confirm"]),
        ("%%llm --ex", ["--execute"]),
        ("%%llm code --dr", ["--dry-run"]),
        ("%%llm -p ", ["tutor", '"two words"']),
        ("%%llm -p two", ['"two words"']),
        ("%%llm -p 'tw", ["'two words'"]),
        ("%%llm --persona=tu", ["--persona=tutor"]),
        ("%%llm --schema ", ["wanted", "Wish"]),
        ("%%llm --format=ta", ["--format=table"]),
        ("%%llm --param top", ["top_k", "top_p"]),
        ("%%llm expl", ["explain"]),
        ("%%time\n\n%%llm expl", ["explain"]),
        ("%%explain --see", ["--seed"]),
        ("x = 1\n%llm sta", ["status"]),
        ("%%time\n%llm sta", ["status"]),
        ("talk = %llm sta", ["status"]),
        ("llm sta", ["status"]),
        ("%llm --", ["--help"]),
        ("%llm explain ar", ["area"]),
        ("%llm explain pri", ["prices"]),
        ("%llm translate French pri", ["prices"]),
        ("%llm alias brief --max", ["--max-tokens"]),
        ("%%mermaid --th", ["--theme"]),
        # Given once already.
        ("%%llm --seed 1 --see", []),
        # Values that nobody knows, and words that are not finished.
        ("%%llm --max-tokens ", []),
        ("%%llm --into ", []),
        ("%%llm --param top_p ", []),
        ("%%llm --context cells ", []),
        ("%%llm --system 'a ", []),
        ('%%llm --schema {"type": ', []),
        ("%llm status ", ["--help"]),
    ],
)
def test_only_what_may_follow_is_offered(
    ready: InteractiveShell, text: str, words: list[str]
) -> None:
    """Seen: ``--callable`` and ``--chr`` for ``--c``, magics in the place of personas."""
    assert offered(ready, text) == words


def offered_by_anybody(shell: InteractiveShell, text: str) -> list[str]:
    completer = shell.Completer
    assert completer is not None
    with provisionalcompleter():
        return [each.text for each in completer.completions(text, len(text))]


def test_options_and_actions_are_ours_alone(ready: InteractiveShell) -> None:
    """Seen: 349 entries for ``--``, the first one ``--abs``."""
    options = offered(ready, "%%llm --")
    assert {"--help", "--execute", "--type"} <= set(options)
    assert all(option.startswith("--") for option in options) and len(options) < 40
    first = offered(ready, "%%llm ")
    assert first[0] == "ask"
    assert {"translate", "--chat"} <= set(first)
    assert not {"and", "if", "abs", "%%bash"} & set(first)
    in_line = offered(ready, "%llm fix -")
    assert "-m" in in_line
    assert not {"-x", "--execute", "--dry-run", "--confirm"} & set(in_line)


def test_the_title_of_a_chat_is_completed_in_an_open_quote(
    asking: InteractiveShell,
) -> None:
    asking.run_cell("%%llm --chat 'My project'\nHELLO", store_history=True)
    assert offered(asking, "%%llm --chat 'My") == ["'My project'"]
    assert offered(asking, '%llm history --chat "my') == ['"My project"']
    assert offered(asking, "%%llm --chat my") == ['"My project"']
    assert offered(asking, "%%llm --chat 'My pro") == ["'My project'"]


def test_files_are_completed_where_they_are_meant(ready: InteractiveShell, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    for name in ("models/small one.gguf", "models/notes.txt", "want.json", "school.db"):
        (tmp_path / name).write_text("")
    assert offered(ready, "%%llm -m mod") == ["models/"]
    assert offered(ready, "%%llm -m models/") == ['"models/small one.gguf"']
    assert offered(ready, "%%llm --schema wan") == ["wanted", "want.json"]
    assert offered(ready, "%llm diagram sch") == ["school.db"]
    assert files("none/here", (".gguf",)) == files("~nobody/x", ()) == []


def test_lines_of_others_are_left_to_ipython(ready: InteractiveShell) -> None:
    words = offered_by_anybody
    assert "prices" in words(ready, "%%llm\nWhat is the sum of {pri")
    assert "prices" in words(ready, "pri")
    assert "prices" in words(ready, "llm = pri")
    assert not {"status", "stop"} & set(words(ready, "%%bash\n%llm st"))
    # A line in the question is text.
    assert "status" not in words(ready, "%%llm\n%llm sta")
    assert "%%llm" in words(ready, "%%ll")
    # Nobody asked for %%ai.
    assert "explain" not in words(ready, "%%ai exp")
    ready.user_ns["llm"] = 1
    assert "status" not in words(ready, "llm sta")


def test_it_is_registered_once_and_taken_away(shell: InteractiveShell) -> None:
    completer = shell.Completer
    assert completer is not None
    completer.custom_matchers.append(theirs)
    for _ in range(3):
        register(shell)
    assert len(completer.custom_matchers) == 2
    unregister(shell)
    assert completer.custom_matchers == [theirs]


def theirs(text: str) -> list[str]:
    return []


def test_a_completion_that_fails_disturbs_nobody(
    ready: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    ready.user_ns["odd"] = Odd()
    owner_of(ready).history_file = "/dev/null/none"
    offered_by_anybody(ready, "%%llm --chat ")
    assert "area" in offered(ready, "%llm diagram ")
    assert capsys.readouterr().err == ""


class Odd:
    def __getattribute__(self, name: str) -> object:
        raise SystemExit


@pytest.mark.parametrize(
    ("typed", "words", "raw", "text"),
    [
        ("", [], "", ""),
        ("a b ", ["a", "b"], "", ""),
        ("--chat 'My pro", ["--chat"], "'My pro", "My pro"),
        ("-p 'two words' -", ["-p", "two words"], "-", "-"),
        ('--schema {"a": {"b": 1}} x', ["--schema", '{"a": {"b": 1}}'], "x", "x"),
        ('--schema {"a": "b c', ["--schema"], '{"a": "b c', '{"a": "b c'),
    ],
)
def test_a_line_is_cut_where_it_is_typed(typed: str, words: list[str], raw: str, text: str) -> None:
    done, word = cut(typed)
    assert (done, word.raw, word.text) == (words, raw, text)


def test_quotes_are_put_where_they_are_needed() -> None:
    assert [in_quotes(each) for each in ("a", "a b", "it's", 'a "b"', "'\"")] == [
        *("a", '"a b"', '"it\'s"', "'a \"b\"'", ""),
    ]
