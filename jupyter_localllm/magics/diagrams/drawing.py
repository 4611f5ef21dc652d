"""Drawing from synchronous code: at once, or beside an answer that streams.

The renderer is asynchronous and works in a child process; the one bridge stands between. Called
by everything of the magics that shows a diagram.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import time
from collections.abc import Callable

from ...assistant.diagrams.nouns import DiagramKind, DiagramTheme
from ...client import bridge
from ...errors import LocalLLMError
from ..output.answer_display import PATIENCE_S
from .value import Diagram

#: Windows does not wake a waiting lock for Ctrl-C.
_STEP_S = 0.1


def draw(
    source: str,
    kind: DiagramKind,
    theme: DiagramTheme = "neutral",
    *,
    on_wait: Callable[[], None] | None = None,
) -> Diagram:
    """Draw a source and wait for it.

    Parameters
    ----------
    on_wait : callable, optional
        Called once where it takes so long that its person should be told.

    Raises
    ------
    DiagramInvalid, DiagramTooLarge, DiagramsUnavailable
        As ``renderer.draw``.
    KeyboardInterrupt
        The wait was interrupted; the drawing has been ended.
    """
    pending = PendingDrawing(source, kind, theme)
    since = time.monotonic()
    try:
        while not pending.wait(_STEP_S):
            if on_wait is not None and time.monotonic() - since > PATIENCE_S:
                on_wait()
                on_wait = None
    except BaseException:
        pending.cancel()
        raise
    outcome = pending.outcome
    if isinstance(outcome, LocalLLMError):
        raise outcome
    return outcome


class PendingDrawing:
    """A drawing under way on the bridge's loop, which is asked now and then.

    Parameters
    ----------
    source, kind, theme : str
        As for :func:`draw`.
    """

    def __init__(self, source: str, kind: DiagramKind, theme: DiagramTheme) -> None:
        self._outcome: concurrent.futures.Future[Diagram | LocalLLMError] = (
            concurrent.futures.Future()
        )
        self._task: asyncio.Task[None] | None = None
        bridge.run(self._begin(source, kind, theme))

    @property
    def is_done(self) -> bool:
        """Whether :attr:`outcome` is there."""
        return self._outcome.done()

    @property
    def outcome(self) -> Diagram | LocalLLMError:
        """The diagram, or why there is none; waits for it."""
        return self._outcome.result()

    def wait(self, timeout_s: float) -> bool:
        """Wait a little; return whether it is done."""
        concurrent.futures.wait([self._outcome], timeout_s)
        return self.is_done

    def cancel(self) -> None:
        """End the drawing; harmless once it is done."""
        if self._task is not None and not self.is_done:
            self._task.get_loop().call_soon_threadsafe(self._task.cancel)

    async def _begin(self, source: str, kind: DiagramKind, theme: DiagramTheme) -> None:
        self._task = asyncio.get_running_loop().create_task(self._draw(source, kind, theme))

    async def _draw(self, source: str, kind: DiagramKind, theme: DiagramTheme) -> None:
        try:
            self._outcome.set_result(await _drawn(source, kind, theme))
        except LocalLLMError as error:
            self._outcome.set_result(error)
        except BaseException as error:
            self._outcome.set_exception(error)
            raise


async def _drawn(source: str, kind: DiagramKind, theme: DiagramTheme) -> Diagram:
    from ...assistant.diagrams.renderer import draw as drawn

    return Diagram(await drawn(source, kind, theme))
