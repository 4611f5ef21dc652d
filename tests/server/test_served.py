"""A Jupyter server in a process of its own, as users run it, and the real ``openai`` client."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import psutil
import pytest

from jupyter_localllm.host.connection_file import CONNECTION_FILE_ENV
from tests.model_fixtures import REPLIES

from .served import TOKEN, Served, start_server


@pytest.fixture
def served(tmp_path: Path, model_dir: Path) -> Iterator[Served]:
    served = start_server(tmp_path, model_dir)
    yield served
    if served.process.poll() is None:
        served.stop()


def kernel_environment(served: Served) -> dict[str, str]:
    """Start a kernel through the server; return what it inherited."""
    request = urllib.request.Request(
        served.url.rstrip("/") + "/api/kernels",
        data=json.dumps({"name": "python3"}).encode(),
        headers={"Authorization": f"token {TOKEN}"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=30) as reply:
        assert reply.status == 201
    kernels = [p for p in served.descendants() if any("ipykernel" in a for a in p.cmdline())]
    return kernels[0].environ()


def test_a_script_and_a_kernel_use_a_real_server(served: Served, tmp_path: Path) -> None:
    client = openai.OpenAI(base_url=served.url.rstrip("/") + "/localllm/v1/", api_key=TOKEN)
    with client:
        question: Any = [{"role": "user", "content": "EMOJI"}]
        stream = client.chat.completions.create(model="scripted", messages=question, stream=True)
        texts = [c.choices[0].delta.content or "" for c in stream if c.choices]
        assert "".join(texts) == REPLIES["EMOJI"]
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model="nobody", messages=question)
    assert "Traceback" not in "".join(served.lines)
    path = Path(kernel_environment(served)[CONNECTION_FILE_ENV])
    assert path.parent == tmp_path / "runtime"
    started = served.descendants()
    workers = [p for p in started if "jupyter_localllm.worker" in p.cmdline()]
    assert len(workers) == 1
    for worker in workers:
        # The token opens the whole server; a process that runs model files has no use for it.
        assert TOKEN not in "\0".join([*worker.cmdline(), *worker.environ().values()])
    served.stop()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive
    assert not path.exists()
    log = "".join(line for line in served.lines if "?token=" not in line)
    assert TOKEN not in log


def test_no_worker_outlives_a_killed_server(served: Served) -> None:
    client = openai.OpenAI(base_url=served.url.rstrip("/") + "/localllm/v1/", api_key=TOKEN)
    with client:
        client.completions.create(model="scripted", prompt="HELLO", max_tokens=1)
    workers = [p for p in served.descendants() if "jupyter_localllm.worker" in p.cmdline()]
    assert workers
    served.kill()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive
