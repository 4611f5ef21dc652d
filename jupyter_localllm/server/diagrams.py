"""Drawing diagrams for the page, and having the model mend what does not parse.

Sources are read, repaired and drawn by ``assistant.diagrams.renderer``, in a child process; here
they meet Jupyter's identity, and the model where rules do not help. A picture always travels inside
of JSON: an SVG served as a document would run as a page of Jupyter's own origin.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct
from tornado import web

from .. import errors
from ..assistant.diagrams.nouns import DiagramKind, DiagramTheme, DrawRequest
from ..openai_api.requests import decode_request
from ..openai_api.routes import cancelled_on_close, close_events, write_json
from ..protocol import ChatCompletionRequest, CompletionChunk
from .base import LocalLLMHandler, authorized
from .openai import UserBackend

if TYPE_CHECKING:
    from ..assistant.diagrams.nouns import Drawing

_RENDERER = "jupyter_localllm.assistant.diagrams.renderer"

#: Drawings of one user that may wait or be under way (count); a page asks for two at a time.
MAX_PER_USER = 6

#: Attempts of the model at one diagram (count).
MAX_RETRY = 2

#: Tokens of one attempt; a source that needs more is too long to be drawn.
_MAX_TOKENS = 2_048


class RepairRequest(Struct, forbid_unknown_fields=True):
    """The body of ``diagrams/repair``.

    Attributes
    ----------
    source : str
        As the model wrote it; the parser's reason is found here, not taken from the page.
    model : str
        Who mends it; empty means the default model.
    retry : int
        How many times the model may try, 1 or 2.
    """

    source: str
    kind: DiagramKind
    model: str = ""
    theme: DiagramTheme = "neutral"
    retry: Annotated[int, Meta(ge=1, le=MAX_RETRY)] = MAX_RETRY


class DiagramReply(Struct):
    """A drawing as the page gets it; ``png`` is written as base64."""

    kind: DiagramKind
    source: str
    given: str
    theme: DiagramTheme
    svg: str
    png: bytes
    width: float
    height: float
    alt: str
    changes: list[str]
    #: Attempts that the model needed; 0 where it was not asked.
    attempts: int = 0

    @classmethod
    def of(cls, drawing: Drawing, attempts: int = 0) -> DiagramReply:
        return cls(
            kind=drawing.kind,
            source=drawing.source,
            given=drawing.given,
            theme=drawing.theme,
            svg=drawing.svg,
            png=drawing.png,
            width=drawing.width,
            height=drawing.height,
            alt=drawing.alt,
            changes=list(drawing.changes),
            attempts=attempts,
        )


class DrawingPlaces:
    """Keeps one user from filling the line of drawings for all others."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()

    @contextlib.contextmanager
    def place(self, owner: str) -> Iterator[None]:
        """Hold one of the user's places.

        Raises
        ------
        QueueFull
            All of them are taken.
        """
        if self._taken[owner] >= MAX_PER_USER:
            raise errors.QueueFull(
                f"{MAX_PER_USER} diagrams of yours are being drawn already.",
                "Try again in a moment.",
                details={"limit": MAX_PER_USER},
            )
        self._taken[owner] += 1
        try:
            yield
        finally:
            self._taken[owner] -= 1
            if not self._taken[owner]:
                del self._taken[owner]


class _DiagramHandler(LocalLLMHandler):
    async def draw(self, source: str, kind: DiagramKind | None, theme: DiagramTheme) -> Drawing:
        """Draw in the child; nothing of it is imported before the first diagram."""
        with self.extension.drawing_places.place(self.owner):
            # In a thread: others are answered while it is read from the disk.
            renderer = await asyncio.to_thread(importlib.import_module, _RENDERER)
            drawing: Drawing = await renderer.draw(source, kind, theme)
            return drawing


class DiagramHandler(_DiagramHandler):
    """``POST localllm/diagrams``."""

    @web.authenticated
    @authorized("execute")
    async def post(self) -> None:
        """Write the picture of a source, after rules have mended it where they can."""
        await self.answer(self._draw)

    async def _draw(self) -> None:
        request = decode_request(self.request.body, DrawRequest)
        async with cancelled_on_close(self):
            drawing = await self.draw(request.source, request.kind, request.theme)
        write_json(self, DiagramReply.of(drawing))


class RepairHandler(_DiagramHandler):
    """``POST localllm/diagrams/repair``; closing the request cancels the model's answer."""

    @web.authenticated
    @authorized("execute")
    async def post(self) -> None:
        """Have the model mend a source that does not parse, and write the picture."""
        await self.answer(self._repair)

    async def _repair(self) -> None:
        request = decode_request(self.request.body, RepairRequest)
        async with cancelled_on_close(self):
            reply = await self._mended(request)
        write_json(self, reply)

    async def _mended(self, request: RepairRequest) -> DiagramReply:
        source = request.source
        try:
            return DiagramReply.of(await self.draw(source, request.kind, request.theme))
        except errors.DiagramInvalid as error:
            first = error
        latest = first
        for attempt in range(1, request.retry + 1):
            answer = await self._ask_model(request, source, latest)
            try:
                drawing = await self.draw(answer, request.kind, request.theme)
            except errors.DiagramInvalid as error:
                # The next attempt is made on what the model wrote in this one.
                source, latest = answer, error
            except errors.DiagramTooLarge:
                continue
            else:
                return DiagramReply.of(drawing, attempt)
        raise errors.DiagramInvalid(
            first.message,
            "The model could not repair it. Edit the source, or ask again with a larger model.",
            details={**first.details, "attempts": request.retry},
        )

    async def _ask_model(
        self, request: RepairRequest, source: str, error: errors.DiagramInvalid
    ) -> str:
        """Return the diagram in one answer of the model."""
        from ..assistant.diagrams.extract import find_diagram
        from ..assistant.diagrams.repair_turn import repair_request

        limits = ChatCompletionRequest(model=request.model, max_tokens=_MAX_TOKENS, messages=[])
        turn = repair_request(limits, request.kind, source, error)
        events = UserBackend(self.extension, self.owner).stream(turn)
        pieces = []
        try:
            async for event in events:
                if isinstance(event, CompletionChunk):
                    pieces.append(event.text)
        finally:
            await close_events(events)
        return await asyncio.to_thread(find_diagram, "".join(pieces), request.kind)


def diagram_rules() -> list[tuple[str, type[LocalLLMHandler]]]:
    """Return (path below the server's base URL, handler) of these routes."""
    return [
        ("/localllm/diagrams", DiagramHandler),
        ("/localllm/diagrams/repair", RepairHandler),
    ]
