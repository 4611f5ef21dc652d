"""Hostile texts and the server that hears them: what the chat's security tests are made of.

The texts lie in ``tests/data/hostile``, one payload an entry. A script among them assigns
``window.__pwned``; an address among them is ``evil.example`` or ``SINK``, which becomes the
address of a server on loopback. No browser here; that is ``hostile_page``.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from jupyter_localllm.chat_protocol import Chat, ContextItem, MessageRecord

FOLDER = Path(__file__).parents[1] / "data" / "hostile"

#: Text before each payload of a joined reply, as a paragraph of its own.
SIGN = "**{}**"


@dataclass(frozen=True)
class HostileText:
    """One payload; ``is_open`` where it begins what swallows all text after it, as a fence does."""

    text_id: str
    kind: str
    text: str
    is_open: bool


def hostile_texts(sink: str, *kinds: str) -> list[HostileText]:
    """Return the payloads of these kinds (of all without any, but for ``injection``).

    Parameters
    ----------
    sink : str
        Host and port that stand for ``SINK``.
    """
    found: list[HostileText] = []
    for path in sorted(FOLDER.glob("*.json")):
        for row in json.loads(path.read_text(encoding="utf-8")):
            if row["kind"] in kinds or (not kinds and row["kind"] != "injection"):
                text = row["text"].replace("SINK", sink)
                found.append(HostileText(row["id"], row["kind"], text, row.get("open", False)))
    return found


def joined_replies(texts: Sequence[HostileText], count: int) -> list[str]:
    """Join payloads to about ``count`` replies, each payload below its id.

    What is open comes last in its reply, and one of them ends it.
    """
    closed = [text for text in texts if not text.is_open]
    opened = [text for text in texts if text.is_open]
    groups: list[list[HostileText]] = [closed[start::count] for start in range(count)]
    for index, text in enumerate(opened):
        groups[index].append(text) if index < count else groups.append([text])
    return [
        "\n\n".join(f"{SIGN.format(text.text_id)}\n\n{text.text}" for text in group)
        for group in groups
    ]


def every_prefix(text: str) -> list[str]:
    """Return all that a reader may see of a text that is being written."""
    return [text[:end] for end in range(1, len(text) + 1)]


@dataclass(frozen=True)
class Turn:
    """A question and its answer; the rest are more fields of their records."""

    question: str
    answer: str
    context: tuple[ContextItem, ...] = ()
    fields: dict[str, Any] = field(default_factory=dict)


def make_chat(title: str, turns: Sequence[Turn], *, system_prompt: str = "") -> Chat:
    """Return a chat of these turns, one after the other."""
    messages: list[MessageRecord] = []
    for at, turn in enumerate(turns):
        above = messages[-1].message_id if messages else None
        asked = MessageRecord(f"q{at}", "user", turn.question, at, above)
        asked.context = list(turn.context)
        values = {"model": "scripted", **turn.fields}
        answered = MessageRecord(f"a{at}", "assistant", turn.answer, at, f"q{at}", **values)
        messages += [asked, answered]
    last = messages[-1].message_id
    return Chat("hostile", title, 0, 0, "", system_prompt, last, messages)


class _Handler(BaseHTTPRequestHandler):
    """Answers everything, so that whatever asks goes on to do what it came for."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        sink = self.server
        assert isinstance(sink, Sink)
        sink.requests.append(f"{self.command} {self.path}")
        is_script = re.search(r"\.js\b", self.path) is not None
        body = b"window.__pwned=1" if is_script else b""
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript" if is_script else "text/plain")
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_HEAD = do_OPTIONS = do_PUT = _answer

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class Sink(ThreadingHTTPServer):
    """A server on a port of its own that counts who connects, and keeps what is asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.n_connections = 0
        self.requests: list[str] = []

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.server_address[1]}"

    def get_request(self) -> tuple[Any, Any]:
        self.n_connections += 1
        return super().get_request()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A page that goes away in the middle is none of our concern."""

    def __enter__(self) -> Sink:
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()
