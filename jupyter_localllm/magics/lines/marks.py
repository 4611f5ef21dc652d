"""What is said where a line has its marks wrong: no quotes, curly quotes, a long dash.

Pure text from words that are split already, which is why a word that holds a space is known to
have had quotes. Called by ``parsers.py``, ``line_arguments.py`` and ``advice.py``. Loaded with
the first line: standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Sequence
from itertools import takewhile

from .typed_words import in_quotes

_CURLY = "“”„‟«»‘’‚‛‹›"
_DASHES = "‐‑‒–—―−"
#: What has a text or a name behind it: where such a value has spaces, it is cut without quotes.
_TEXTS = {"--chat", "--system", "-p", "--persona", "-m", "--model", "--schema", "--save"}
_NUMBERED = re.compile(r"\{?(?:In|Out|Err)\[.*|\d+")
_VARIABLE_IN_WORD = re.compile(r"\$[A-Za-z_]\w*|\{[A-Za-z_]\w*\}")


def is_numbered(word: str) -> bool:
    """Whether a word reads as a cell, its output or its error: ``In[3]``, ``Out[3]``, ``3``."""
    return _NUMBERED.fullmatch(word) is not None


def variable_in_word(word: str, example: str) -> str:
    """Return what is wrong with a word that has ``{name}`` or ``$name`` in it; "" where none has.

    Parameters
    ----------
    example : str
        How it is written with a variable.
    """
    if _VARIABLE_IN_WORD.search(word) is None:
        return ""
    return (
        f"A variable counts only as a whole word, not in `{word[:60]}`. "
        f"Put the whole name into one: {example}."
    )


def long_dash(words: Iterable[str], options: Container[str]) -> str:
    """Return what is wrong with an option that begins with a long dash; "" where none does."""
    for word in words:
        name = word.lstrip(_DASHES).partition("=")[0]
        is_option = f"-{name}" in options or f"--{name}" in options
        if word and word[0] in _DASHES and is_option:
            return f"`{word[:60]}` begins with a long dash; an option begins with - or --"
    return ""


def curly_quotes(words: Sequence[str]) -> str:
    """Return what is wrong where the first word, or an option's text, begins with a curly quote."""
    for place, word in enumerate(words):
        name, _, value = word.partition("=")
        is_value = place == 0 or words[place - 1] in _TEXTS
        typed = value if name in _TEXTS else word if is_value else ""
        if typed[:1] and typed[0] in _CURLY:
            rest = [typed, *words[place + 1 :]]
            end = next((n for n, each in enumerate(rest) if each[-1] in _CURLY), 0)
            text = " ".join(rest[: end + 1]).strip(_CURLY)
            straight = in_quotes(text, '"')
            return f"{typed[0]} is a curly quote; write straight ones: {straight}"
    return ""


def missing_quotes(words: Sequence[str]) -> str:
    """Return a hint where an option's text, or a language, seems to go on in the next words."""
    for place, word in enumerate(words):
        name, _, value = word.partition("=")
        if name not in _TEXTS and not (place == 0 and word == "translate"):
            continue
        following = takewhile(lambda each: not each.startswith("-"), words[place + 1 :])
        parts = [*([value] if value else []), *following]
        first, second = [*parts, "", ""][:2]
        is_whole = " " in first or first.startswith("{") or is_numbered(second)
        quoted = in_quotes(" ".join(parts), '"')
        if second and not is_whole and quoted:
            return f"A value with spaces needs quotes: {name} {quoted}."
    return ""
