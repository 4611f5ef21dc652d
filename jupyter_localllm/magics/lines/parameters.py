"""Parameters of a model as they are typed (``--param top_p 0.9``, ``-m {"top_p": 0.9}``).

Called by ``composer.py``. Loaded with the first question.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import msgspec
from IPython.core.error import UsageError

from ...protocol import RequestBase
from .parsers import nearest, shortened

#: What the magics set themselves, or have an option of its own for.
_NOT_PARAMETERS = {
    "model", "stream", "stream_options", "n", "return_progress", "user", "grammar", "logit_bias",
}  # fmt: skip

#: What msgspec calls the types.
_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
}

NAMES = [name for name in RequestBase.__struct_fields__ if name not in _NOT_PARAMETERS]


def read_parameters(objects: Sequence[str], pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return the fields of a request that were given; later ones win.

    Raises
    ------
    UsageError
        No JSON object, a name that is none, or a value out of its range.
    """
    given: dict[str, Any] = {}
    for text in objects:
        given |= _read_object(text)
    for name, value in pairs:
        try:
            given[name] = json.loads(value)
        except ValueError:
            given[name] = value
    for name in given:
        if name not in NAMES:
            raise UsageError(
                f"{shortened(name)} is not a parameter{nearest(name, NAMES)} "
                f"There are {', '.join(NAMES)}."
            )
    try:
        msgspec.convert(given, RequestBase)
    except msgspec.ValidationError as error:
        raise UsageError(f"{_in_words(str(error))}. Correct its value.") from None
    return given


def _in_words(message: str) -> str:
    """Return what msgspec says about a value, without the names of types."""
    reason, _, place = message.partition(" - at `$.")
    name = place.rstrip("`") or "The parameters"
    expected = reason.partition(", got ")[0]
    for sign, words in (("| null", ""), (">=", "of at least"), ("<=", "of at most")):
        expected = expected.replace(sign, words)
    types = re.compile("|".join(_TYPES))
    expected = types.sub(lambda match: _TYPES[match[0]], expected.replace("`", ""))
    expected = " ".join(expected.replace("|", "or").split())
    return f"{name}: {expected[:1].lower()}{expected[1:]}"


def _read_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise UsageError(
            f"{shortened(text)} is not JSON ({error}). Write it in single quotes: "
            """-m '{"top_p": 0.9}'."""
        ) from None
    if not isinstance(value, dict):
        raise UsageError(f"""{shortened(text)} is no JSON object such as '{{"top_p": 0.9}}'.""")
    return value
