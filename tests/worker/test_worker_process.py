"""The process: how it starts, refuses, limits itself and ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from jupyter_localllm.errors import WorkerError
from jupyter_localllm.protocol import MAX_BODY_BYTES, ChatCompletionRequest, ChatMessage
from jupyter_localllm.worker.backend import EngineBackend
from tests.gguf_builders.scripted import SCRIPTS
from tests.platforms import needs_signals

from .conftest import KEY, Worker, running_worker

CHAT = "/v1/chat/completions"
HELLO = {"messages": [{"role": "user", "content": "HELLO"}], "temperature": 0}

BODIES = {
    "not json": (b"hello", 400, "invalid_json"),
    "cut json": (b'{"messages": [', 400, "invalid_json"),
    "empty": (b"", 400, "invalid_json"),
    "a list": (b"[]", 400, "invalid_parameter"),
    "deep": (
        b'{"messages": [{"role": "user", "content": "x"}], "response_format": '
        b'{"type": "json_schema", "json_schema": {"schema": {"a":' + b"[" * 100_000,
        400,
        "invalid_json",
    ),
    "lone surrogate": (
        b'{"messages": [{"role": "user", "content": "a \\ud83d b"}]}',
        400,
        "invalid_text",
    ),
    "low surrogate": (
        b'{"messages": [{"role": "user", "content": "\\ude00"}]}',
        400,
        "invalid_text",
    ),
    "no utf-8": (b'{"messages": [{"role": "user", "content": "\xff"}]}', 400, "invalid_text"),
    "10 MB": (b'{"messages": "' + b"x" * 10_000_000 + b'"}', 413, "request_too_large"),
}


@pytest.mark.parametrize("name", BODIES)
def test_bad_bodies_get_a_clear_error_and_the_next_request_works(worker: Worker, name: str) -> None:
    body, status, code = BODIES[name]
    with worker.http() as http:
        reply = http.post(CHAT, content=body)
        error = reply.json()["error"]
        assert (reply.status_code, error["code"]) == (status, code)
        assert error["message"].endswith(".") and error["hint"]
        text = http.post(CHAT, json=HELLO).json()["choices"][0]["message"]["content"]
        assert text == SCRIPTS["HELLO"]


def test_a_body_just_within_the_limit_is_read(worker: Worker) -> None:
    body = b'{"messages": "' + b"x" * (MAX_BODY_BYTES - 16) + b'"}'
    assert len(body) == MAX_BODY_BYTES
    with worker.http() as http:
        assert http.post(CHAT, content=body).json()["error"]["code"] == "invalid_parameter"


@pytest.mark.parametrize(
    ("verb", "path", "code"),
    [
        ("GET", "/nothing", "not_found"),
        ("POST", "/v1/models", "method_not_allowed"),
        ("GET", CHAT, "method_not_allowed"),
    ],
)
def test_wrong_routes_are_json_errors(worker: Worker, verb: str, path: str, code: str) -> None:
    with worker.http() as http:
        assert http.request(verb, path).json()["error"]["code"] == code


def test_tokenize_and_detokenize(worker: Worker) -> None:
    text = "Grüße, 日本 {x}"
    with worker.http() as http:
        tokens = http.post("/tokenize", json={"content": text}).json()["tokens"]
        assert http.post("/detokenize", json={"tokens": tokens}).json() == {"content": text}
        special = {"content": "<|im_start|>", "parse_special": True}
        assert len(http.post("/tokenize", json=special).json()["tokens"]) == 1
        bad = http.post("/detokenize", json={"tokens": [10**7]})
        assert bad.json()["error"]["param"] == "tokens"


def test_health_and_metrics(worker: Worker) -> None:
    with worker.http() as http:
        http.post(CHAT, json=HELLO)
        health = http.get("/health").json()
        assert (health["status"], health["slots_busy"], health["queue"]) == ("ready", 0, 0)
        reply = http.get("/metrics")
    assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    values = dict(
        line.split() for line in reply.text.splitlines() if line and not line.startswith("#")
    )
    assert int(values["localllm_requests_total"]) > 0
    assert int(values["localllm_slots"]) == 4


def test_a_unix_socket_is_for_its_owner_only(scripted_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "w.sock"
    command = [sys.executable, "-m", "jupyter_localllm.worker", "--supervised"]
    process = subprocess.Popen(
        [*command, "--model", str(scripted_model), "--socket", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    lines = iter(process.stdout.readline, b"")
    assert any(b'"ready"' in line for line in lines)
    assert path.stat().st_mode & 0o777 == 0o600
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(path))) as http:
        assert http.get("http://worker/health").json()["status"] == "ready"
    process.communicate(timeout=10)
    assert process.returncode == 0
    assert not path.exists()


def test_the_end_of_stdin_ends_the_worker_also_while_it_computes(slow_model: Path) -> None:
    with running_worker(slow_model, "--context-window", "2048") as worker:
        with worker.http() as http, http.stream("POST", CHAT, json={**HELLO, "stream": True}) as r:
            next(r.iter_lines())
            worker.process.communicate(timeout=10)
        assert worker.process.returncode == 0


@needs_signals
def test_sigterm_ends_the_worker(scripted_model: Path) -> None:
    with running_worker(scripted_model) as worker:
        worker.process.send_signal(signal.SIGTERM)
        worker.process.wait(10)
        assert worker.process.returncode == 0


def test_a_port_needs_a_key(scripted_model: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "LOCALLLM_API_KEY"}
    command = [sys.executable, "-m", "jupyter_localllm.worker", "--model", str(scripted_model)]
    ended = subprocess.run(
        [*command, "--port", "0"], env=environment, capture_output=True, text=True, timeout=30
    )
    assert ended.returncode == 2 and "LOCALLLM_API_KEY" in ended.stderr


def test_in_a_terminal_it_says_where_it_listens(scripted_model: Path) -> None:
    command = [sys.executable, "-m", "jupyter_localllm.worker", "--model", str(scripted_model)]
    process = subprocess.Popen(
        [*command, "--port", "0", "--alias", "me"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env={**os.environ, "LOCALLLM_API_KEY": KEY},
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("Listening on http://127.0.0.1:")
    assert process.stdout.readline() == "Ready: me\n"
    process.terminate()
    process.communicate(timeout=10)


def test_a_model_without_template_answers_with_a_warning(scripted_without_template: Path) -> None:
    with running_worker(scripted_without_template) as worker, worker.http() as http:
        (model,) = http.get("/v1/models").json()["data"]
        assert "base model" in model["localllm"]["warnings"][0]
        reply = http.post(CHAT, json=HELLO).json()
        assert reply["choices"][0]["message"]["content"] == SCRIPTS["HELLO"]


def test_a_question_while_the_model_loads_is_told_to_wait() -> None:
    async def ask() -> None:
        backend = EngineBackend()
        request = ChatCompletionRequest(messages=[ChatMessage("user", "x")])
        async for _ in backend.stream(request):
            raise AssertionError("an answer without a model")

    with pytest.raises(WorkerError) as caught:
        asyncio.run(ask())
    assert caught.value.error_code == "model_loading"


def test_an_embedding_model_embeds_and_does_not_chat(tiny_model: Callable[[str], Path]) -> None:
    import math

    with running_worker(tiny_model("bert")) as worker:
        client = worker.client()
        reply = client.embeddings.create(model="bert", input=["one text", "another", "one text"])
        first, second, third = (entry.embedding for entry in reply.data)
        assert first == third != second
        assert math.isclose(sum(x * x for x in first), 1.0, rel_tol=1e-4)
        floats = client.embeddings.create(model="bert", input="one text", encoding_format="float")
        assert floats.data[0].embedding == pytest.approx(first, abs=1e-6)
        with worker.http() as http:
            assert http.post(CHAT, json=HELLO).json()["error"]["code"] == "completions_unsupported"
            long = http.post("/v1/embeddings", json={"input": "word " * 4000})
            assert long.json()["error"]["code"] == "prompt_too_long"


BAD_MODELS = {
    "t5": "model_encoder_decoder",
    "gizmo": "model_architecture_unsupported",
}


@pytest.mark.parametrize("architecture", BAD_MODELS)
def test_models_it_cannot_run_are_refused_in_words(
    architecture: str, tiny_model: Callable[[str], Path]
) -> None:
    worker = Worker(tiny_model(architecture))
    error = worker.status("failed")["error"]
    assert error["code"] == BAD_MODELS[architecture]
    assert error["message"] and error["hint"]
    worker.end()
    assert worker.process.returncode == 3
