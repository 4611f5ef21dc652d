"""Whether all texts of one pattern are texts of another, by following both sign by sign.

Pure; ``strings`` calls it.
"""

from __future__ import annotations

from .patterns import Chars, Either, Node, Range, Repeat, Row

#: More of them are not looked at.
_MAX_STATES = 2000
#: States that are looked at, each time they are.
_MAX_WORK = 200_000


class _TooLargeError(Exception):
    """A pattern has too many states."""


class _Machine:
    """The states of a pattern: where each leads with a sign, and where without one."""

    def __init__(self, node: Node) -> None:
        self._moves: list[list[tuple[Range, int]]] = []
        self._free: list[list[int]] = []
        self.begin = self._state()
        self.end = self._built(node, self.begin)

    def _state(self) -> int:
        if len(self._moves) > _MAX_STATES:
            raise _TooLargeError
        self._moves.append([])
        self._free.append([])
        return len(self._moves) - 1

    def _built(self, node: Node, start: int) -> int:
        """Add a part behind a state, and return the state behind it."""
        end = start
        match node:
            case Chars(ranges):
                end = self._state()
                self._moves[start] += [(each, end) for each in ranges]
            case Row(parts):
                for part in parts:
                    end = self._built(part, end)
            case Either(options):
                end = self._state()
                for option in options:
                    first = self._state()
                    self._free[start].append(first)
                    self._free[self._built(option, first)].append(end)
            case Repeat(part, least, most):
                end = self._repeated(part, least, most, start)
        return end

    def _repeated(self, part: Node, least: int, most: int | None, start: int) -> int:
        for _ in range(least):
            start = self._built(part, start)
        end = self._state()
        if most is None:
            again = self._state()
            self._free[start].append(again)
            self._free[self._built(part, again)].append(again)
            self._free[again].append(end)
            return end
        for _ in range(most - least):
            self._free[start].append(end)
            start = self._built(part, start)
        self._free[start].append(end)
        return end

    def closure(self, states: set[int]) -> frozenset[int]:
        """Return the states and those that follow without a sign."""
        waiting, found = list(states), set(states)
        while waiting:
            for other in self._free[waiting.pop()]:
                if other not in found:
                    found.add(other)
                    waiting.append(other)
        return frozenset(found)

    def edges(self, states: frozenset[int]) -> set[int]:
        """Return the signs at which the ways on change."""
        ranges = [each for state in states for each, _ in self._moves[state]]
        return {low for low, _ in ranges} | {high + 1 for _, high in ranges}

    def after(self, states: frozenset[int], sign: int) -> frozenset[int]:
        """Return the states behind a sign."""
        moves = [move for state in states for move in self._moves[state]]
        return self.closure({to for (low, high), to in moves if low <= sign <= high})


def is_included(narrow: Node, wide: Node) -> bool:
    """Whether all texts of the first are texts of the second; ``False`` also where it may be."""
    try:
        ours, theirs = _Machine(narrow), _Machine(wide)
    except _TooLargeError:
        return False
    first = (ours.closure({ours.begin}), theirs.closure({theirs.begin}))
    waiting, seen, work = [first], {first}, 0
    while waiting:
        here, there = waiting.pop()
        if ours.end in here and theirs.end not in there:
            return False
        signs = ours.edges(here) | theirs.edges(there)
        work += len(signs) * (len(here) + len(there))
        if work > _MAX_WORK:
            return False
        for sign in signs:
            pair = (ours.after(here, sign), theirs.after(there, sign))
            if pair[0] and pair not in seen:
                seen.add(pair)
                waiting.append(pair)
    return True
