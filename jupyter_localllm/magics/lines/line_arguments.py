"""The words after ``%llm``: the commands, their parsers and their help, from one table.

Called by ``magics.py`` through ``arguments.py``, and by ``completion.py``. Imported by
``%load_ext``: standard library and IPython only.
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
    ActOn,
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
from .options import cell_parser, join_cells
from .parsers import HelpRequested, Parser, nearest, shortened
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


#: What jupyter-ai calls them.
_SYNONYMS = {"register": "alias", "update": "alias", "delete": "dealias"}

_ACTION_USAGE = "[In[n] | Out[n] | Err[n] | NAME] [more words] [options]"

#: Actions that a line can ask for, and the command that explains an error.
LINE_ACTIONS = {
    "error": "explain the last error that is still there",
    "fix": "correct the cell with the last error that is still there, or In[n]",
    "explain": "explain a cell, an output, an error or a function of yours",
    "improve": "make a cell or a function simpler and safer",
    "test": "write tests for a cell or a function",
    "doc": "write docstrings and comments for a cell or a function",
    "summarise": "say the main points of a cell or an output",
    "translate": "translate a cell or an output: translate LANGUAGE Out[n]",
}


# --- commands without words -----------------------------------------------------------------


def _alone(command: Command) -> Callable[[Parser, argparse.Namespace, list[str]], Command]:
    def read(parser: Parser, values: argparse.Namespace, words: list[str]) -> Command:
        parser.refuse_more(words, 0)
        return command

    return read


# --- models ---------------------------------------------------------------------------------


def _use(parser: Parser, values: argparse.Namespace, words: list[str]) -> Command:
    parser.refuse_more(words, 1)
    if not words:
        raise UsageError("Name a model: %llm use NAME, or the path of a GGUF file.")
    return UseModel(model_reference(words[0]))


def _unload(parser: Parser, values: argparse.Namespace, words: list[str]) -> Command:
    parser.refuse_more(words, 1)
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
    parser.refuse_more(words, 1)
    if not words:
        raise UsageError("Name a file: %llm save talk.md, talk.ipynb or talk.chat.")
    if Path(words[0]).suffix.lower() not in (".md", ".ipynb", ".chat", ".json"):
        raise UsageError(
            f"{shortened(words[0])} does not say which kind of file is wanted. "
            "End its name with .md, .ipynb or .chat."
        )
    return SaveConversation(words[0], values.chat, values.force)


def _show(parser: Parser, values: argparse.Namespace, words: list[str]) -> Command:
    parser.refuse_more(words, 1)
    parts = ("answer", "code", "prompt", "diagram")
    if words and words[0] not in parts:
        parser.error(f"there is no {shortened(words[0])} to show, only {', '.join(parts)}")
    return ShowAnswer(words[0] if words else "answer")


# --- settings -------------------------------------------------------------------------------

#: What a first word means beside the commands.
_TAKEN_NAMES = {*ACTION_NAMES, *LINE_ACTIONS, *_SYNONYMS, "help"}
_ALIAS_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")


def _alias(words: list[str]) -> Command:
    if not words:
        return ListAliases()
    name, *rest = words
    if _ALIAS_NAME.fullmatch(name) is None:
        raise UsageError(
            f"`{shortened(name)}` cannot be an alias. Use letters, digits, - and _, "
            "beginning with a letter."
        )
    if name in _TAKEN_NAMES or name in LINE_COMMANDS:
        raise UsageError(f"`{name}` is a word of %llm already. Choose another name.")
    if not rest:
        raise UsageError(f"Say what {name} stands for: %llm alias {name} MODEL [options].")
    if len(rest) == 1 and is_path(rest[0]):
        rest = [model_reference(rest[0])]
    text = " ".join(_quoted(word) for word in rest)
    alias_words(name, text)
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
        "FILE [--chat NAME]",
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


def _action_examples(name: str) -> str:
    if name == "translate":
        return "    %llm translate French Out[3]\n"
    extra = "" if name in ("error", "fix") else f"    %llm {name} my_function\n"
    return f"    %llm {name}\n    %llm {name} In[3]\n{extra}"


def _act(name: str, words: list[str]) -> Command:
    """Read a line action: its options are those of ``%%llm``, but for what runs code."""
    if "-h" in words or "--help" in words:
        parser = Parser(
            f"%llm {name}",
            _ACTION_USAGE,
            f"{_sentence(LINE_ACTIONS[name])}\n\nOptions are those of %%llm, but for -x.",
            _action_examples(name),
        )
        raise HelpRequested(parser.format_help())
    # What stands in the place of a target is taken out, so that the rest reads as a first line.
    values, others = cell_parser().parse(join_cells(words))
    if values.execute or values.dry_run:
        raise UsageError(
            f"-x counts only in the first line of a %%llm cell. Write %%llm {name} -x "
            "into a cell of its own."
        )
    language = others.pop(0) if name == "translate" and others else ""
    options = _without(words, [language, *others] if language else others)
    action = "explain" if name == "error" else name
    first = [action, language] if name == "translate" and language else [action]
    ask = parse_words([*first, *options])
    target, *more = others or [""]
    is_about_error = name == "error" or (name == "fix" and not target)
    return ActOn(ask, target, " ".join(more), is_about_error=is_about_error)


def _sentence(summary: str) -> str:
    return f"{summary[:1].upper()}{summary[1:]}."


def _without(words: list[str], taken: list[str]) -> list[str]:
    """Return the words without those taken, each once, from the left."""
    left = list(words)
    for word in taken:
        left.remove(word)
    return left


def parse_line(line: str, variables: Mapping[str, object]) -> Command:
    """Read a ``%llm`` line.

    Raises
    ------
    UsageError
        One line naming what is wrong and the nearest thing that is right.
    """
    words = split_words(line, variables)
    try:
        return _parsed(words)
    except HelpRequested as request:
        return ShowHelp(str(request))


def _parsed(words: list[str]) -> Command:
    if not words or words[0] in {"help", "-h", "--help"}:
        topic = next((word for word in words[1:] if not word.startswith("-")), "")
        if not topic:
            return ShowHelp(line_help())
        words = [topic, "--help"]
    typed, *rest = words
    name = {"summarize": "summarise", **_SYNONYMS}.get(typed, typed)
    if name in LINE_ACTIONS:
        return _act(name, rest)
    if name in ACTION_NAMES and name not in LINE_COMMANDS and {"-h", "--help"} & set(rest):
        raise HelpRequested(action_help(ACTION_NAMES[name]))
    if name not in LINE_COMMANDS:
        raise _no_command(typed)
    command = LINE_COMMANDS[name]
    parser = Parser(f"%llm {name}", command.usage, _sentence(command.summary), command.examples)
    command.declare(parser)
    if name == "alias" and rest and not {"-h", "--help"} & set(rest[:1]):
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
        "To ask something, write %%llm in the first line of a cell; %llm help shows more."
    )
