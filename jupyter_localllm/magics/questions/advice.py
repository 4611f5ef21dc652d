"""What a cell adds to an error of the host: what its person meant, or can do there.

The host's own words are for every client. Called by ``magics.py``, with the first question.
"""

from __future__ import annotations

from ...errors import LocalLLMError, ModelNotFound, PromptTooLong
from ..actions import ACTION_NAMES
from ..lines.cell_arguments import line_command_meant
from ..lines.marks import missing_quotes
from ..lines.parsers import nearest
from ..lines.words import split_words

_SHORTER = (
    "Shorten the question or its values in {name}, send less of the notebook with --context, or "
    "leave earlier turns out with --no-history; a smaller --max-tokens leaves more room, too."
)


def with_advice(error: LocalLLMError, line: str) -> LocalLLMError:
    """Return the error of a question with what helps in a cell.

    Parameters
    ----------
    line : str
        The words after ``%%llm``.
    """
    if isinstance(error, ModelNotFound):
        error.hint = f"{_meant(line)} {error.hint}".strip()
    elif isinstance(error, PromptTooLong):
        facts = error.details
        if "n_fitting" in facts:
            # Nothing is attached to a cell.
            error.message = (
                f"The question has {facts['n_prompt_tokens']:,} tokens; beside the answer, "
                f"{facts['n_fitting']:,} fit into the context window of {facts['n_ctx']:,}."
            )
        error.hint = _SHORTER
    return error


def empty_question(line: str) -> str:
    """Return what is wrong with a cell that has nothing below its first line."""
    words = line.split()
    # `diagram` is a command too, but whoever writes it here wants to say what is drawn.
    is_action = bool(words) and words[0] in ACTION_NAMES
    meant = "" if is_action else line_command_meant(words)
    return f"The cell has no question. {meant or 'Write it into the lines below %%llm.'}"


def _meant(line: str) -> str:
    """Return a hint where a word that no model has as its name is like one of ours."""
    words = split_words(line, {})
    hint = missing_quotes(words)
    if hint:
        return hint
    if not words or words[0] in ACTION_NAMES or words[0].startswith("-"):
        return ""
    command = line_command_meant(words[:1])
    if command:
        return command
    guess = nearest(words[0], ACTION_NAMES).strip("; .")
    return guess[:1].upper() + guess[1:]
