"""The parser under all commands: one line about what is wrong, and never the end of the process.

Called by ``options.py`` and ``line_arguments.py``, which declare the words. Loaded with the first
line: standard library and IPython only.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable
from typing import NoReturn

from IPython.core.error import UsageError

from .marks import curly_quotes, long_dash, missing_quotes
from .typed_words import in_quotes

#: How alike a word must be to one that is known, from 0 to 1, to be taken for it.
_ALIKE = 0.65
_RUNS_CODE = ("-x", "--execute")


class HelpRequested(Exception):
    """``--help`` stood somewhere; ``args[0]`` is the text."""


class Parser(argparse.ArgumentParser):
    """A parser of one command's words.

    Parameters
    ----------
    name : str
        As it is typed: ``%llm use``.
    usage : str
        What follows the name in the first line of the help.
    description, examples : str
        What stands before and after the options.
    """

    def __init__(self, name: str, usage: str, description: str, examples: str = "") -> None:
        super().__init__(
            prog=name,
            usage=f"{name} {usage}".strip().replace("%", "%%"),
            description=description,
            epilog=examples and "Examples\n\n" + examples,
            formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(
                prog, max_help_position=30, width=88
            ),
            add_help=False,
            allow_abbrev=False,
        )
        # `%%llm --help` needs a body below it, or IPython refuses it before we are asked.
        self._words: list[str] = []
        self.where_help = "%llm help" if name.startswith("%%") else f"{name} --help"
        self.add_argument("-h", "--help", action="store_true", help="show this text")

    def error(self, message: str) -> NoReturn:
        message = re.sub(r"^argument ([^:]*): ", r"\1: ", " ".join(message.split()))
        if not message.endswith(("?", ".")):
            message += "."
        raise UsageError(f"{message[:1].upper()}{message[1:]} See {self.where_help}.")

    def parse(self, words: list[str]) -> tuple[argparse.Namespace, list[str]]:
        """Return the options and, in their order, the words that are none.

        Raises
        ------
        HelpRequested
            ``--help`` stands anywhere; it wins over everything that is wrong.
        UsageError
            One line that names what is wrong and the nearest thing that is right.
        """
        if asks_for_help(words):
            raise HelpRequested(self.format_help())
        self._words = words
        wrong = long_dash(words, self._option_string_actions) or curly_quotes(words)
        if wrong:
            self.error(wrong)
        # Positional words are never declared: argparse takes them for missing behind an option.
        values, others = self.parse_known_args(words)
        unknown = next((word for word in others if _is_option(word)), None)
        if unknown is not None:
            name = unknown.partition("=")[0]
            guess = nearest_option(name, list(self._option_string_actions))
            self.error(f"{shortened(name)} is not an option{guess}")
        return values, [word for word in others if word != "--"]

    def refuse_comment(self, words: list[str]) -> None:
        """Refuse a Python comment among the words that are no options."""
        place = next((i for i, word in enumerate(words) if word.startswith("#")), None)
        if place is not None:
            comment = shortened(" ".join(words[place:]))
            self.error(f"a comment cannot stand in this line; leave out `{comment}`")

    def refuse_more(self, words: list[str], limit: int, *, is_name: bool = False) -> None:
        """Refuse words beyond the first ``limit``.

        Parameters
        ----------
        is_name : bool
            The words may be one name with spaces in it that has no quotes around it.
        """
        if len(words) > limit:
            self.refuse_comment(words[limit:])
            more = shortened(" ".join(words[limit:]))
            hint = self.quotes_hint()
            quoted = in_quotes(shortened(" ".join(words)), '"')
            if is_name and quoted and not hint:
                hint = f"A name with spaces needs quotes: {self.prog} {quoted}."
            self.error(f"there is text that is no option: {more}" + (hint and f". {hint}"))

    def quotes_hint(self) -> str:
        """Return what helps where an option's text has no quotes; "" where they all have."""
        return missing_quotes(self._words)


def asks_for_help(words: Iterable[str]) -> bool:
    """Whether one of the words is ``-h`` or ``--help``."""
    return not {"-h", "--help"}.isdisjoint(words)


def _is_option(word: str) -> bool:
    return len(word) > 1 and word.startswith("-") and word != "--"


def shortened(text: str, length: int = 60) -> str:
    """Return the text on one line, cut where it is long."""
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"


def sentence(summary: str) -> str:
    """Return a command's summary as it stands in its help."""
    return f"{summary[:1].upper()}{summary[1:]}."


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean `X`?`` for the closest known word, or a full stop."""
    # Imported on a mistake, not with every kernel.
    import difflib

    lowered = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), list(lowered), n=1, cutoff=_ALIKE)
    return f"; did you mean `{lowered[close[0]]}`?" if close else "."


def nearest_option(typed: str, known: Iterable[str]) -> str:
    """Return the same for an option: of a single letter, only in the other case.

    What runs code is never suggested; whoever wants it types it.
    """
    names = [name for name in known if name not in _RUNS_CODE]
    if not typed.startswith("--"):
        other = typed.swapcase()
        return f"; did you mean `{other}`?" if other in names else "."
    # Without their dashes, which all of them share.
    guess = nearest(typed[2:], [name[2:] for name in names if name.startswith("--")])
    return guess.replace("`", "`--", 1)
