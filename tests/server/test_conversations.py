"""Kept chats over a real host, a real worker and the scripted models: asking and being told."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from tests.model_fixtures import REPLIES

from .conversation import Conversation, ask_json, final_message, fresh_id, state_of
from .page import Page, Visitor, check_numbers, text_of
from .test_chat_socket import workers


async def frames_until_final(page: Page, message_id: str) -> list[dict[str, Any]]:
    """Return all frames up to the one that tells that the answer is kept."""
    frames: list[dict[str, Any]] = []
    while True:
        frame = await page.frame()
        frames.append(frame)
        told = frame.get("message", {}) if frame["type"] == "message" else {}
        if told.get("message_id") == message_id and state_of(told) != "writing":
            return frames


def kinds(frames: list[dict[str, Any]]) -> list[str]:
    """Return the types of frames, several of a kind in a row as one."""
    names = [frame["type"] for frame in frames if frame["type"] != "progress"]
    return [name for i, name in enumerate(names) if i == 0 or names[i - 1] != name]


async def test_a_conversation_is_told_in_order_and_kept(open_chat: Any, visitor: Visitor) -> None:
    chat: Conversation = await open_chat(system_prompt="Be brief.")
    frame = await chat.send("HELLO **there**", max_tokens=200, seed=7)
    question_id, answer_id = frame["message"]["message_id"], frame["request_id"]
    frames = await frames_until_final(chat.page, answer_id)
    # The chat got its title from the first question.
    titles = [frame["summary"]["title"] for frame in frames if frame["type"] == "chat"]
    assert titles == ["HELLO there"]
    told = [frame for frame in frames if frame["type"] != "chat"]
    assert kinds(told) == ["message", "start", "delta", "done", "message"]
    first, second = told[:2]
    assert first["message"]["message_id"] == first["current_id"] == question_id
    assert first["message"]["content"] == "HELLO **there**"
    assert second["message"]["message_id"] == second["current_id"] == answer_id
    assert second["message"]["state"] == "writing" and second["message"]["content"] == ""
    stream = [frame for frame in told if "seq" in frame]
    check_numbers(stream)
    final = told[-1]["message"]
    assert "current_id" not in told[-1] and "state" not in final
    assert final["content"] == text_of(stream) == REPLIES["HELLO"]
    assert (final["finish_reason"], final["model"], final["seed"]) == ("stop", "scripted", 7)
    assert final["usage"] == stream[-1]["usage"] and final["timings"] == stream[-1]["timings"]
    kept = await chat.get()
    assert kept["messages"] == [first["message"], final]
    assert (kept["current_id"], kept["system_prompt"]) == (answer_id, "Be brief.")

    again = await chat.ask("EMOJI", answer_id)
    assert again["content"] == REPLIES["EMOJI"]
    assert again["usage"]["cached_tokens"] > final["usage"]["prompt_tokens"]
    listed = (await ask_json(visitor, "chats"))["chats"]
    assert [(c["chat_id"], c["n_messages"]) for c in listed] == [(chat.chat_id, 4)]


async def test_the_model_is_given_the_branch_in_order(
    open_chat: Any, extension: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = await extension.running_host()
    sent: list[list[tuple[str, str]]] = []
    real_stream = host.stream

    def stream(request: Any, **kwargs: Any) -> Any:
        sent.append([(message.role, message.text) for message in request.messages])
        return real_stream(request, **kwargs)

    monkeypatch.setattr(host, "stream", stream)
    chat: Conversation = await open_chat(system_prompt="Be brief.")
    first = await chat.ask("HELLO")
    item = {"kind": "cell", "label": "@cell 1", "text": "x = {1}", "language": "python"}
    second = await chat.ask(
        "Why?", first["message_id"], message={"action": "explain", "context": [item]}
    )
    other = await chat.ask("CODE")
    assert sent[0] == [("system", "Be brief."), ("user", "HELLO")]
    assert sent[1][:3] == [*sent[0], ("assistant", REPLIES["HELLO"])]
    prompts = (await ask_json(chat.visitor, "prompts"))["prompts"]
    explain = next(prompt["text"] for prompt in prompts if prompt["name"] == "explain")
    assert sent[1][3] == ("user", f"@cell 1:\n```python\nx = {{1}}\n```\n\n{explain}\n\nWhy?")
    assert sent[2] == [("system", "Be brief."), ("user", "CODE")]
    messages = await chat.messages()
    asked = messages[messages[second["message_id"]]["parent_id"]]
    assert asked["context"] == [item] and asked["action"] == "explain"
    assert state_of(other) == "complete"


async def test_every_page_of_the_owner_sees_everything(open_chat: Any, open_page: Any) -> None:
    chat: Conversation = await open_chat()
    other = await open_page()
    frame = await chat.send("LONG", max_tokens=2000)
    while (told := await other.until("message"))["message"]["message_id"] != frame["request_id"]:
        assert told["message"]["role"] == "user"
    assert told["message"]["state"] == "writing"
    await other.send({"type": "resume", "request_id": frame["request_id"], "last_seq": 0})
    frames = await frames_until_final(other, frame["request_id"])
    stream = [frame for frame in frames if "seq" in frame]
    check_numbers(stream)
    assert frames[-1]["message"]["content"] == text_of(stream) == REPLIES["LONG"]
    assert kinds(frames)[-2:] == ["done", "message"]
    assert (await chat.final(frame["request_id"]))["content"] == REPLIES["LONG"]


async def test_a_reload_in_mid_answer_picks_it_up(open_chat: Any, open_page: Any) -> None:
    chat: Conversation = await open_chat()
    frame = await chat.send("x", model="slow", max_tokens=30)
    await chat.page.until("delta")
    chat.page.drop()
    page = await open_page()
    kept = (await chat.messages())[frame["request_id"]]
    assert kept["state"] == "writing"
    await page.send({"type": "resume", "request_id": frame["request_id"], "last_seq": 0})
    stream = await page.frames(frame["request_id"])
    check_numbers(stream)
    final = await final_message(page, frame["request_id"])
    assert final["content"] == text_of(stream) and final["finish_reason"] == "length"
    assert final["content"].startswith("tick0 tick1 ")


async def test_stop_from_another_page_keeps_the_part(open_chat: Any, open_page: Any) -> None:
    chat: Conversation = await open_chat()
    other = await open_page()
    frame = await chat.send("x", model="slow")
    await chat.page.until("delta")
    await other.send({"type": "cancel", "request_id": frame["request_id"]})
    final = await chat.final(frame["request_id"])
    assert (final["state"], final["finish_reason"]) == ("stopped", "cancelled")
    assert final["content"].startswith("tick0")
    assert (await chat.messages())[frame["request_id"]] == final
    # Stopped before the first token; the next question is answered all the same.
    frame = await chat.send("x", final["message_id"], model="slow")
    await chat.page.until("start")
    await chat.page.send({"type": "cancel", "request_id": frame["request_id"]})
    stopped = await chat.final(frame["request_id"])
    assert (stopped["state"], stopped["content"]) == ("stopped", "")
    assert (await chat.ask("HELLO", stopped["message_id"]))["content"] == REPLIES["HELLO"]


async def test_another_answer_and_an_edited_question_are_siblings(open_chat: Any) -> None:
    chat: Conversation = await open_chat()
    first = await chat.ask("HELLO")
    question_id = (await chat.messages())[first["message_id"]]["parent_id"]
    second = await chat.ask(None, question_id, seed=2)
    edited = await chat.ask("CODE")
    follow_up = await chat.ask("EMOJI", first["message_id"])
    messages = await chat.messages()
    assert second["parent_id"] == first["parent_id"] == question_id
    assert second["content"] == REPLIES["HELLO"] and edited["content"] == REPLIES["CODE"]
    assert messages[question_id].get("parent_id") is None
    assert messages[edited["parent_id"]].get("parent_id") is None
    assert messages[follow_up["parent_id"]]["parent_id"] == first["message_id"]
    assert (await chat.get())["current_id"] == follow_up["message_id"]


async def test_asking_twice_adds_nothing_twice(open_chat: Any, open_page: Any) -> None:
    chat: Conversation = await open_chat()
    other = await open_page()
    frame = await chat.send("x", model="slow", max_tokens=30)
    await chat.page.send(frame)
    await other.send(frame)
    streams = [await page.frames(frame["request_id"]) for page in (chat.page, other)]
    assert text_of(streams[0]) == text_of(streams[1])
    for stream in streams[1:]:
        check_numbers(stream)
    final = await chat.final(frame["request_id"])
    # Finished: its message comes again, to the one who asked.
    await chat.page.send(frame)
    assert (await chat.page.frame())["message"] == final
    assert len(await chat.messages()) == 2


async def test_one_answer_of_a_chat_at_a_time(open_chat: Any, open_page: Any) -> None:
    chat: Conversation = await open_chat()
    other = Conversation(chat.visitor, await open_page(), chat.chat_id)
    frame = await chat.send("x", model="slow")
    await chat.page.until("delta")
    second = await other.send("HELLO")
    error = await other.page.until("error")
    assert (error["request_id"], error["error"]["code"]) == (second["request_id"], "chat_busy")
    assert "seq" not in error and error["error"]["hint"]
    await chat.page.send({"type": "cancel", "request_id": frame["request_id"]})
    await chat.page.until("done")
    assert len(await chat.messages()) == 2


async def test_a_question_waits_until_the_answer_before_it_is_kept(
    open_chat: Any, extension: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = extension.chats.kept
    real_write = kept.write
    may_save = asyncio.Event()

    async def write(write: Any, on_saved: Any) -> Any:
        if write.final is not None:
            await may_save.wait()
        return await real_write(write, on_saved)

    monkeypatch.setattr(kept, "write", write)
    chat: Conversation = await open_chat()
    frame = await chat.send("HELLO")
    await chat.page.until("done")
    # The page knows the end; the file does not yet.
    second = await chat.send("EMOJI", frame["request_id"])
    asyncio.get_running_loop().call_later(0.2, may_save.set)
    assert (await chat.final(frame["request_id"]))["content"] == REPLIES["HELLO"]
    assert (await chat.final(second["request_id"]))["content"] == REPLIES["EMOJI"]


async def test_many_chats_are_answered_at_once(open_chat: Any) -> None:
    chats = [await open_chat() for _ in range(4)]
    frames = [await chat.send("x", model="slow", max_tokens=12) for chat in chats]
    for chat, frame in zip(chats, frames, strict=True):
        assert (await chat.final(frame["request_id"]))["finish_reason"] == "length"


async def test_a_killed_worker_leaves_the_part_and_a_retry_works(open_chat: Any) -> None:
    chat: Conversation = await open_chat()
    frame = await chat.send("x", model="slow", max_tokens=200)
    await chat.page.until("delta")
    for worker in workers():
        os.kill(worker.pid, signal.SIGKILL)
    final = await chat.final(frame["request_id"])
    assert final["state"] == "failed" and final["error"]["code"] == "worker_crashed"
    assert final["content"].startswith("tick0") and "finish_reason" not in final
    assert (await chat.messages())[frame["request_id"]] == final
    retry = await chat.ask(None, final["parent_id"], model="slow", max_tokens=3)
    assert (state_of(retry), retry["parent_id"]) == ("complete", final["parent_id"])


async def test_an_unknown_model_is_a_failed_answer(open_chat: Any) -> None:
    chat: Conversation = await open_chat(model="nobody")
    final = await chat.ask("HELLO")
    assert final["state"] == "failed" and final["error"]["code"] == "model_not_found"
    assert final["content"] == "" and final["model"] == "nobody"


BAD_ASKS: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "unknown chat": ({"chat_id": "nobodys"}, "chat_not_found", None),
    "unknown parent": ({"parent_id": "nobodys"}, "message_not_found", "parent_id"),
    "question below a question": ({"parent_id": "Q"}, "invalid_parameter", "parent_id"),
    "no question": ({"content": None}, "invalid_parameter", "parent_id"),
    "an answer is no question": (
        {"content": None, "parent_id": "A"},
        "invalid_parameter",
        "parent_id",
    ),
    "no words": (
        {"message": {"message_id": "m", "content": " \n"}},
        "invalid_parameter",
        "message.content",
    ),
    "one id for both": (
        {"request_id": "m", "message": {"message_id": "m", "content": "x"}},
        "invalid_parameter",
        "message.message_id",
    ),
    "an id in use": (
        {"message": {"message_id": "Q", "content": "x"}},
        "duplicate_request",
        "message.message_id",
    ),
    "the id of a question": ({"request_id": "Q"}, "duplicate_request", "message_id"),
    "unknown action": (
        {"message": {"message_id": "m", "content": "x", "action": "dance"}},
        "invalid_parameter",
        "message.action",
    ),
    "unknown field": (
        {"message": {"message_id": "m", "content": "x", "colour": 1}},
        "unknown_parameter",
        "message.colour",
    ),
    "wrong kind": (
        {
            "message": {
                "message_id": "m",
                "content": "x",
                "context": [{"kind": "secret", "label": "", "text": ""}],
            }
        },
        "invalid_parameter",
        "message.context[0].kind",
    ),
    "too much": (
        {
            "message": {
                "message_id": "m",
                "content": "x",
                "context": [{"kind": "file", "label": "", "text": "x" * (256 << 10)}],
            }
        },
        "request_too_large",
        "message.context",
    ),
    "bad id": ({"request_id": "a b"}, "invalid_parameter", "request_id"),
    "no tokens": ({"max_tokens": 0}, "invalid_parameter", "max_tokens"),
}


async def test_a_bad_question_is_refused_by_its_field_and_nothing_is_kept(open_chat: Any) -> None:
    chat: Conversation = await open_chat()
    first = await chat.ask("HELLO")
    ids = {"Q": first["parent_id"], "A": first["message_id"]}
    before = await chat.get()

    def named(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: named(inner) for key, inner in value.items()}
        return ids.get(value, value) if isinstance(value, str) else value

    for name, (fields, code, param) in BAD_ASKS.items():
        frame = await chat.send(**{"content": "x", **named(fields)})
        answer = await chat.page.frame()
        assert answer["type"] == "error" and "seq" not in answer, name
        error = answer["error"]
        assert (error["code"], error["param"]) == (code, param), name
        assert error["hint"] and error["message"].endswith("."), name
        assert answer.get("request_id") in (None, frame["request_id"]), name
    assert await chat.get() == before
    assert (await chat.ask("EMOJI"))["content"] == REPLIES["EMOJI"]


async def test_a_page_that_goes_at_once_leaves_a_whole_question(
    open_chat: Any, open_page: Any
) -> None:
    chat: Conversation = await open_chat()
    for _ in range(5):
        frame = await chat.send("HELLO")
        chat.page.drop()
        chat.page = await open_page()
        # Its ask arrived or not: sending it again makes it so, once.
        await chat.page.send(frame)
        assert (await chat.final(frame["request_id"]))["content"] == REPLIES["HELLO"]
    assert len(await chat.messages()) == 10


async def test_ids_of_streams_and_answers_are_one_kind(open_chat: Any) -> None:
    chat: Conversation = await open_chat()
    request_id = await chat.page.ask("x", fresh_id("stream"), model="slow")
    await chat.page.until("delta")
    await chat.send("HELLO", request_id=request_id)
    error = await chat.page.until("error")
    assert error["error"]["code"] == "duplicate_request" and "seq" not in error
    assert await chat.messages() == {}
