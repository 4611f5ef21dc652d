"""Attributes of the shell that generated code finds replaced; each is put back when it has ended.

Called by the context managers that ``execute.py`` runs code in, which see to it that no interrupt
is raised between what is set here and what is put back.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

_MISSING: Any = object()


@contextlib.contextmanager
def replaced(owner: Any, **values: Any) -> Iterator[None]:
    """Give an object other attributes for a while, then its class's or another tool's again."""
    before = {name: vars(owner).get(name, _MISSING) for name in values}
    try:
        for name, value in values.items():
            setattr(owner, name, value)
        yield
    finally:
        for name, value in before.items():
            if value is _MISSING:
                vars(owner).pop(name, None)
            else:
                setattr(owner, name, value)
