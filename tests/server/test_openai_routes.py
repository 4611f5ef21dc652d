"""The OpenAI routes with the real ``openai`` client and with hostile HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import psutil
import pytest

from tests.model_fixtures import REPLIES

from .page import Visitor

QUESTION: Any = [{"role": "user", "content": "HELLO"}]


@pytest.fixture
def client(visitor: Visitor, jp_asyncio_loop: Any) -> Iterator[openai.AsyncOpenAI]:
    """The client as a script makes it: the address and the server's token."""
    client = openai.AsyncOpenAI(
        base_url=visitor.url("localllm/v1/").rstrip("?"),
        api_key=visitor.token,
        max_retries=0,
        timeout=60,
    )
    yield client
    jp_asyncio_loop.run_until_complete(client.close())


async def test_models_are_listed(client: openai.AsyncOpenAI) -> None:
    models = [model.id async for model in client.models.list()]
    assert {"scripted", "slow"} <= set(models)


async def test_a_whole_answer(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="scripted", messages=QUESTION)
    assert answer.choices[0].message.content == REPLIES["HELLO"]
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None and answer.usage.prompt_tokens > 0
    text = await client.completions.create(model="scripted", prompt="HELLO", max_tokens=2)
    assert REPLIES["HELLO"].startswith(text.choices[0].text)


async def test_a_streamed_answer(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="scripted", messages=[{"role": "user", "content": "EMOJI"}], stream=True
    )
    chunks = [chunk async for chunk in stream]
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    assert "".join(choice.delta.content or "" for choice in choices) == REPLIES["EMOJI"]
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]


async def test_closing_the_stream_frees_the_slot(client: openai.AsyncOpenAI) -> None:
    for _ in range(6):
        stream = await client.chat.completions.create(model="slow", messages=QUESTION, stream=True)
        async for chunk in stream:
            if chunk.choices:
                break
        await stream.close()
    # Six endless answers would hold all four slots for ever.
    answer = await client.chat.completions.create(model="slow", messages=QUESTION, max_tokens=3)
    assert answer.choices[0].finish_reason == "length"


async def test_errors_reach_the_client_with_status_code_and_message(
    client: openai.AsyncOpenAI,
) -> None:
    create = client.chat.completions.create
    with pytest.raises(openai.NotFoundError) as no_model:
        await create(model="nobody", messages=QUESTION)
    assert no_model.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as unknown:
        await create(model="scripted", messages=QUESTION, extra_body={"mirostat": 2})
    assert (unknown.value.code, unknown.value.param) == ("unknown_parameter", "mirostat")
    with pytest.raises(openai.BadRequestError) as unsupported:
        await create(model="scripted", messages=QUESTION, n=2, stream=True)
    assert unsupported.value.code == "unsupported_parameter"
    with pytest.raises(openai.PermissionDeniedError) as forbidden:
        await create(
            model="scripted", messages=QUESTION, extra_headers={"Authorization": "Bearer wrong"}
        )
    assert forbidden.value.code == "forbidden"
    for error in (no_model, unknown, unsupported, forbidden):
        body: Any = error.value.body
        assert body["message"] and body["hint"]


async def test_a_model_is_named_and_never_a_path(
    client: openai.AsyncOpenAI, visitor: Visitor, model_dir: Path
) -> None:
    names = [str(model_dir / "scripted.gguf"), "../models/scripted", "./scripted", "/etc/passwd"]
    names += ["models//scripted", "scripted\0", "file:///etc/passwd", "~/x.gguf"]
    for name in names:
        with pytest.raises(openai.NotFoundError) as caught:
            await client.chat.completions.create(model=name, messages=QUESTION)
        assert caught.value.code == "model_not_found", name
        for action in ("load", "unload"):
            response = await visitor.fetch(
                f"localllm/models/{action}", "POST", body={"model": name}
            )
            assert response.code == 404, (action, name)
        response = await visitor.fetch(
            "localllm/tokenize", "POST", body={"content": "a", "model": name}
        )
        assert response.code == 404, name


async def test_tokens_there_and_back(visitor: Visitor) -> None:
    text = "Grüße 👩‍🚀 {x}"
    reply = await visitor.fetch("localllm/tokenize", "POST", body={"content": text})
    tokens = json.loads(reply.body)["tokens"]
    assert tokens
    reply = await visitor.fetch("localllm/detokenize", "POST", body={"tokens": tokens})
    assert json.loads(reply.body)["content"] == text


BAD_BODIES: dict[str, tuple[bytes, int, str]] = {
    "empty": (b"", 400, "invalid_json"),
    "not json": (b"{", 400, "invalid_json"),
    "array": (b"[]", 400, "invalid_parameter"),
    "deep": (
        b'{"response_format": {"type": "json_schema", "json_schema": {"schema": {"a": '
        + b"[" * 100_000,
        400,
        "invalid_json",
    ),
    "bad utf-8": (b'{"messages": [{"role": "user", "content": "\xff"}]}', 400, "invalid_text"),
    "lone surrogate": (
        b'{"messages": [{"role": "user", "content": "\\udc00x"}]}',
        400,
        "invalid_text",
    ),
    "wrong type": (b'{"messages": "hi"}', 400, "invalid_parameter"),
    "no messages": (b'{"messages": []}', 400, "invalid_parameter"),
    "out of range": (
        b'{"messages": [{"role": "user", "content": "x"}], "temperature": -1}',
        400,
        "invalid_parameter",
    ),
    "too large": (b'{"messages": "' + b"x" * (10 << 20) + b'"}', 413, "request_too_large"),
}


async def test_bad_bodies_are_told_apart_and_the_next_request_works(visitor: Visitor) -> None:
    for name, (body, status, code) in BAD_BODIES.items():
        for path in ("chat/completions", "completions", "embeddings"):
            if path != "chat/completions" and code == "invalid_text":
                continue
            reply = await visitor.fetch(f"localllm/v1/{path}", "POST", body=body)
            assert reply.code == status, (name, path)
            assert reply.headers["Content-Type"] == "application/json"
            error = json.loads(reply.body)["error"]
            assert error["message"] and error["hint"], name
            if path == "chat/completions":
                assert error["code"] == code, name
        good = await visitor.fetch(
            "localllm/v1/chat/completions", "POST", body={"messages": QUESTION}
        )
        assert json.loads(good.body)["choices"][0]["message"]["content"] == REPLIES["HELLO"]


async def test_a_body_is_not_taken_in_before_the_sender_is_known(visitor: Visitor) -> None:
    reply = await visitor.fetch(
        "localllm/v1/chat/completions", "POST", body=b"x" * (2 << 20), headers={"Accept": "*/*"}
    )
    assert reply.code in (403, 599)


async def test_load_unload_and_status(visitor: Visitor, tmp_path: Path) -> None:
    async def state(name: str) -> str:
        reply = await visitor.fetch("localllm/status")
        assert reply.code == 200
        text = reply.body.decode()
        assert str(tmp_path) not in text and ".gguf" not in text, "a path is shown"
        models = {model["id"]: model for model in json.loads(text)["models"]}
        return str(models[name].get("state", "not_loaded"))

    assert await state("slow") == "not_loaded"
    reply = await visitor.fetch("localllm/models/load", "POST", body={"model": "slow"})
    assert reply.code == 200 and json.loads(reply.body)["id"] == "slow"
    assert await state("slow") == "ready"
    reply = await visitor.fetch("localllm/models/unload", "POST", body={"model": "slow"})
    assert reply.code == 200
    assert await state("slow") == "not_loaded"
    reply = await visitor.fetch("localllm/models/load", "POST", body={"modle": "slow"})
    assert reply.code == 400 and json.loads(reply.body)["error"]["param"] == "modle"


async def test_get_changes_nothing(visitor: Visitor) -> None:
    await visitor.fetch("localllm/models/load", "POST", body={"model": "scripted"})
    before = json.loads((await visitor.fetch("localllm/status")).body)
    for path in ("localllm/v1/models", "localllm/status"):
        for _ in range(3):
            assert (await visitor.fetch(path)).code == 200
    for path in (
        "localllm/v1/chat/completions",
        "localllm/models/load",
        "localllm/models/unload",
        "localllm/tokenize",
    ):
        assert (await visitor.fetch(path, query={"model": "slow"})).code == 405
    after = json.loads((await visitor.fetch("localllm/status")).body)
    assert stable(after) == stable(before)


def stable(status: Any) -> Any:
    """Leave out what moves by itself: memory and times."""
    if isinstance(status, dict):
        moving = ("rss", "memory", "_s", "bytes")
        return {k: stable(v) for k, v in status.items() if not k.endswith(moving)}
    return [stable(v) for v in status] if isinstance(status, list) else status


async def test_a_status_poll_does_not_keep_an_idle_server_alive(
    visitor: Visitor, jp_serverapp: Any
) -> None:
    settings = jp_serverapp.web_app.settings
    await visitor.fetch("localllm/v1/models")
    last = settings["api_last_activity"]
    await visitor.fetch("localllm/status")
    assert settings["api_last_activity"] == last


async def until_idle(visitor: Visitor) -> None:
    """Wait until the host has nothing in work, and the worker no slot taken."""
    deadline = time.monotonic() + 5.0
    while True:
        status = json.loads((await visitor.fetch("localllm/status")).body)
        busy = [worker.get("slots_busy") or 0 for worker in status["workers"]]
        if status["running"] == status["waiting"] == sum(busy) == 0:
            return
        assert time.monotonic() < deadline, status


async def test_hanging_up_before_the_answer_stops_the_model(
    client: openai.AsyncOpenAI, visitor: Visitor
) -> None:
    await visitor.fetch("localllm/models/load", "POST", body={"model": "slow"})
    for is_streamed in (False, True):
        with pytest.raises(openai.APITimeoutError):
            stream: Any = await client.chat.completions.create(
                model="slow",
                messages=[{"role": "user", "content": "word " * 500}],
                stream=is_streamed,
                timeout=0.4,
            )
            async for _ in stream:
                pass
        await until_idle(visitor)


async def test_a_huge_body_is_refused_without_being_held(visitor: Visitor) -> None:
    process = psutil.Process()
    before = process.memory_info().rss
    peak = before
    n_chunks, chunk = 960, b"x" * (64 << 10)

    async def produce(write: Any) -> None:
        nonlocal peak
        for _ in range(n_chunks):
            await write(chunk)
            peak = max(peak, process.memory_info().rss)

    headers = {**visitor.token_header, "Content-Length": str(n_chunks * len(chunk))}
    reply = await visitor.client.fetch(
        visitor.url("localllm/v1/chat/completions"),
        method="POST",
        headers=headers,
        body_producer=produce,
        raise_error=False,
    )
    assert reply.code == 413
    assert json.loads(reply.body)["error"]["code"] == "request_too_large"
    assert peak - before < 20 << 20
