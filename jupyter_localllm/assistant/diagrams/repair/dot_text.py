"""DOT text for the repairs: what is a string or a comment, what is a statement, what is an id.

Strings, HTML labels and comments are taken out before a rule looks at a line and put back behind
it (:func:`masked`), so that what stands in them is never taken for syntax.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from .repairs import Fault

STRING = r'"(?:\\.|[^"\\])*"'
_HTML = r"<(?:[^<>]|<[^<>]*>)*>"
_PARTS = re.compile(
    rf"/\*.*?\*/|(?m:^[ \t]*#[^\n]*$)|//[^\n]*|{STRING}|(?<==)\s*{_HTML}", re.DOTALL
)
_MARK = "\ue000{}\ue001"
MARKS = re.compile("\ue000(\\d+)\ue001")
HELD = "\ue000\\d+\ue001"
KEYWORDS = "node|edge|graph|digraph|subgraph|strict"
ID = rf"(?:{HELD}|[^\W\d]\w*|-?(?:\.\d+|\d+(?:\.\d*)?)(?!\w))"
PLAIN_ID = re.compile(r"[^\W\d]\w*|-?(?:\.\d+|\d+(?:\.\d*)?)")
DASH = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2500"


def masked(change: Callable[[str, Callable[[str], str]], str]) -> Callable[[str, Fault], str]:
    """Make a rule of a change of the text in which strings and comments are marks.

    The change gets the text and a function that puts a mark's string back.
    """

    def apply(source: str, fault: Fault) -> str:
        if _MARK[0] in source:
            return source
        kept: list[str] = []

        def keep(match: re.Match[str]) -> str:
            kept.append(match[0])
            return _MARK.format(len(kept) - 1)

        def restored(text: str) -> str:
            return MARKS.sub(lambda match: kept[int(match[1])], text)

        return restored(change(_PARTS.sub(keep, source), restored))

    return apply


def by_line(change: Callable[[str], str]) -> Callable[[str, Fault], str]:
    """Make a rule of a change of one line."""
    return masked(lambda text, _: "\n".join(change(line) for line in text.split("\n")))


def by_statement(change: Callable[[str], str]) -> Callable[[str, Fault], str]:
    """Make a rule of a change of one statement, without its semicolon or braces."""

    def changed(text: str, restored: Callable[[str], str]) -> str:
        parts = re.split(r"((?:\[[^\]]*\]|[^\[;{}\n])+)", text)
        return "".join(change(part) if number % 2 else part for number, part in enumerate(parts))

    return masked(changed)


def string(text: str) -> str:
    """Return a text as a DOT string."""
    return '"' + text.strip().replace('"', '\\"') + '"'


def as_id(text: str) -> str:
    """Return an id as it may stand in DOT, in quotes where it must."""
    text = text.strip()
    is_plain = PLAIN_ID.fullmatch(text) or MARKS.fullmatch(text)
    return text if is_plain and text.lower() not in KEYWORDS.split("|") else string(text)
