"""Where the references of a schema lead, within its own document. Pure; ``tight`` calls it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urljoin

from .errors import Unenforceable

#: Their values are data, not schemas.
_DATA = ("const", "enum", "default", "example", "examples")
_ANCHORS = ("$anchor", "$dynamicAnchor")


class References:
    """The places of one document that references can lead to."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._own = _identity(root)
        self._anchors: dict[str, Any] = {}
        self._has_documents = False
        for part in _parts(root):
            names = [part[key] for key in _ANCHORS if isinstance(part.get(key), str)]
            identity = _identity(part)
            if identity.startswith("#"):
                # As the drafts before 2019 say it.
                names.append(identity[1:])
            elif identity and part is not root:
                self._has_documents = True
            for name in names:
                self._anchors.setdefault(name, part)

    def target(self, reference: str) -> Any:
        """Return what a reference leads to.

        Raises
        ------
        Unenforceable
            It leads nowhere, or out of the document.
        """
        document, _, fragment = reference.partition("#")
        if self._has_documents:
            # What it leads to depends on where it stands.
            raise Unenforceable("`$ref` in a schema that has an `$id` inside of it")
        if document and urljoin(self._own, document) != self._own.partition("#")[0]:
            raise Unenforceable(f"`$ref` {reference} is in another document")
        fragment = unquote(fragment)
        if fragment and not fragment.startswith("/"):
            if fragment in self._anchors:
                return self._anchors[fragment]
            raise Unenforceable(f"`$ref` {reference} leads nowhere")
        target: Any = self._root
        for step in fragment.split("/")[1:]:
            step = step.replace("~1", "/").replace("~0", "~")
            if isinstance(target, list) and step.isdecimal() and int(step) < len(target):
                target = target[int(step)]
            elif isinstance(target, dict) and step in target:
                target = target[step]
            else:
                raise Unenforceable(f"`$ref` {reference} leads nowhere")
        return target


def _identity(schema: Any) -> str:
    """Return what a schema calls itself, or ""."""
    if not isinstance(schema, dict):
        return ""
    named = schema.get("$id", schema.get("id"))
    return named if isinstance(named, str) else ""


def _parts(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield all objects that may be schemas."""
    waiting = [schema]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting += [child for name, child in one.items() if name not in _DATA]
        elif isinstance(one, list):
            waiting += one
