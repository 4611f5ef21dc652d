"""JSON schemas of msgspec's structs, and of other types where pydantic is missing or refuses.

What msgspec would leave out of its schema without a word is refused. Called by ``structured``.
"""

from __future__ import annotations

import collections.abc
import datetime
import typing
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec

from .checks import CheckedSchema
from .errors import Unenforceable

_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
#: Whose notes on a type are bounds that msgspec does not read.
_OTHERS = ("annotated_types", "pydantic")


def is_of_msgspec(source: Any) -> bool:
    """Whether a type has a struct in it, or a note that only msgspec reads."""
    return any(
        isinstance(part, (msgspec.Meta, type(msgspec.Struct)))
        or part is msgspec.Raw
        or part is msgspec.UnsetType
        for part in _parts(source)
    )


def msgspec_schema(source: Any) -> CheckedSchema:
    """Return the schema of a type that msgspec knows.

    Raises
    ------
    Unenforceable
        The schema would not say what the type asks for.
    TypeError, RuntimeError, NameError
        Msgspec makes no schema of it.
    """
    for part in _parts(source):
        _refuse_unsaid(part)

    def fault(text: str) -> str:
        try:
            msgspec.json.decode(text, type=source)
        except msgspec.ValidationError as error:
            return str(error)
        except Exception as error:
            # ``__post_init__`` is code of the user's, which may raise anything.
            return f"{type(error).__name__}: {error}"
        return ""

    return CheckedSchema(msgspec.json.schema(source), fault)


def _refuse_unsaid(part: Any) -> None:
    package = type(part).__module__.partition(".")[0]
    if package in _OTHERS and not isinstance(part, type) and getattr(part, "metadata", True):
        raise Unenforceable(
            f"`{type(part).__name__}` is kept where pydantic is installed and reads the type; "
            "write `msgspec.Meta` instead"
        )
    if part is datetime.datetime or part is datetime.time:
        raise Unenforceable(
            f"msgspec does not say how a `{part.__name__}` is written; write "
            f"`Annotated[{part.__name__}, msgspec.Meta(tz=True)]`, or install pydantic for a "
            "dataclass"
        )
    if typing.get_origin(part) in _MAPPINGS:
        key = typing.get_args(part)[0]
        if typing.get_origin(key) is Annotated:
            key = typing.get_args(key)[0]
        if key is not str and key is not Any:
            raise Unenforceable(
                "msgspec does not say how keys of a dict that are no `str` are written; install "
                "pydantic for a dataclass"
            )


def _parts(source: Any) -> Iterator[Any]:
    """Yield the type, all that it is made of, and the notes on them."""
    seen: list[Any] = []
    waiting = [source]
    while waiting:
        part = waiting.pop()
        if any(part is one for one in seen):
            continue
        seen.append(part)
        yield part
        inner = typing.get_args(part)
        if typing.get_origin(part) is Annotated and any(
            isinstance(note, msgspec.Meta) and note.tz for note in inner
        ):
            # Said in its schema.
            inner = inner[1:]
        waiting += inner
        waiting += (
            getattr(part, name)
            for name in ("__supertype__", "__value__", "__origin__")
            if not isinstance(part, type) and not inner and hasattr(part, name)
        )
        if isinstance(part, type) and part.__module__ != "builtins":
            waiting += _hints(part)


def _hints(part: type) -> list[Any]:
    try:
        return list(typing.get_type_hints(part, include_extras=True).values())
    except (NameError, TypeError, AttributeError):
        # Names that are nowhere; whoever makes the schema says so.
        return []
