"""The actions after ``%llm``: ``explain In[3]``, ``translate French Out[3]``.

What a line says beside its target reads as the first line of a ``%%llm`` cell. Called by
``line_arguments.py``. Loaded with the first line: standard library and IPython only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from IPython.core.error import UsageError

from .cell_arguments import parse_words
from .commands import ActOn, Command
from .marks import is_numbered, missing_quotes
from .options import cell_parser, join_cells
from .parsers import HelpRequested, Parser, asks_for_help, sentence, shortened

#: ``In[ 3 ]`` as several words.
_SPACED = re.compile(
    r"(?P<kind>In|Out|Err)\s*\[\s*(?P<number>-?\d+)\s*\](?:\s+(?P<rest>.*)|$)", re.DOTALL
)
_SECOND = re.compile(r"(?:In|Out|Err)\[-?\d+\](?=[\s,;.:?]|$)")

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


def _action_examples(name: str) -> str:
    if name == "translate":
        return "    %llm translate French Out[3]\n"
    extra = "" if name in ("error", "fix") else f"    %llm {name} my_function\n"
    return f"    %llm {name}\n    %llm {name} In[3]\n{extra}"


def read_action(name: str, words: list[str], variables: Mapping[str, object]) -> Command:
    """Read a line action: its options are those of ``%%llm``, but for what runs code."""
    if asks_for_help(words):
        parser = Parser(
            f"%llm {name}",
            f"LANGUAGE {_ACTION_USAGE}" if name == "translate" else _ACTION_USAGE,
            f"{sentence(LINE_ACTIONS[name])}\n\nOptions are those of %%llm, but for -x.",
            _action_examples(name),
        )
        raise HelpRequested(parser.format_help())
    # What stands in the place of a target is taken out, so that the rest reads as a first line.
    values, others = cell_parser().parse(join_cells(words))
    if values.execute or values.dry_run:
        typed = "-x" if values.execute else "--dry-run"
        raise UsageError(
            f"{typed} counts only in the first line of a %%llm cell. Write %%llm {name} {typed} "
            "into a cell of its own."
        )
    action = "explain" if name == "error" else name
    first, options = [action], _without(words, others)
    if name == "translate":
        n_words = _words_of_language(others, variables)
        first.append(" ".join(others[:n_words]))
        others = others[n_words:]
    ask = parse_words([*first, *options])
    target, *more = others or [""]
    target = target.rstrip("?")
    if target and not _is_there(target, variables):
        hint = missing_quotes([name, *words])
        if hint:
            raise UsageError(
                f"`{shortened(target)}` is neither a cell such as In[3] nor the name of anything "
                f"here. {hint}"
            )
    is_about_error = name == "error" or (name == "fix" and not target)
    return _with_whole_target(ActOn(ask, target, " ".join(more), is_about_error=is_about_error))


def _with_whole_target(act: ActOn) -> ActOn:
    """Return it with ``In[ 3 ]`` as the one word that it is.

    Raises
    ------
    UsageError
        A second cell is named behind the first.
    """
    match = _SPACED.match(f"{act.target} {act.words}")
    if match is not None:
        act = replace(act, target=f"{match['kind']}[{match['number']}]", words=match["rest"] or "")
    second = _SECOND.match(act.words)
    if second is not None:
        raise UsageError(
            f"{act.target} and {second[0]} cannot be asked about in one line. Name one at a time, "
            "or put both into a question, as in %%llm with {In[3]} and {Out[4]} below."
        )
    return act


def _words_of_language(words: list[str], variables: Mapping[str, object]) -> int:
    """Return how many words are before what is to be translated, where that can be told."""
    if not words or is_numbered(words[0]):
        raise UsageError("Name the language: %llm translate French Out[3].")
    following = range(1, len(words))
    return next((place for place in following if _is_there(words[place], variables)), 1)


def _is_there(target: str, variables: Mapping[str, object]) -> bool:
    """Whether a word reads as a cell, or begins with the name of something."""
    name = re.match(r"\w+", target)
    return is_numbered(target) or (name is not None and name[0] in variables)


def _without(words: list[str], taken: list[str]) -> list[str]:
    """Return the words without those taken, each once, from the left."""
    left = list(words)
    for word in taken:
        left.remove(word)
    return left
