"""Why a schema cannot be enforced; the texts are sentences without a full stop."""

from __future__ import annotations


class SchemaRefused(ValueError):
    """A schema that answers cannot be made to fit.

    Attributes
    ----------
    place : str
        Where in a value, as ``$.name[]``; "" before it is known.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.place = ""

    def __str__(self) -> str:
        reason = super().__str__()
        return f"{reason} at `{self.place}`" if self.place else reason


class Unbounded(SchemaRefused):
    """No finite value fits; a union may go on without this alternative."""


class Unenforceable(SchemaRefused):
    """No grammar can say this; the message names the keyword."""
