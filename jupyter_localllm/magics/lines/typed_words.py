"""A line that is still being typed, cut into words; and the files that a word may become.

``words.py`` reads finished lines, in which every quote is closed. Loaded with the first line or the
first Tab: standard library only.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_MAX_FILES = 200


@dataclass(frozen=True)
class Typed:
    """The word at the cursor: ``raw`` as it stands there, ``text`` without its quotes.

    ``quote`` is the one that it begins with.
    """

    raw: str
    text: str
    quote: str = ""


def cut(typed: str) -> tuple[list[str], Typed]:
    """Return the finished words, and the one at the cursor."""
    words: list[str] = []
    start, text, quote, depth = 0, "", "", 0
    for place, letter in enumerate(typed):
        if quote:
            quote = "" if letter == quote else quote
            text += "" if not quote and not depth else letter
        elif letter in "'\"":
            quote = letter
            text += letter if depth else ""
        elif letter.isspace() and not depth:
            if start < place:
                words.append(text)
            start, text = place + 1, ""
        else:
            # An object such as {"type": "array"} is one word.
            depth += {"{": 1, "}": -1}.get(letter, 0)
            depth = max(depth, 0)
            text += letter
    raw = typed[start:]
    return words, Typed(raw, text, raw[:1] if raw[:1] in ("'", '"') else "")


def in_quotes(text: str, quote: str = "") -> str:
    """Return a text as one word of a line; nothing where no quotes can hold it."""
    if not quote:
        if text and not any(letter.isspace() or letter in "'\"" for letter in text):
            return text
        quote = "'" if '"' in text else '"'
    return "" if quote in text else f"{quote}{text}{quote}"


def files(typed: str, suffixes: tuple[str, ...]) -> list[str]:
    """Return the files of some kinds that a word may become, and folders where it is a path."""
    folder, name = os.path.split(typed)
    typed_folder = typed[: len(typed) - len(name)]
    if "\0" in typed:
        return []
    found = []
    try:
        for path in Path(folder or ".").expanduser().iterdir():
            is_hidden = path.name.startswith(".") and not name.startswith(".")
            if is_hidden or not path.name.lower().startswith(name.lower()):
                continue
            if path.suffix.lower() in suffixes and path.is_file():
                found.append(typed_folder + path.name)
            elif typed and path.is_dir():
                found.append(typed_folder + path.name + os.sep)
    except (OSError, RuntimeError):
        # There is no such folder, or no such person.
        return []
    return sorted(found)[:_MAX_FILES]
