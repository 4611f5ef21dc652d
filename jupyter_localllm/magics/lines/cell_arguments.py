"""The first line of a ``%%llm`` cell as a typed :class:`Ask`. Does nothing with it.

The words themselves are declared in ``options.py``. Called by ``magics.py`` and
``line_arguments.py``. Loaded with the first line: standard library and IPython only.
"""

from __future__ import annotations

import dataclasses
from argparse import Namespace
from collections.abc import Mapping, Sequence

from IPython.core.error import UsageError

from ..actions import ACTION_NAMES, ACTIONS, CODING, DRAWN, ENFORCED
from ..diagrams.options import TYPES, has_any, read_options
from .commands import Ask, DiagramOptions, ShowHelp
from .help_texts import cell_help
from .marks import is_numbered
from .options import cell_parser, join_cells
from .parsers import HelpRequested, Parser, shortened
from .words import model_reference, split_words

#: Formats of which an answer that cannot be used is asked for again.
_REPAIRED = ("markdown", *ENFORCED, *DRAWN)


def parse_cell(
    line: str,
    variables: Mapping[str, object],
    aliases: Mapping[str, str] | None = None,
) -> Ask | ShowHelp:
    """Read the first line of a ``%%llm`` cell.

    Parameters
    ----------
    variables : mapping
        The user's, for words such as ``{name}``.
    aliases : mapping, optional
        What stands for a name in the place of a model.

    Raises
    ------
    UsageError
        One line naming what is wrong and the nearest thing that is right.
    """
    aliases = aliases or {}
    words = _words(line, variables, aliases)
    if words == ["help"]:
        return ShowHelp(cell_help())
    # A line begins with an alias, or with an action and an alias.
    place = 1 if words and words[0] in ACTION_NAMES else 0
    if words[place : place + 1] and words[place] in aliases:
        words[place : place + 1] = alias_words(words[place], aliases[words[place]])
    try:
        ask = parse_words(words)
    except HelpRequested as request:
        return ShowHelp(str(request))
    if ask.model is not None and ask.model in aliases:
        ask = dataclasses.replace(ask, model=model_of_alias(ask.model, aliases[ask.model]))
    return ask


def _words(line: str, variables: Mapping[str, object], aliases: Mapping[str, str]) -> list[str]:
    try:
        return split_words(line, variables)
    except UsageError as error:
        first = line.split()[0]
        if first.startswith("-") or first in ACTION_NAMES or first in aliases:
            raise
        # A question has an apostrophe sooner than a quote that is not closed.
        raise UsageError(f"{error} A question goes into the lines below %%llm.") from None


def parse_words(words: Sequence[str]) -> Ask:
    """Read the words of a first line.

    Raises
    ------
    HelpRequested, UsageError
        As :meth:`Parser.parse`.
    """
    parser = cell_parser()
    values, others = parser.parse(join_cells(list(words)))
    parser.refuse_comment(others)
    action = ACTION_NAMES.get(others[0], "") if others else ""
    if action:
        others = others[1:]
    language = ""
    if action == "translate":
        if not others or is_numbered(others[0]):
            parser.error("name the language: %%llm translate French")
        language, *others = others
    model, objects = _model_and_objects(parser, values, others)
    action, format_name = _action_and_format(parser, action or "ask", values)
    return Ask(
        model=model,
        temperature=values.temperature,
        max_tokens=values.max_tokens,
        seed=values.seed,
        system=values.system,
        is_streaming=not values.no_stream,
        action=action,
        language=language,
        format=format_name,
        parameters=tuple((name, value) for name, value in values.param or ()),
        parameter_objects=tuple(objects),
        persona=values.persona,
        schema=values.schema,
        into=values.into,
        render=values.render,
        context=values.context,
        chat=values.chat,
        has_memory=not values.no_history,
        show_prompt=values.show_prompt,
        execute=values.execute,
        retry=2 if values.retry is None else values.retry,
        confirm=values.confirm,
        dry_run=values.dry_run,
        time_limit_s=values.time_limit,
        diagram=_diagram(parser, values, format_name),
    )


def _diagram(parser: Parser, values: Namespace, format_name: str) -> DiagramOptions:
    """Return the options of a diagram; ``--theme`` is also of those in a Markdown answer."""
    if format_name not in DRAWN:
        stray = has_any(values)
        if stray:
            parser.error(f"{stray} belongs to a diagram: %%llm diagram {stray}")
        if values.theme is not None and format_name != "markdown":
            parser.error(f"--theme belongs to diagrams, and -f {format_name} has none")
        return DiagramOptions(theme=values.theme or "neutral")
    kind = DRAWN[values.format] if values.format else ""
    return read_options(parser, values, kind, values.type or "")


def _model_and_objects(
    parser: Parser, values: Namespace, others: list[str]
) -> tuple[str | None, list[str]]:
    """Return the one model that is named, and the texts of parameters."""
    if len(others) > 1:
        hint = parser.quotes_hint()
        where = "" if hint else "; the question goes into the lines below %%llm"
        hint = hint or line_command_meant(others)
        parser.error(
            f"`{shortened(' '.join(others))}` is more than one model name{where}"
            + (hint and f". {hint}")
        )
    given = [*(values.model or ()), *others[::-1]]
    models = [word for word in given if not word.lstrip().startswith("{")]
    objects = [word for word in given if word.lstrip().startswith("{")]
    if len(models) > 1:
        # In the order in which they are most likely written.
        first, second = sorted(map(shortened, models[:2]), key=lambda name: name not in others)
        hint = parser.quotes_hint()
        parser.error(f"two models are named, {first} and {second}" + (hint and f". {hint}"))
    model = model_reference(models[0]) if models else None
    return model, [*objects, *(values.model_parameters or ())]


def _action_and_format(parser: Parser, action: str, values: Namespace) -> tuple[str, str]:
    """Return what is asked for, with what one option says about the other."""
    is_running = values.execute or values.dry_run
    format_name = values.format
    if format_name is None:
        if values.schema is not None:
            format_name = "json"
        elif values.render:
            format_name = "html"
        elif is_running and action in {"ask", *CODING}:
            format_name = "code"
        elif values.type is not None:
            format_name = TYPES[values.type]
        else:
            format_name = ACTIONS[action].format
    if action == "ask" and format_name == "code":
        action = "code"
    if action == "diagram" and format_name not in DRAWN:
        parser.error(f"diagram draws a picture, and -f {format_name} has none")
    if is_running and (format_name != "code" or action not in CODING):
        option = "-x" if values.execute else "--dry-run"
        parser.error(
            f"{option} is about code, and {action} with the format {format_name} gives none"
        )
    _check_running(parser, values, format_name)
    if values.schema is not None and format_name not in ENFORCED:
        parser.error(f"--schema belongs to -f json or -f table, not to -f {format_name}")
    if values.render and format_name != "html":
        parser.error(f"--render belongs to -f html, not to -f {format_name}")
    if values.chat is not None and values.no_history:
        parser.error("--chat remembers the question and --no-history does not; use one of them")
    if values.system is not None and values.persona is not None:
        parser.error("--system and -p both set the system prompt; use one of them")
    return action, format_name


def _check_running(parser: Parser, values: Namespace, format_name: str) -> None:
    """Refuse the options of running code where none of it runs; ``--dry-run`` tries them out."""
    for name, is_given in (("--confirm", values.confirm), ("--time-limit", values.time_limit)):
        if is_given and not values.execute:
            parser.error(f"{name} belongs to -x, which runs the answer's code")
    # A diagram in a Markdown answer is repaired, too.
    if values.retry is not None and not (values.execute or format_name in _REPAIRED):
        parser.error(
            f"--retry counts with -x and with {', '.join(_REPAIRED)}, and not with -f {format_name}"
        )


def line_command_meant(words: Sequence[str]) -> str:
    """Return a hint where the words of a cell are a line command; "" where they are none."""
    # It imports this module in turn; only a mistake leads here.
    from .line_arguments import LINE_COMMANDS

    if words and words[0] in {*LINE_COMMANDS, "error", "help"}:
        return f"Did you mean %llm {shortened(' '.join(words))}?"
    return ""


def alias_words(name: str, text: str) -> list[str]:
    """Return what an alias stands for: all of a first line but running code.

    It is looked at wherever it comes from, for a configuration file may hold anything.

    Raises
    ------
    UsageError
        It says ``-x``, or is no first line by itself.
    """
    words = split_words(text, {})
    try:
        ask = parse_words(words)
    except HelpRequested:
        raise UsageError(
            f"The alias {name} only asks for help. Give it a model, an action or options."
        ) from None
    except UsageError as error:
        raise UsageError(f"The alias {name} cannot be used: {error}") from None
    if ask.execute:
        raise UsageError(
            f"The alias {name} has -x, which counts only in a cell's own line. Leave it out, "
            f"and write %%llm {name} -x where code is to be run."
        )
    return words


def model_of_alias(name: str, text: str) -> str:
    """Return the model that an alias names.

    Raises
    ------
    UsageError
        It names none.
    """
    ask = parse_words(alias_words(name, text))
    if ask.model is None:
        raise UsageError(
            f"The alias {name} names no model. Write it as the first word: %%llm {name}."
        )
    return ask.model
