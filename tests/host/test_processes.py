"""Processes of their own: the host as a child, and that nothing outlives its parent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from jupyter_localllm import errors
from jupyter_localllm.client import bridge
from jupyter_localllm.client.host_client import HostClient
from jupyter_localllm.host import launch
from jupyter_localllm.host.connection_file import ConnectionInfo, read_connection_file
from tests.host.hosts import chat, collect, text_of
from tests.model_fixtures import REPLIES
from tests.platforms import needs_signals

pytestmark = needs_signals

#: What the issue allows between the end of a parent and the end of its worker.
ORPHAN_LIMIT_S = 2.0


def client(info: ConnectionInfo) -> HostClient:
    return HostClient(info.url, socket_path=info.socket or None, api_key=info.api_key)


def gone_within(process: psutil.Process, limit_s: float) -> bool:
    _, alive = psutil.wait_procs([process], timeout=limit_s)
    return not alive or process.status() == psutil.STATUS_ZOMBIE


@pytest.fixture
def host_process(scripted_model: Path, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """``python -m jupyter_localllm.host --supervised`` for the scripted model."""
    command = [sys.executable, "-m", "jupyter_localllm.host", "--supervised"]
    command += ["--model", str(scripted_model), "--context-window", "1024"]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=tmp_path,
        env=launch.child_environment(dict(os.environ)),
    )
    yield process
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        pipe.close()


def connection(process: subprocess.Popen[bytes]) -> ConnectionInfo:
    assert process.stdout is not None
    line: dict[str, Any] = json.loads(process.stdout.readline())
    info = read_connection_file(Path(line["connection_file"]))
    assert info is not None
    return info


def load(info: ConnectionInfo) -> psutil.Process:
    """Load the default model and return its worker's process."""
    asking = client(info)
    assert text_of(bridge.run(collect(asking.stream(chat("HELLO"))), 30)) == REPLIES["HELLO"]
    (worker,) = bridge.run(asking.status(), 10).workers
    bridge.run(asking.aclose())
    return psutil.Process(worker.pid)


def test_host_ends_with_its_stdin_and_tidies_up(
    host_process: subprocess.Popen[bytes], runtime: Path
) -> None:
    info = connection(host_process)
    assert info.pid == host_process.pid
    assert info.scope == "child"
    worker = load(info)
    assert host_process.stdin is not None
    host_process.stdin.close()
    assert host_process.wait(10) == 0
    assert gone_within(worker, ORPHAN_LIMIT_S)
    assert list(runtime.iterdir()) == []
    assert not Path(info.socket).parent.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_host_ends_in_good_order_on_a_signal(
    number: signal.Signals, host_process: subprocess.Popen[bytes], runtime: Path
) -> None:
    worker = load(connection(host_process))
    host_process.send_signal(number)
    assert host_process.wait(10) == 0
    assert gone_within(worker, ORPHAN_LIMIT_S)
    assert list(runtime.iterdir()) == []


def test_killed_host_leaves_no_worker(host_process: subprocess.Popen[bytes]) -> None:
    info = connection(host_process)
    worker = load(info)
    host_process.kill()
    host_process.wait()
    assert gone_within(worker, ORPHAN_LIMIT_S)
    # What a killed host could not remove is removed by who looks for one next.
    assert info.path is not None
    assert info.path.exists()
    assert launch.find_host() is None
    assert not info.path.exists()
    assert not Path(info.socket).parent.exists()


@pytest.fixture
def launched() -> Iterator[None]:
    """Ends the child host that the test has launched in this process."""
    yield
    if launch._child is not None:
        launch._child.stop()
        launch._child = None


def test_start_host_starts_one_and_finds_it_again(
    launched: None, scripted_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A module in the user's folder must not get into the child.
    (tmp_path / "json.py").write_text("raise SystemExit('imported from the wrong place')")
    monkeypatch.chdir(tmp_path)
    info = launch.start_host(str(scripted_model))
    assert launch.start_host() == info
    load(info)
    child = psutil.Process(info.pid)
    assert child.ppid() == os.getpid()
    os.kill(info.pid, signal.SIGKILL)
    assert gone_within(child, 5)
    again = launch.start_host(str(scripted_model))
    assert again.pid != info.pid
    load(again)


def test_start_host_prefers_a_server_that_runs(
    launched: None, scripted_model: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "jupyter_localllm.host", "--model", str(scripted_model)]
    environment = launch.child_environment(dict(os.environ))
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=tmp_path, env=environment) as server:
        info = connection(server)
        assert launch.start_host() == info
        assert launch._child is None
        server.terminate()


def test_host_that_cannot_start_says_why(
    launched: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "jupyter_localllm"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise ImportError('the library libllama is missing')")
    monkeypatch.setattr(launch, "child_environment", lambda e: {**e, "PYTHONPATH": str(tmp_path)})
    with pytest.raises(errors.HostUnavailable, match="libllama is missing") as caught:
        launch.start_host()
    assert caught.value.hint
    assert launch._child is None


def test_host_that_is_too_slow_is_ended(launched: None) -> None:
    started = time.monotonic()
    with pytest.raises(errors.HostUnavailable, match="did not answer"):
        launch.start_host(timeout_s=0.01)
    assert time.monotonic() - started < 10
    assert launch._child is None


def test_host_started_by_a_script_ends_with_the_script(scripted_model: Path) -> None:
    code = (
        "import os, sys\n"
        "from jupyter_localllm.host.launch import start_host\n"
        "info = start_host(sys.argv[1])\n"
        "print(info.pid, flush=True)\n"
        "sys.stdin.readline()\n"
        "if sys.argv[2] == 'die': os.kill(os.getpid(), 9)\n"
    )
    for how in ("end", "die"):
        with subprocess.Popen(
            [sys.executable, "-c", code, str(scripted_model), how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            host = psutil.Process(int(process.stdout.readline()))
            process.stdin.close()
            process.wait(15)
            assert gone_within(host, ORPHAN_LIMIT_S), how


def test_forked_copy_of_the_starter_does_not_end_its_host(
    launched: None, scripted_model: Path
) -> None:
    code = (
        "import os, sys\n"
        "from jupyter_localllm.host import launch\n"
        "info = launch.start_host(sys.argv[1])\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    sys.exit(0 if launch.start_host() == info else 1)\n"
        "assert os.waitpid(pid, 0)[1] == 0\n"
        "assert launch.find_host() == info\n"
        "print('fine')\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code, str(scripted_model)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("fine\n", "")


def test_bad_arguments_are_told(runtime: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "jupyter_localllm.host", "--slots", "0"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "--slots" in done.stderr
