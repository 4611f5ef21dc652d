"""Mermaid sources made by this package, and text of others put into them so that it stays text.

Labels, class members and names of columns come from code and data: they hold quotes, brackets,
arrows, comments and whole directives. Here they become what Mermaid shows as written and never
reads as its own syntax. Pure; ``from_code.py`` and ``from_data.py`` build on it.

The rules were found with the parser (``#name;`` and ``#number;`` are Mermaid's entities) and are
held by tests that draw hostile names and read them back from the picture.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ....errors import InvalidParameter

#: Bytes of a source; Mermaid refuses more than 50,000 characters.
MAX_SOURCE_BYTES = 49_000
#: Ways a diagram can run.
DIRECTIONS = ("TB", "TD", "BT", "LR", "RL")

_ENTITIES = {
    '"': "#quot;",
    "#": "#35;",
    "<": "#lt;",
    ">": "#gt;",
    # Markdown, formulas and generic types.
    "`": "#96;",
    "*": "#42;",
    "~": "#126;",
    "$": "#36;",
    # Comments, directives and bodies of classes.
    "%": "#37;",
    "{": "#123;",
    "}": "#125;",
    # A backslash before an "n" is a new line.
    "\\": "#92;",
}
_MARKED = re.compile(r'["#<>`*~$%{}\\]')
_AMPERSAND = re.compile(r"&(?=#?\w+;)")
#: Icons (``fa:fa-car``), addresses and scripts have a letter before the colon and no space after.
_SCHEME = re.compile(r"(?<=[^\W\d_]):(?=\S)")
_EMPHASIS = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
#: Wherever these words stand, the rest of the line is a statement of its own.
_DIRECTION = re.compile(r"d(?=irection\s)", re.I)
_LIST = re.compile(r"^(\d+)([.)])(?=\s|$)")
#: Words at the start of a line that are statements of Mermaid outside of a class.
_STATEMENTS = re.compile(r"(?:click|link|callback|href|style|class\w*|note|end|direction)\b", re.I)


@dataclass(frozen=True, slots=True)
class SourceDiagram:
    """A Mermaid diagram made from code or data, without a model.

    Attributes
    ----------
    source : str
        Mermaid text that the parser accepts.
    title : str
        What it shows, in a few words.
    notes : tuple of str
        What was left out, shortened or guessed, a sentence each.
    """

    source: str
    title: str
    notes: tuple[str, ...] = ()


def label(text: str, limit: int | None = None) -> str:
    """Return text that Mermaid shows as it is, between double quotes or as a member of a class.

    Parameters
    ----------
    text : str
        Any text. White space becomes single spaces; characters that do not show (controls, those
        that turn the direction of writing, halves of pairs) become their escapes, as ``\\u202e``.
    limit : int, optional
        Characters to keep; a longer text ends in an ellipsis.
    """
    shown = visible(text)
    if limit is not None:
        shown = shortened(shown, limit)
    if not shown:
        # An empty label is an error of syntax.
        return "#160;"
    shown = _AMPERSAND.sub("\0", shown)
    shown = _MARKED.sub(lambda match: _ENTITIES[match[0]], shown)
    shown = _EMPHASIS.sub("#95;", _SCHEME.sub("#58;", shown))
    shown = _DIRECTION.sub(lambda match: f"#{ord(match[0])};", shown)
    shown = _LIST.sub(lambda match: f"{match[1]}#{ord(match[2])};", shown)
    if shown[0] in "-+":
        shown = f"#{ord(shown[0])};{shown[1:]}"
    # An entity in the text itself would be read a second time.
    return shown.replace("\0", "#38;amp;")


def member(text: str, limit: int | None = None) -> str:
    """Return a line in the body of a class that no tool takes for a statement."""
    line = label(text, limit)
    return f"#{ord(line[0])};{line[1:]}" if _STATEMENTS.match(line) else line


def visible(text: str) -> str:
    """Return one line in which every character can be seen."""
    line = " ".join(text.split())
    if line.isprintable():
        return line
    return "".join(
        character if character.isprintable() else _escape(character) for character in line
    )


def shortened(text: str, limit: int) -> str:
    """Return at most so many characters, with an ellipsis where some are missing."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def is_short_enough(lines: list[str]) -> bool:
    """Tell whether lines make a source that Mermaid takes."""
    return sum(len(line.encode("utf-8", "surrogatepass")) + 1 for line in lines) < MAX_SOURCE_BYTES


def checked_direction(direction: str | None) -> str | None:
    """Return the direction in capitals.

    Raises
    ------
    InvalidParameter
        It is none of Mermaid's.
    """
    if direction is None:
        return None
    wanted = direction.strip().upper()
    if wanted not in DIRECTIONS:
        raise InvalidParameter(
            f"A diagram cannot run in the direction {direction!r}.",
            f"Use one of {', '.join(DIRECTIONS)}.",
            param="direction",
        )
    return wanted


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
