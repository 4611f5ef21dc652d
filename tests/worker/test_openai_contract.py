"""The worker as the real ``openai`` client sees it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

from tests.gguf_builders.scripted import SCRIPTS

from .conftest import Worker

Messages = list[Any]


def user(text: str) -> Messages:
    return [{"role": "user", "content": text}]


def test_models(worker: Worker) -> None:
    (model,) = worker.client().models.list().data
    assert model.id == "scripted"
    assert model.localllm["state"] == "ready"


def test_a_whole_chat_answer(worker: Worker) -> None:
    reply = worker.client().chat.completions.create(
        model="scripted", messages=user("MARKDOWN"), temperature=0
    )
    assert reply.choices[0].message.content == SCRIPTS["MARKDOWN"]
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage is not None and reply.usage.prompt_tokens_details is not None
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    assert reply.timings["predicted_n"] == reply.usage.completion_tokens


def test_a_streamed_chat_answer(worker: Worker) -> None:
    stream = worker.client().chat.completions.create(
        model="scripted", messages=user("EMOJI"), temperature=0, stream=True
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == SCRIPTS["EMOJI"]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None and chunks[-1].usage.completion_tokens > 0


def test_text_completions(worker: Worker) -> None:
    client = worker.client()
    whole = client.completions.create(model="scripted", prompt="say HELLO", temperature=0)
    parts = client.completions.create(
        model="scripted", prompt="say HELLO", temperature=0, stream=True
    )
    assert whole.choices[0].text == SCRIPTS["HELLO"]
    assert "".join(part.choices[0].text for part in parts) == SCRIPTS["HELLO"]


def test_logprobs(worker: Worker) -> None:
    reply = worker.client().chat.completions.create(
        model="scripted", messages=user("HELLO"), temperature=0, logprobs=True, top_logprobs=2
    )
    assert reply.choices[0].logprobs is not None
    entries = reply.choices[0].logprobs.content or []
    assert "".join(entry.token for entry in entries) == SCRIPTS["HELLO"]
    assert all(len(entry.top_logprobs) == 2 for entry in entries)


def test_a_json_schema_answer(worker: Worker) -> None:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {"ok": {"type": "boolean"}, "why": {"type": "string", "maxLength": 8}},
        "required": ["ok", "why"],
    }
    reply = worker.client().chat.completions.create(
        model="scripted",
        messages=user("LONG"),
        max_tokens=300,
        response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": schema}},
    )
    assert set(json.loads(reply.choices[0].message.content or "")) == {"ok", "why"}


def test_stop_seed_and_max_completion_tokens_are_taken(worker: Worker) -> None:
    reply = worker.client().chat.completions.create(
        model="scripted",
        messages=user("STOPWORD"),
        stop=["STOP"],
        seed=7,
        temperature=0,
        max_completion_tokens=50,
    )
    assert reply.choices[0].message.content == "alpha beta "
    assert reply.seed == 7


WRONG: list[tuple[dict[str, Any], str, str | None]] = [
    ({"n": 2}, "unsupported_parameter", "n"),
    ({"extra_body": {"typo": 1}}, "unknown_parameter", "typo"),
    ({"temperature": 99}, "invalid_parameter", "temperature"),
    ({"temperature": "hot"}, "invalid_parameter", "temperature"),
    ({"max_tokens": 0}, "invalid_parameter", "max_tokens"),
    ({"messages": []}, "invalid_parameter", "messages"),
    ({"messages": [{"role": "robot", "content": "x"}]}, "invalid_parameter", "messages[0].role"),
    ({"messages": [{"role": "user"}]}, "invalid_parameter", "messages[0]"),
    ({"messages": user("word " * 9000)}, "prompt_too_long", None),
    ({"stop": [""]}, "invalid_parameter", "stop"),
    ({"logit_bias": {"the": 1}}, "invalid_parameter", "logit_bias"),
    ({"max_tokens": 1, "max_completion_tokens": 1}, "invalid_parameter", "max_completion_tokens"),
    ({"response_format": {"type": "json_schema"}}, "invalid_parameter", "response_format"),
    ({"extra_body": {"grammar": "root ::= ["}}, "invalid_grammar", "grammar"),
    (
        {"extra_body": {"grammar": 'root ::= "x"'}, "response_format": {"type": "json_object"}},
        "invalid_parameter",
        "grammar",
    ),
    ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "unknown_parameter", "tools"),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("changes", "code", "param"), WRONG, ids=lambda value: str(value)[:30])
def test_wrong_requests_name_what_is_wrong(
    worker: Worker, changes: dict[str, Any], code: str, param: str | None, stream: bool
) -> None:
    request = {"model": "scripted", "messages": user("HELLO"), "stream": stream, **changes}
    client = worker.client()
    with pytest.raises(openai.BadRequestError) as caught:
        list(client.chat.completions.create(**request))
    assert (caught.value.code, caught.value.param) == (code, param)
    body = caught.value.body
    assert isinstance(body, dict) and body["message"] and body["hint"]
    reply = client.chat.completions.create(model="x", messages=user("HELLO"), temperature=0)
    assert reply.choices[0].message.content == SCRIPTS["HELLO"]


@pytest.mark.parametrize("key", ["", "wrong", "key-for-test"])
def test_a_wrong_key_is_refused(worker: Worker, key: str) -> None:
    with pytest.raises((openai.AuthenticationError, openai.APIConnectionError)):
        worker.client(key or " ").models.list()


def test_embeddings_of_a_chat_model_are_refused(worker: Worker) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        worker.client().embeddings.create(model="scripted", input="text")
    assert caught.value.code == "embeddings_unsupported"


def test_closing_the_stream_frees_the_slot(slow_worker: Worker) -> None:
    stream = slow_worker.client().chat.completions.create(
        model="slow", messages=user("talk"), stream=True
    )
    next(iter(stream))
    stream.close()
    with slow_worker.http() as http:
        # Both slots are needed for two answers at once: they are free again.
        wait_until_idle(http)


def test_a_request_given_up_while_waiting_is_dropped(slow_worker: Worker) -> None:
    impatient = slow_worker.client().with_options(timeout=0.5)
    with pytest.raises(openai.APITimeoutError):
        impatient.chat.completions.create(model="slow", messages=user("talk"))
    with slow_worker.http() as http:
        wait_until_idle(http)


def wait_until_idle(http: Any) -> None:
    """Ask for one-token answers, each of which is computed after what was cancelled is gone."""
    for _ in range(50):
        http.post("/v1/completions", json={"prompt": "x", "max_tokens": 1}).raise_for_status()
        health = http.get("/health").json()
        if health["slots_busy"] == 0 and health["queue"] == 0:
            return
    raise AssertionError(f"still busy: {health}")


def test_eight_clients_at_once_are_all_answered(worker: Worker) -> None:
    def ask(index: int) -> str:
        stream = worker.client().chat.completions.create(
            model="scripted", messages=user(f"number {index} LONG"), temperature=0, stream=True
        )
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == [SCRIPTS["LONG"]] * 8


def test_progress_chunks_do_not_disturb_the_client(worker: Worker) -> None:
    stream = worker.client().chat.completions.create(
        model="scripted",
        messages=user("HELLO"),
        stream=True,
        temperature=0,
        extra_body={"return_progress": True},
    )
    chunks = list(stream)
    assert any(getattr(chunk, "progress", None) for chunk in chunks)
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == SCRIPTS["HELLO"]
