"""The words after ``%llm`` and ``%%llm``: one declaration, from which both the parser and the
help texts come. Turns a line into a typed command; does nothing with it.

Only ``magics.py`` calls it. Imported by ``%load_ext``: standard library and IPython only.
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from IPython.core.error import UsageError

from .words import model_reference, split_words


@dataclass(frozen=True)
class Ask:
    """``%%llm``: the options of one question; ``None`` means the configured default."""

    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    system: str | None = None
    is_streaming: bool = True


@dataclass(frozen=True)
class ShowStatus:
    """``%llm status``."""


@dataclass(frozen=True)
class ListModels:
    """``%llm list``."""


@dataclass(frozen=True)
class UseModel:
    """``%llm use MODEL``."""

    model: str


@dataclass(frozen=True)
class UnloadModel:
    """``%llm unload [MODEL]``; ``None`` means every loaded model."""

    model: str | None = None


@dataclass(frozen=True)
class ShowVersion:
    """``%llm version``."""


@dataclass(frozen=True)
class ShowHelp:
    """Any ``--help``, ``%llm help`` and ``%llm`` alone."""

    text: str


Command = Ask | ShowStatus | ListModels | UseModel | UnloadModel | ShowVersion | ShowHelp


# --- values ---------------------------------------------------------------------------------


def _temperature(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 5:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 5")
    return value


def _max_tokens(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if not 1 <= value < 2**31:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return value


def _seed(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 2**63
    if not -(2**63) <= value < 2**63:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at most 64 bits")
    return value


# --- parsers --------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    """A parser that raises one line instead of ending the process."""

    def __init__(self, name: str, description: str, examples: str) -> None:
        super().__init__(
            prog=name,
            description=description,
            epilog=examples and "Examples\n\n" + examples,
            formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(
                prog, max_help_position=30, width=88
            ),
            add_help=False,
            allow_abbrev=False,
        )
        # `%%llm --help` needs a body below it, or IPython refuses it before we are asked.
        self.where_help = "%llm help" if name.startswith("%%") else f"{name} --help"
        self.add_argument("-h", "--help", action="store_true", help="show this text")

    def error(self, message: str) -> NoReturn:
        message = re.sub(r"^argument ([^:]*): ", r"\1: ", " ".join(message.split()))
        if not message.endswith(("?", ".")):
            message += "."
        raise UsageError(f"{message[:1].upper()}{message[1:]} See {self.where_help}.")

    def parse(self, words: list[str]) -> argparse.Namespace | ShowHelp:
        """Parse the words; ``--help`` anywhere wins over everything that is wrong."""
        if "-h" in words or "--help" in words:
            return ShowHelp(self.format_help())
        values, unknown = self.parse_known_args(words)
        if unknown:
            self._refuse(unknown)
        return values

    def _refuse(self, unknown: list[str]) -> NoReturn:
        known = list(self._option_string_actions)
        option = next((word for word in unknown if word.startswith("-")), None)
        if option is None:
            self.error(f"there is text that is no option: {shortened(' '.join(unknown))}")
        name = option.partition("=")[0]
        self.error(f"{shortened(name)} is not an option{nearest(name, known)}")


class _CellParser(_Parser):
    def _refuse(self, unknown: list[str]) -> NoReturn:
        if not any(word.startswith("-") for word in unknown):
            self.error(
                f"`{shortened(' '.join(unknown))}` is more than one model name; "
                "the question goes into the lines below %%llm"
            )
        super()._refuse(unknown)


def shortened(text: str, length: int = 60) -> str:
    """Return the text on one line, cut where it is long."""
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"


def nearest(word: str, known: list[str]) -> str:
    """Return ``; did you mean `X`?`` for the closest known word, or a full stop."""
    # Imported on a mistake, not with every kernel.
    import difflib

    lowered = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), list(lowered), n=1, cutoff=0.5)
    return f"; did you mean `{lowered[close[0]]}`?" if close else "."


def _cell_parser() -> _CellParser:
    parser = _CellParser(
        "%%llm",
        "Ask the local model. The lines below are the question, taken as they are: braces,\n"
        "backslashes and dollar signs are just text. The answer streams into the cell's output;\n"
        "interrupting the kernel stops the model and keeps what is there.",
        """\
    %%llm
    Explain list comprehensions in two sentences.

    %%llm --seed 1 -t 0.2 --system "You are a patient teacher."
    Why does `[1, 2][2]` raise an IndexError?

    %%llm -m ~/models/qwen.gguf --max-tokens 400
    Write a haiku about recursion.
""",
    )
    add = parser.add_argument
    add("model", nargs="?", metavar="MODEL", help="name (see %%llm list) or path of a GGUF file")
    add("-m", "--model", dest="model_option", metavar="MODEL", help="the same, as an option")
    add(
        "-t",
        "--temperature",
        type=_temperature,
        metavar="T",
        help="0 always takes the likeliest word, up to 5 is more varied",
    )
    add("--max-tokens", type=_max_tokens, metavar="N", help="longest answer, in tokens")
    add("--seed", type=_seed, metavar="N", help="same seed and same question, same answer")
    add("--system", metavar="TEXT", help="what the model is told before the question")
    add("--no-stream", action="store_true", help="show the answer only when it is complete")
    return parser


_NO_ARGUMENTS: dict[str, tuple[str, Callable[[], Command]]] = {
    "status": ("show the host, its loaded models and their memory", ShowStatus),
    "list": ("list the models that can be used here", ListModels),
    "version": ("show the versions of the parts", ShowVersion),
}
_LINE_COMMANDS = {
    "status": _NO_ARGUMENTS["status"][0],
    "list": _NO_ARGUMENTS["list"][0],
    "use": "use this model, by name or path, for the questions that follow",
    "unload": "end a model's process and free its memory (no name: every one)",
    "help": "show this text",
    "version": _NO_ARGUMENTS["version"][0],
}


def _line_parser(command: str) -> _Parser:
    examples = {
        "use": "    %llm use SmolLM2-135M-Instruct\n    %llm use ./models/qwen.gguf\n",
        "unload": "    %llm unload\n    %llm unload SmolLM2-135M-Instruct\n",
    }
    parser = _Parser(
        f"%llm {command}", _LINE_COMMANDS[command].capitalize() + ".", examples.get(command, "")
    )
    if command == "use":
        # Optional for argparse, so that a misspelt option is what gets reported.
        parser.add_argument("model", metavar="MODEL", nargs="?", help="name or path of a GGUF file")
    elif command == "unload":
        parser.add_argument("model", metavar="MODEL", nargs="?", help="name of a loaded model")
    return parser


def cell_help() -> str:
    """Return the help of ``%%llm``."""
    return _cell_parser().format_help()


def line_help() -> str:
    """Return the help of ``%llm`` and, after it, of ``%%llm``."""
    width = max(map(len, _LINE_COMMANDS)) + 2
    rows = [f"  {name:<{width}}{text}" for name, text in _LINE_COMMANDS.items()]
    commands = "\n".join(rows)
    return (
        "usage: %llm COMMAND\n\n"
        "Look after the local models of this notebook. To ask one, use %%llm (below).\n\n"
        f"commands:\n{commands}\n\n"
        "Defaults for every question:\n\n"
        "    %config LocalLLM.max_tokens = 400\n"
        "    %config LocalLLM\n\n"
        f"{'-' * 78}\n\n{cell_help()}"
    )


def parse_cell(line: str, variables: Mapping[str, object]) -> Ask | ShowHelp:
    """Read the first line of a ``%%llm`` cell.

    Raises
    ------
    UsageError
        One line naming what is wrong and the nearest thing that is right.
    """
    parser = _cell_parser()
    values: Any = parser.parse(split_words(line, variables))
    if isinstance(values, ShowHelp):
        return values
    if values.model and values.model_option:
        parser.error(
            f"two models are named, {shortened(values.model)} and {shortened(values.model_option)}"
        )
    model = values.model_option or values.model
    return Ask(
        model=None if model is None else model_reference(model),
        temperature=values.temperature,
        max_tokens=values.max_tokens,
        seed=values.seed,
        system=values.system,
        is_streaming=not values.no_stream,
    )


def parse_line(line: str, variables: Mapping[str, object]) -> Command:
    """Read a ``%llm`` line.

    Raises
    ------
    UsageError
        As :func:`parse_cell`.
    """
    words = split_words(line, variables)
    if not words or words[0] in {"help", "-h", "--help"}:
        return ShowHelp(line_help())
    command, *rest = words
    if command not in _LINE_COMMANDS:
        hint = nearest(command, list(_LINE_COMMANDS))
        raise UsageError(
            f"%llm has no command `{shortened(command)}`{hint} "
            "To ask something, write %%llm in the first line of a cell; %llm help shows more."
        )
    values: Any = _line_parser(command).parse(rest)
    if isinstance(values, ShowHelp):
        return values
    if command == "use":
        if not values.model:
            raise UsageError("Name a model: %llm use NAME, or the path of a GGUF file.")
        return UseModel(model_reference(values.model))
    if command == "unload":
        return UnloadModel(model_reference(values.model) if values.model else None)
    return _NO_ARGUMENTS[command][1]()
