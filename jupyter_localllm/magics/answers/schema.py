"""``--schema FILE|VAR|{…}``: from what was typed to a JSON schema. Called by ``formats.py``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from IPython.core.error import UsageError

from ...assistant.structured import SchemaError, schema_of
from ..lines.parsers import shortened

_MAX_BYTES = 1 << 20
_BRACED = re.compile(r"\{\s*(?P<name>[^\W\d]\w*)\s*\}")


def read_schema(argument: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema that the argument names or is.

    A variable's name comes before a file's, and may have braces; a file is JSON.

    Raises
    ------
    UsageError
        One line that says what is wrong with it.
    """
    text = argument.strip()
    braced = _BRACED.fullmatch(text)
    if braced is not None and braced["name"] in variables:
        text = braced["name"]
    try:
        if braced is not None and text.startswith("{"):
            raise SchemaError("there is no variable of this name")
        if text.startswith("{") and text.count("{") > text.count("}"):
            # Not shown again: the quotes in it may be gone with the words of the line.
            text = "{…"
            raise SchemaError("the { at its beginning is not closed in this line")
        if text.startswith("{"):
            return schema_of(text)
        if text in variables:
            return schema_of(variables[text])
        return schema_of(_read_file(text))
    except SchemaError as error:
        raise UsageError(f"--schema {shortened(text)}: {error}.") from None


def _read_file(name: str) -> str:
    try:
        path = Path(name).expanduser()
        if path.stat().st_size > _MAX_BYTES or not path.is_file():
            raise SchemaError("this file is not a JSON schema")
        return path.read_text(encoding="utf-8-sig")
    except (OSError, RuntimeError, ValueError) as error:
        if isinstance(error, SchemaError):
            raise
        if name.isidentifier():
            raise SchemaError("there is no variable and no file of this name") from None
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise SchemaError(f"this file cannot be read ({reason})") from None
