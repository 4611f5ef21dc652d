"""Sources without what reaches outside of the picture; the child's ``pipeline`` calls it.

``safe_mermaid`` and ``safe_dot`` know the languages. Lines are never joined or removed, so
that a parser's line numbers fit the source as it was given.
"""

from __future__ import annotations

import re

from msgspec import Struct

from .. import faults
from ..nouns import DiagramKind
from .safe_dot import safe_dot
from .safe_mermaid import safe_mermaid

#: Bytes of one source.
LIMITS: dict[DiagramKind, int] = {"mermaid": 50 * 1024, "dot": 64 * 1024}

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u2028\u2029\ufeff\ufffe\uffff]")
_CONTROLS_LEFT_OUT = "Control characters were left out."


class SafeSource(Struct, frozen=True):
    """A source that may be laid out.

    Attributes
    ----------
    source : str
    changes : tuple of str
        What was left out, a plain sentence each; empty when the source is as it was given.
    """

    source: str
    changes: tuple[str, ...] = ()


def safe_source(source: str, kind: DiagramKind) -> SafeSource:
    """Return the source without directives, links, images, styles and the like.

    Raises
    ------
    DiagramTooLarge
        Longer than a diagram that can be looked at.
    """
    size = len(source.encode())
    if size > LIMITS[kind]:
        raise faults.too_large(
            f"The diagram's source has {size:,} bytes; {LIMITS[kind]:,} can be drawn."
        )
    text = source.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    plain = _CONTROL.sub("", text)
    safe, changes = (safe_dot if kind == "dot" else safe_mermaid)(plain)
    if plain != text:
        changes = (_CONTROLS_LEFT_OUT, *changes)
    return SafeSource(safe, changes)
