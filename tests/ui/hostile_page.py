"""A page under watch: everything a hostile text could make it do is counted.

The inside of the page is watched by ``hostile_watch.js``; requests, windows, dialogs and
navigation are seen from outside of it.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Dialog, Error, Frame, Page, Request, WebSocket

from .hostile_text import Sink

WATCH = Path(__file__).with_name("hostile_watch.js")

#: What Lab and the chat ask of their own server, by type of resource.
OWN_FILES = re.compile(r"/(static|lab/extensions|lab/api|favicons)/|/(custom|lab/static)")
OWN_API = re.compile(
    r"/(api/(contents|kernels|kernelspecs|sessions|terminals|me|status|events|nbconvert)"
    r"|lab/api|localllm/(status|chats|chat|prompts|context|models|diagrams)|lsp|static|lab/extensions)\b"
)


@dataclass
class WatchedPage:
    """Records what leaves a page from :meth:`start` on."""

    page: Page
    sink: Sink
    #: Scheme, host and port of the one server that may be asked.
    origin: str
    requests: list[str] = field(default_factory=list)
    windows: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    navigations: list[str] = field(default_factory=list)
    is_watching: bool = False

    def __post_init__(self) -> None:
        context = self.page.context
        context.on("request", self._on_request)
        context.on("page", lambda page: self.windows.append(page.url))
        context.on("dialog", self._on_dialog)
        context.on("console", lambda line: self._on_console(line.text))
        self.page.on("websocket", self._on_websocket)
        self.page.on("framenavigated", self._on_navigation)

    @staticmethod
    def prepare(context: BrowserContext) -> None:
        """Put the watch into every page that this context opens."""
        context.add_init_script(path=WATCH)

    def start(self) -> None:
        """Begin: what happened up to now was Lab's own start."""
        self.page.evaluate("() => window.hostileWatch.start()")
        self._n_connections = self.sink.n_connections
        self.sink.requests.clear()
        for kept in (self.requests, self.windows, self.dialogs, self.scripts, self.navigations):
            kept.clear()
        self.is_watching = True

    def _on_request(self, request: Request) -> None:
        if self.is_watching and not self._is_allowed(request):
            self.requests.append(f"{request.resource_type} {request.method} {request.url[:300]}")

    def _is_allowed(self, request: Request) -> bool:
        url, kind = urlsplit(request.url), request.resource_type
        if url.scheme == "data":
            return kind in ("image", "font")
        if not request.url.startswith(f"{self.origin}/"):
            return False
        if kind in ("script", "stylesheet", "font"):
            return OWN_FILES.search(url.path) is not None
        if kind in ("fetch", "xhr"):
            return OWN_API.search(url.path) is not None
        return False

    def _on_websocket(self, socket: WebSocket) -> None:
        url = urlsplit(socket.url)
        is_own = socket.url.startswith(f"{self.origin.replace('http', 'ws', 1)}/")
        if self.is_watching and not (is_own and OWN_API.search(url.path)):
            self.requests.append(f"websocket {socket.url[:300]}")

    def _on_dialog(self, dialog: Dialog) -> None:
        self.dialogs.append(f"{dialog.type}: {dialog.message}")
        # It may have gone with its frame.
        with contextlib.suppress(Error):
            dialog.dismiss()

    def _on_console(self, text: str) -> None:
        if "HOSTILE SCRIPT RAN" in text:
            self.scripts.append(text)

    def _on_navigation(self, frame: Frame) -> None:
        # Lab writes its workspace into the address without leaving the page.
        if self.is_watching and not (frame.parent_frame is None and "/lab" in frame.url):
            self.navigations.append(frame.url)

    def seen(self) -> dict[str, Any]:
        """Return all that must not have happened, by its kind; empty where nothing did."""
        inside = self.page.evaluate(
            "() => ({...window.hostileWatch, pwned: window.__pwned ?? null})"
        )
        found = {
            "scripts": self.scripts + ([inside["pwned"]] if inside["pwned"] else []),
            "dialogs": self.dialogs,
            "requests": self.requests,
            "sink": self.sink.requests,
            "connections": self.sink.n_connections - self._n_connections,
            "windows": self.windows,
            "navigations": self.navigations,
            "reloaded": not inside["isStarted"],
            "frames": len(self.page.frames) - 1,
            "commands": inside["commands"],
            "markup": inside["violations"],
        }
        return {name: value for name, value in found.items() if value}

    def assert_quiet(self) -> None:
        """Fail with what was seen, if anything was; the first few of each kind."""
        lines = [
            f"{name}: {len(value)}, {value[:4]}" if isinstance(value, list) else f"{name}: {value}"
            for name, value in self.seen().items()
        ]
        assert not lines, "the hostile text had an effect:\n" + "\n".join(lines)

    @property
    def n_elements(self) -> int:
        """Elements of the chat that were looked at."""
        return int(self.page.evaluate("() => window.hostileWatch.nElements"))
