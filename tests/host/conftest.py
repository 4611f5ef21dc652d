"""Every host test has its own runtime and data folders, and leaves no process behind."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Jupyter's runtime folder of this test; its path is short enough for sockets."""
    short = Path(tempfile.mkdtemp(prefix="llm-"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(short / "runtime"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("LOCALLLM_CONNECTION_FILE", raising=False)
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    yield short / "runtime"
    shutil.rmtree(short)


@pytest.fixture(autouse=True)
def _no_process_left() -> Iterator[None]:
    me = psutil.Process()
    before = {child.pid for child in me.children(recursive=True)}
    yield
    left = [child for child in me.children(recursive=True) if child.pid not in before]
    _, alive = psutil.wait_procs(left, timeout=5)
    assert not alive, f"processes left behind: {alive}"
