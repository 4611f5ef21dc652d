"""The first line of a magic, cut into words, and the words that name a model.

Pure text. Imported by ``%load_ext``: standard library and IPython only.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from IPython.core.error import UsageError

_VARIABLE = re.compile(r"\{(?P<braced>[^\W\d]\w*)\}|\$(?P<dollar>[^\W\d]\w*)")
_NUMBER = re.compile(r"-?\d*\.?\d+(?:[eE][+-]?\d+)?")
#: How a JSON object begins that is typed without quotes around it.
_OBJECT = re.compile(r"\{\s*(?:[\"']|\})")


def split_words(
    line: str, variables: Mapping[str, object], *, is_windows: bool = os.name == "nt"
) -> list[str]:
    """Split a magic's line into words.

    Single and double quotes group. A backslash is an ordinary character, so that Windows paths
    need no care; elsewhere it also protects a space or a quote (``a\\ b.gguf``). A bare word that
    is exactly ``{name}`` or ``$name`` of a variable that holds a text, a number or a path becomes
    that text; every other brace is text, and what a variable holds is never looked at again. An
    object such as ``{"temperature": 0}`` is one word, as typed.

    Raises
    ------
    UsageError
        A quote is not closed, or a variable holds what would be an option.
    """
    words: list[str] = []
    word: list[str] = []
    quote = ""
    is_open = is_quoted = False
    position = 0
    while position < len(line):
        letter = line[position]
        following = line[position + 1 : position + 2]
        if letter == "{" and not quote and (end := _object_end(line, position)):
            word.append(line[position:end])
            position = end
            is_open = is_quoted = True
            continue
        position += 1
        if not is_windows and letter == "\\" and following and following in " \t'\"":
            word.append(following)
            position += 1
            is_open = is_quoted = True
        elif quote:
            if letter == quote:
                quote = ""
            else:
                word.append(letter)
        elif letter in "'\"":
            quote = letter
            is_open = is_quoted = True
        elif letter.isspace():
            if is_open:
                words.append(_word(word, variables, is_quoted))
            word, is_open, is_quoted = [], False, False
        else:
            word.append(letter)
            is_open = True
    if quote:
        hint = " Around a text with an apostrophe, write double quotes." if quote == "'" else ""
        raise UsageError(f"The quote {quote} is opened but not closed in this line.{hint}")
    if is_open:
        words.append(_word(word, variables, is_quoted))
    return words


def _object_end(line: str, start: int) -> int:
    """Return where the object that begins here ends; 0 where none does."""
    if _OBJECT.match(line, start) is None:
        return 0
    depth, quote, position = 0, "", start
    while position < len(line):
        letter = line[position]
        position += 1
        if quote:
            if letter == "\\":
                position += 1
            elif letter == quote:
                quote = ""
        elif letter in "'\"":
            quote = letter
        elif letter in "{}":
            depth += 1 if letter == "{" else -1
            if depth == 0:
                return position
    return 0


def _word(letters: list[str], variables: Mapping[str, object], is_quoted: bool) -> str:
    text = "".join(letters)
    match = None if is_quoted else _VARIABLE.fullmatch(text)
    if match is None:
        return text
    name = match["braced"] or match["dollar"]
    value = variables.get(name)
    if not isinstance(value, str | int | float | os.PathLike):
        return text
    held = os.fsdecode(value) if isinstance(value, os.PathLike) else str(value)
    if held.startswith("-") and _NUMBER.fullmatch(held) is None:
        # Nothing but the line itself may turn an option on, -x least of all.
        raise UsageError(
            f"The variable {name} holds {held[:40]!r}, which would be an option. "
            "Write options into the line itself."
        )
    return held


_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def is_path(text: str) -> bool:
    """Whether a model is given by path.

    A name may hold a slash too (``org/model``), so a relative path counts as one only if it looks
    like a file or is there.
    """
    if _DRIVE.match(text) and os.name != "nt":
        return False
    path = _expanded(text)
    return (
        path.is_absolute()
        or text.startswith((".", "~"))
        or text.lower().endswith(".gguf")
        or (any(mark in text for mark in ("/", os.sep)) and path.exists())
    )


def model_reference(text: str) -> str:
    """Return the model as the host should be asked for it.

    A path becomes absolute here, because only the kernel knows its working folder; a name stays
    as it is.
    """
    # Not resolve(): a link keeps the name the user knows the model by.
    return str(_expanded(text).absolute()) if is_path(text) else text


def _expanded(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:
        # There is no such user; the text is then a name like any other.
        return Path(text)
