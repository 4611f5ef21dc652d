"""``--schema FILE|VAR|{…}``: from what was typed to a JSON schema. Called by ``formats.py``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from IPython.core.error import UsageError

from ..assistant.structured import SchemaError, schema_of
from .fences import shortened

_MAX_BYTES = 1 << 20


def read_schema(argument: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema that the argument names or is.

    A variable's name comes before a file's; a file is JSON.

    Raises
    ------
    UsageError
        One line that says what is wrong with it.
    """
    text = argument.strip()
    try:
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
