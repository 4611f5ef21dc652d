"""SamplingParams -> llama.cpp's sampler chain -> one token id a step.

A grammar is checked lazily: the token is sampled freely and only then asked of the grammar; the
vocabulary is masked only after a refusal, and then first only its likeliest part. Masking
everything at each token would halve the speed (DESIGN 6).
"""

from __future__ import annotations

import ctypes
import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import llama_cpp as lc
import numpy as np

from .. import errors
from ..protocol import (
    ChatCompletionRequest,
    CompletionRequest,
    TokenLogprob,
    TopLogprob,
)
from .grammar import grammar_of
from .llama import Context, Model

#: Candidates tried against the grammar before the whole vocabulary is.
LIKELY_CANDIDATES = 256
#: A token whose logit is so far below the best has less than e^-12 of its probability.
NEGLIGIBLE_LOGIT_GAP = 12.0

_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


@dataclass(frozen=True)
class SamplingParams:
    """How the next token is chosen. Defaults are llama.cpp's; ``seed`` is always set."""

    temperature: float = 0.8
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repeat_penalty: float = 1.0
    repeat_last_n: int = 64
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: dict[int, float] = field(default_factory=dict)
    seed: int = 0
    stop: tuple[str, ...] = ()
    max_tokens: int | None = None
    grammar: str | None = None
    #: Alternatives reported with each token; ``None``: no logprobs at all.
    top_logprobs: int | None = None

    @property
    def has_penalties(self) -> bool:
        """Whether earlier tokens change the choice."""
        return self.repeat_last_n != 0 and (
            self.repeat_penalty != 1.0
            or self.presence_penalty != 0.0
            or self.frequency_penalty != 0.0
        )


def sampling_params(request: ChatCompletionRequest | CompletionRequest) -> SamplingParams:
    """Read the sampling fields of a request; unset ones keep the default.

    Raises
    ------
    InvalidGrammar
    """
    names = (
        "temperature", "top_k", "top_p", "min_p", "repeat_penalty", "repeat_last_n",
        "presence_penalty", "frequency_penalty",
    )  # fmt: skip
    values: dict[str, Any] = {
        name: value for name in names if (value := getattr(request, name)) is not None
    }
    max_tokens = request.max_tokens
    top_logprobs: int | None = None
    if isinstance(request, ChatCompletionRequest):
        max_tokens = request.max_completion_tokens or max_tokens
        if request.logprobs or request.top_logprobs is not None:
            top_logprobs = request.top_logprobs or 0
    else:
        top_logprobs = request.logprobs
    stop = (request.stop,) if isinstance(request.stop, str) else tuple(request.stop or ())
    seed = request.seed if request.seed is not None else secrets.randbits(32)
    return SamplingParams(
        **values,
        logit_bias={int(token): bias for token, bias in (request.logit_bias or {}).items()},
        seed=seed,
        stop=stop,
        max_tokens=max_tokens,
        grammar=grammar_of(request),
        top_logprobs=top_logprobs,
    )


class Sampler:
    """The sampler chain of one request. Engine thread only; close it.

    Raises
    ------
    InvalidGrammar
        The grammar does not compile.
    InvalidParameter
        ``logit_bias`` names a token the vocabulary has not.
    """

    def __init__(self, model: Model, params: SamplingParams) -> None:
        self._model = model
        self._params = params
        self._chain: Any = None
        self._grammar: Any = None
        for token_id in params.logit_bias:
            if token_id >= model.n_vocab:
                raise errors.InvalidParameter(
                    f"`logit_bias` names token {token_id:,}; the vocabulary has "
                    f"{model.n_vocab:,} tokens.",
                    "Look token ids up with /tokenize.",
                    param="logit_bias",
                )
        if params.grammar is not None:
            self._grammar = lc.llama_sampler_init_grammar(
                model.vocab, params.grammar.encode(), b"root"
            )
            if not self._grammar:
                raise errors.InvalidGrammar(
                    "The grammar could not be compiled.",
                    "Check its GBNF syntax; it needs a rule called `root`.",
                    param="grammar",
                )
        self._candidates = _Candidates(model.n_vocab)
        self._bias_ids = np.array(list(params.logit_bias), dtype=np.int32)
        # OpenAI: -100 bans a token, 100 as good as forces it.
        biases = [-math.inf if bias <= -100 else bias for bias in params.logit_bias.values()]
        self._biases = np.array(biases, dtype=np.float32)
        self._chain = self._build_chain()
        self._is_plain_greedy = (
            params.temperature <= 0 and not params.has_penalties and params.grammar is None
        )

    def close(self) -> None:
        """Free the native objects; idempotent."""
        for handle in (self._chain, self._grammar):
            if handle:
                lc.llama_sampler_free(handle)
        self._chain = self._grammar = None

    def _build_chain(self) -> Any:
        params, n_vocab = self._params, self._model.n_vocab
        chain = lc.llama_sampler_chain_init(lc.llama_sampler_chain_default_params())
        parts: list[Any] = []
        if params.has_penalties:
            last_n = params.repeat_last_n if params.repeat_last_n >= 0 else 4096
            parts.append(
                lc.llama_sampler_init_penalties(
                    n_vocab,
                    last_n,
                    params.repeat_penalty,
                    params.frequency_penalty,
                    params.presence_penalty,
                )
            )
        if params.temperature <= 0:
            parts.append(lc.llama_sampler_init_greedy())
        else:
            parts += [
                lc.llama_sampler_init_top_k(params.top_k),
                lc.llama_sampler_init_top_p(params.top_p, 1),
                lc.llama_sampler_init_min_p(params.min_p, 1),
                lc.llama_sampler_init_temp(params.temperature),
                lc.llama_sampler_init_dist(params.seed & 0xFFFFFFFF),
            ]
        for part in parts:
            lc.llama_sampler_chain_add(chain, part)
        return chain

    def accept_prompt(self, token_ids: Sequence[int]) -> None:
        """Let the penalties see the end of the prompt, as llama.cpp's server does."""
        if self._params.has_penalties:
            last_n = self._params.repeat_last_n
            for token_id in token_ids[-last_n:] if last_n > 0 else token_ids:
                lc.llama_sampler_accept(self._chain, token_id)

    def sample(self, context: Context, row: int) -> int:
        """Choose the next token from the logits of a row, and remember it."""
        logits = context.logits(row)
        if self._params.logit_bias:
            logits = logits.copy()
            logits[self._bias_ids] += self._biases
        if self._is_plain_greedy:
            return int(logits.argmax())
        token_id = self._candidates.choose(self._chain, logits, ids=self._worth_sampling(logits))
        if self._grammar is not None:
            if not self._allows(token_id):
                token_id = self._sample_allowed(logits)
            lc.llama_sampler_accept(self._grammar, token_id)
        lc.llama_sampler_accept(self._chain, token_id)
        return token_id

    def _worth_sampling(self, logits: Any) -> Any:
        """Return the ids that the chain can choose from, or ``None`` for all.

        Building and sorting candidates for a whole vocabulary takes longer than everything else
        between two decodes. Nothing that top-k or min-p would keep is left out.
        """
        params = self._params
        if params.has_penalties:
            return None
        if params.temperature <= 0:
            likely = np.array([logits.argmax()], dtype=np.int32)
        else:
            likely = np.flatnonzero(logits >= logits.max() - NEGLIGIBLE_LOGIT_GAP).astype(np.int32)
            keeps_top_k = 0 < params.top_k <= len(likely)
            if not keeps_top_k and params.min_p < math.exp(-NEGLIGIBLE_LOGIT_GAP):
                return None
        return likely

    def _allows(self, token_id: int) -> bool:
        one = lc.llama_token_data(token_id, 1.0, 0.0)
        array = lc.llama_token_data_array(ctypes.pointer(one), 1, -1, False)
        lc.llama_sampler_apply(self._grammar, ctypes.byref(array))
        return not math.isinf(one.logit)

    def _sample_allowed(self, logits: Any) -> int:
        """Sample among the tokens the grammar takes: the likeliest first, then all."""
        n_likely = min(LIKELY_CANDIDATES, len(logits))
        likely = np.argpartition(logits, -n_likely)[-n_likely:].astype(np.int32)
        for ids in (likely, None):
            token_id = self._candidates.choose(self._chain, logits, grammar=self._grammar, ids=ids)
            if token_id >= 0:
                return token_id
        raise errors.InvalidGrammar(
            "The grammar allows no token of this model here.",
            "Check that the grammar can end, and that its characters are in the vocabulary.",
        )

    def logprobs(self, context: Context, row: int, token_id: int) -> TokenLogprob:
        """Return the model's own log-probabilities (before temperature and penalties)."""
        logits = context.logits(row).astype(np.float64)
        peak = float(logits.max())
        log_total = peak + math.log(float(np.exp(logits - peak).sum()))
        count = self._params.top_logprobs or 0
        best: list[int] = []
        if count:
            likely = np.argpartition(logits, -count)[-count:]
            best = [int(i) for i in likely[np.argsort(logits[likely])[::-1]]]
        tops = [TopLogprob(*self._described(i, logits[i] - log_total)) for i in best]
        return TokenLogprob(*self._described(token_id, logits[token_id] - log_total), tops)

    def _described(self, token_id: int, logprob: float) -> tuple[str, float, list[int]]:
        piece = self._model.piece(token_id)
        return piece.decode("utf-8", "replace"), float(logprob), list(piece)


class _Candidates:
    """A reusable candidate array in llama.cpp's layout."""

    def __init__(self, n_vocab: int) -> None:
        self._all = np.zeros(n_vocab, dtype=_CANDIDATE)
        self._ids = np.arange(n_vocab, dtype=np.int32)

    def choose(self, chain: Any, logits: Any, *, ids: Any, grammar: Any = None) -> int:
        """Run grammar, then chain, over some tokens (``None``: all); -1 if none is allowed."""
        ids = self._ids if ids is None else ids
        count = len(ids)
        view = self._all[:count]
        view["id"] = ids
        view["logit"] = logits if count == len(logits) else logits[ids]
        array = lc.llama_token_data_array(
            ctypes.cast(view.ctypes.data, lc.llama_token_data_p), count, -1, False
        )
        if grammar is not None:
            lc.llama_sampler_apply(grammar, ctypes.byref(array))
            allowed = view[np.isfinite(view["logit"])]
            if not len(allowed):
                return -1
            view[: len(allowed)] = allowed
            array.size = len(allowed)
        lc.llama_sampler_apply(chain, ctypes.byref(array))
        return int(array.data[array.selected].id)
