"""Deterministic repairs of diagram sources that a parser refused.

``repair`` is called by ``pipeline.py``, in the child process, and only for sources that the parser
did not take. It applies small rules one after another, asks the parser after each, and in the end
takes back every rule that was not needed. The rules of a language are in ``mermaid_repairs.py``
and ``dot_repairs.py``. What a rule drops, it says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ....errors import DiagramInvalid
from ..nouns import DiagramKind

#: The real parser: ``None`` when it takes the source, else what it says.
Check = Callable[[str], "DiagramInvalid | None"]

#: How often the parser is asked at most.
MAX_CHECKS = 90
#: Longer sources are not repaired; the model is asked for less.
MAX_CHARACTERS = 50_000
#: Lines that no diagram has, and on which patterns would take long.
_UNREASONABLE = re.compile(r"[^\S\n]{100}|[^\n]{2000}|([^\w\s])\1{99}")
_MAX_ROUNDS = 4
_ARROW = re.compile(r"[-=.\u2010-\u2015\u2212]{2}|[-=\u2010-\u2015]>|[\u2190-\u21ff\u27f0-\u27ff]")
_WORD = re.compile(r"[^\W_]+")
#: Words that are signs, or spelt otherwise in a repaired source: entities, ends of relations.
_SYNTAX = frozenset(
    [
        "gt",
        "lt",
        "amp",
        "quot",
        "nbsp",
        "colon",
        "o",
        "O",
        "0",
        "1",
        "n",
        "N",
        "m",
        "M",
        "x",
        "and",
        "on",
        "over",
        "Note",
        "note",
    ]
)


@dataclass(frozen=True, slots=True)
class Repaired:
    """A source that the parser takes.

    Attributes
    ----------
    source : str
        What to draw.
    changes : tuple of str
        What was changed, a plain sentence each.
    """

    source: str
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """Where the parser stopped; ``line`` counts from 1, and is 0 where it did not say."""

    line: int
    column: int
    reason: str

    @classmethod
    def of(cls, error: DiagramInvalid) -> Fault:
        """Read the fault from the parser's error."""
        details = error.details
        line, column = int(details.get("line") or 0), int(details.get("column") or 0)
        return cls(line, column, str(details.get("reason") or error.message))


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of repair.

    Attributes
    ----------
    name : str
        In the field's terms; the tests go by it.
    change : str
        The sentence for the user.
    apply : callable
        From the source and the fault to the changed source; the same text where it has nothing
        to change. It may return ``(source, sentence)`` to say more exactly what it did.
    is_guess : bool
        Whether it is only right where the parser gets further by it.
    """

    name: str
    change: str
    apply: Callable[[str, Fault], str | tuple[str, str]]
    is_guess: bool = False


@dataclass(frozen=True, slots=True)
class _Step:
    rule: Rule
    fault: Fault
    change: str


@dataclass
class _State:
    """A source on its way, how it came about, and what the parser said last."""

    source: str
    fault: Fault
    steps: list[_Step] = field(default_factory=list)


def repair(
    source: str, kind: DiagramKind, check: Check, *, rules: Sequence[Rule] | None = None
) -> Repaired | None:
    """Repair a source that the parser refused.

    Parameters
    ----------
    source : str
        The source as it was refused.
    kind : str
        The language that ``check`` parses. Call :func:`.extract.kind_of` first: DOT text in a
        Mermaid fence is no fault of the text.
    check : callable
        The real parser; see :data:`Check`.
    rules : sequence of Rule, optional
        Instead of the language's own; the tests leave rules out.

    Returns
    -------
    Repaired or None
        ``None`` if the parser still refuses what the rules made of it.
    """
    if len(source) > MAX_CHARACTERS or _UNREASONABLE.search(source):
        return None
    asked = _Counted(check)
    error = asked(source)
    if error is None:
        return Repaired(source, ())
    state = _State(source, error)
    if not _run(state, rules if rules is not None else rules_of(source, kind), asked):
        return None
    repaired = _with_least_steps(source, state, asked)
    return None if lost_words(source, repaired.source) else repaired


def lost_words(source: str, repaired: str) -> set[str]:
    """Return the words that stood beside an arrow and stand nowhere in the repaired source.

    The last guard against a repair that mends a diagram by losing a part of it.
    """
    statements = re.split(r"[;{}\n]", re.sub(r"(?m)^\s*\d{1,3}[.)]\s", "", source))
    edges = " ".join(text for text in statements if _ARROW.search(text))
    return set(_WORD.findall(edges)) - set(_WORD.findall(repaired)) - _SYNTAX


def rules_of(source: str, kind: DiagramKind) -> Sequence[Rule]:
    """Return the rules for a source, in the order in which they are tried."""
    if kind == "dot":
        from .dot_repairs import DOT_RULES

        return DOT_RULES
    from .mermaid_repairs import mermaid_rules

    return mermaid_rules(source)


class _Counted:
    """The parser, asked so often at most and never the same twice."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._known: dict[str, Fault | None] = {}

    @property
    def is_spent(self) -> bool:
        return len(self._known) >= MAX_CHECKS

    def __call__(self, source: str) -> Fault | None:
        if source not in self._known:
            error = self._check(source)
            self._known[source] = None if error is None else Fault.of(error)
        return self._known[source]


def _run(state: _State, rules: Sequence[Rule], check: _Counted) -> bool:
    """Apply the rules until the parser takes the source; tell whether it does."""
    for _ in range(_MAX_ROUNDS):
        before = state.source
        for candidate, step in _candidates(state, rules):
            if check.is_spent:
                return False
            fault = check(candidate)
            if fault is not None and not _is_kept(step.rule, candidate, fault, state):
                continue
            state.source = candidate
            state.steps.append(step)
            if fault is None:
                return True
            state.fault = fault
        if state.source == before:
            return False
    return False


def _candidates(state: _State, rules: Sequence[Rule]) -> Iterator[tuple[str, _Step]]:
    """Yield what each rule makes of the source as it is then."""
    for rule in rules:
        made = rule.apply(state.source, state.fault)
        candidate, change = made if isinstance(made, tuple) else (made, rule.change)
        if candidate != state.source:
            yield candidate, _Step(rule, state.fault, change)


def _is_kept(rule: Rule, candidate: str, fault: Fault, state: _State) -> bool:
    """Whether a rule that did not mend everything is kept.

    What is surely wrong is mended in any case, even if another fault before it hides the effect.
    """
    return not rule.is_guess or _rest(candidate, fault) < _rest(state.source, state.fault)


def _rest(source: str, fault: Fault) -> tuple[int, int]:
    """How much the parser has not read: the smaller, the further it came."""
    if not fault.line:
        return 0, 0
    return source.count("\n") + 1 - fault.line, -fault.column


def _with_least_steps(source: str, state: _State, check: _Counted) -> Repaired:
    """Take back the steps without which the parser takes the source, too."""
    steps = list(state.steps)
    best = Repaired(state.source, _said(step.change for step in steps))
    for step in state.steps[:-1]:
        fewer = [other for other in steps if other is not step]
        candidate = _replayed(source, fewer)
        if check.is_spent:
            break
        if check(candidate.source) is None:
            steps, best = fewer, candidate
    return best


def _replayed(source: str, steps: Sequence[_Step]) -> Repaired:
    """Apply the rules again; what they say may be another now."""
    changes = []
    for step in steps:
        made = step.rule.apply(source, step.fault)
        changed, change = made if isinstance(made, tuple) else (made, step.rule.change)
        if changed != source:
            changes.append(change)
        source = changed
    return Repaired(source, _said(changes))


def _said(changes: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(changes))
