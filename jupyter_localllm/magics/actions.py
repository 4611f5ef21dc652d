"""What can be asked for: the actions of ``%%llm`` and the formats of an answer.

Tables only; no parsing, no texts for the model (those are files in ``assistant/prompts``).
Loaded with the first line: standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..assistant.diagrams.nouns import DiagramKind


@dataclass(frozen=True)
class Action:
    """One action.

    Attributes
    ----------
    summary : str
        One line for the help.
    prompt : str
        Name of its file in ``assistant/prompts``; empty: nothing is added to the words.
    body : str
        What the lines below ``%%llm`` are: ``words`` or ``code``, which are taken as they stand,
        or ``text``.
    format : str
        Of the answer, where none is given.
    has_memory : bool
        Whether earlier turns are sent: not with what is about one piece of code or text.
    """

    summary: str
    prompt: str = ""
    body: str = "code"
    format: str = "markdown"
    has_memory: bool = False


ACTIONS = {
    "ask": Action("answer a question (also without the word)", body="words", has_memory=True),
    "code": Action(
        "write code into the next cell", "code", body="words", format="code", has_memory=True
    ),
    "explain": Action("explain code", "explain"),
    "fix": Action("find the mistake in code and correct it", "fix"),
    "improve": Action("make code simpler and safer", "improve"),
    "test": Action("write tests for code", "test"),
    "doc": Action("write docstrings and comments", "doc"),
    "translate": Action("translate text: translate LANGUAGE", "translate", body="text"),
    "summarise": Action("say the main points of a text", "summarise", body="text"),
    "diagram": Action(
        "draw a diagram of what the words say", body="words", format="mermaid", has_memory=True
    ),
}

#: Other spellings of actions.
ACTION_NAMES = {name: name for name in ACTIONS} | {"summarize": "summarise", "generate": "code"}

#: Actions whose answer holds code that could be run.
CODING = {"code", "fix", "improve", "test", "doc"}

FORMATS = {
    "markdown": "text with headings, lists and code, the default",
    "code": "only code, put into the next cell",
    "json": "a JSON value, valid by construction",
    "html": "shown as source; --render shows it in a closed frame",
    "math": "formulas",
    "text": "plain text",
    "table": "a pandas DataFrame",
    "mermaid": "a diagram, drawn from Mermaid source",
    "dot": "a diagram, drawn from Graphviz source",
    "graphviz": "the same",
    "svg": "the source of a picture",
}

#: Formats that are valid by construction.
ENFORCED = ("json", "table")

#: Formats whose answer is a diagram that is drawn, and its language.
DRAWN: dict[str, DiagramKind] = {"mermaid": "mermaid", "dot": "dot", "graphviz": "dot"}

#: Other spellings of formats.
FORMAT_NAMES = {name: name for name in FORMATS} | {"md": "markdown"}
