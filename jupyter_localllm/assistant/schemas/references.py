"""Where the references of a schema lead, within its own document. Pure; ``tight`` calls it."""

from __future__ import annotations

from typing import Any

from .checks import document_of, looked_up
from .errors import Unenforceable


class References:
    """The places of one document that references can lead to; nothing is fetched."""

    def __init__(self, root: Any) -> None:
        document, self._resolver = document_of(root)
        #: What was looked up: for an anchor, the whole document is read each time.
        self._found: dict[str, Any] = {}
        self._has_documents = False
        waiting = list(document.subresources())
        while waiting:
            part = waiting.pop()
            self._has_documents |= part.id() is not None
            waiting += part.subresources()

    def target(self, reference: str) -> Any:
        """Return what a reference leads to.

        Raises
        ------
        Unenforceable
            It leads nowhere, or out of the document.
        """
        if self._has_documents:
            # What it leads to depends on where it stands.
            raise Unenforceable("`$ref` in a schema that has an `$id` inside of it")
        if reference not in self._found:
            self._found[reference] = looked_up(reference, self._resolver)
        if self._found[reference] is None:
            raise Unenforceable(f"`$ref` {reference} leads nowhere")
        return self._found[reference].contents
