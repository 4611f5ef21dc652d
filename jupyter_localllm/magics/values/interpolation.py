"""Names in braces in a question, replaced by what they hold: once, and nothing else.

What is replaced: ``{name}`` of a variable of the user, ``{In[3]}``, ``{Out[3]}``, ``{Err[3]}``,
and attributes and literal indices of a name (``{df.shape}``, ``{rows[0]['id']}``), if they exist.
There are no calls. Reading an attribute or an index does what it does where the same is typed as
code: a property's code runs. What fails is left as typed, and what was probably meant as a value
is named, so that it can be said.

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

from .value_text import text_of, tokens_of

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

#: What a reference in braces looks like, without spaces.
_INDEX = r"\[(?:-?\d+|'[^'\\\n{}]*'|\"[^\"\\\n{}]*\")\]"
_REFERENCE = rf"[^\W\d]\w*(?:\.[^\W\d]\w*|{_INDEX})*"
_PLACE = re.compile(rf"\{{(?P<escaped>\{{{_REFERENCE}\}})\}}|\{{(?P<path>{_REFERENCE})\}}")
_STEP = re.compile(r"\.(?P<name>[^\W\d]\w*)|\[(?P<index>[^\]]*)\]|^(?P<first>[^\W\d]\w*)")
_WHOLE = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*|\[[^\[\]]*\])*")

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


#: Names shorter than this are too like others to guess what was meant.
_MIN_GUESSED = 3
_LIKENESS = 0.75
#: What a line of prose has not, but for places of its own.
_CODE_SIGNS = frozenset("{}=;\\`$<|")
_FENCE = re.compile(r"^\s*(?:```|~~~)", re.MULTILINE)


@dataclass(frozen=True)
class Shortened:
    """One shortened place as typed; about how many tokens it would have had uncut, and has."""

    typed: str
    n_tokens_whole: int
    n_tokens: int


@dataclass(frozen=True)
class Unread:
    """A place that was left as typed though a value was probably meant.

    Attributes
    ----------
    error : str
        What reading it raised; empty where it is only not there.
    meant : str
        A place with the name of a variable that is close to the one typed, if one is.
    """

    typed: str
    error: str = ""
    meant: str = ""

    @property
    def note(self) -> str:
        """One line for the person."""
        if self.error:
            return (
                f"{self.typed} raised {self.error} when it was read, so it was sent as it stands."
            )
        if self.meant:
            return (
                f"{self.typed} is no variable, so it was sent as it stands; "
                f"did you mean {self.meant}?"
            )
        return f"{self.typed} is not there, so it was sent as it stands."


@dataclass(frozen=True)
class Interpolation:
    """The question with its values; what did not fit into its budget and what was not put in."""

    text: str
    shortened: tuple[Shortened, ...] = ()
    unread: tuple[Unread, ...] = ()


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
    shortened: list[Shortened] = []
    unread: dict[str, Unread] = {}

    def put(match: re.Match[str]) -> str:
        if match["escaped"] is not None:
            return _unescaped(match, variables, foreign)
        if _is_foreign(match.start(), text, foreign):
            return match[0]
        value = _read(match["path"], variables)
        if value is _MISSING or isinstance(value, _Failure):
            place = _unread(match, value, variables)
            if place is not None:
                unread[match[0]] = place
            return match[0]
        shown = text_of(value, budget_tokens)
        if shown.n_tokens_whole:
            n_tokens = tokens_of(shown.text)
            shortened.append(Shortened(match[0], shown.n_tokens_whole, n_tokens))
        return shown.text

    return Interpolation(_PLACE.sub(put, text), tuple(shortened), tuple(unread.values()))


def is_one_place(text: str, variables: Mapping[str, object]) -> bool:
    """Whether a text is nothing but one place that stands for a value."""
    match = _PLACE.fullmatch(text)
    return (
        match is not None
        and bool(match["path"])
        and not is_missing(value_of(match["path"], variables))
    )


def visible_variables(
    shell: InteractiveShell,
    errors: Mapping[int, str],
    names: Mapping[str, object] | None = None,
) -> Mapping[str, object]:
    """Return a person's variables, with ``In``, ``Out`` and ``Err`` by number.

    What the shell itself put there (``exit``, ``get_ipython``) is not among them, and ``In`` holds
    the cells as they were typed. ``names`` are those of the function that asks, if one does; they
    hide the others.
    """
    hidden = shell.user_ns_hidden
    own = {
        name: value
        for name, value in list(shell.user_ns.items())
        if hidden.get(name, _MISSING) is not value or name.startswith("_")
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
    # Outside of a function, they are the variables themselves.
    local = {} if names is None or names is shell.user_ns else names
    return {"Err": errors, **own, "In": inputs, "Out": shell.user_ns.get("Out", {}), **local}


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


def is_reference(text: str) -> bool:
    """Whether a text is a name with its attributes and indices, and nothing more."""
    return _WHOLE.fullmatch(text.removesuffix("()")) is not None


def value_of(path: str, variables: Mapping[str, object]) -> object:
    """Return what a reference stands for, or a mark that nothing does.

    See :func:`is_missing`. ``f()`` stands for the function, which is not called.

    Raises
    ------
    KeyboardInterrupt
        While a property's code ran.
    """
    name = path.removesuffix("()")
    value = _read(name, variables)
    is_called = name != path
    if isinstance(value, _Failure) or (is_called and not callable(value)):
        return _MISSING
    return value


@dataclass(frozen=True)
class _Failure:
    """What reading a path raised."""

    error: BaseException


def _read(path: str, variables: Mapping[str, object]) -> object:
    value: Any = _MISSING
    if _WHOLE.fullmatch(path) is None:
        return _MISSING
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
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        # Whatever reading it raises, SystemExit too, there is nothing to put in.
        return _Failure(error)
    return value


def _unread(match: re.Match[str], value: object, variables: Mapping[str, object]) -> Unread | None:
    """Return a place that was probably meant as a value; ``None`` for other languages' braces."""
    typed = match[0]
    if isinstance(value, _Failure) and not isinstance(value.error, LookupError | AttributeError):
        return Unread(typed, error=type(value.error).__name__)
    if not _is_in_prose(match):
        return None
    if isinstance(value, _Failure):
        return Unread(typed)
    first = re.split(r"[.\[]", match["path"], maxsplit=1)[0]
    meant = _close_name(first, match["path"], variables)
    return Unread(typed, meant=typed.replace(first, meant, 1)) if meant else None


def _is_in_prose(match: re.Match[str]) -> bool:
    text, start, end = match.string, match.start(), match.end()
    if len(_FENCE.findall(text, 0, start)) % 2:
        return False
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", end)
    line = text[line_start : line_end if line_end >= 0 else len(text)]
    if line.startswith(("    ", "\t")) or _CODE_SIGNS & set(_PLACE.sub("", line)):
        return False
    before, after = text[max(0, start - 1) : start], text[end : end + 1]
    return (not before or before in " \t\n(") and (not after or after in " \t\n.,:!?)'’")


def _close_name(typed: str, path: str, variables: Mapping[str, object]) -> str:
    """Return the variable that is most like a name; nothing where none is."""
    import difflib

    if len(typed) < _MIN_GUESSED:
        return ""
    lowered = {name.lower(): name for name in variables if not name.startswith("_")}
    close = difflib.get_close_matches(typed.lower(), lowered, n=1, cutoff=_LIKENESS)
    name = lowered[close[0]] if close else ""
    return "" if name in _SESSION and typed == path else name


def is_missing(value: object) -> bool:
    """Tell whether :func:`value_of` found nothing."""
    return value is _MISSING
