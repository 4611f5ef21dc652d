"""The one bridge from synchronous code (magics) to the asynchronous client.

A daemon thread runs an event loop; :func:`run` waits for one coroutine, :func:`iterate` pulls an
async iterator item by item. Pulling is what bounds it: nothing is read ahead of the consumer, so
a slow one is felt by the sender, which merges. Standard library only.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextlib
import os
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Generator
from typing import Any, Generic, TypeVar

ItemType = TypeVar("ItemType")

#: How long an interrupted consumer waits for its request to be closed.
CLOSE_TIMEOUT_S = 1.0
#: Windows does not wake a waiting lock for Ctrl-C, so there the wait is cut into pieces.
_WAIT_STEP_S = 0.1 if os.name == "nt" else None


class Bridge:
    """An event loop on a daemon thread, started on first use."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        """Whether the loop's thread lives."""
        return self._thread is not None and self._thread.is_alive()

    def run(
        self, coroutine: Coroutine[Any, Any, ItemType], timeout_s: float | None = None
    ) -> ItemType:
        """Run ``coroutine`` on the loop and return its result.

        Raises
        ------
        TimeoutError
            It took longer than ``timeout_s``; it has been cancelled.
        KeyboardInterrupt
            The wait was interrupted; it has been cancelled.
        """
        loop, call = self._started(), _Call(coroutine)
        try:
            return _wait(asyncio.run_coroutine_threadsafe(call.run(), loop), timeout_s)
        except BaseException:
            # An interrupt may come before there is a future to cancel.
            if not loop.is_closed():
                loop.call_soon_threadsafe(call.cancel)
            raise

    def iterate(self, iterator: AsyncIterator[ItemType]) -> Generator[ItemType, None, None]:
        """Yield the items of an async iterator.

        Leaving early, by ``break``, by an exception or by Ctrl-C, closes the iterator and waits at
        most ``CLOSE_TIMEOUT_S`` until it is closed. Use it inside ``contextlib.closing``: an
        exception in the consumer's own code keeps this generator alive in its traceback.
        """
        loop = self._started()
        puller = _Puller(iterator)
        try:
            while True:
                try:
                    item = _wait(asyncio.run_coroutine_threadsafe(puller.next(), loop), None)
                except _Exhausted:
                    return
                yield item
        finally:
            # A loop that has ended has closed its iterators itself.
            if not loop.is_closed():
                closing = asyncio.run_coroutine_threadsafe(puller.close(), loop)
                # Whatever closing raises, the consumer's own reason to leave comes first.
                with contextlib.suppress(Exception):
                    _wait(closing, CLOSE_TIMEOUT_S)

    def stop(self) -> None:
        """Cancel what still runs and end the thread; the next use starts a new one."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None or not thread.is_alive():
            return
        loop.call_soon_threadsafe(loop.stop)
        thread.join(CLOSE_TIMEOUT_S)

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None or not self.is_running:
                loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_serve, args=(loop,), name="localllm-bridge", daemon=True
                )
                self._thread.start()
                self._loop = loop
            return self._loop


class _Exhausted(Exception):
    """Stands for StopAsyncIteration, which a future cannot carry."""


class _Call(Generic[ItemType]):
    """The loop's side of :meth:`Bridge.run`."""

    def __init__(self, coroutine: Coroutine[Any, Any, ItemType]) -> None:
        self._coroutine = coroutine
        self._task: asyncio.Task[Any] | None = None
        self._is_cancelled = False

    async def run(self) -> ItemType:
        """Return the coroutine's result."""
        self._task = asyncio.current_task()
        if self._is_cancelled:
            self._coroutine.close()
            raise asyncio.CancelledError
        return await self._coroutine

    def cancel(self) -> None:
        """Cancel it, whether it has begun or not; on the loop."""
        self._is_cancelled = True
        if self._task is not None:
            self._task.cancel()


class _Puller(Generic[ItemType]):
    """The loop's side of :meth:`Bridge.iterate`."""

    def __init__(self, iterator: AsyncIterator[ItemType]) -> None:
        self._iterator = iterator
        self._step: asyncio.Task[Any] | None = None

    async def next(self) -> ItemType:
        """Return the next item."""
        self._step = asyncio.current_task()
        try:
            return await self._iterator.__anext__()
        except StopAsyncIteration:
            raise _Exhausted from None

    async def close(self) -> None:
        """End the step under way, then close the iterator."""
        step = self._step
        if step is not None and not step.done():
            step.cancel()
            await asyncio.wait({step})
        close = getattr(self._iterator, "aclose", None)
        if close is not None:
            await close()


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


def _wait(future: concurrent.futures.Future[ItemType], timeout_s: float | None) -> ItemType:
    """Wait for a result, so that Ctrl-C is noticed at once on every system."""
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    while not future.done():
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            raise TimeoutError(f"no answer within {timeout_s} s")
        steps = [step for step in (left, _WAIT_STEP_S) if step is not None]
        concurrent.futures.wait([future], min(steps, default=None))
    return future.result()


_bridge = Bridge()


def run(coroutine: Coroutine[Any, Any, ItemType], timeout_s: float | None = None) -> ItemType:
    """Run ``coroutine`` on the shared bridge; see :meth:`Bridge.run`."""
    return _bridge.run(coroutine, timeout_s)


def iterate(iterator: AsyncIterator[ItemType]) -> Generator[ItemType, None, None]:
    """Iterate over the shared bridge; see :meth:`Bridge.iterate`."""
    return _bridge.iterate(iterator)


def _replace_after_fork() -> None:
    # The thread does not exist in the child, and its loop's file descriptors are the parent's.
    global _bridge
    _bridge = Bridge()


def _stop_at_exit() -> None:
    _bridge.stop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_replace_after_fork)
atexit.register(_stop_at_exit)
