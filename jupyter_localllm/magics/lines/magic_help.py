"""What ``%llm?`` and ``%%mermaid?`` show: the help, made when it is asked for.

Imported by ``%load_ext``: standard library only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Method = TypeVar("Method", bound=Callable[..., Any])


def documented(text: Callable[[], str]) -> Callable[[Method], Method]:
    """Give a method the text that IPython shows for it."""

    def apply(method: Method) -> Method:
        # IPython asks an object for its own documentation by this name.
        vars(method)["getdoc"] = text
        return method

    return apply
