"""Words of ``%llm`` and ``%%llm``: which command they are, and what is said where they are none."""

from __future__ import annotations

import pytest
from IPython.core.error import UsageError

from jupyter_localllm.magics.lines.cell_arguments import parse_cell
from jupyter_localllm.magics.lines.commands import (
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
from jupyter_localllm.magics.lines.line_actions import LINE_ACTIONS
from jupyter_localllm.magics.lines.line_arguments import LINE_COMMANDS, parse_line


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
        # A name of a model may get options for good.
        ("alias smol smol -t 0", SetAlias("smol", "smol -t 0")),
        ("alias t -t 0 --system 'Be brief.'", SetAlias("t", "-t 0 --system 'Be brief.'")),
        ("dealias big", RemoveAlias("big")),
        ("config", Configure()),
        ("config max_tokens 7", Configure("max_tokens", "7")),
        ("config LocalLLM.max_tokens = 7", Configure("max_tokens", "7")),
        ("config max_tokens=7", Configure("max_tokens", "7")),
        ("config max_tokens -1", Configure("max_tokens", "-1")),
        # All behind the name is the value.
        ("config context cells 2-5", Configure("context", "cells 2-5")),
        ("config system_prompt You are  nice.", Configure("system_prompt", "You are  nice.")),
        ("config system_prompt = Don't guess", Configure("system_prompt", "Don't guess")),
        ("config system_prompt 'Be nice'", Configure("system_prompt", "Be nice")),
        ("config aliases {'a': 'b c'}", Configure("aliases", "{'a': 'b c'}")),
        ("config model $m", Configure("model", "$m")),
        ("config max-tokens 7", Configure("max-tokens", "7")),
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


@pytest.mark.parametrize("command", [*LINE_COMMANDS, *LINE_ACTIONS])
def test_every_command_has_help_with_an_example_or_an_option(command: str) -> None:
    for line in (f"{command} --help", f"help {command}", f"{command} -h"):
        found = parse_line(line, {})
        assert isinstance(found, ShowHelp)
        assert found.text.startswith(f"usage: %llm {command}")
        assert "--help" in found.text or "Examples" in found.text


def test_the_help_of_save_has_all_of_its_options() -> None:
    found = parse_line("save --help", {})
    assert isinstance(found, ShowHelp)
    assert found.text.startswith("usage: %llm save FILE [--chat NAME] [--force]\n")


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
        ("alias generate smol", "is a word of %llm already"),
        ("alias summarize smol", "is a word of %llm already"),
        ("alias help smol", "is a word of %llm already"),
        ("alias error smol", "is a word of %llm already"),
        ("alias register smol", "is a word of %llm already"),
        ("alias 1x smol", "beginning with a letter"),
        ("alias big", "Say what big stands for"),
        ("alias big --bogus", "--bogus is not an option"),
        ("alias big big", "big cannot stand for itself."),
        ("alias big -m big", "big cannot stand for itself."),
        ("config max_tokens 4 # short", "leave out `# short`"),
        ("config system_prompt 'Be nice", "opened but not closed"),
        ("config system_prompt “Be nice”", "“ is a curly quote"),
        ("config --bogus", "--bogus is not an option"),
        ("dealias", "Name the alias"),
        ("translate", "Name the language"),
        ("fix -f code -x", "counts only in the first line"),
        ("rest", "did you mean `reset`?"),
        ("help 'save", "opened but not closed"),
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
        ("--dry-run --confirm", "belongs to -x"),
        ("code --retry 3", "--retry counts with -x and with"),
        ("--dry-run --retry 3", "--retry counts with -x and with"),
        ("-f text --retry 0", "--retry counts with -x and with"),
        ("-f svg --retry 1", "and not with -f svg"),
        ("--system a -p tutor", "use one of them"),
    ],
)
def test_options_that_contradict_are_refused(line: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_cell(line, {})
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "n_retries"),
    [
        ("-x --retry 3", 3),
        ("-x --dry-run --retry 3 --confirm --time-limit 3", 3),
        ("-f json --retry 3", 3),
        ("--schema s.json --retry 3", 3),
        ("-f table --retry 3", 3),
        ("diagram --retry 3", 3),
        # Of a diagram in an answer.
        ("--retry 3", 3),
        ("explain --retry 0", 0),
        ("-f text", 2),
    ],
)
def test_retry_is_taken_where_it_counts(line: str, n_retries: int) -> None:
    asked = parse_cell(line, {})
    assert isinstance(asked, Ask)
    assert asked.retry == n_retries
