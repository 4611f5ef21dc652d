"""Model lists and embeddings: our nouns <-> OpenAI's JSON, both directions."""

from __future__ import annotations

import base64
import struct
from typing import Any

import msgspec

from ..protocol import Embeddings, ModelInfo


def model_list_body(models: list[ModelInfo]) -> dict[str, Any]:
    """OpenAI's model list; our own fields ride along under ``localllm``."""
    return {
        "object": "list",
        "data": [
            {
                "id": model.id,
                "object": "model",
                "created": 0,
                "owned_by": "local",
                "localllm": model,
            }
            for model in models
        ],
    }


class _ModelEntry(msgspec.Struct):
    id: str
    localllm: ModelInfo | None = None


class _ModelList(msgspec.Struct):
    data: list[_ModelEntry] = []


def read_model_list(body: bytes) -> list[ModelInfo]:
    """Read a model list, ours or another server's."""
    entries = msgspec.json.decode(body, type=_ModelList).data
    return [entry.localllm or ModelInfo(entry.id, source="server") for entry in entries]


def embeddings_body(embeddings: Embeddings, encoding_format: str) -> dict[str, Any]:
    """OpenAI's embedding reply; ``base64`` is little-endian float32."""

    def encoded(vector: list[float]) -> list[float] | str:
        if encoding_format == "float":
            return vector
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()

    return {
        "object": "list",
        "model": embeddings.model,
        "data": [
            {"object": "embedding", "index": index, "embedding": encoded(vector)}
            for index, vector in enumerate(embeddings.vectors)
        ],
        "usage": {
            "prompt_tokens": embeddings.prompt_tokens,
            "total_tokens": embeddings.prompt_tokens,
        },
    }


class _EmbeddingEntry(msgspec.Struct):
    embedding: list[float]


class _EmbeddingUsage(msgspec.Struct):
    prompt_tokens: int = 0


class _EmbeddingList(msgspec.Struct):
    data: list[_EmbeddingEntry]
    usage: _EmbeddingUsage
    model: str = ""


def read_embeddings(body: bytes) -> Embeddings:
    """Read an embedding reply (format ``float``)."""
    reply = msgspec.json.decode(body, type=_EmbeddingList)
    vectors = [entry.embedding for entry in reply.data]
    return Embeddings(vectors, reply.usage.prompt_tokens, reply.model)
