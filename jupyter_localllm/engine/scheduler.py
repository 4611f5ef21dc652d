"""Which rows are computed next: admit -> plan -> decode -> sample -> emit -> finish.

One call of :meth:`Scheduler.step` is one ``llama_decode``. Decoding requests put one row each in
the batch, first; what is left of it goes to prompts, oldest first, so a long prompt delays the
others by one chunk at most. Engine thread only; knows nothing of HTTP or asyncio.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from dataclasses import dataclass

from .. import errors
from ..protocol import CompletionChunk, CompletionProgress, FinishReason
from .detokenizer import Detokenizer
from .kv_cache import KVCache, Sequence
from .llama import DECODE_ABORTED, DECODE_NO_SPACE, DECODE_OK, Batch, Context, Model
from .sampler import Sampler
from .slot import EngineEvent, Generation
from .threads import ThreadCount

#: How long one step may take for the prompt's sake, with others decoding and alone; seconds.
CHUNK_TARGET_S, LONE_CHUNK_TARGET_S = 0.2, 2.0
MIN_CHUNK = 32
#: Cells a request must find free beyond its prompt to be admitted beside others.
HEADROOM = 128


@dataclass
class Counters:
    """Work done since start; shown by ``/metrics`` and asserted by tests."""

    requests_total: int = 0
    cancelled_total: int = 0
    failed_total: int = 0
    prompt_tokens_total: int = 0
    cached_tokens_total: int = 0
    generated_tokens_total: int = 0
    steps_total: int = 0
    preemptions_total: int = 0


@dataclass(frozen=True)
class _Rows:
    """A request's rows of the batch under way."""

    generation: Generation
    token_ids: list[int]
    last_row: int
    wants_token: bool


class Scheduler:
    """Continuous batching over one context.

    Parameters
    ----------
    context_window : int
        Tokens one request may use.
    n_slots : int
        Requests computed at the same time.
    max_waiting : int
        Requests that may wait; more are refused.
    """

    def __init__(
        self,
        model: Model,
        context: Context,
        threads: ThreadCount,
        *,
        context_window: int,
        n_slots: int,
        n_batch: int,
        n_sequences: int,
        max_waiting: int,
    ) -> None:
        self.model = model
        self.context = context
        self.context_window = context_window
        self.n_slots = n_slots
        self.max_waiting = max_waiting
        self.cache = KVCache(context, n_sequences=n_sequences, can_cut=not model.is_recurrent)
        self.waiting: deque[Generation] = deque()
        self.running: list[Generation] = []
        self.counters = Counters()
        self.outbox: list[tuple[Generation, EngineEvent]] = []
        self._threads = threads
        self._batch = Batch(n_batch)
        self._token_s = 0.0

    def close(self) -> None:
        """End every request with an error and free the batch."""
        error = errors.WorkerError(
            "The model was unloaded before the answer was finished.", "Ask again."
        )
        for generation in [*self.running, *self.waiting]:
            self._fail(generation, error)
        self._batch.close()

    @property
    def has_work(self) -> bool:
        """Whether :meth:`step` has something to do."""
        return bool(self.running or self.waiting)

    def submit(self, generation: Generation) -> None:
        """Take a request in, or end it at once with an error."""
        self.counters.requests_total += 1
        try:
            self._prepare(generation)
        except errors.LocalLLMError as error:
            self._fail(generation, error)
            return
        after = sum(other.priority >= generation.priority for other in self.waiting)
        self.waiting.insert(after, generation)
        self._tell_positions()

    def _prepare(self, generation: Generation) -> None:
        if len(self.waiting) >= self.max_waiting:
            raise errors.QueueFull(
                f"{len(self.waiting)} requests are waiting already.",
                "Try again in a moment.",
                details={"waiting": len(self.waiting), "limit": self.max_waiting},
            )
        prompt = generation.prompt
        if isinstance(prompt, str):
            # A template may have written the begin token itself; twice would confuse the model.
            bos = self.model.bos_text
            add_special = not (generation.parse_special and bos and prompt.startswith(bos))
            prompt = self.model.tokenize(
                prompt, add_special=add_special, parse_special=generation.parse_special
            )
        elif any(token_id >= self.model.n_vocab for token_id in prompt):
            raise errors.InvalidParameter(
                f"`prompt` holds token ids beyond the vocabulary of {self.model.n_vocab:,}.",
                "Make token ids with this model's /tokenize.",
                param="prompt",
            )
        if not prompt:
            raise errors.InvalidParameter(
                "The prompt is empty.", "Write something to answer.", param="prompt"
            )
        if len(prompt) >= self.context_window:
            raise errors.PromptTooLong(
                f"The prompt has {len(prompt):,} tokens; the context window has "
                f"{self.context_window:,}.",
                "Shorten the prompt, or load the model with a larger context window.",
                details={"n_prompt_tokens": len(prompt), "n_ctx": self.context_window},
            )
        generation.tokens = list(prompt)
        generation.n_prompt = len(prompt)
        generation.sampler = Sampler(self.model, generation.params)
        generation.sampler.accept_prompt(generation.tokens)
        generation.detokenizer = Detokenizer(generation.params.stop)

    def step(self) -> None:
        """Advance every running request by one batch."""
        self.admit()
        if not self.running:
            return
        self.context.set_threads(self._threads.update())
        started = time.monotonic()
        planned = self._decode()
        if not planned:
            return
        self.counters.steps_total += 1
        n_prompt_rows = sum(len(rows.token_ids) for rows in planned if len(rows.token_ids) > 1)
        if n_prompt_rows >= MIN_CHUNK:
            cost = (time.monotonic() - started) / n_prompt_rows
            self._token_s = cost if not self._token_s else 0.7 * self._token_s + 0.3 * cost
        for rows in planned:
            try:
                self._advance(rows)
            except errors.LocalLLMError as error:
                self._fail(rows.generation, error)

    # --- admit ------------------------------------------------------------------------------

    def admit(self) -> None:
        """Let go of what was cancelled and start what there is room for; computes nothing."""
        self._drop_cancelled()
        self._admit()

    def _drop_cancelled(self) -> None:
        for generation in [*self.running, *self.waiting]:
            if generation.is_cancelled:
                self.counters.cancelled_total += 1
                self._finish(generation, FinishReason.CANCELLED)

    def _admit(self) -> None:
        admitted = False
        while self.waiting and len(self.running) < self.n_slots:
            generation = self.waiting[0]
            if self.running and not self._has_room(generation):
                break
            self.waiting.popleft()
            self._start(generation)
            admitted = True
        if admitted:
            self._tell_positions()

    def _has_room(self, generation: Generation) -> bool:
        used = sum(len(other.tokens) + HEADROOM for other in self.running)
        return used + len(generation.tokens) + HEADROOM <= self.context.n_ctx

    def _start(self, generation: Generation) -> None:
        sequence = self.cache.acquire(generation.tokens, may_reuse=generation.may_reuse)
        generation.sequence = sequence
        generation.queue_position = None
        if not generation.admitted:
            generation.admitted = time.monotonic()
            generation.n_cached = len(sequence.tokens)
            self.counters.cached_tokens_total += generation.n_cached
        self.running.append(generation)
        self._tell_progress(generation)

    def _preempt(self) -> bool:
        """Send the youngest request back to wait, so that the others can go on."""
        if len(self.running) < 2:
            return False
        generation = self.running.pop()
        self._release(generation, keep=False)
        self.waiting.appendleft(generation)
        self.counters.preemptions_total += 1
        return True

    # --- plan and decode --------------------------------------------------------------------

    def _plan(self) -> list[_Rows]:
        batch = self._batch
        batch.clear()
        planned = [self._add_rows(g, 1) for g in self.running if g.is_decoding]
        target_s = CHUNK_TARGET_S if planned else LONE_CHUNK_TARGET_S
        room = batch.capacity - len(batch)
        if self._token_s:
            room = min(room, max(MIN_CHUNK, int(target_s / self._token_s)))
        for generation in self.running:
            if room <= 0:
                break
            if not generation.is_decoding:
                count = min(room, len(generation.tokens) - generation.n_computed)
                planned.append(self._add_rows(generation, count))
                room -= count
        return planned

    def _add_rows(self, generation: Generation, count: int) -> _Rows:
        sequence = _owned(generation)
        start = len(sequence.tokens)
        token_ids = generation.tokens[start : start + count]
        is_last = start + count == len(generation.tokens)
        row = self._batch.add(token_ids, start, sequence.sequence_id, wants_logits=is_last)
        return _Rows(generation, token_ids, row, is_last)

    def _decode(self) -> list[_Rows]:
        """Compute one batch; empty where it was aborted or had to be given up."""
        while self.running:
            planned = self._plan()
            result = self.context.decode(self._batch)
            if result == DECODE_OK:
                for rows in planned:
                    _owned(rows.generation).tokens.extend(rows.token_ids)
                return planned
            if result == DECODE_NO_SPACE and (self.cache.evict_one() or self._preempt()):
                continue
            if result == DECODE_ABORTED:
                # Some of the batch may be in the cache already; positions must not go back.
                for rows in planned:
                    sequence = _owned(rows.generation)
                    self.cache.truncate(sequence, len(sequence.tokens))
                return []
            if result == DECODE_NO_SPACE:
                self._finish(self.running[0], FinishReason.LENGTH)
                continue
            self._fail_all(result)
        return []

    def _fail_all(self, result: int) -> None:
        error = errors.WorkerError(
            f"llama.cpp could not compute this batch (code {result}).",
            "Ask again; if it happens again, restart the model with `%llm unload`.",
            code="decode_failed",
        )
        for generation in list(self.running):
            self._fail(generation, error)
        self.cache.clear()

    # --- sample, emit, finish ---------------------------------------------------------------

    def _advance(self, rows: _Rows) -> None:
        generation = rows.generation
        if not rows.wants_token:
            self._tell_progress(generation)
            return
        sampler = generation.sampler
        assert sampler is not None
        token_id = sampler.sample(self.context, rows.last_row)
        if not generation.first_token:
            generation.first_token = time.monotonic()
            self.counters.prompt_tokens_total += generation.n_prompt - generation.n_cached
        generation.tokens.append(token_id)
        self.counters.generated_tokens_total += 1
        if self.model.is_end(token_id):
            self._finish(generation, FinishReason.STOP)
            return
        text = generation.detokenizer.feed(self.model.piece(token_id))
        if generation.params.top_logprobs is not None:
            generation.held_logprobs.append(sampler.logprobs(self.context, rows.last_row, token_id))
        if text:
            self._emit_text(generation, text)
        if generation.detokenizer.is_stopped:
            self._finish(generation, FinishReason.STOP)
        elif self._is_at_limit(generation):
            self._finish(generation, FinishReason.LENGTH)

    def _is_at_limit(self, generation: Generation) -> bool:
        most = generation.params.max_tokens
        return (most is not None and generation.n_generated >= most) or (
            len(generation.tokens) >= self.context_window
        )

    def _emit_text(self, generation: Generation, text: str) -> None:
        logprobs, generation.held_logprobs = generation.held_logprobs or None, []
        self.outbox.append((generation, CompletionChunk(text, logprobs)))

    def _tell_progress(self, generation: Generation) -> None:
        if generation.wants_progress and not generation.n_generated:
            progress = CompletionProgress(
                prompt_tokens_done=generation.n_computed, prompt_tokens_total=generation.n_prompt
            )
            self.outbox.append((generation, progress))

    def _tell_positions(self) -> None:
        for position, generation in enumerate(self.waiting, start=1):
            if generation.wants_progress and generation.queue_position != position:
                generation.queue_position = position
                self.outbox.append((generation, CompletionProgress(queue_position=position)))

    def _finish(self, generation: Generation, reason: FinishReason) -> None:
        text = generation.detokenizer.flush()
        if text or generation.held_logprobs:
            self._emit_text(generation, text)
        self._end(generation, generation.done(reason))

    def _fail(self, generation: Generation, error: errors.LocalLLMError) -> None:
        self.counters.failed_total += 1
        self._end(generation, error)

    def _end(self, generation: Generation, event: EngineEvent) -> None:
        """Give everything back and emit the one terminal event."""
        if generation.is_finished:
            return
        generation.is_finished = True
        with contextlib.suppress(ValueError):
            self.running.remove(generation)
        with contextlib.suppress(ValueError):
            self.waiting.remove(generation)
        self._release(generation, keep=generation.may_reuse)
        if generation.sampler is not None:
            generation.sampler.close()
            generation.sampler = None
        self.outbox.append((generation, event))

    def _release(self, generation: Generation, *, keep: bool) -> None:
        if generation.sequence is not None:
            self.cache.release(generation.sequence, keep=keep)
            generation.sequence = None


def _owned(generation: Generation) -> Sequence:
    assert generation.sequence is not None, "a running request owns a sequence"
    return generation.sequence
