"""One request on its way through the engine, from submission to its terminal event.

Touched by the engine thread only, except :attr:`Generation.is_cancelled`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ..errors import LocalLLMError
from ..protocol import (
    CompletionDone,
    CompletionEvent,
    FinishReason,
    Timings,
    TokenLogprob,
    Usage,
)
from .detokenizer import Detokenizer
from .kv_cache import Sequence
from .sampler import Sampler, SamplingParams

#: What a sink receives: an event, or the error that ends the request.
EngineEvent = CompletionEvent | LocalLLMError


@dataclass(eq=False)
class Generation:
    """A request as the scheduler sees it.

    ``tokens`` is the prompt followed by what was generated; the first ``len(sequence.tokens)`` of
    them are in the KV cache. A request whose cache place was taken away simply computes again.
    """

    prompt: str | list[int]
    params: SamplingParams
    sink: Callable[[EngineEvent], None]
    parse_special: bool = False
    may_reuse: bool = True
    wants_progress: bool = False
    priority: int = 0
    submitted: float = field(default_factory=time.monotonic)
    is_cancelled: bool = False

    tokens: list[int] = field(default_factory=list)
    n_prompt: int = 0
    n_cached: int = 0
    sequence: Sequence | None = None
    sampler: Sampler | None = None
    detokenizer: Detokenizer = field(default_factory=Detokenizer)
    is_finished: bool = False
    queue_position: int | None = None
    admitted: float = 0.0
    first_token: float = 0.0
    held_logprobs: list[TokenLogprob] = field(default_factory=list)

    @property
    def n_computed(self) -> int:
        """Tokens already in the KV cache."""
        return len(self.sequence.tokens) if self.sequence is not None else 0

    @property
    def n_generated(self) -> int:
        """Tokens sampled so far."""
        return len(self.tokens) - self.n_prompt

    @property
    def is_decoding(self) -> bool:
        """Whether one row is all that is left to compute before the next token."""
        return self.n_generated > 0 and len(self.tokens) - self.n_computed == 1

    def done(self, reason: FinishReason) -> CompletionDone:
        """Return the terminal event, with what was measured."""
        now = time.monotonic()
        first = self.first_token or now
        prompt_s = max(first - self.admitted, 1e-9) if self.admitted else 0.0
        predicted_s = max(now - first, 1e-9) if self.first_token else 0.0
        n_evaluated = max(self.n_prompt - self.n_cached, 0) if self.first_token else 0
        # The first token comes with the prompt pass: its time is not decoding time.
        n_decoded = max(self.n_generated - 1, 0)
        timings = Timings(
            cache_n=self.n_cached,
            prompt_n=n_evaluated,
            prompt_ms=prompt_s * 1e3,
            prompt_per_second=n_evaluated / prompt_s if prompt_s else 0.0,
            predicted_n=self.n_generated,
            predicted_ms=predicted_s * 1e3,
            predicted_per_second=n_decoded / predicted_s if predicted_s and n_decoded else 0.0,
            queue_ms=((self.admitted or now) - self.submitted) * 1e3,
            first_token_ms=(self.first_token - self.submitted) * 1e3 if self.first_token else 0.0,
        )
        usage = Usage(self.n_prompt, self.n_generated, self.n_cached)
        return CompletionDone(reason, usage, timings, seed=self.params.seed)
