"""The routes of kept chats, who may see them, and histories that fail."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.model_fixtures import REPLIES

from .conversation import Conversation, ask_json, state_of
from .identities import NAMED_PEOPLE
from .page import Visitor
from .test_access import HTTP_ROUTES


async def test_chats_are_made_changed_deleted_and_brought_back(
    visitor: Visitor, open_page: Any
) -> None:
    page = await open_page()
    new = {"chat_id": "c1", "title": "First", "model": "scripted", "system_prompt": "Be brief."}
    summary = await ask_json(visitor, "chats", new)
    assert (summary["chat_id"], summary["title"], summary["model"]) == ("c1", "First", "scripted")
    frame = await page.until("chat")
    assert (frame["chat_id"], frame["change"], frame["summary"]) == ("c1", "created", summary)
    # Sent twice, made once; what it was made with stays.
    again = await ask_json(visitor, "chats", {**new, "title": "Other"})
    assert again["title"] == "First"
    changed = await ask_json(visitor, "chats/c1", {"title": "Renamed", "system_prompt": ""})
    assert changed["title"] == "Renamed"
    while (frame := await page.until("chat"))["change"] == "created":
        pass
    assert (frame["change"], frame["summary"]["title"]) == ("changed", "Renamed")
    whole = await ask_json(visitor, "chats/c1")
    assert whole["model"] == "scripted" and "system_prompt" not in whole
    deleted = await ask_json(visitor, "chats/c1/delete", "")
    assert deleted["chat_id"] == "c1" and (await page.until("chat"))["change"] == "deleted"
    error = (await ask_json(visitor, "chats/c1", status=404))["error"]
    assert error["code"] == "chat_not_found" and error["hint"]
    assert (await ask_json(visitor, "chats"))["chats"] == []
    restored = await ask_json(visitor, "chats/c1/restore", {})
    assert restored["title"] == "Renamed" and (await page.until("chat"))["change"] == "restored"
    assert [c["chat_id"] for c in (await ask_json(visitor, "chats"))["chats"]] == ["c1"]


async def test_chats_are_searched(open_chat: Any, visitor: Visitor) -> None:
    chats = [await open_chat() for _ in range(2)]
    for chat, word in zip(chats, ("HELLO", "EMOJI"), strict=True):
        await chat.ask(word)
    found = (await ask_json(visitor, "chats", query="scripted model"))["chats"]
    assert [chat["chat_id"] for chat in found] == [chats[0].chat_id]
    assert "scripted" in found[0]["snippet"]
    error = (await ask_json(visitor, "chats", query="x" * 201, status=400))["error"]
    assert (error["code"], error["param"]) == ("invalid_parameter", "query")


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("chats", {"chat_id": "a b"}, "invalid_parameter"),
        ("chats", {"title": "x"}, "invalid_parameter"),
        ("chats", {"chat_id": "c", "colour": 1}, "unknown_parameter"),
        ("chats/c", {"title": ""}, "invalid_parameter"),
        ("chats/c", {"current_id": "nobodys"}, "message_not_found"),
        ("chats/c/delete", {"force": True}, "unknown_parameter"),
        ("chats/import", {"format": "other"}, "invalid_chat_file"),
        ("chats/import", b"\xff\xfe", "invalid_text"),
        ("chats/nobodys/restore", {}, "chat_not_found"),
    ],
)
async def test_bad_requests_are_refused(visitor: Visitor, path: str, body: Any, code: str) -> None:
    await ask_json(visitor, "chats", {"chat_id": "c"})
    reply = await visitor.fetch(f"localllm/{path}", "POST", body=body)
    error = json.loads(reply.body)["error"]
    assert error["code"] == code and error["hint"] and reply.code in (400, 404)


async def test_a_chat_is_exported_and_imported(open_chat: Any, visitor: Visitor) -> None:
    chat: Conversation = await open_chat()
    await chat.ask("CODE")
    kinds = {"md": "text/markdown", "ipynb": "application/x-ipynb+json", "chat": "application/json"}
    texts = {}
    for name, kind in kinds.items():
        reply = await visitor.fetch(f"localllm/chats/{chat.chat_id}/export", query={"format": name})
        assert reply.code == 200 and reply.headers["Content-Type"].startswith(kind)
        assert reply.headers["Content-Disposition"] == f'attachment; filename="chat.{name}"'
        texts[name] = reply.body.decode()
    assert REPLIES["CODE"] in texts["md"]
    cells = json.loads(texts["ipynb"])["cells"]
    assert "code" in [cell["cell_type"] for cell in cells]
    summary = await ask_json(visitor, "chats/import", texts["chat"])
    assert summary["chat_id"] != chat.chat_id and summary["n_messages"] == 2
    copy = await ask_json(visitor, f"chats/{summary['chat_id']}")
    assert [m["content"] for m in copy["messages"]] == ["CODE", REPLIES["CODE"]]
    assert not {m["message_id"] for m in copy["messages"]} & set(await chat.messages())
    path = f"chats/{chat.chat_id}/export"
    assert (await ask_json(visitor, path, format="pdf", status=400))["error"]["param"] == "format"


async def test_only_an_import_may_be_long(visitor: Visitor) -> None:
    long = json.dumps({"format": "x", "chat": "y" * (2 << 20)})
    codes = {}
    for path in ("chats/import", "chats"):
        reply = await visitor.fetch(f"localllm/{path}", "POST", body=long)
        codes[path] = json.loads(reply.body)["error"]["code"]
    assert codes == {"chats/import": "invalid_chat_file", "chats": "request_too_large"}
    reply = await visitor.fetch("localllm/chats/import", "POST", body=b"x" * (17 << 20))
    assert reply.code == 413


async def test_prompts_are_listed(visitor: Visitor) -> None:
    prompts = (await ask_json(visitor, "prompts"))["prompts"]
    assert {"explain", "fix", "generate"} <= {prompt["name"] for prompt in prompts}
    assert all(p["title"] and p["caption"] and p["text"] for p in prompts)


async def test_a_deleted_chat_stops_its_answer_and_has_it_when_it_is_back(
    open_chat: Any, visitor: Visitor
) -> None:
    chat: Conversation = await open_chat()
    frame = await chat.send("x", model="slow")
    await chat.page.until("delta")
    await ask_json(visitor, f"chats/{chat.chat_id}/delete", {})
    final = await chat.final(frame["request_id"])
    assert final["state"] == "stopped" and final["content"].startswith("tick0")
    await ask_json(visitor, f"chats/{chat.chat_id}/restore", {})
    assert (await chat.messages())[frame["request_id"]] == final


class TestPeople:
    @pytest.fixture
    def server_options(self) -> dict[str, Any]:
        return NAMED_PEOPLE

    async def test_nobody_sees_or_changes_somebody_elses_chat(
        self, open_chat: Any, visitor: Visitor, open_page: Any
    ) -> None:
        ada, grace = {"X-Person": "ada"}, {"X-Person": "grace"}
        chat: Conversation = await open_chat(headers=ada)
        kept = await chat.ask("HELLO")
        frame = await chat.send("x", kept["message_id"], model="slow", max_tokens=60)
        await chat.page.until("delta")
        before = (await chat.get())["messages"][:2]
        other = await open_page(headers={**visitor.token_header, **grace})
        routes = [route for route in HTTP_ROUTES if "nobodys-id" in route[0]]
        assert len(routes) == 5
        for path, verb in routes:
            path = path.removeprefix("localllm/").replace("nobodys-id", chat.chat_id)
            body = {} if verb == "POST" else None
            error = await ask_json(visitor, path, body, headers=grace, status=404)
            assert error["error"]["code"] == "chat_not_found"
        taken = await ask_json(
            visitor, "chats", {"chat_id": chat.chat_id}, headers=grace, status=404
        )
        assert taken["error"]["code"] == "chat_not_found"
        assert (await ask_json(visitor, "chats", headers=grace))["chats"] == []
        theirs = Conversation(visitor, other, chat.chat_id, grace)
        for content, parent_id in (("HELLO", None), ("HELLO", kept["message_id"]), (None, "q")):
            await theirs.send(content, parent_id)
            assert (await other.frame())["error"]["code"] == "chat_not_found"
        for kind in ("resume", "cancel"):
            await other.send({"type": kind, "request_id": frame["request_id"]})
            assert (await other.frame())["error"]["code"] == "stream_not_found"
        final = await chat.final(frame["request_id"])
        assert final["finish_reason"] == "length"
        assert (await chat.get())["messages"][:2] == before
        # Nothing of it all was told to the other one's page.
        assert await other.ask("HELLO") and (await other.frame())["type"] == "start"


def is_there(path: Path) -> bool:
    return path.exists()


class TestMemory:
    @pytest.fixture
    def server_options(self) -> dict[str, Any]:
        return {"LocalLLMExtension": {"keep_history": False}}

    async def test_chats_that_are_not_kept_are_gone_when_the_server_stops(
        self, open_chat: Any, visitor: Visitor, extension: Any
    ) -> None:
        chat: Conversation = await open_chat()
        assert (await chat.ask("HELLO"))["content"] == REPLIES["HELLO"]
        listed = await ask_json(visitor, "chats")
        assert [notice["code"] for notice in listed["notices"]] == ["history_not_kept"]
        assert len(listed["chats"]) == 1
        path: Path = await extension.chats.kept._thread.run(lambda history: history.path)
        assert is_there(path) and not is_there(extension._history_path())
        await extension.stop_extension()
        assert not is_there(path.parent)


# --- histories that fail --------------------------------------------------------------------


FILLER = """
INSERT OR IGNORE INTO chats (chat_id, owner, title, created_ms, updated_ms, position, model,
    system_prompt) VALUES ('filler', 'nobody', '', 0, 0, 0, '', '');
INSERT INTO messages (chat_row, message_id, role, state, content, created_ms, details, touched_ms)
    SELECT row, 'filler-' || hex(randomblob(8)), 'user', 'complete', '', 0, '{}', 0
    FROM chats WHERE chat_id = 'filler';
"""


@pytest.fixture
def full_disk(extension: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``await full_disk(True)``: SQLite gets no page more, as on a full disk."""
    kept = extension.chats.kept
    monkeypatch.setattr(kept, "_retry_s", 0.05)

    async def fill(is_full: bool) -> None:
        def limit(history: Any) -> None:
            history.open()
            connection = history._file._connection
            (n_pages,) = connection.execute("PRAGMA page_count").fetchone()
            most = n_pages if is_full else 1 << 30
            connection.execute(f"PRAGMA max_page_count = {most}")
            while is_full:
                # Until the last pages have no room for another row.
                try:
                    connection.executescript(FILLER)
                except sqlite3.OperationalError as error:
                    assert "full" in str(error)
                    connection.rollback()
                    return

        await kept._thread.run(limit)

    return fill


async def test_a_full_disk_costs_no_answer_and_all_is_saved_later(
    open_chat: Any, visitor: Visitor, full_disk: Any, extension: Any
) -> None:
    chat: Conversation = await open_chat()
    first = await chat.ask("HELLO")
    await full_disk(True)
    frame = await chat.send("EMOJI", first["message_id"])
    notice = await chat.page.until("notice")
    assert notice["code"] == "history_not_saved" and "full" in notice["message"] and notice["hint"]
    frames = await chat.page.frames(frame["request_id"])
    assert frames[-1]["finish_reason"] == "stop"
    # Shown as if it were kept, and the next question builds on it.
    shown = await chat.messages()
    assert shown[frame["request_id"]]["content"] == REPLIES["EMOJI"]
    second = await chat.send("CODE", frame["request_id"])
    await chat.page.frames(second["request_id"])
    listed = await ask_json(visitor, "chats")
    assert [notice["code"] for notice in listed["notices"]] == ["history_not_saved"]
    # A new chat too.
    await ask_json(visitor, "chats", {"chat_id": "late"})
    late = Conversation(visitor, chat.page, "late")
    third = await late.send("HELLO")
    await chat.page.frames(third["request_id"])
    assert "late" in [c["chat_id"] for c in (await ask_json(visitor, "chats"))["chats"]]
    assert len(await late.messages()) == 2

    await full_disk(False)
    told = []
    while (frame := await chat.page.frame())["type"] != "notice":
        if frame["type"] == "message":
            told.append((frame["message"]["message_id"], state_of(frame["message"])))
    assert frame["code"] == "history_saved"
    ids = [second["message"]["message_id"], second["request_id"]]
    assert [each for each in told if each[0] in ids] == [
        (ids[0], "complete"),
        (ids[1], "writing"),
        (ids[1], "complete"),
    ]
    kept = extension.chats.kept
    assert not kept._unsaved and not kept.notices()
    assert len(await chat.messages()) == 6 and len(await late.messages()) == 2


async def test_a_notice_comes_once_however_often_saving_fails(
    open_chat: Any, full_disk: Any, extension: Any
) -> None:
    chat: Conversation = await open_chat()
    await full_disk(True)
    codes = []
    for _ in range(3):
        frame = await chat.send("HELLO")
        while (told := await chat.page.frame())["type"] != "done":
            codes += [told["code"]] if told["type"] == "notice" else []
        assert told["request_id"] == frame["request_id"]
    assert codes == ["history_not_saved"]


class TestDamaged:
    @pytest.fixture
    def server_options(self, tmp_path: Path) -> dict[str, Any]:
        path = tmp_path / "history" / "chats.sqlite3"
        path.parent.mkdir()
        path.write_bytes(b"SQLite format 3\0" + os.urandom(8000))
        return {"LocalLLMExtension": {"history_file": str(path)}}

    async def test_a_damaged_history_is_set_aside_and_the_pages_are_told(
        self, visitor: Visitor, open_page: Any, tmp_path: Path
    ) -> None:
        page = await open_page()
        listed = await ask_json(visitor, "chats")
        assert listed["chats"] == []
        assert [notice["code"] for notice in listed["notices"]] == ["history_damaged"]
        notice = await page.until("notice")
        assert notice["code"] == "history_damaged" and notice["hint"]
        assert len(list((tmp_path / "history").glob("*damaged*"))) == 1


class TestUnusable:
    @pytest.fixture
    def server_options(self, tmp_path: Path) -> dict[str, Any]:
        (tmp_path / "file").write_text("not a folder")
        return {"LocalLLMExtension": {"history_file": str(tmp_path / "file" / "chats.sqlite3")}}

    async def test_without_any_history_questions_are_answered(
        self, visitor: Visitor, open_page: Any
    ) -> None:
        page = await open_page()
        error = (await ask_json(visitor, "chats", status=503))["error"]
        assert error["code"] == "history_not_saved"
        await ask_json(visitor, "chats", {"chat_id": "c"})
        chat = Conversation(visitor, page, "c")
        frame = await chat.send("HELLO")
        assert (await page.until("notice"))["code"] == "history_not_saved"
        await page.frames(frame["request_id"])
        follow_up = await chat.send("EMOJI", frame["request_id"])
        assert (await page.frames(follow_up["request_id"]))[-1]["finish_reason"] == "stop"
        assert len(await chat.messages()) == 4


async def test_stopping_keeps_the_part_of_an_answer(open_chat: Any, extension: Any) -> None:
    chat: Conversation = await open_chat()
    frame = await chat.send("x", model="slow")
    await chat.page.until("delta")
    path = extension._history_path()
    stop = asyncio.ensure_future(extension.stop_extension())
    final = await chat.final(frame["request_id"])
    assert final["state"] == "interrupted" and final["content"].startswith("tick0")
    assert final["error"]["code"] == "server_stopping"
    await asyncio.wait_for(stop, 20)
    from jupyter_localllm.assistant.history import ChatHistory

    history = ChatHistory(path)
    kept = history.get_chat("local", chat.chat_id)
    history.close()
    assert kept.messages[-1].content == final["content"]
    assert kept.messages[-1].state.value == "interrupted"
