"""What every test needs: nothing connects off this machine, in this process or in a child.

Fixtures of one layer live in that layer's folder.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guard import loopback_only
from tests.model_fixtures import (
    bad_file,
    model_cache,
    scripted_model,
    scripted_without_template,
    slow_model,
    smollm2_path,
    tiny_model,
)

__all__ = [
    "bad_file",
    "model_cache",
    "scripted_model",
    "scripted_without_template",
    "slow_model",
    "smollm2_path",
    "tiny_model",
]

GUARD_FOLDER = Path(__file__).parent / "guard"


def _start_guard() -> Path:
    """Guard this process and, through the environment, every Python that it starts."""
    folder = Path(tempfile.mkdtemp(prefix=loopback_only.FOLDER_PREFIX))
    inherited = os.environ.get("PYTHONPATH")
    paths = filter(None, [str(GUARD_FOLDER), str(folder), inherited])
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    loopback_only.install()
    log = folder / "refused.log"
    log.touch()
    return log


_guard_log = _start_guard()


@pytest.fixture(autouse=True)
def _no_connection_off_loopback() -> Iterator[None]:
    """Fail the test in which a refused connection was tried, even if the error was swallowed."""
    before = _guard_log.stat().st_size
    yield
    with _guard_log.open(encoding="utf-8") as log:
        log.seek(before)
        tried = log.read()
    assert not tried, f"connections off loopback were tried:\n{tried}"


def pytest_unconfigure() -> None:
    """Take the guard's folder away."""
    shutil.rmtree(_guard_log.parent, ignore_errors=True)
