"""The child that draws, as a process: what it is given, its end, and the messages on its pipes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from jupyter_localllm import errors
from jupyter_localllm.assistant.diagrams import child
from jupyter_localllm.assistant.diagrams.renderer import DiagramRenderer

ROOT = Path(__file__).parents[2]

_OWNER = """
import asyncio, os, sys
from jupyter_localllm.assistant.diagrams import renderer
asyncio.run(renderer.draw("flowchart TD\\nA-->B"))
print(renderer._shared.process_id, flush=True)
{end}
"""


@pytest.mark.parametrize("end", ["", "os._exit(9)", "os.kill(os.getpid(), 9)"])
def test_no_child_outlives_its_owner(end: str) -> None:
    owner = subprocess.run(
        [sys.executable, "-c", _OWNER.format(end=end)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
    )
    process_id = int(owner.stdout)
    if psutil.pid_exists(process_id):
        process = psutil.Process(process_id)
        psutil.wait_procs([process], timeout=20)
        assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_the_child_gets_no_secret_and_none_of_the_users_modules(tmp_path: Path) -> None:
    tmp_path.joinpath("json.py").write_text("raise SystemExit('the wrong json')\n")
    tmp_path.joinpath("msgspec.py").write_text("raise SystemExit('the wrong msgspec')\n")
    program = _OWNER.format(
        end="environment = open(f'/proc/{renderer._shared.process_id}/environ').read()\n"
        "print('JUPYTER_TOKEN' in environment, 'HOME' in environment)"
    )
    owner = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.pop(0)\n{program}"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env={
            **os.environ,
            "JUPYTER_TOKEN": "secret",
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        },
    )
    assert owner.returncode == 0, owner.stderr
    if sys.platform == "linux":
        assert owner.stdout.splitlines()[1] == "False True"


@pytest.mark.skipif(sys.platform != "linux", reason="such limits are read from /proc")
def test_the_child_has_its_limits() -> None:
    drawer = DiagramRenderer()
    asyncio.run(drawer.draw("flowchart TD\nA-->B"))
    limits = Path(f"/proc/{drawer.process_id}/limits").read_text()
    drawer.close()
    lines = {line[:25].strip(): line[25:].split()[0] for line in limits.splitlines()}
    assert lines["Max address space"] == str(1536 << 20)
    assert lines["Max core file size"] == "0"


def test_messages_are_cut_exactly(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    with path.open("wb") as pipe:
        for payload in (b"", b"x" * 70_000, b"\0\1"):
            child.write_message(pipe, payload)
        pipe.write(b"\5\0\0\0abc")
    with path.open("rb") as pipe:
        assert [child.read_message(pipe) for _ in range(3)] == [b"", b"x" * 70_000, b"\0\1"]
        assert child.read_message(pipe) is None
        assert child.read_message(pipe) is None


def test_every_error_of_the_child_comes_back_as_it_was() -> None:
    for kind in (errors.DiagramInvalid, errors.DiagramTooLarge, errors.DiagramsUnavailable):
        error = kind("It failed.", "Do this.", details={"line": 3})
        again = child.error_of(child.failure_of(error))
        assert type(again) is kind
        assert again.to_body() == error.to_body()
