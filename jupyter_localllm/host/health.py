"""Notices a worker that is alive but does nothing any more, and ends it.

Loading: no status line for too long. Answering: no reply to ``/health``, or no step of the engine.
An idle worker is left alone. Called by ``served_model``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from .. import errors
from .config import HostConfig
from .supervisor import WorkerProcess

#: One batch never takes this long, not even a full prompt chunk of a big model on a slow machine.
MAX_STEP_S = 120.0
_MAX_INTERVAL_S = 5.0


async def watch_health(
    worker: WorkerProcess, config: HostConfig, is_busy: Callable[[], bool]
) -> None:
    """Return when the worker has ended, by itself or because it hung.

    Parameters
    ----------
    worker : WorkerProcess
        A started one.
    config : HostConfig
        The time limits.
    is_busy : callable
        Whether requests are in flight on it.
    """
    interval_s = min(_MAX_INTERVAL_S, config.hung_timeout_s / 4)
    silent_since: float | None = None
    n_silences = 0
    while not await _exits_within(worker, interval_s):
        asked_at = time.monotonic()
        if worker.model is None:
            if asked_at - worker.last_line_at > config.load_timeout_s:
                await _end(worker, config, f"for {config.load_timeout_s:.0f} s while loading")
            continue
        if not is_busy() or worker.client is None:
            silent_since, n_silences = None, 0
            continue
        health = await _ask(worker, interval_s)
        if health is not None:
            silent_since, n_silences = None, 0
            if health.get("slots_busy") and _number(health.get("last_step_age_s")) > MAX_STEP_S:
                await _end(worker, config, f"for {MAX_STEP_S:.0f} s in one step")
            continue
        silent_since = asked_at if silent_since is None else silent_since
        n_silences += 1
        # Two misses at least: one may be our own loop's fault, if it was blocked or asleep.
        if n_silences > 1 and time.monotonic() - silent_since >= config.hung_timeout_s:
            await _end(worker, config, f"for {config.hung_timeout_s:.0f} s")


async def _exits_within(worker: WorkerProcess, timeout_s: float) -> bool:
    try:
        await asyncio.wait_for(worker.exited.wait(), timeout_s)
    except asyncio.TimeoutError:
        return False
    return True


async def _ask(worker: WorkerProcess, timeout_s: float) -> dict[str, Any] | None:
    if worker.client is None:
        return None
    try:
        return await worker.client.health(timeout_s)
    except errors.LocalLLMError:
        return None


async def _end(worker: WorkerProcess, config: HostConfig, how_long: str) -> None:
    reason = errors.WorkerHung(
        f"The process of the model {worker.spec.model_id} did not move {how_long} and was ended.",
        "Send the request again: the model is loaded anew.",
        details={"model": worker.spec.model_id},
    )
    await worker.terminate(reason, grace_s=config.terminate_grace_s)


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
