"""Fixtures of the tests of the history and of schemas."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_localllm.assistant.history import ChatHistory

from .history_samples import Clock


@pytest.fixture
def clock() -> Clock:
    """The time of ``history``."""
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of ``history``; its folder is not there yet."""
    return tmp_path / "localllm" / "chats.sqlite3"


@pytest.fixture
def history(path: Path, clock: Clock) -> Iterator[ChatHistory]:
    """A new, open history."""
    history = ChatHistory(path, now_ms=clock)
    history.open()
    yield history
    history.close()


@pytest.fixture
def deep_recursion() -> Iterator[None]:
    """Let the reader of grammars follow a text of hundreds of nested options."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(9000)
    yield
    sys.setrecursionlimit(before)
