"""The guard itself: it holds in this process, in a child, and through a swallowed error."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.guard import loopback_only

# An address that documents use. Connecting a datagram socket sends nothing, and a numeric look-up
# asks nobody, so that these tests reach no one even without the guard.
ELSEWHERE = "192.0.2.1"
TRY_TO_LEAVE = f"""
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.connect(("{ELSEWHERE}", 9))
print("left the machine")
"""


@pytest.fixture
def own_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log of this test's own, so that its attempts do not fail it."""
    log = tmp_path / "guard.log"
    log.touch()
    monkeypatch.setenv(loopback_only.LOG_VARIABLE, str(log))
    return log


def refused() -> AbstractContextManager[object]:
    # By its words: a worker process of pytest has the guard of its parent too, as another module.
    return pytest.raises(RuntimeError, match="A connection off this machine was tried")


def test_connect_off_loopback_is_refused_and_logged(own_log: Path) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
        refused(),
    ):
        sock.connect((ELSEWHERE, 9))
    assert ELSEWHERE in own_log.read_text()


def test_looking_up_a_name_is_refused(own_log: Path) -> None:
    with refused():
        socket.getaddrinfo("models.invalid", 443, flags=socket.AI_NUMERICHOST)
    assert "models.invalid" in own_log.read_text()


def test_loopback_is_allowed(own_log: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with socket.create_connection(("localhost", listener.getsockname()[1]), timeout=5):
            pass
    assert own_log.read_text() == ""


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("localhost", True),
        (b"localhost", True),
        (None, True),
        ("127.0.0.1.example.com", False),
        ("127.evil.example.com", False),
        ("localhost.example.com", False),
        ("10.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("fe80::1", False),
    ],
)
def test_what_counts_as_this_machine(host: str | bytes | None, local: bool) -> None:
    assert loopback_only.is_local_host(host) is local


def test_a_child_is_guarded_too(own_log: Path) -> None:
    child = subprocess.run(
        [sys.executable, "-c", TRY_TO_LEAVE], capture_output=True, text=True, timeout=60
    )
    assert child.returncode == 1
    assert "OffMachineConnection" in child.stderr
    assert "left the machine" not in child.stdout
    assert ELSEWHERE in own_log.read_text()


def test_a_child_with_few_variables_logs_too(tmp_path: Path) -> None:
    folder = tmp_path / f"{loopback_only.FOLDER_PREFIX}test"
    folder.mkdir()
    guard = str(Path(loopback_only.__file__).parent)
    kept = {key: os.environ[key] for key in ("PATH", "SYSTEMROOT") if key in os.environ}
    environment = {**kept, "PYTHONPATH": os.pathsep.join([guard, str(folder)])}
    subprocess.run(
        [sys.executable, "-c", TRY_TO_LEAVE], capture_output=True, timeout=60, env=environment
    )
    assert ELSEWHERE in (folder / "refused.log").read_text()


def test_a_swallowed_error_still_fails_the_test(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    (tmp_path / "conftest.py").write_text(
        "from tests.conftest import *  # noqa: F403\n"
        "from tests.conftest import _no_connection_off_loopback  # noqa: F401\n"
    )
    (tmp_path / "test_swallows.py").write_text(
        "import contextlib, socket\n"
        "def test_it():\n"
        "    with contextlib.suppress(Exception), socket.socket(type=socket.SOCK_DGRAM) as sock:\n"
        f"        sock.connect(({ELSEWHERE!r}, 9))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root)])}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    inner = subprocess.run(
        command, capture_output=True, text=True, timeout=60, cwd=tmp_path, env=environment
    )
    assert inner.returncode == 1, inner.stdout
    assert f"('{ELSEWHERE}', 9)" in inner.stdout
