"""JSON that was cut in the middle: its beginnings that can be closed, longest first.

Nothing is made up: what is left out is what had not been finished. Pure; ``structured`` calls it.
"""

from __future__ import annotations

from collections.abc import Iterator

_CLOSER = {"{": "}", "[": "]"}
#: Beginnings that are tried; the last ones of an answer matter.
_MAX_TRIES = 200


def shortened_ends(text: str) -> Iterator[str]:
    """Yield beginnings of the text that end after a complete value, with what is open closed.

    Whether a beginning is JSON and fits is for the caller to see.
    """
    places: list[tuple[int, str]] = []
    stack: list[str] = []
    is_string = is_escaped = False
    for position, letter in enumerate(text):
        if is_string:
            if is_escaped:
                is_escaped = False
            elif letter == "\\":
                is_escaped = True
            elif letter == '"':
                is_string = False
        elif letter == '"':
            is_string = True
        elif letter in "{[":
            stack.append(letter)
            places.append((position + 1, _closing(stack)))
        elif letter in "}]":
            if not stack:
                break
            stack.pop()
            places.append((position + 1, _closing(stack)))
        elif letter == ",":
            places.append((position, _closing(stack)))
    if not is_string:
        places.append((len(text), _closing(stack)))
    for end, closing in reversed(places[-_MAX_TRIES:]):
        yield text[:end] + closing


def _closing(stack: list[str]) -> str:
    return "".join(_CLOSER[letter] for letter in reversed(stack))
