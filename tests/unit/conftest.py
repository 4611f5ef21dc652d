"""The models that the tests of single modules read."""

from __future__ import annotations

from tests.model_fixtures import (
    bad_file,
    model_cache,
    scripted_model,
    slow_model,
    smollm2_path,
    tiny_model,
)

__all__ = [
    "bad_file",
    "model_cache",
    "scripted_model",
    "slow_model",
    "smollm2_path",
    "tiny_model",
]
