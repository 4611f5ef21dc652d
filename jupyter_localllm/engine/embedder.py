"""Texts -> vectors, for models made for that. Engine thread only."""

from __future__ import annotations

import llama_cpp as lc
import numpy as np

from .. import errors
from ..protocol import Embeddings
from .llama import DECODE_OK, Batch, Context, Model


class Embedder:
    """Computes one text at a time, so that padding never changes a vector.

    Parameters
    ----------
    context : Context
        Made with ``is_embedding``.
    n_batch : int
        Most tokens of one text.
    """

    def __init__(self, model: Model, context: Context, *, n_batch: int) -> None:
        self._model = model
        self._context = context
        self._batch = Batch(n_batch)

    def close(self) -> None:
        """Free the batch; idempotent."""
        self._batch.close()

    def embed(self, texts: list[str], model_name: str) -> Embeddings:
        """Return one L2-normalised vector (``n_embd`` floats) per text.

        Raises
        ------
        PromptTooLong
            A text has more tokens than the model takes.
        """
        tokenized = [
            self._model.tokenize(text, add_special=True, parse_special=False) for text in texts
        ]
        for index, tokens in enumerate(tokenized):
            if not tokens:
                raise errors.InvalidParameter(
                    f"Input {index + 1} is empty.", "Leave empty texts out.", param="input"
                )
            if len(tokens) > self._batch.capacity:
                raise errors.PromptTooLong(
                    f"Input {index + 1} has {len(tokens):,} tokens; the model takes "
                    f"{self._batch.capacity:,}.",
                    "Cut it into shorter pieces.",
                    details={"n_prompt_tokens": len(tokens), "n_ctx": self._batch.capacity},
                )
        vectors = [self._embed_one(tokens) for tokens in tokenized]
        return Embeddings(vectors, sum(map(len, tokenized)), model_name)

    def _embed_one(self, tokens: list[int]) -> list[float]:
        self._batch.clear()
        self._batch.add(tokens, 0, 0, wants_logits=True)
        # Pooling reads every row, so every row must be an output.
        for row in range(len(tokens)):
            self._batch.native.logits[row] = 1
        if self._context.memory:
            self._context.forget(0)
        result = self._context.decode(self._batch)
        if result != DECODE_OK:
            raise errors.WorkerError(
                f"llama.cpp could not compute this text (code {result}).",
                "Send it again.",
                code="decode_failed",
            )
        pointer = lc.llama_get_embeddings_seq(self._context.handle, 0)
        vector = np.ctypeslib.as_array(pointer, shape=(self._model.n_embd,)).astype(np.float64)
        length = float(np.linalg.norm(vector)) or 1.0
        normalised: list[float] = (vector / length).tolist()
        return normalised
