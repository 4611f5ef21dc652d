"""The words after ``%llm``: the commands, their parsers and their help, from one table.

Called by ``magics.py`` and ``next_words.py``. Loaded with the first line: standard library and
IPython only.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from IPython.core.error import UsageError

from ..actions import ACTION_NAMES
from ..diagrams import arguments as diagram_arguments
from .cell_arguments import alias_words, parse_words
from .commands import (
    Ask,
    Command,
    Configure,
    ListAliases,
    ListModels,
    RemoveAlias,
    Reset,
    SaveConversation,
    SetAlias,
    ShowAnswer,
    ShowHelp,
    ShowHistory,
    ShowStatus,
    ShowVersion,
    StopAnswers,
    UnloadModel,
    UseModel,
)
from .help_texts import action_help, whole_help
from .line_actions import LINE_ACTIONS, read_action
from .marks import curly_quotes, variable_in_word
from .parsers import HelpRequested, Parser, asks_for_help, nearest, sentence, shortened
from .words import is_path, model_reference, split_words


@dataclass(frozen=True)
class _LineCommand:
    """One command: what its help says, and how its words are read."""

    summary: str
    usage: str
    read: Callable[[Parser, argparse.Namespace, list[str]], Command]
    examples: str = ""
    #: Adds the options it has.
    declare: Callable[[Parser], object] = lambda parser: None


#: Of an answer, what can be shown.
PARTS = ("answer", "code", "prompt", "diagram")
#: What jupyter-ai calls them.
_SYNONYMS = {"register": "alias", "update": "alias", "delete": "dealias"}

# --- commands without words -----------------------------------------------------------------


def _alone(command: Command) -> Callable[[Parser, argparse.Namespace, list[str]], Command]:
    def read(parser: Parser, values: argparse.Namespace, words: list[str]) -> Command:
        parser.refuse_more(words, 0)
        return command

    return read


# --- models ---------------------------------------------------------------------------------


def _use(parser: Parser, values: argparse.Namespace, words: list[str]) -> Command:
    parser.refuse_more(words, 1, is_name=True)
    if not words:
        raise UsageError("Name a model: %llm use NAME, or the path of a GGUF file.")
    return UseModel(model_reference(words[0]))


def _unload(parser: Parser, values: argparse.Namespace, words: list[str]) -> Command:
    parser.refuse_more(words, 1, is_name=True)
    return UnloadModel(model_reference(words[0]) if words else None)


# --- conversations --------------------------------------------------------------------------


def _declare_chat(parser: Parser) -> None:
    parser.add_argument("--chat", metavar="NAME", help="a chat of the sidebar, by its title")


def _declare_save(parser: Parser) -> None:
    _declare_chat(parser)
    parser.add_argument("--force", action="store_true", help="replace a file that is there")


def _history(parser: Parser, values: argparse.Namespace, words: list[str]) -> Command:
    parser.refuse_more(words, 0)
    return ShowHistory(values.chat)


def _save(parser: Parser, values: argparse.Namespace, words: list[str]) -> Command:
    parser.refuse_more(words, 1, is_name=True)
    if not words:
        raise UsageError("Name a file: %llm save talk.md, talk.ipynb or talk.chat.")
    if problem := variable_in_word(words[0], "%llm save {path}"):
        raise UsageError(problem)
    if Path(words[0]).suffix.lower() not in (".md", ".ipynb", ".chat", ".json"):
        raise UsageError(
            f"{shortened(words[0])} does not say which kind of file is wanted. "
            "End its name with .md, .ipynb or .chat."
        )
    return SaveConversation(words[0], values.chat, values.force)


def _show(parser: Parser, values: argparse.Namespace, words: list[str]) -> Command:
    parser.refuse_more(words, 1)
    if words and words[0] not in PARTS:
        parser.error(f"there is no {shortened(words[0])} to show, only {', '.join(PARTS)}")
    return ShowAnswer(words[0] if words else "answer")


# --- settings -------------------------------------------------------------------------------

#: What a first word means beside the commands.
_TAKEN_NAMES = {*ACTION_NAMES, *LINE_ACTIONS, *_SYNONYMS, "help"}
_ALIAS_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")


def _is_known(word: str) -> bool:
    """Whether a first word has a meaning of its own, here or in a cell."""
    return word in _TAKEN_NAMES or word in LINE_COMMANDS


def _alias(words: list[str]) -> Command:
    if not words:
        return ListAliases()
    name, *rest = words
    if _ALIAS_NAME.fullmatch(name) is None:
        raise UsageError(
            f"`{shortened(name)}` cannot be an alias. Use letters, digits, - and _, "
            "beginning with a letter."
        )
    if _is_known(name):
        raise UsageError(f"`{name}` is a word of %llm already. Choose another name.")
    if not rest:
        raise UsageError(f"Say what {name} stands for: %llm alias {name} MODEL [options].")
    if len(rest) == 1 and is_path(rest[0]):
        rest = [model_reference(rest[0])]
    text = " ".join(_quoted(word) for word in rest)
    if parse_words(alias_words(name, text)) == Ask(model=name):
        raise UsageError(
            f"{name} cannot stand for itself. Give it a model, an action or options; "
            "%llm list names the models."
        )
    return SetAlias(name, text)


def _quoted(word: str) -> str:
    if word and not re.search(r"[\s'\"\\]", word):
        return word
    mark = "'" if "'" not in word else '"'
    if mark in word:
        raise UsageError(f"{shortened(word)} has both kinds of quotes, which no line can hold.")
    return f"{mark}{word}{mark}"


def _dealias(parser: Parser, values: argparse.Namespace, words: list[str]) -> Command:
    parser.refuse_more(words, 1)
    if not words:
        raise UsageError("Name the alias: %llm dealias NAME. %llm alias lists them.")
    return RemoveAlias(words[0])


#: A setting and all that is behind it: what is text needs no quotes.
_SETTING = re.compile(r"config\s+(?:LocalLLM\.)?(?P<name>\w+)(?:\s*=\s*|\s+)(?P<value>[^=\s].*)")


def _setting(line: str, variables: Mapping[str, object]) -> Command | None:
    """Read ``config NAME VALUE``; ``None`` where the line is something else."""
    match = _SETTING.fullmatch(line.strip())
    if match is None or asks_for_help(line.split()):
        return None
    name, value = match["name"], match["value"]
    parser = Parser("%llm config", "", "")
    wrong = curly_quotes([value])
    if wrong:
        parser.error(wrong)
    # In a sentence, an apostrophe is no quote.
    is_sentence = len(value.split()) > 1 and value[0] not in "'\""
    try:
        words = split_words(value, variables)
    except UsageError:
        if not is_sentence:
            raise
        words = value.split()
    parser.refuse_comment(words)
    return Configure(name, words[0] if len(words) == 1 else value)


def _config(parser: Parser, values: argparse.Namespace, words: list[str]) -> Command:
    name, _, value = words[0].partition("=") if words else ("", "", "")
    rest = ([value] if value else []) + [word for word in words[1:] if word != "="]
    parser.refuse_more(rest, 1)
    return Configure(name.removeprefix("LocalLLM."), rest[0] if rest else None)


# --- the table ------------------------------------------------------------------------------

LINE_COMMANDS = {
    "status": _LineCommand(
        "show the host, its loaded models and their memory", "", _alone(ShowStatus())
    ),
    "list": _LineCommand("list the models that can be used here", "", _alone(ListModels())),
    "use": _LineCommand(
        "use this model, by name or path, for the questions that follow",
        "MODEL",
        _use,
        "    %llm use SmolLM2-135M-Instruct\n    %llm use ./models/qwen.gguf\n",
    ),
    "unload": _LineCommand(
        "end a model's process and free its memory (no name: every one)",
        "[MODEL]",
        _unload,
        "    %llm unload\n    %llm unload SmolLM2-135M-Instruct\n",
    ),
    "diagram": _LineCommand(
        diagram_arguments.SUMMARY,
        diagram_arguments.USAGE,
        diagram_arguments.read,
        diagram_arguments.EXAMPLES,
        diagram_arguments.declare,
    ),
    "stop": _LineCommand("stop every answer of this notebook", "", _alone(StopAnswers())),
    "history": _LineCommand(
        "show the questions and answers that are sent along",
        "[--chat NAME]",
        _history,
        "    %llm history\n    %llm history --chat 'My project'\n",
        _declare_chat,
    ),
    "reset": _LineCommand(
        "forget the questions and answers so far (chats of the sidebar stay)", "", _alone(Reset())
    ),
    "show": _LineCommand(
        "show the last answer again, its code, its diagram, or what the model was sent",
        "[answer|code|prompt|diagram]",
        _show,
        "    %llm show\n    %llm show code\n",
    ),
    "save": _LineCommand(
        "save the conversation as Markdown, as a notebook or as a chat to import",
        "FILE [--chat NAME] [--force]",
        _save,
        "    %llm save talk.md\n    %llm save lesson.ipynb --chat 'My project'\n",
        _declare_save,
    ),
    "alias": _LineCommand(
        "give a model, or a model with options, a short name (no name: list them)",
        "[NAME MODEL [options]]",
        lambda parser, values, words: _alias(words),
        "    %llm alias big ~/models/qwen.gguf\n"
        "    %llm alias tutor -t 0.2 --system 'You are a patient teacher.'\n",
    ),
    "dealias": _LineCommand("take an alias away", "NAME", _dealias, "    %llm dealias big\n"),
    "config": _LineCommand(
        "show the settings, or change one for this session",
        "[NAME [VALUE]]",
        _config,
        "    %llm config\n    %llm config max_tokens 400\n",
    ),
    "version": _LineCommand("show the versions of the parts", "", _alone(ShowVersion())),
}


def parse_line(line: str, variables: Mapping[str, object]) -> Command:
    """Read a ``%llm`` line.

    Raises
    ------
    UsageError
        One line naming what is wrong and the nearest thing that is right.
    """
    try:
        return _setting(line, variables) or _parsed(_words(line, variables), variables)
    except HelpRequested as request:
        return ShowHelp(str(request))


def _words(line: str, variables: Mapping[str, object]) -> list[str]:
    try:
        return split_words(line, variables)
    except UsageError:
        # A question has an apostrophe sooner than a quote that is not closed.
        first = line.split()[0]
        if not _is_known(first):
            raise _no_command(first) from None
        raise


def _parsed(words: list[str], variables: Mapping[str, object]) -> Command:
    if not words or words[0] in {"help", "-h", "--help"}:
        topic = next((word for word in words[1:] if not word.startswith("-")), "")
        if not topic:
            return ShowHelp(line_help())
        words = [topic, "--help"]
    typed, *rest = words
    if not rest and typed.endswith("?") and typed.rstrip("?") in {*LINE_COMMANDS, *LINE_ACTIONS}:
        # In IPython, a question mark behind something asks for its help.
        typed, rest = typed.rstrip("?"), ["--help"]
    name = _SYNONYMS.get(typed, ACTION_NAMES.get(typed, typed))
    if name in LINE_ACTIONS:
        return read_action(name, rest, variables)
    if name in ACTION_NAMES and name not in LINE_COMMANDS and asks_for_help(rest):
        raise HelpRequested(action_help(ACTION_NAMES[name]))
    if name not in LINE_COMMANDS:
        raise _no_command(typed)
    command = LINE_COMMANDS[name]
    parser = Parser(f"%llm {name}", command.usage, sentence(command.summary), command.examples)
    command.declare(parser)
    if name == "alias" and rest and not asks_for_help(rest[:1]):
        # The words of an alias are options of %%llm, not of this command.
        return command.read(parser, argparse.Namespace(), rest)
    return command.read(parser, *parser.parse(rest))


def line_help() -> str:
    """Return the help of ``%llm`` and, after it, of ``%%llm``."""
    summaries = {name: command.summary for name, command in LINE_COMMANDS.items()}
    return whole_help(LINE_ACTIONS, summaries)


def _no_command(typed: str) -> UsageError:
    """Return the error about a word that is no command; some are actions that only cells have."""
    action = ACTION_NAMES.get(typed, "")
    if action and action != "ask":
        return UsageError(
            f"%llm has no command `{typed}`; write %%llm {action} in the first line of a cell, "
            "and what you want into the lines below."
        )
    hint = "." if action else nearest(typed, [*LINE_COMMANDS, *LINE_ACTIONS, "help"])
    return UsageError(
        f"%llm has no command `{shortened(typed)}`{hint} "
        "To ask something, write %%llm in the first line of a cell and the question into the lines "
        "below; %llm help shows more."
    )
