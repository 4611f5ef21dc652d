"""Names in braces in a question, replaced by what they hold: once, and nothing else.

What is replaced: ``{name}`` of a variable of the user, ``{In[3]}``, ``{Out[3]}``, ``{Err[3]}``,
and attributes and literal indices of a name (``{df.shape}``, ``{rows[0]['id']}``), if they exist.
There are no calls. Reading an attribute or an index does what it does where the same is typed as
code: a property's code runs. What fails is left as typed.

What stays as typed: every other brace, and also those of f-strings, of LaTeX commands and
formulas, and behind a ``$``, a backslash or a ``%``, where other languages have braces of their
own. ``{{name}}`` becomes ``{name}``.

Pure but for reading values; called by ``composer.py``.
"""

from __future__ import annotations

import ast
import bisect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .value_text import text_of

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

#: What a reference in braces looks like, without spaces.
_INDEX = r"\[(?:-?\d+|'[^'\\\n{}]*'|\"[^\"\\\n{}]*\")\]"
_REFERENCE = rf"[^\W\d]\w*(?:\.[^\W\d]\w*|{_INDEX})*"
_PLACE = re.compile(rf"\{{(?P<escaped>\{{{_REFERENCE}\}})\}}|\{{(?P<path>{_REFERENCE})\}}")
_STEP = re.compile(r"\.(?P<name>[^\W\d]\w*)|\[(?P<index>[^\]]*)\]|^(?P<first>[^\W\d]\w*)")

#: Places in which braces belong to another language.
_FOREIGN = [
    # f-strings on one line.
    re.compile(r"(?<![\w\\])(?:[fF][rR]?|[rR][fF])(?P<mark>['\"])(?:\\.|(?!(?P=mark)).)*(?P=mark)"),
    # The arguments of a LaTeX command or environment.
    re.compile(r"\\[A-Za-z]+\*?(?:\[[^\]\n]*\]|\{(?:[^{}\n]|\{[^{}\n]*\})*\})+"),
    # Formulas: between dollars, where there is a sign that prose has not.
    re.compile(r"\$\$.+?\$\$", re.DOTALL),
    re.compile(r"(?<![\\$\w])\$(?=[^$\n]*[\\^_])[^\s$](?:[^$\n]*[^\s$])?\$(?!\d)"),
    re.compile(r"\\\(.+?\\\)|\\\[.+?\\\]", re.DOTALL),
]

#: Signs that make the brace behind them another language's: ``${x}``, ``\{x}``, ``%{x}``.
_MARKS = "$\\%"

#: Names that hold the whole session: only their entries are replaced.
_SESSION = ("In", "Out", "Err")

_MISSING = object()


@dataclass(frozen=True)
class Replaced:
    """One place: what was typed, and about how many tokens it would have had uncut (else 0)."""

    typed: str
    n_tokens_whole: int


@dataclass(frozen=True)
class Interpolation:
    """The question with its values, and what was put in, in order."""

    text: str
    replaced: tuple[Replaced, ...] = ()

    @property
    def shortened(self) -> tuple[Replaced, ...]:
        """Those that did not fit into their budget."""
        return tuple(place for place in self.replaced if place.n_tokens_whole)


def interpolated(text: str, variables: Mapping[str, object], budget_tokens: int) -> Interpolation:
    """Replace what exists of ``variables``; nothing that was put in is looked at again.

    Parameters
    ----------
    variables : mapping
        What names stand for. ``In``, ``Out`` and ``Err`` are among them, by number.
    budget_tokens : int
        The most of one value, in tokens.
    """
    if "{" not in text:
        return Interpolation(text)
    foreign = _foreign_spans(text)
    replaced: list[Replaced] = []

    def put(match: re.Match[str]) -> str:
        if match["escaped"] is not None:
            return _unescaped(match, variables, foreign)
        if _is_foreign(match.start(), text, foreign):
            return match[0]
        value = value_of(match["path"], variables)
        if value is _MISSING:
            return match[0]
        shown = text_of(value, budget_tokens)
        replaced.append(Replaced(match[0], shown.n_tokens_whole))
        return shown.text

    return Interpolation(_PLACE.sub(put, text), tuple(replaced))


def visible_variables(shell: InteractiveShell, errors: Mapping[int, str]) -> Mapping[str, object]:
    """Return a person's variables, with ``In``, ``Out`` and ``Err`` by number.

    What the shell itself put there (``exit``, ``get_ipython``) is not among them, and ``In`` holds
    the cells as they were typed.
    """
    missing = object()
    hidden = shell.user_ns_hidden
    own = {
        name: value
        for name, value in list(shell.user_ns.items())
        if hidden.get(name, missing) is not value or name.startswith("_")
    }
    inputs = {
        int(name[2:]): value
        for name, value in list(shell.user_ns.items())
        if name.startswith("_i") and name[2:].isdigit() and isinstance(value, str)
    }
    numbers = sorted(inputs)
    # Counted from the end as in a list: In[-1] is the cell that runs.
    inputs |= {-place: inputs[number] for place, number in enumerate(reversed(numbers), 1)}
    if "Err" in own and not isinstance(own["Err"], dict):
        own.pop("Err")
    return {"Err": errors, **own, "In": inputs, "Out": shell.user_ns.get("Out", {})}


def _unescaped(
    match: re.Match[str], variables: Mapping[str, object], foreign: list[tuple[int, int]]
) -> str:
    """Return ``{name}`` for ``{{name}}``, but where the braces are another language's.

    Glued to a word they are, as in Mermaid's ``A{{text}}``: unless the name is a variable, which
    is what the second pair is there to protect from.
    """
    if _is_foreign(match.start(), match.string, foreign):
        return match[0]
    escaped: str = match["escaped"]
    before = match.string[match.start() - 1 : match.start()]
    is_glued = before.isalnum() or (bool(before) and before in "_^}")
    is_variable = value_of(escaped[1:-1], variables) is not _MISSING
    return match[0] if is_glued and not is_variable else escaped


def _foreign_spans(text: str) -> list[tuple[int, int]]:
    spans = [match.span() for pattern in _FOREIGN for match in pattern.finditer(text)]
    return sorted(spans)


def _is_foreign(position: int, text: str, spans: list[tuple[int, int]]) -> bool:
    if position and text[position - 1] in _MARKS:
        return True
    # Spans may lie in one another, so all that begin before are looked at.
    before = spans[: bisect.bisect_right(spans, (position, len(text)))]
    return any(end > position for _, end in before)


def value_of(path: str, variables: Mapping[str, object]) -> object:
    """Return what a reference stands for, or a mark that nothing does.

    See :func:`is_missing`.
    """
    value: Any = _MISSING
    try:
        for step in _STEP.finditer(path):
            if step["first"] is not None:
                value = variables.get(step["first"], _MISSING)
                is_whole = path in _SESSION
                if value is _MISSING or is_whole:
                    return _MISSING
            elif step["name"] is not None:
                value = getattr(value, step["name"])
            else:
                value = value[ast.literal_eval(step["index"])]
    except Exception:
        # Whatever reading it raises, there is nothing to put in.
        return _MISSING
    return value


def is_missing(value: object) -> bool:
    """Tell whether :func:`value_of` found nothing."""
    return value is _MISSING
