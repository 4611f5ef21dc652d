"""``--confirm``: asking whether exactly this code may run.

With buttons where their clicks arrive while a cell runs, else by ``input()``; where nobody can be
asked, the answer is no. An agreement holds for one text, in memory, for this one run:
``attempts.py`` asks, and ``execute.py`` runs nothing else.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from ...errors import CodeRefused
from .execute import CodeStopped

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

#: What turns the direction of writing, parts words or lines, or is a letter, and is not seen.
_HIDDEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_QUESTION = "Run this code? [y/N] "


class Consent:
    """What was agreed to: the digest of one text."""

    def __init__(self, code: str) -> None:
        self._digest = _digest(code)

    def check(self, code: str) -> None:
        """Refuse code that is not, character for character, what was agreed to.

        Raises
        ------
        CodeRefused
            It is another text.
        """
        if _digest(code) != self._digest:
            raise CodeRefused(
                "The code is not the one that was agreed to, so it was not run.",
                "Ask again, and read the code that is shown.",
            )


def ask_consent(shell: InteractiveShell, code: str) -> Consent:
    """Ask about the code, which is shown above, and wait for the answer.

    Raises
    ------
    CodeRefused
        The answer was no, or nobody can be asked here.
    CodeStopped
        The question was interrupted.
    """
    if _HIDDEN.search(code):
        raise CodeRefused(
            "The code has invisible characters that can make it look like other code, "
            "so it was not run.",
            "Copy it into a cell, and type the odd lines anew.",
        )
    from ..output.button_question import ask_with_buttons

    try:
        agreed = ask_with_buttons(shell, "Run this code?", yes="Run", no="Do not run")
        if agreed is None:
            agreed = _ask_with_input(shell)
    except KeyboardInterrupt:
        raise CodeStopped("The code was not run.") from None
    if not agreed:
        raise CodeRefused("The code was not run.", "It is shown above; copy what you want of it.")
    return Consent(code)


def _ask_with_input(shell: InteractiveShell) -> bool:
    kernel = getattr(shell, "kernel", None)
    if kernel is not None and not getattr(kernel, "_allow_stdin", False):
        raise CodeRefused(
            "Nobody can be asked here, so the code was not run.",
            "Run this cell in a notebook or a terminal, or leave --confirm out.",
        )
    try:
        return input(_QUESTION).strip().lower() in {"y", "yes"}
    except EOFError:
        return False


def _digest(code: str) -> bytes:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).digest()
