"""``%%llm explain`` with nothing below it: about the cell above.

IPython refuses a cell magic without a body before the magic is asked, so such a cell is given an
empty line. Imported by ``%load_ext``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_FIRST_LINE = re.compile(r"%%(?:llm|ai)[ \t]+(?P<word>[\w-]+)|%%(?:explain|mermaid|dot|graphviz)\b")


def give_empty_body(lines: list[str]) -> list[str]:
    """Return the lines of a cell, with one more where an action stands alone."""
    match = _FIRST_LINE.match(lines[0]) if lines else None
    if match is None or any(line.strip() for line in lines[1:]):
        return lines
    from ..actions import ACTION_NAMES, ACTIONS

    word = match["word"]
    action = ACTIONS.get(ACTION_NAMES.get(word or "", ""))
    # Of a diagram, the magic itself says better what is missing.
    is_about_code = word is None or (action is not None and action.body != "words")
    if is_about_code or {"-h", "--help"} & set(lines[0].split()):
        return [lines[0].rstrip("\n") + "\n", "\n"]
    return lines


def allow_empty_bodies(shell: InteractiveShell) -> None:
    """Let every cell of the shell pass through."""
    refuse_empty_bodies(shell)
    shell.input_transformers_cleanup.append(give_empty_body)


def refuse_empty_bodies(shell: InteractiveShell) -> None:
    """Take that back."""
    # By name: after a reload, the earlier function is another object.
    shell.input_transformers_cleanup[:] = [
        each
        for each in shell.input_transformers_cleanup
        if getattr(each, "__name__", "") != give_empty_body.__name__
    ]
