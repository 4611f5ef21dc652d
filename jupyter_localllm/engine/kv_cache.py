"""Who holds which prefix in the shared KV cache: match, copy, truncate, evict.

Every running request owns one sequence; a finished one leaves its sequence behind as a *kept
prefix*, so that the next turn of a chat, or another request with the same beginning, computes
only what is new. Sharing a prefix copies no data: llama.cpp's unified cache lets a cell belong to
several sequences. Engine thread only.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from .llama import Context


@dataclass
class Sequence:
    """A sequence id and the tokens computed under it."""

    sequence_id: int
    tokens: list[int] = field(default_factory=list)
    is_running: bool = True
    last_used: int = 0


def common_prefix(left: list[int], right: list[int]) -> int:
    """Return how many leading tokens are equal (bisection over C-speed slice comparisons)."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


class KVCache:
    """The sequences of one context.

    Parameters
    ----------
    n_sequences : int
        Sequence ids, for running requests and kept prefixes together.
    can_cut : bool
        Whether a sequence can be cut back to a shorter prefix (not for recurrent models).
    """

    def __init__(self, context: Context, *, n_sequences: int, can_cut: bool) -> None:
        self._context = context
        self._can_cut = can_cut
        self._free = list(range(n_sequences - 1, -1, -1))
        self._sequences: dict[int, Sequence] = {}
        self._clock = itertools.count(1)

    @property
    def kept(self) -> list[Sequence]:
        """Kept prefixes, least recently used first."""
        kept = [sequence for sequence in self._sequences.values() if not sequence.is_running]
        return sorted(kept, key=lambda sequence: sequence.last_used)

    @property
    def n_running(self) -> int:
        """Sequences owned by running requests."""
        return sum(sequence.is_running for sequence in self._sequences.values())

    @property
    def n_kept_tokens(self) -> int:
        """Tokens of all kept prefixes, shared ones counted again."""
        return sum(len(sequence.tokens) for sequence in self.kept)

    def acquire(self, tokens: list[int], *, may_reuse: bool) -> Sequence:
        """Return a running sequence that already holds the longest known prefix of ``tokens``.

        At least the last token is left to compute: its logits are needed. Mutates the cache; may
        evict the least recently used kept prefix to free an id.

        Raises
        ------
        IndexError
            All ids belong to running requests: the scheduler admitted too many.
        """
        source, length = self._longest(tokens) if may_reuse else (None, 0)
        if source is not None:
            # Before an id is freed below: the source must not be what gets evicted.
            source.last_used = next(self._clock)
        if not self._free:
            self.evict_one()
        target = Sequence(self._free.pop())
        self._sequences[target.sequence_id] = target
        if source is not None and source.sequence_id in self._sequences and length:
            self._context.copy_prefix(source.sequence_id, target.sequence_id, length)
            target.tokens = source.tokens[:length]
        return target

    def _longest(self, tokens: list[int]) -> tuple[Sequence | None, int]:
        best: Sequence | None = None
        best_length = 0
        for sequence in self._sequences.values():
            length = min(common_prefix(sequence.tokens, tokens), len(tokens) - 1)
            if not self._can_cut and length < len(sequence.tokens):
                continue
            if length > best_length:
                best, best_length = sequence, length
        return best, best_length

    def truncate(self, sequence: Sequence, length: int) -> None:
        """Cut a sequence to its first ``length`` tokens; to none where the model cannot."""
        if not self._context.truncate(sequence.sequence_id, length):
            self._context.forget(sequence.sequence_id)
            length = 0
        del sequence.tokens[length:]

    def release(self, sequence: Sequence, *, keep: bool) -> None:
        """Give a running sequence back, kept as a prefix for later requests or forgotten."""
        sequence.is_running = False
        sequence.last_used = next(self._clock)
        if not keep or not sequence.tokens:
            self._drop(sequence)
            return
        for other in self.kept:
            contained = len(other.tokens) <= len(sequence.tokens)
            if (
                other is not sequence
                and contained
                and sequence.tokens[: len(other.tokens)] == other.tokens
            ):
                self._drop(other)

    def evict_one(self) -> bool:
        """Forget the least recently used kept prefix; false if there is none."""
        kept = self.kept
        if not kept:
            return False
        self._drop(kept[0])
        return True

    def clear(self) -> None:
        """Forget everything, after a fatal error of the native code."""
        for sequence in list(self._sequences.values()):
            self._drop(sequence)

    def _drop(self, sequence: Sequence) -> None:
        self._context.forget(sequence.sequence_id)
        del self._sequences[sequence.sequence_id]
        self._free.append(sequence.sequence_id)
