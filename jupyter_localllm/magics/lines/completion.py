"""Tab completion of ``%llm`` and ``%%llm``: how IPython comes to ask us.

In the first line of our cells and in our lines only our words are offered; the lines below stay
with IPython, which knows the names that may stand in braces. What is offered is
``next_words``'s business. Imported by ``%load_ext``: nothing of ours but ``names``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from IPython.core.completer import SimpleCompletion, SimpleMatcherResult, context_matcher

from ..names import is_ours

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext
    from IPython.core.interactiveshell import InteractiveShell

    from ..magics import LocalLLM
    from .next_words import Offer

_Match = TypeVar("_Match", bound=Callable[..., Any])

_IDENTIFIER = "jupyter_localllm.lines"
#: Before all of IPython's own, whose answers are not wanted then.
_PRIORITY = 1000
#: A magic with something behind it: ``%llm …``, ``talk = %llm …``, ``%%llm …``, ``llm …``.
_MAGIC = re.compile(
    r"\s*(?P<assigned>[\w., ]+=\s*)?(?P<mark>%{0,2})(?P<name>\w+)\s(?P<typed>.*)", re.DOTALL
)
#: Cell magics whose body is IPython's own language.
_RUNNING = ("time", "timeit", "capture", "prun")
_CELL = re.compile(r"\s*%%(?P<name>\w+)")

#: IPython leaves it untyped.
_as_matcher: Callable[[_Match], _Match] = context_matcher(
    identifier=_IDENTIFIER, priority=_PRIORITY
)


def complete_with(shell: InteractiveShell, owner: LocalLLM) -> None:
    """Let the shell ask us about our own lines."""
    stop_completing(shell)
    if shell.Completer is not None:
        shell.Completer.custom_matchers.append(LineCompleter(owner).match)


def stop_completing(shell: InteractiveShell) -> None:
    """Take our completions out of the shell."""
    if shell.Completer is not None:
        # By name: after a reload, the class of the earlier one is another object.
        shell.Completer.custom_matchers[:] = [
            each
            for each in shell.Completer.custom_matchers
            if getattr(each, "matcher_identifier", "") != _IDENTIFIER
        ]


class LineCompleter:
    """Offers the next word of a line; called by IPython with what stands before the cursor."""

    def __init__(self, owner: LocalLLM) -> None:
        self._owner = owner

    @_as_matcher
    def match(self, context: CompletionContext) -> SimpleMatcherResult:
        """Return the words that may stand at the cursor; in lines of others, none."""
        try:
            line = self._line(context)
            if line is None:
                return _result(context, None)
            from .next_words import NextWords

            return _result(context, NextWords(self._owner).after(*line))
        except Exception:
            # A completion that fails offers nothing, and is no reason to disturb anybody.
            return _result(context, None)

    def _line(self, context: CompletionContext) -> tuple[str, str] | None:
        """Return the magic of the line and what is typed behind it, if it is one of ours."""
        lines = context.full_text.split("\n")
        match = _MAGIC.match(lines[context.cursor_line][: context.cursor_position])
        if match is None:
            return None
        above = [line for line in lines[: context.cursor_line] if line.strip()]
        mark, name = match["mark"], match["name"]
        shell = self._owner.the_shell
        if mark == "%%":
            # Only other cell magics, such as %%time, may stand above.
            is_magic = not match["assigned"] and all(_CELL.match(line) for line in above)
        elif mark:
            first = _CELL.match(above[0]) if above else None
            is_magic = first is None or first["name"] in _RUNNING
        else:
            # A name that stands alone may also be the beginning of `llm = …`.
            is_alone = len(lines) == 1 and re.match(r"\s*(?:[\w-]|$)", match["typed"])
            is_new = not match["assigned"] and name not in shell.user_ns
            is_magic = bool(is_alone) and shell.automagic and is_new
        kind = "cell" if mark == "%%" else "line"
        if not (is_magic and is_ours(shell, kind, name)):
            return None
        return (mark or "%") + name, match["typed"]


def _result(context: CompletionContext, offer: Offer | None) -> SimpleMatcherResult:
    words = [SimpleCompletion(text=text) for text in offer.texts] if offer is not None else []
    result: SimpleMatcherResult = {
        "completions": words if words or offer is None else _NoWord(),
        "matched_fragment": context.token if offer is None else offer.fragment,
        "suppress": offer is not None,
        "do_not_suppress": set(),
        "ordered": True,
    }
    return result


class _NoWord(list[SimpleCompletion]):
    """No word, but counted as one: IPython asks all others where a matcher has nothing."""

    def __len__(self) -> int:
        return 1
