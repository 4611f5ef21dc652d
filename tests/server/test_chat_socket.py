"""The page's websocket over a real host, a real worker and the scripted models."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from typing import Any

import psutil
import pytest

from tests.model_fixtures import DEFAULT_REPLY, REPLIES

from .page import Page, Visitor, check_numbers, text_of


@pytest.mark.parametrize("word", ["HELLO", "EMOJI", "BRACES", "LONG", "nothing special"])
async def test_an_answer_arrives_whole(open_page: Any, word: str) -> None:
    page = await open_page()
    frames = await page.frames(await page.ask(word, max_tokens=2000))
    check_numbers(frames)
    assert frames[0] == {
        "type": "start",
        "request_id": frames[0]["request_id"],
        "seq": 1,
        "model": "",
    }
    assert text_of(frames) == REPLIES.get(word, DEFAULT_REPLY)
    last = frames[-1]
    assert last["type"] == "done" and last["finish_reason"] == "stop"
    assert last["model"] == "scripted"
    assert last["usage"]["prompt_tokens"] > 0 < last["usage"]["completion_tokens"]
    assert last["timings"]["predicted_ms"] > 0
    assert sum(frame["type"] in ("done", "error") for frame in frames) == 1
    states = [frame.get("model_state") for frame in frames if frame["type"] == "progress"]
    assert "loading" in states, "the page is not told that the model is being loaded"


async def test_answers_of_one_page_run_side_by_side(open_page: Any) -> None:
    page = await open_page()
    ids = [await page.ask("LONG", max_tokens=2000) for _ in range(8)]
    collected: dict[str, list[dict[str, Any]]] = {request_id: [] for request_id in ids}
    n_ended = 0
    while n_ended < len(ids):
        frame = await page.frame()
        collected[frame["request_id"]].append(frame)
        n_ended += frame["type"] in ("done", "error")
    for frames in collected.values():
        check_numbers(frames)
        assert text_of(frames) == REPLIES["LONG"]


BAD_FRAMES: dict[str, tuple[str | bytes, str, str | None]] = {
    "not json": ("{", "invalid_json", None),
    "not an object": ("[1]", "invalid_parameter", None),
    "no type": ("{}", "invalid_parameter", "type"),
    "unknown type": ('{"type": "shout"}', "invalid_parameter", "type"),
    "no request": ('{"type": "start", "request_id": "a"}', "invalid_parameter", "request"),
    "unknown field": (
        '{"type": "cancel", "request_id": "a", "force": 1}',
        "unknown_parameter",
        "force",
    ),
    "unknown parameter": (
        '{"type": "start", "request_id": "a", "request": '
        '{"messages": [{"role": "user", "content": "x"}], "mirostat": 2}}',
        "unknown_parameter",
        "mirostat",
    ),
    "n": (
        '{"type": "start", "request_id": "a", "request": '
        '{"messages": [{"role": "user", "content": "x"}], "n": 2}}',
        "unsupported_parameter",
        "n",
    ),
    "logprobs": (
        '{"type": "start", "request_id": "a", "request": '
        '{"messages": [{"role": "user", "content": "x"}], "logprobs": true}}',
        "unsupported_parameter",
        "logprobs",
    ),
    "bad id": ('{"type": "cancel", "request_id": "a b"}', "invalid_parameter", "request_id"),
    "negative position": (
        '{"type": "resume", "request_id": "a", "last_seq": -1}',
        "invalid_parameter",
        "last_seq",
    ),
    "lone surrogate": (
        '{"type": "start", "request_id": "a", "request": '
        '{"messages": [{"role": "user", "content": "\\ud800"}]}}',
        "invalid_text",
        None,
    ),
    "too long": ('{"type": "' + "x" * (1 << 20) + '"}', "request_too_large", None),
    "binary": (b'{"type": "cancel", "request_id": "a"}', "invalid_json", None),
    "deep": ('{"type": ' + "[" * 100_000, "invalid_parameter", "type"),
    "cancel unknown": ('{"type": "cancel", "request_id": "a"}', "stream_not_found", "request_id"),
    "resume unknown": ('{"type": "resume", "request_id": "a"}', "stream_not_found", "request_id"),
}


async def test_a_bad_frame_is_answered_and_the_connection_stays_open(open_page: Any) -> None:
    page = await open_page()
    for name, (message, code, param) in BAD_FRAMES.items():
        await page.connection.write_message(message, binary=isinstance(message, bytes))
        frame = await page.frame()
        assert frame["type"] == "error" and "seq" not in frame, name
        error = frame["error"]
        assert (error["code"], error["param"]) == (code, param), name
        assert error["message"].endswith((".", "…")) and error["hint"], name
        assert frame.get("request_id") in (None, "a"), name
    frames = await page.frames(await page.ask("HELLO"))
    assert text_of(frames) == REPLIES["HELLO"]


async def test_an_id_in_use_is_refused_and_the_running_answer_goes_on(open_page: Any) -> None:
    page = await open_page()
    request_id = await page.ask("x", model="slow", max_tokens=20)
    await page.ask("HELLO", request_id)
    frames = await page.frames(request_id)
    refusal = frames.pop() if frames[-1]["type"] == "error" else None
    assert refusal and refusal["error"]["code"] == "duplicate_request" and "seq" not in refusal
    frames += await page.frames(request_id)
    check_numbers(frames)
    assert frames[-1]["finish_reason"] == "length"


async def test_an_unknown_model_is_said_once(open_page: Any) -> None:
    page = await open_page()
    for name in ("nobody", "../scripted", "/etc/passwd"):
        frames = await page.frames(await page.ask("HELLO", model=name))
        assert [frame["type"] for frame in frames] == ["start", "error"]
        assert frames[-1]["error"]["code"] == "model_not_found"


# --- cancel ---------------------------------------------------------------------------------


async def test_cancel_before_the_first_token(open_page: Any) -> None:
    page = await open_page()
    request_id = await page.ask("x", model="slow")
    await page.send({"type": "cancel", "request_id": request_id})
    await page.send({"type": "cancel", "request_id": request_id})
    frames = await page.frames(request_id)
    check_numbers(frames)
    assert frames[-1]["finish_reason"] == "cancelled"
    assert text_of(frames) == ""
    frames = await page.frames(await page.ask("x", model="slow", max_tokens=3))
    assert frames[-1]["finish_reason"] == "length"


async def test_cancel_frees_the_slots(open_page: Any, extension: Any) -> None:
    page = await open_page()
    for _ in range(3):
        ids = [await page.ask("x", model="slow") for _ in range(6)]
        await page.until("delta")
        for request_id in ids:
            await page.send({"type": "cancel", "request_id": request_id})
        ended: set[str] = set()
        while len(ended) < len(ids):
            frame = await page.frame()
            if frame["type"] == "done":
                assert frame["finish_reason"] == "cancelled"
                ended.add(frame["request_id"])
    # Six endless answers of three rounds would hold all four slots for ever.
    frames = await page.frames(await page.ask("x", model="slow", max_tokens=3))
    assert frames[-1]["finish_reason"] == "length"
    host = await extension.running_host()
    deadline = time.monotonic() + 5.0
    while (status := await host.status()).running or status.workers[0].slots_busy:
        assert time.monotonic() < deadline, "a slot is not given back"


async def test_one_page_cancels_what_two_follow(open_page: Any) -> None:
    first, second = await open_page(), await open_page()
    request_id = await first.ask("x", model="slow")
    await first.until("delta")
    await second.send({"type": "resume", "request_id": request_id})
    await second.until("delta")
    await second.send({"type": "cancel", "request_id": request_id})
    for page in (first, second):
        assert (await page.until("done", request_id))["finish_reason"] == "cancelled"


# --- resume ---------------------------------------------------------------------------------


async def cut_and_resume(open_page: Any, n_cuts: int, seed: int) -> None:
    """Lose the connection ``n_cuts`` times, each at a random frame of a new answer."""
    draw = random.Random(seed)
    page = await open_page()
    for _ in range(n_cuts):
        request_id = await page.ask("LONG", max_tokens=80)
        frames: list[dict[str, Any]] = []
        for _ in range(draw.randint(1, 40)):
            frames.append(await page.frame())
            if frames[-1]["type"] == "done":
                break
        page.drop()
        page = await open_page()
        last_seq = frames[-1]["seq"]
        await page.send({"type": "resume", "request_id": request_id, "last_seq": last_seq})
        if frames[-1]["type"] != "done":
            frames += await page.frames(request_id)
        check_numbers(frames)
        assert frames[-1]["finish_reason"] == "length"
        assert REPLIES["LONG"].startswith(text_of(frames))
        assert frames[-1]["usage"]["completion_tokens"] == 80
    whole = await page.frames(await page.ask("LONG", max_tokens=80))
    assert text_of(whole) == text_of(frames)


async def test_50_cuts_lose_and_repeat_nothing(open_page: Any) -> None:
    await cut_and_resume(open_page, 50, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_500_cuts_lose_and_repeat_nothing(open_page: Any) -> None:
    await cut_and_resume(open_page, 500, seed=2)


async def test_many_cuts_of_one_answer(open_page: Any) -> None:
    page = await open_page()
    request_id = await page.ask("x", model="slow", max_tokens=60)
    frames: list[dict[str, Any]] = []
    draw = random.Random(3)
    while not frames or frames[-1]["type"] != "done":
        for _ in range(draw.randint(1, 6)):
            frames.append(await page.frame())
            if frames[-1]["type"] == "done":
                break
        else:
            page.drop()
            page = await open_page()
            last_seq = frames[-1]["seq"]
            await page.send({"type": "resume", "request_id": request_id, "last_seq": last_seq})
    check_numbers(frames)
    assert text_of(frames).startswith("tick0 tick1 tick2 ")


async def test_a_finished_answer_can_be_read_again(open_page: Any) -> None:
    page = await open_page()
    request_id = await page.ask("HELLO")
    frames = await page.frames(request_id)
    again = await open_page()
    await again.send({"type": "resume", "request_id": request_id, "last_seq": 0})
    repeated = await again.frames(request_id)
    check_numbers(repeated)
    assert text_of(repeated) == text_of(frames) and repeated[-1] == frames[-1]
    await again.send(
        {"type": "resume", "request_id": request_id, "last_seq": frames[-1]["seq"] + 1}
    )
    assert (await again.frame())["error"]["param"] == "last_seq"


# --- faults ---------------------------------------------------------------------------------


def workers() -> list[psutil.Process]:
    """Return the workers that this test's server started."""
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if "jupyter_localllm.worker" in child.cmdline()
    ]


async def test_a_killed_worker_is_one_error_and_the_next_question_is_answered(
    open_page: Any,
) -> None:
    page = await open_page()
    for _ in range(3):
        request_id = await page.ask("x", model="slow")
        frames = [await page.until("delta")]
        for worker in workers():
            os.kill(worker.pid, signal.SIGKILL)
        frames += await page.frames(request_id)
        check_numbers(frames, frames[0]["seq"] - 1)
        assert frames[-1]["type"] == "error"
        assert frames[-1]["error"]["code"] == "worker_crashed"
    frames = await page.frames(await page.ask("x", model="slow", max_tokens=3))
    assert frames[-1]["finish_reason"] == "length"


async def test_the_server_stops_in_mid_answer(open_page: Any, extension: Any) -> None:
    page = await open_page()
    request_id = await page.ask("x", model="slow")
    await page.until("delta")
    running = workers()
    assert running and extension.current_activity() == {"answers": 1}
    stop = asyncio.ensure_future(extension.stop_extension())
    frames = await page.frames(request_id)
    assert frames[-1]["error"]["code"] == "server_stopping"
    assert await page.is_closed()
    assert page.connection.close_code == 1001
    await asyncio.wait_for(stop, 20)
    assert extension.current_activity() is None
    assert not [worker for worker in running if worker.is_running()]


class TestUnattended:
    @pytest.fixture
    def server_options(self) -> dict[str, Any]:
        return {"LocalLLMExtension": {"stream_unattended_s": 0.2}}

    async def test_an_answer_without_a_page_ends_after_a_while(
        self, open_page: Any, extension: Any
    ) -> None:
        page: Page = await open_page()
        request_id = await page.ask("x", model="slow")
        await page.until("delta")
        stream = next(iter(extension.streams._streams["local"].values()))
        page.drop()
        await asyncio.wait_for(stream.wait_closed(), 10)
        again = await open_page()
        await again.send({"type": "resume", "request_id": request_id})
        frames = await again.frames(request_id)
        assert frames[-1]["finish_reason"] == "cancelled"


class TestTooMany:
    @pytest.fixture
    def server_options(self) -> dict[str, Any]:
        return {"LocalLLMExtension": {"max_streams_per_user": 2, "separate_logins": True}}

    async def test_more_answers_than_allowed_are_refused(
        self, visitor: Visitor, open_page: Any
    ) -> None:
        page, other = await open_page(), await open_page(headers=await visitor.login_cookie())
        for _ in range(2):
            await page.ask("x", model="slow")
        refused = await page.ask("x", model="slow")
        frame = await page.until("error")
        assert frame["request_id"] == refused and "seq" not in frame
        assert frame["error"]["code"] == "too_many_streams"
        assert text_of(await other.frames(await other.ask("HELLO"))) == REPLIES["HELLO"]
