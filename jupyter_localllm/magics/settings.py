"""The settings of the magics, as ``%config LocalLLM`` shows them.

There is none that runs code: ``-x`` is no setting. Imported by ``%load_ext``.
"""

from __future__ import annotations

import math
from typing import Any

from IPython.core.magic import Magics
from traitlets import Bool, Dict, Enum, Float, Int, TraitError, Unicode, observe, validate


class Refused(TraitError):
    """A value that a setting does not take, with its own reason."""


def value_text(trait: Any) -> str:
    """Return what a value of a setting is, in words."""
    none = ", or None" if trait.allow_none else ""
    if isinstance(trait, Enum):
        return f"one of {', '.join(map(str, trait.values or ()))}"
    if isinstance(trait, Bool):
        return "True or False"
    if isinstance(trait, Dict):
        return "a dictionary such as {'name': 'text'}"
    if isinstance(trait, Int):
        return f"a whole number of at least {trait.min}"
    if isinstance(trait, Float):
        return f"a number from {trait.min} to {trait.max}{none}"
    return "text"


class QuestionSettings(Magics):
    """The defaults of every question."""

    model = Unicode("", help="Model to ask, by name or path; empty: the host's default.").tag(
        config=True
    )
    max_tokens = Int(1024, min=1, help="Longest answer, in tokens.").tag(config=True)
    temperature = Float(
        None,
        allow_none=True,
        min=0,
        max=5,
        help="0 always takes the likeliest word; None: the model's own default.",
    ).tag(config=True)
    system_prompt = Unicode("", help="What the model is told before every question.").tag(
        config=True
    )
    max_history = Int(
        2, min=0, help="How many earlier turns of this session are sent with a question."
    ).tag(config=True)
    context = Unicode(
        "none", help="What else is sent: none, above, notebook or cells 2-5; see --context."
    ).tag(config=True)
    context_tokens = Int(2000, min=50, help="The most of --context, in tokens.").tag(config=True)
    value_tokens = Int(1000, min=20, help="The most of one value in braces, in tokens.").tag(
        config=True
    )
    aliases = Dict(
        key_trait=Unicode(),
        value_trait=Unicode(),
        help="Short names for a model, or for a model with options; see %llm alias.",
    ).tag(config=True)
    personas = Dict(
        key_trait=Unicode(), value_trait=Unicode(), help="System prompts by name, for -p."
    ).tag(config=True)
    prompt_folder = Unicode(
        "",
        help="Your own prompts of the actions; empty: localllm/prompts in Jupyter's data folder.",
    ).tag(config=True)
    history_file = Unicode(
        "",
        help="SQLite file of the sidebar's chats; empty: the Jupyter server's own, without one "
        "localllm/chats.sqlite3 in Jupyter's data folder.",
    ).tag(config=True)
    display = Enum(
        ["auto", "rich", "plain"],
        "auto",
        help="rich: one Markdown output that is updated; plain: text as it comes, for terminals; "
        "auto: whichever the front end shows properly.",
    ).tag(config=True)
    progress = Bool(
        True, help="Whether a line with a Stop button is shown while the model works."
    ).tag(config=True)
    ai_alias = Bool(False, help="Whether %%ai and %ai mean the same as %%llm and %llm.").tag(
        config=True
    )
    default_language_model = Unicode(
        "", help="The same as model, by the name that jupyter-ai gives it."
    ).tag(config=True)
    initial_language_model = Unicode(
        "", help="The same as model, by the name that newer versions of jupyter-ai give it."
    ).tag(config=True)

    @validate("context")
    def _check_context(self, proposal: dict[str, Any]) -> str:
        import argparse

        from .lines.options import context

        try:
            return context(proposal["value"])
        except argparse.ArgumentTypeError as error:
            raise Refused(f"The setting context: {error}") from None

    @validate("temperature")
    def _check_temperature(self, proposal: dict[str, Any]) -> float | None:
        value: float | None = proposal["value"]
        if value is not None and math.isnan(value):
            # On no side of a bound, so the trait itself takes it.
            raise Refused("The setting temperature: nan is not a number from 0 to 5")
        return value

    @observe("default_language_model", "initial_language_model")
    def _take_model(self, change: dict[str, Any]) -> None:
        self.model = change["new"]
