"""A real worker process on a loopback port, and the real ``openai`` client for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

KEY = "key-for-tests"


class Worker:
    """A worker started as its host would, with its status lines read."""

    def __init__(self, model: Path, *options: str) -> None:
        command = [sys.executable, "-m", "jupyter_localllm.worker", "--supervised"]
        command += ["--model", str(model), "--port", "0", *options]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "LOCALLLM_API_KEY": KEY},
        )
        self._clients: list[openai.OpenAI] = []
        self.port = int(self.status("listening")["port"])

    def status(self, *wanted: str) -> dict[str, Any]:
        """Return the next status line of one of these kinds."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            value: dict[str, Any] = json.loads(line)
            if value["event"] in wanted:
                return value
        raise AssertionError(f"the worker ended: {self.end()}")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, key: str = KEY) -> openai.OpenAI:
        """Return a client; its sockets are closed with the worker."""
        client = openai.OpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0)
        self._clients.append(client)
        return client

    def http(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {KEY}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, trust_env=False)

    def kill(self) -> None:
        """End it at once, and whatever is connected to it."""
        for client in self._clients:
            client.close()
        self.process.kill()
        self.process.communicate()

    def end(self) -> str:
        """Close stdin, which ends a worker; returns what it said on stderr."""
        _, said = self.process.communicate(timeout=30)
        return said.decode()


@contextmanager
def running_worker(model: Path, *options: str) -> Iterator[Worker]:
    worker = Worker(model, *options)
    try:
        worker.status("ready")
        yield worker
    finally:
        worker.kill()


@pytest.fixture(scope="module")
def worker(scripted_model: Path) -> Iterator[Worker]:
    with running_worker(scripted_model, "--alias", "scripted") as worker:
        yield worker


@pytest.fixture(scope="module")
def slow_worker(slow_model: Path) -> Iterator[Worker]:
    with running_worker(slow_model, "--slots", "2", "--context-window", "2048") as worker:
        yield worker
