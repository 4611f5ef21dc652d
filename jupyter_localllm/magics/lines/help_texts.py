"""The help of ``%%llm``, ``%llm`` and of a single action, put together from their declarations.

Pure text. Called by ``line_arguments.py`` and ``magics.py``. Loaded with the first line:
standard library and IPython only.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..actions import ACTIONS
from .options import cell_parser
from .parsers import sentence

#: What stands below the first line in an example.
_SAMPLES = {
    "code": "Write a function that says whether a year is a leap year.",
    "ask": "Why does `[1, 2][2]` raise an IndexError?",
    "diagram": "How does a login with a password work?",
    "translate": "The committee has postponed its decision.",
    "summarise": "{Out[3]}",
}
_CODE_SAMPLE = "squares = [n * n for n in range(10)]"


def cell_help() -> str:
    """Return the help of ``%%llm``."""
    width = max(map(len, ACTIONS)) + 2
    rows = "\n".join(f"  {name:<{width}}{action.summary}" for name, action in ACTIONS.items())
    text = cell_parser().format_help()
    first, _, rest = text.partition("\n\n")
    description, _, options = rest.partition("\noptions:")
    return f"{first}\n\n{description}\nactions:\n{rows}\n\noptions:{options}"


def action_help(action: str, magic: str = "") -> str:
    """Return the help of one action in a cell; ``magic`` is how it is typed where not as usual."""
    words = " LANGUAGE" if action == "translate" else ""
    typed = magic or ("%%llm" if action == "ask" else f"%%llm {action}")
    summary = ACTIONS[action].summary
    below = (
        "The lines below are what is asked for."
        if ACTIONS[action].body == "words"
        else "It is about the lines below; with nothing below, about the cell above."
    )
    return cell_parser(
        typed,
        f"{words} [MODEL] [options]".lstrip(),
        f"{sentence(summary)} {below}",
        f"    {typed}{words.replace('LANGUAGE', 'French')}\n    "
        f"{_SAMPLES.get(action, _CODE_SAMPLE)}\n",
    ).format_help()


def whole_help(actions: Mapping[str, str], commands: Mapping[str, str]) -> str:
    """Return the help of ``%llm`` and, after it, of ``%%llm``; given are words with summaries."""
    width = max(map(len, [*commands, *actions])) + 2

    def rows(summaries: Mapping[str, str]) -> str:
        return "\n".join(f"  {name:<{width}}{text}" for name, text in summaries.items())

    return (
        "usage: %llm COMMAND\n\n"
        "Ask about cells and errors, and look after the models and conversations of this\n"
        "notebook. %llm COMMAND --help says more. To ask a question, use %%llm (below).\n\n"
        f"actions:\n{rows(actions)}\n\n"
        f"commands:\n{rows({**commands, 'help': 'show this text'})}\n\n"
        "Defaults for every question:\n\n"
        "    %config LocalLLM.max_tokens = 400\n"
        "    %config LocalLLM\n\n"
        f"{'-' * 78}\n\n{cell_help()}"
    )
