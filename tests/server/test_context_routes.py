"""What a page may attach: files of the server's folder only, as text, bounded; tokens counted."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.auth.authorizer import Authorizer
from jupyter_server.services.contents.manager import AsyncContentsManager

from jupyter_localllm import errors
from jupyter_localllm.server import root_files
from jupyter_localllm.server.file_text import MAX_CHARS, file_item

from .conversation import ask_json
from .page import Visitor

NOTEBOOK = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {"language_info": {"name": "python"}},
    "cells": [
        {"cell_type": "markdown", "source": ["# Title\n", "text"], "metadata": {}},
        {
            "cell_type": "code",
            "source": "print(1)\n2",
            "metadata": {},
            "execution_count": 1,
            "outputs": [
                {"output_type": "stream", "name": "stdout", "text": ["1\n"]},
                {
                    "output_type": "execute_result",
                    "data": {"text/plain": "2", "text/html": "<b>2</b>", "image/png": "AAAA"},
                },
                {"output_type": "error", "ename": "E", "evalue": "no", "traceback": ["long"]},
                {"output_type": "display_data", "data": {"image/png": "AAAA"}},
            ],
        },
    ],
}
NOTEBOOK_TEXT = (
    "Cell 1 (Markdown):\n# Title\ntext\n\n"
    "Cell 2 (code):\n```python\nprint(1)\n2\n```\n\n"
    "Output of cell 2:\n```\n1\n```\n\n"
    "Output of cell 2:\n```\n2\n```\n\n"
    "Output of cell 2:\n```\nE: no\n```"
)


@pytest.fixture
def root(jp_root_dir: Path) -> Path:
    """The server's folder, with a secret beside it and links of every kind."""
    (jp_root_dir / "a").mkdir()
    (jp_root_dir / "a" / "notes.py").write_text("x = 1\n")
    (jp_root_dir / "inside.py").symlink_to(jp_root_dir / "a" / "notes.py")
    (jp_root_dir / ".hidden").write_text("secret")
    (jp_root_dir / ".folder").mkdir()
    (jp_root_dir / ".folder" / "x.txt").write_text("secret")
    sibling = jp_root_dir.with_name(jp_root_dir.name + "-sibling")
    sibling.mkdir()
    (sibling / "secret.txt").write_text("secret")
    (jp_root_dir / "out.txt").symlink_to(sibling / "secret.txt")
    (jp_root_dir / "out").symlink_to(sibling, target_is_directory=True)
    (jp_root_dir / "passwd").symlink_to("/etc/passwd")
    (jp_root_dir / "zero").symlink_to("/dev/zero")
    (jp_root_dir / "to-hidden.txt").symlink_to(jp_root_dir / ".hidden")
    (jp_root_dir / "loop").symlink_to(jp_root_dir / "loop")
    os.mkfifo(jp_root_dir / "pipe")
    return jp_root_dir


async def attach(visitor: Visitor, path: str) -> tuple[int, dict[str, Any]]:
    reply = await visitor.fetch("localllm/context/file", "POST", body={"path": path})
    return reply.code, json.loads(reply.body)


async def test_a_file_becomes_an_attachment(visitor: Visitor, root: Path) -> None:
    for path in ("a/notes.py", "/a/notes.py", "a/notes.py/"):
        item = await ask_json(visitor, "context/file", {"path": path})
        assert item == {
            "kind": "file",
            "label": "",
            "text": "x = 1\n",
            "source": "a/notes.py",
            "language": "python",
        }
    assert (await attach(visitor, "inside.py"))[1]["text"] == "x = 1\n"


#: Nothing of these is read; they look as if they were not there.
NOT_THERE = [
    "nothing.txt",
    "",
    "/",
    ".",
    "..",
    "../etc/passwd",
    "a/../../x",
    "a/..",
    "a/./notes.py",
    "a//notes.py",
    "a/../a/notes.py",
    "../" * 12 + "etc/passwd",
    "/etc/passwd",
    "//etc/passwd",
    "file:///etc/passwd",
    "\\\\server\\share",
    "..\\..\\windows",
    "C:\\windows\\win.ini",
    "a/notes.py\0.txt",
    "\0",
    "%2e%2e/%2e%2e/etc/passwd",
    "..%2fetc%2fpasswd",
    "~/x",
    "~root",
    "x" * 5000,
    "a/" * 900 + "x",
    ".hidden",
    ".folder/x.txt",
    ".folder",
    "out.txt",
    "out/secret.txt",
    "passwd",
    "zero",
    "to-hidden.txt",
    "loop",
    "SIBLING/secret.txt",
]


async def test_nothing_outside_and_nothing_hidden_is_read(visitor: Visitor, root: Path) -> None:
    begin = time.monotonic()
    for path in NOT_THERE:
        path = path.replace("SIBLING", f"../{root.name}-sibling")
        code, reply = await attach(visitor, path)
        assert code == 404, path
        error = reply["error"]
        assert (error["code"], error["param"]) == ("file_not_found", "path"), path
        assert "secret" not in error["message"].replace(ascii(path[-100:]), "") and error["hint"]
    assert time.monotonic() - begin < 10


async def test_hidden_files_stay_hidden_where_the_browser_shows_them(
    visitor: Visitor, root: Path, jp_serverapp: Any
) -> None:
    jp_serverapp.contents_manager.allow_hidden = True
    for path in (".hidden", ".folder/x.txt", "to-hidden.txt"):
        assert (await attach(visitor, path))[0] == 404


@pytest.mark.parametrize("path", ["a", "pipe", "binary.bin", "latin.txt", "broken.ipynb"])
async def test_what_is_no_text_is_refused_and_said(visitor: Visitor, root: Path, path: str) -> None:
    (root / "binary.bin").write_bytes(b"\x7fELF\0\1")
    (root / "latin.txt").write_bytes("Grüße".encode("latin-1"))
    (root / "broken.ipynb").write_text('{"worksheets": []}')
    code, reply = await attach(visitor, path)
    error = reply["error"]
    assert (code, error["code"], error["param"]) == (400, "file_not_text", "path")
    assert error["hint"] and error["message"].endswith(".")


async def test_a_file_that_may_not_be_read_is_said(
    visitor: Visitor, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> int:
        raise PermissionError("no")

    # The tests may run as root, who may read everything.
    monkeypatch.setattr(root_files, "_open_below", refuse)
    code, reply = await attach(visitor, "a/notes.py")
    assert (code, reply["error"]["code"]) == (400, "file_not_text")
    assert "not allowed" in reply["error"]["message"]


async def test_a_file_that_is_too_large_is_not_read(visitor: Visitor, root: Path) -> None:
    with (root / "big.txt").open("wb") as file:
        file.truncate(root_files.MAX_FILE_BYTES + 1)
    code, reply = await attach(visitor, "big.txt")
    assert (code, reply["error"]["code"]) == (413, "file_too_large")


def test_a_folder_swapped_for_a_link_is_not_followed(root: Path) -> None:
    (root / "a").rename(root / "b")
    (root / "a").symlink_to(root.with_name(root.name + "-sibling"), target_is_directory=True)
    (root / "b" / "link").symlink_to("/etc/passwd")
    for relative in ("a/secret.txt", "b/link"):
        with pytest.raises(OSError, match=r"ymbolic|irectory"):
            os.close(root_files._open_below(root, Path(relative)))
    os.close(root_files._open_below(root, Path("b/notes.py")))


class NoFiles(Authorizer):
    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return (action, resource) != ("read", "contents")


async def test_who_may_not_read_files_may_not_attach_them(
    visitor: Visitor, root: Path, jp_serverapp: Any
) -> None:
    jp_serverapp.web_app.settings["authorizer"] = NoFiles(parent=jp_serverapp)
    code, reply = await attach(visitor, "a/notes.py")
    assert (code, reply["error"]["code"]) == (403, "forbidden")


class RemoteFiles(AsyncContentsManager):
    """Files that lie on no disk of this machine."""

    async def is_hidden(self, path: str) -> bool:
        return False

    async def get(
        self, path: str, content: bool = True, type: Any = None, format: Any = None
    ) -> Any:
        return {
            "type": "file",
            "size": 5,
            "format": "base64" if content else None,
            "content": "aGVsbG8=" if content else None,
        }


class TestRemoteFiles:
    @pytest.fixture
    def server_options(self) -> dict[str, Any]:
        return {"ServerApp": {"contents_manager_class": RemoteFiles}}

    async def test_files_of_another_contents_manager_are_read_through_it(
        self, visitor: Visitor
    ) -> None:
        assert (await attach(visitor, "x.md"))[1]["text"] == "hello"


# --- text -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le BOM", "utf-16-be BOM"]
)
def test_text_is_decoded_by_its_mark(encoding: str) -> None:
    name, _, mark = encoding.partition(" ")
    content = ("\ufeff" if mark else "") + "Grüße 日本\r\nzwei\rdrei"
    assert file_item("a.txt", content.encode(name)).text == "Grüße 日本\nzwei\ndrei"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"Gr\xfc\xdfe", "byte 0xfc at position 2"),
        (b"abc\0def", "binary"),
        (b"\xff\xfe\0", "not text, or is damaged"),
        (b"\x89PNG\0\xff", "not text, or is damaged"),
    ],
)
def test_what_is_wrong_with_a_text_is_named(content: bytes, reason: str) -> None:
    with pytest.raises(errors.RequestError) as caught:
        file_item("a/b.txt", content)
    assert caught.value.error_code == "file_not_text" and reason in caught.value.message


def test_a_long_text_is_shortened_and_says_so() -> None:
    item = file_item("a.txt", "ü".encode() * (MAX_CHARS + 1))
    assert len(item.text) == MAX_CHARS and item.is_truncated
    assert not file_item("a.txt", b"x" * MAX_CHARS).is_truncated


def test_a_notebook_is_written_out() -> None:
    item = file_item("a.ipynb", json.dumps(NOTEBOOK).encode())
    assert item.text == NOTEBOOK_TEXT and not item.is_truncated


def test_a_huge_notebook_is_shortened() -> None:
    output = {"output_type": "stream", "text": "x" * 50_000_00}
    cell = {"cell_type": "code", "source": "y" * 10, "outputs": [output] * 2}
    many = {"cells": [cell] * 3 + [{"cell_type": "markdown", "source": "```` z"}] * 20_000}
    item = file_item("a.ipynb", json.dumps(many).encode())
    assert len(item.text) <= MAX_CHARS + 10 and item.is_truncated
    assert "x" * 1000 + "…" in item.text and "x" * 1001 not in item.text


# --- counting -------------------------------------------------------------------------------


async def test_tokens_are_counted_by_the_model(visitor: Visitor) -> None:
    texts = ["HELLO", "", "x = 1"]
    counted = await ask_json(visitor, "context/count", {"texts": texts})
    for text, n_tokens in zip(texts, counted["tokens"], strict=True):
        tokens = (await ask_json(visitor, "tokenize", {"content": text}))["tokens"]
        assert len(tokens) == n_tokens
    again = await ask_json(visitor, "context/count", {"texts": texts, "model": "scripted"})
    assert again == counted


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [
        ({"texts": ["x"], "model": "nobody"}, "model_not_found", 404),
        ({"texts": ["x"] * 65}, "invalid_parameter", 400),
        ({"texts": "x"}, "invalid_parameter", 400),
        ({}, "invalid_parameter", 400),
    ],
)
async def test_bad_counts_are_refused(visitor: Visitor, body: Any, code: str, status: int) -> None:
    error = (await ask_json(visitor, "context/count", body, status=status))["error"]
    assert error["code"] == code
