"""Memory for models: what must be unloaded before another one fits, and what is refused.

Called by ``model_host`` while it holds the loading lock. Counts bytes, starts nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from .. import errors
from ..models.catalog import CatalogEntry
from ..models.gguf import GGUFHeader
from ..models.memory import check_fits
from .served_model import ServedModel

MAX_DEFAULT_CONTEXT_WINDOW = 8192


def context_window_of(header: GGUFHeader, configured: int) -> int:
    """Return the tokens of one slot: as configured, at most what the model was trained for."""
    wanted = configured or MAX_DEFAULT_CONTEXT_WINDOW
    return min(wanted, header.context_length) if header.context_length else wanted


async def make_room(
    model: ServedModel,
    header: GGUFHeader,
    *,
    context_window: int,
    others: Callable[[], Iterable[ServedModel]],
    available_bytes: Callable[[], int],
    alternatives: Sequence[CatalogEntry],
) -> None:
    """Unload other models, the least recently used first, until ``model`` fits.

    One that is answering is let finish, and takes nothing new meanwhile.

    Raises
    ------
    NotEnoughMemory
        It would not fit even alone; then nothing has been unloaded.
    Cancelled
        Nobody waits for ``model`` any more.
    """
    while True:
        available = available_bytes()
        loaded = [other for other in others() if other is not model and other.life.has_process]
        try:
            await asyncio.to_thread(
                check_fits,
                header,
                context_window=context_window,
                # The slots share one KV cache of one context window.
                n_slots=1,
                name=model.source.id,
                available=available,
                alternatives=alternatives,
            )
            return
        except errors.NotEnoughMemory as error:
            need, have = error.details["need_bytes"], error.details["have_bytes"]
            if need > have + sum(memory_bytes(other.life.pid) or 0 for other in loaded):
                raise
        victim = min(loaded, key=lambda other: (other.life.is_in_use, other.life.last_used))
        await _unload_when_idle(victim, model)


async def _unload_when_idle(victim: ServedModel, wanted: ServedModel) -> None:
    victim.queue.pause()
    try:
        while victim.life.is_in_use:
            await victim.life.wait_change()
        if not wanted.life.is_wanted:
            raise errors.Cancelled("Nobody waits for the model any more.")
        await victim.life.release()
    finally:
        victim.queue.resume()


def surplus(models: Iterable[ServedModel], max_loaded: int) -> list[ServedModel]:
    """Return the idle models beyond ``max_loaded``, least recently used first."""
    loaded = [model for model in models if model.life.is_ready]
    idle = [model for model in loaded if not (model.life.is_in_use or model.queue.n_running)]
    idle.sort(key=lambda model: model.life.last_used)
    return idle[: max(0, len(loaded) - max_loaded)]


def memory_bytes(pid: int | None) -> int | None:
    """Return the resident memory of a process, or ``None`` where it is gone."""
    if pid is None:
        return None
    import psutil

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return None
