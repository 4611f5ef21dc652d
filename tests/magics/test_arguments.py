"""Lines of the magics: typed commands, one-line refusals, help from the same declaration."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from IPython.core.error import UsageError

from jupyter_localllm.magics.lines.cell_arguments import parse_cell
from jupyter_localllm.magics.lines.commands import (
    Ask,
    ListModels,
    ShowHelp,
    ShowStatus,
    ShowVersion,
    UnloadModel,
    UseModel,
)
from jupyter_localllm.magics.lines.line_arguments import parse_line
from jupyter_localllm.magics.lines.words import model_reference, split_words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a  b\tc", ["a", "b", "c"]),
        ('-m "my model.gguf" x', ["-m", "my model.gguf", "x"]),
        ("--system 'say \"hi\"'", ["--system", 'say "hi"']),
        (r"-m C:\models\new.gguf", ["-m", r"C:\models\new.gguf"]),
        (r"-m \\server\share\x.gguf", ["-m", r"\\server\share\x.gguf"]),
        (r"a\ b", ["a b"]),
        ('--system ""', ["--system", ""]),
        ('x"y z"', ["xy z"]),
        ("--system {not_a_variable} {a: 1}", ["--system", "{not_a_variable}", "{a:", "1}"]),
        ("", []),
    ],
)
def test_words(line: str, words: list[str]) -> None:
    assert split_words(line, {}, is_windows=False) == words


def test_windows_backslash_before_a_quote_or_space_is_a_backslash() -> None:
    assert split_words('"C:\\my models\\" -t 1', {}, is_windows=True) == [
        "C:\\my models\\",
        "-t",
        "1",
    ]


def test_only_a_whole_unquoted_word_is_a_variable_and_its_value_is_not_read_again() -> None:
    variables = {"path": "{other}", "other": "no", "n": 3}
    assert split_words("-m {path} --seed $n", variables) == ["-m", "{other}", "--seed", "3"]
    assert split_words("'{path}' x{n} $n.gguf", variables) == ["{path}", "x{n}", "$n.gguf"]


def test_cell_options() -> None:
    assert parse_cell("", {}) == Ask()
    line = 'smol -t 0.5 --max-tokens 9 --seed -3 --system "Be brief." --no-stream'
    assert parse_cell(line, {}) == Ask("smol", 0.5, 9, -3, "Be brief.", False)
    assert parse_cell("-m smol", {}) == parse_cell("--model=smol", {}) == Ask("smol")


def test_line_commands() -> None:
    assert parse_line("status", {}) == ShowStatus()
    assert parse_line("list", {}) == ListModels()
    assert parse_line("version", {}) == ShowVersion()
    assert parse_line("use smol", {}) == UseModel("smol")
    assert parse_line("unload", {}) == UnloadModel(None)
    assert parse_line("unload smol", {}) == UnloadModel("smol")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("--temprature 0.5", "did you mean `--temperature`?"),
        ("--max_tokens 3", "did you mean `--max-tokens`?"),
        ("-t warm", "'warm' is not a number from 0 to 5"),
        ("-t nan", "not a number"),
        ("-t 5.1", "from 0 to 5"),
        ("--max-tokens 0", "at least 1"),
        ("--max-tokens 1.5", "at least 1"),
        ("--seed x", "whole number"),
        (f"--seed {2**63}", "at most 64 bits"),
        ("--seed", "expected one argument"),
        ("a -m b", "Two models are named, a and b"),
        ("what is pi?", "the question goes into the lines below %%llm"),
        ('--system "open', "opened but not closed"),
        ("--system Don't", "opened but not closed"),
        ("--seed 1\u2028--bad", "--bad is not an option"),
        ("-q", "-q is not an option. See"),
        ("--exceute", "--exceute is not an option. See"),
        ("-T 1", "did you mean `-t`?"),
        ("-X", "-X is not an option. See"),
        ("--stop", "--stop is not an option. See"),
        ("-f yaml", "'yaml' is no format. There are markdown, code, json"),
        ("-x  # note", "A comment cannot stand in this line; leave out `# note`"),
        ("#note", "A comment cannot stand in this line; leave out `#note`"),
        ("use smol", "Did you mean %llm use smol?"),
    ],
)
def test_bad_cell_options_are_one_line(line: str, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_cell(line, {})
    assert expected in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("statsu", "did you mean `status`?"),
        ("List", "did you mean `list`?"),
        ("what is pi?", "write %%llm in the first line of a cell"),
        ("use", "Name a model"),
        ("use --hlp", "did you mean `--help`?"),
        ("use a b", "no option: b"),
        ("list all", "no option: all"),
        ("status " + "x" * 500, "no option: xxx"),
        ("list # all", "leave out `# all`"),
        ("reset --chat x", "--chat is not an option. See"),
        ("ask", "has no command `ask`. To ask"),
        ("code", "write %%llm code in the first line of a cell"),
        ("generate smol", "write %%llm code in the first line of a cell"),
    ],
)
def test_bad_line_commands_are_one_line(line: str, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_line(line, {})
    assert expected in str(caught.value)
    assert len(str(caught.value)) < 250
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("line", ["", "help", "--help", "-h", "  "])
def test_help_of_everything(line: str) -> None:
    command = parse_line(line, {})
    assert isinstance(command, ShowHelp)
    for word in ("status", "unload", "--max-tokens", "--seed", "%%llm -m ~/models", "%config"):
        assert word in command.text


@pytest.mark.parametrize("line", ["code --help", "help generate", "help ask", "code -x -h"])
def test_help_of_an_action_that_only_cells_have(line: str) -> None:
    found = parse_line(line, {})
    assert isinstance(found, ShowHelp)
    assert found.text.startswith("usage: %%llm")
    assert "--max-tokens" in found.text


NEEDED = [
    *("print", "get_ipython", "display", "input", "__name__", "In", "Out", "Err", "_llm"),
    *("exit", "quit", "open", "_", "__", "___", "_i", "_ii", "_ih", "_oh", "_dh", "_12", "_i12"),
]


@pytest.mark.parametrize("name", NEEDED)
def test_into_leaves_the_names_alone_that_the_session_needs(name: str) -> None:
    for read in (parse_cell, lambda line, names: parse_line(f"diagram x {line}", names)):
        with pytest.raises(UsageError) as caught:
            read(f"--into {name}", {})
        assert f"'{name}' is a name that Python or IPython needs" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_into_takes_every_other_name() -> None:
    for name in ("answer", "_mine", "Printer", "größe"):
        assert parse_cell(f"--into {name}", {}) == Ask(into=name)


def test_help_wins_over_what_else_is_wrong() -> None:
    assert isinstance(parse_cell("--bogus -t hot --help", {}), ShowHelp)


def test_model_paths_become_absolute_and_names_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "blob").touch()
    assert model_reference("./x.gguf") == str(tmp_path / "x.gguf")
    assert model_reference("x.GGUF") == str(tmp_path / "x.GGUF")
    assert model_reference("~/x.gguf") == str(tmp_path / "home" / "x.gguf")
    assert model_reference("sub/blob") == str(tmp_path / "sub" / "blob")
    assert model_reference(".") == str(tmp_path)
    assert model_reference(str(tmp_path / "a b")) == str(tmp_path / "a b")
    for name in ("SmolLM2-135M-Instruct", "org/model", "qwen:0.5b", ""):
        assert model_reference(name) == name
    if os.name != "nt":
        assert model_reference(r"C:\models\x.gguf") == r"C:\models\x.gguf"
        # There is no such person, so the text is a file's name.
        assert model_reference("~nobody-here") == str(tmp_path / "~nobody-here")
