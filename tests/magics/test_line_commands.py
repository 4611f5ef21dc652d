"""Aliases, settings, help and completion: what a session can be told and asked about itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from jupyter_localllm.magics import register, unregister
from jupyter_localllm.magics.arguments import parse_cell, parse_line
from jupyter_localllm.magics.commands import (
    ActOn,
    Ask,
    Configure,
    ListAliases,
    RemoveAlias,
    Reset,
    SaveConversation,
    SetAlias,
    ShowAnswer,
    ShowHelp,
    ShowHistory,
    StopAnswers,
)
from tests.gguf_builders.scripted import SCRIPTS
from tests.magics.conftest import owner_of
from tests.magics.kernel_session import KernelSession

COMMANDS = [
    *("list", "use", "status", "unload", "history", "reset", "error", "fix", "explain", "alias"),
    *("dealias", "config", "show", "save", "stop", "version", "improve", "test", "doc"),
    *("summarise", "translate"),
]


# --- parsing --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("history", ShowHistory()),
        ("history --chat 'My trip'", ShowHistory("My trip")),
        ("reset", Reset()),
        ("show", ShowAnswer()),
        ("show code", ShowAnswer("code")),
        ("save a.md --chat c --force", SaveConversation("a.md", "c", True)),
        ("stop", StopAnswers()),
        ("alias", ListAliases()),
        ("alias big smol", SetAlias("big", "smol")),
        ("alias t -t 0 --system 'Be brief.'", SetAlias("t", "-t 0 --system 'Be brief.'")),
        ("dealias big", RemoveAlias("big")),
        ("config", Configure()),
        ("config max_tokens 7", Configure("max_tokens", "7")),
        ("config LocalLLM.max_tokens = 7", Configure("max_tokens", "7")),
        ("config max_tokens=7", Configure("max_tokens", "7")),
        # The names of jupyter-ai 2.
        ("register big smol", SetAlias("big", "smol")),
        ("update big smol", SetAlias("big", "smol")),
        ("delete big", RemoveAlias("big")),
        ("error", ActOn(Ask(action="explain"), is_about_error=True)),
        ("fix", ActOn(Ask(action="fix"), is_about_error=True)),
        ("fix In[3] -t 0", ActOn(Ask(action="fix", temperature=0), "In[3]")),
        ("explain In[3] in French", ActOn(Ask(action="explain"), "In[3]", "in French")),
        (
            "translate French Out[3]",
            ActOn(Ask(action="translate", language="French"), "Out[3]"),
        ),
        ("summarize Out[3]", ActOn(Ask(action="summarise"), "Out[3]")),
    ],
)
def test_lines_are_typed_commands(line: str, command: object) -> None:
    assert parse_line(line, {}) == command


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_or_an_option(command: str) -> None:
    for line in (f"{command} --help", f"help {command}", f"{command} -h"):
        found = parse_line(line, {})
        assert isinstance(found, ShowHelp)
        assert found.text.startswith(f"usage: %llm {command}")
        assert "--help" in found.text or "Examples" in found.text


def test_help_keeps_the_capitals_of_its_sentence() -> None:
    found = parse_line("fix --help", {})
    assert isinstance(found, ShowHelp)
    assert "still there, or In[n]." in found.text


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("save", "Name a file"),
        ("save talk.txt", "End its name with .md, .ipynb or .chat."),
        ("show everything", "only answer, code, prompt"),
        ("alias fix smol", "is a word of %llm already"),
        ("alias 1x smol", "beginning with a letter"),
        ("alias big", "Say what big stands for"),
        ("alias big --bogus", "--bogus is not an option"),
        ("dealias", "Name the alias"),
        ("translate", "Name the language"),
        ("fix -f code -x", "counts only in the first line"),
        ("rest", "did you mean `reset`?"),
    ],
)
def test_bad_lines_say_what_is_right(line: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_line(line, {})
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("code", Ask(action="code", format="code")),
        ("-f CODE", Ask(action="code", format="code")),
        ("-f md", Ask()),
        ("explain smol", Ask("smol", action="explain")),
        ("-t 0 smol", Ask("smol", 0)),
        ("translate German smol", Ask("smol", action="translate", language="German")),
        ("--schema s.json", Ask(format="json", schema="s.json")),
        ("-f table --schema T", Ask(format="table", schema="T")),
        ('--schema {"type": "array"}', Ask(format="json", schema='{"type": "array"}')),
        ("--render", Ask(format="html", render=True)),
        ("-x", Ask(action="code", format="code", execute=True)),
        ("fix -x --retry 0", Ask(action="fix", format="code", execute=True, retry=0)),
        ("code --dry-run", Ask(action="code", format="code", dry_run=True)),
        ("--context cells 2-5 smol", Ask("smol", context="cells 2-5")),
        ("--context 2-5,8", Ask(context="cells 2-5,8")),
        ("--context=cells 3", Ask(context="cells 3")),
        ("--chat 'My trip'", Ask(chat="My trip")),
    ],
)
def test_actions_models_and_options(line: str, expected: Ask) -> None:
    assert parse_cell(line, {}) == expected


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("-f xml", "'xml' is no format"),
        ("-f jsn", "did you mean `json`?"),
        ("-x -f json", "-x is about code"),
        ("explain -x", "-x is about code"),
        ("--confirm", "belongs to -x"),
        ("--time-limit 3", "belongs to -x"),
        ("-x --time-limit 0", "from 0.1 to 86400"),
        ("-f html --schema s", "--schema belongs to -f json"),
        ("-f json --render", "--render belongs to -f html"),
        ("--into for", "'for' is not a name"),
        ("--context some", "not one of none, above"),
        ("--context cells", "not one of none, above"),
        ("--chat c --no-history", "use one of them"),
        ("translate", "Name the language"),
        ("--retry 99", "from 0 to 10"),
        ("a -m b -m c", "Two models are named"),
    ],
)
def test_options_that_contradict_are_refused(line: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_cell(line, {})
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


# --- doing ----------------------------------------------------------------------------------


def output(shell: InteractiveShell, capsys: pytest.CaptureFixture[str], line: str) -> str:
    capsys.readouterr()
    shell.run_cell(line, store_history=True)
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_aliases_are_made_used_listed_and_taken_away(
    asking: InteractiveShell, capsys: pytest.CaptureFixture[str], scripted_model: Path
) -> None:
    assert "There is no alias" in output(asking, capsys, "%llm alias")
    output(asking, capsys, f"%llm alias toy '{scripted_model}'")
    output(asking, capsys, "%llm alias brief -t 0 --system 'Be brief.'")
    assert "toy" in output(asking, capsys, "%llm alias")
    for cell in ("%%llm toy\nHELLO", "%%llm -m toy\nHELLO", "%%llm explain toy\nHELLO = 1"):
        assert SCRIPTS["HELLO"] in output(asking, capsys, cell)
    assert "Be brief." in output(asking, capsys, "%%llm brief --show-prompt\nHELLO")
    assert "asks" in output(asking, capsys, "%llm use toy")
    register(asking)
    assert "brief" in output(asking, capsys, "%llm alias")
    output(asking, capsys, "%llm dealias toy")
    assert "did you mean `brief`?" in output(asking, capsys, "%llm dealias breif")


def test_settings_are_shown_and_changed(
    asking: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = output(asking, capsys, "%llm config")
    assert "max_history = 2" in shown
    assert "max_tokens = 7" in output(asking, capsys, "%llm config max_tokens 7")
    assert owner_of(asking).max_tokens == 7
    assert "is no value of max_tokens" in output(asking, capsys, "%llm config max_tokens many")
    assert "did you mean `max_tokens`?" in output(asking, capsys, "%llm config max_token 7")
    assert "max_history" in output(asking, capsys, "%config LocalLLM")


def test_the_prompt_is_shown_with_its_tokens_and_nothing_is_asked(
    asking: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    asking.run_cell("x = 'value'")
    shown = output(asking, capsys, "%%llm --system Brief --show-prompt -t 0\nabc {x}")
    assert "--- system, " in shown
    assert "--- user, 4 tokens\nabc value\n" in shown
    assert "temperature 0" in shown
    assert "Nothing was sent" in shown
    assert owner_of(asking).answers().last is None
    assert "Nothing was asked" in output(asking, capsys, "%llm history")


def test_the_last_answer_is_shown_again(
    asking: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no answer in this session yet" in output(asking, capsys, "%llm show")
    output(asking, capsys, "%%llm\nCODE")
    assert "Here it is" in output(asking, capsys, "%llm show")
    assert output(asking, capsys, "%llm show code").startswith("total = sum")
    assert output(asking, capsys, "%llm show prompt") == "CODE\n"
    assert "No answer of this notebook is being written" in output(asking, capsys, "%llm stop")


def test_a_mistyped_action_is_guessed(
    asking: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = output(asking, capsys, "%%llm expalin\nx = 1")
    assert "model_not_found" in shown
    assert "Did you mean `explain`?" in shown


def test_ai_is_ours_only_on_request_and_only_if_nobody_has_it(
    asking: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asking.find_cell_magic("ai") is None
    asking.run_cell("%config LocalLLM.ai_alias = True")
    assert SCRIPTS["HELLO"] in output(asking, capsys, "%%ai\nHELLO")
    assert "45" in output(asking, capsys, "%%ai code -x\nCODE")
    unregister(asking)
    assert asking.find_cell_magic("ai") is None
    assert asking.find_cell_magic("explain") is None

    def theirs(line: str, cell: str) -> None: ...

    theirs.__module__ = "jupyter_ai_magics.magics"
    for name in ("ai", "explain"):
        asking.register_magic_function(theirs, "cell", name)
    capsys.readouterr()
    # The setting of the session is still on.
    register(asking)
    assert "stays with it" in capsys.readouterr().out
    for name in ("ai", "explain"):
        assert asking.magics_manager.magics["cell"][name] is theirs


# --- completion -----------------------------------------------------------------------------


def completions(shell: InteractiveShell, line: str) -> list[str]:
    completer = shell.Completer
    assert completer is not None
    with provisionalcompleter():
        found = list(completer.completions(line, len(line)))
    return [line[: each.start] + each.text for each in found]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("%llm sta", "status"),
        ("%llm ", "history"),
        ("%llm config max_t", "max_tokens"),
        ("%llm fix ", "In[1]"),
        ("%llm show ", "code"),
        ("%%llm exp", "explain"),
        ("%%llm --max", "--max-tokens"),
        ("%%llm explain --no", "--no-history"),
        ("%%llm -f ", "table"),
        ("%%llm --context ab", "above"),
        ("%%llm bri", "brief"),
        ("%%llm --chat ", "Trip"),
        ("%%llm -m scr", "scripted"),
        ("%llm use scr", "scripted"),
    ],
)
def test_completion(asking: InteractiveShell, line: str, word: str) -> None:
    asking.run_cell("x = 1", store_history=True)
    owner_of(asking).aliases = {"brief": "-t 0"}
    if word in ("Trip", "scripted"):
        asking.run_cell("%%llm --chat Trip\nHELLO", store_history=True)
    assert line.rpartition(" ")[0] + f" {word}" in completions(asking, line)


def test_completion_in_a_kernel_starts_no_host(
    start_kernel: Callable[..., KernelSession],
) -> None:
    kernel = start_kernel()
    for code, word in (("%%llm tra", "translate"), ("%llm ver", "version"), ("%%llm -m ", "")):
        message_id = kernel.client.complete(code, len(code))
        while True:
            reply = kernel.client.get_shell_msg(timeout=60)
            if reply["parent_header"].get("msg_id") == message_id:
                break
        assert not word or word in reply["content"]["matches"]
    assert "No model host is running" in kernel.run("%llm status").check_ok().stdout
