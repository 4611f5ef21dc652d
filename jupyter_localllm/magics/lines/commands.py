"""What a line of a magic asks for, as typed values: the nouns between parsing and doing.

Values only. Made by ``cell_arguments.py`` and ``line_arguments.py``. Loaded with the first line:
standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...assistant.diagrams.nouns import DiagramTheme
    from ...assistant.diagrams.sources.from_code import CodeDiagram


@dataclass(frozen=True)
class DiagramOptions:
    """How a diagram is asked for, drawn and kept.

    Attributes
    ----------
    type : str
        ``flowchart``, ``pie`` …; empty: told from the question.
    kind : str
        ``mermaid`` or ``dot`` where the line says so; else empty.
    is_free : bool
        The model is not held to the type's grammar.
    direction : str
        ``TB``, ``LR`` …; empty: left to the model.
    save : str
        Path of a file; empty: none.
    """

    type: str = ""
    kind: str = ""
    is_free: bool = False
    direction: str = ""
    theme: DiagramTheme = "neutral"
    save: str = ""
    may_replace: bool = False


@dataclass(frozen=True)
class Ask:
    """``%%llm``: the options of one question; ``None`` means the configured default.

    Attributes
    ----------
    language : str
        Of ``translate``.
    parameters : tuple of (str, str)
        Of ``--param``, as typed; ``parameter_objects`` are the texts of ``-m {…}``.
    context : str, optional
        ``none``, ``above``, ``notebook`` or ``cells 2-5,8``.
    has_memory : bool
        Earlier turns are sent, and this one is remembered.
    execute : bool
        Asked for by these words; whether they are the cell's own is not known here.
    """

    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    system: str | None = None
    is_streaming: bool = True
    action: str = "ask"
    language: str = ""
    format: str = "markdown"
    parameters: tuple[tuple[str, str], ...] = ()
    parameter_objects: tuple[str, ...] = ()
    persona: str | None = None
    schema: str | None = None
    into: str | None = None
    render: bool = False
    context: str | None = None
    chat: str | None = None
    has_memory: bool = True
    show_prompt: bool = False
    execute: bool = False
    retry: int = 2
    confirm: bool = False
    dry_run: bool = False
    time_limit_s: float | None = None
    diagram: DiagramOptions = DiagramOptions()


@dataclass(frozen=True)
class ActOn:
    """``%llm explain In[3]`` and its like.

    Attributes
    ----------
    target : str
        ``In[3]``, ``Out[3]``, ``Err[3]`` or a name; empty: the cell above or, for an error, the
        last one that is current.
    words : str
        What was written after the target.
    is_about_error : bool
        The target, if it is a cell, must have failed; without one it is the current error.
    """

    ask: Ask
    target: str = ""
    words: str = ""
    is_about_error: bool = False


@dataclass(frozen=True)
class ShowStatus:
    """``%llm status``."""


@dataclass(frozen=True)
class ListModels:
    """``%llm list``."""


@dataclass(frozen=True)
class UseModel:
    """``%llm use MODEL``."""

    model: str


@dataclass(frozen=True)
class UnloadModel:
    """``%llm unload [MODEL]``; ``None`` means every loaded model."""

    model: str | None = None


@dataclass(frozen=True)
class ShowHistory:
    """``%llm history [--chat NAME]``."""

    chat: str | None = None


@dataclass(frozen=True)
class Reset:
    """``%llm reset``."""


@dataclass(frozen=True)
class SetAlias:
    """``%llm alias NAME WORDS``."""

    name: str
    text: str


@dataclass(frozen=True)
class ListAliases:
    """``%llm alias``."""


@dataclass(frozen=True)
class RemoveAlias:
    """``%llm dealias NAME``."""

    name: str


@dataclass(frozen=True)
class Configure:
    """``%llm config [NAME [VALUE]]``."""

    name: str = ""
    value: str | None = None


@dataclass(frozen=True)
class ShowAnswer:
    """``%llm show [answer|code|prompt|diagram]``."""

    part: str = "answer"


@dataclass(frozen=True)
class SaveConversation:
    """``%llm save FILE``."""

    path: str
    chat: str | None = None
    may_replace: bool = False


@dataclass(frozen=True)
class DrawTarget:
    """``%llm diagram [In[3] | NAME | FILE]``: what a cell or a value is, without a model.

    Attributes
    ----------
    targets : tuple of str
        Empty: the cell above. More than one: DataFrames.
    what : str
        Of code; ``auto``: what suits it.
    """

    targets: tuple[str, ...] = ()
    what: CodeDiagram = "auto"
    diagram: DiagramOptions = DiagramOptions()
    into: str | None = None


@dataclass(frozen=True)
class StopAnswers:
    """``%llm stop``."""


@dataclass(frozen=True)
class ShowVersion:
    """``%llm version``."""


@dataclass(frozen=True)
class ShowHelp:
    """Any ``--help``, ``%llm help`` and ``%llm`` alone."""

    text: str


Command = (
    ActOn
    | ShowStatus
    | ListModels
    | UseModel
    | UnloadModel
    | ShowHistory
    | Reset
    | SetAlias
    | ListAliases
    | RemoveAlias
    | Configure
    | ShowAnswer
    | SaveConversation
    | DrawTarget
    | StopAnswers
    | ShowVersion
    | ShowHelp
)
