"""Text out of a Markdown fence or in a fold, whatever the text holds.

Pure text; called by whatever writes Markdown around what a model or a program said.
"""

from __future__ import annotations

import html
import re

from ...assistant.safe_markdown import safe_markdown

_OUTER = re.compile(r"\s*(?P<fence>`{3,}|~{3,})[^\n`]*(?:\n|$)")


def unfenced(text: str) -> str:
    """Return what is in the fence that an answer consists of; other text as it is.

    The fence need not be closed yet.
    """
    opening = _OUTER.match(text)
    if opening is None:
        return text
    fence = opening["fence"]
    lines = text[opening.end() :].split("\n")
    for number, line in enumerate(lines):
        if line.strip().startswith(fence) and not line.strip().strip(fence[0]):
            return "\n".join(lines[:number])
    return "\n".join(lines)


def folded(summary: str, *parts: str, is_open: bool = False) -> str:
    """Return Markdown that shows one line, and the parts when it is opened.

    ``parts`` must be safe Markdown. Where folds are not known, as in PDF, all of it is shown.
    """
    body = "\n\n".join(filter(None, parts))
    mark = " open" if is_open else ""
    # One line: anything else would end the HTML block before the summary does.
    line = html.escape(" ".join(summary.split()))
    return f"<details{mark}><summary>{line}</summary>\n\n{body}\n\n</details>"


def safe_and_closed(text: str) -> str:
    """Return model text as Markdown that leaves nothing open for what follows."""
    safe = safe_markdown(text)
    return f"{safe.text}\n{safe.open_fence}" if safe.open_fence else safe.text
