"""The life of one model's worker: load attempts, leases, crashes, idle unload, end.

At most one worker at a time; those who wait for it share one load attempt. ``supervisor`` runs the
process, ``served_model`` puts a queue before this, ``model_host`` decides what may be loaded.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass

from .. import errors
from ..client.client import ConnectionLost
from ..models.catalog import CatalogEntry
from ..protocol import CompletionProgress, ModelState
from .config import HostConfig
from .health import watch_health
from .restart import RestartPolicy
from .supervisor import WorkerProcess

log = logging.getLogger(__name__)

#: How long the death of a worker may take to be noticed after its connection was lost.
_DEATH_NOTICE_S = 5.0


@dataclass
class _LoadAttempt:
    """One try to get a worker ready; those who wait for it share its error."""

    task: asyncio.Task[None] | None = None
    error: errors.LocalLLMError | None = None
    is_done: bool = False


@dataclass(frozen=True)
class Launcher:
    """What loading needs from the host.

    Attributes
    ----------
    lock : asyncio.Lock
        One model loads at a time, so that memory is counted once.
    prepare : callable
        Checks the file, makes room in memory and returns a worker that is not started yet.
    loaded : callable
        Told after a model became ready.
    """

    lock: asyncio.Lock
    prepare: Callable[[WorkerLifecycle], Awaitable[WorkerProcess]]
    loaded: Callable[[], None]


class WorkerLifecycle:
    """Gives out the ready worker of one model, and starts and ends it.

    Parameters
    ----------
    source : CatalogEntry
        The model's name and file.
    config : HostConfig
        Limits and times.
    launcher : Launcher
        The host's side of loading.
    on_failure : callable
        Told an error that everyone who waits for the model would run into.
    """

    def __init__(
        self,
        source: CatalogEntry,
        config: HostConfig,
        launcher: Launcher,
        on_failure: Callable[[errors.LocalLLMError], None],
    ) -> None:
        self.source = source
        self.worker: WorkerProcess | None = None
        self.last_used = time.monotonic()
        self.last_error: errors.LocalLLMError | None = None
        self._config = config
        self._launcher = launcher
        self._on_failure = on_failure
        self._policy = RestartPolicy(config.crash_limit, config.crash_window_s)
        self._attempt: _LoadAttempt | None = None
        self._attendant: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._n_wanting = 0
        self._n_leases = 0
        self._idle_timer: asyncio.TimerHandle | None = None
        self._unloading: asyncio.Task[None] | None = None
        self._buried: WorkerProcess | None = None
        self._last_crash: errors.LocalLLMError | None = None

    @property
    def is_ready(self) -> bool:
        """Whether a worker can take requests now."""
        return self.worker is not None and self.worker.is_ready

    @property
    def is_wanted(self) -> bool:
        """Whether anyone waits for it to be loaded."""
        return self._n_wanting > 0

    @property
    def is_in_use(self) -> bool:
        """Whether requests run on its worker."""
        return self._n_leases > 0

    @property
    def has_process(self) -> bool:
        """Whether memory is spent on it."""
        return self.worker is not None and not self.worker.exited.is_set()

    @property
    def pid(self) -> int | None:
        """Its worker's process id, while it has one."""
        return self.worker.pid if self.worker is not None else None

    @property
    def state(self) -> ModelState:
        """Where its worker is."""
        if self.is_ready:
            return ModelState.READY
        if self._attempt is not None:
            return ModelState.LOADING
        return ModelState.FAILED if self.last_error is not None else ModelState.NOT_LOADED

    async def wait_change(self) -> None:
        """Wait until its state, its load progress or its use has changed."""
        await self._changed.wait()

    def notify(self) -> None:
        """Wake everyone in :meth:`wait_change`."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    @contextlib.contextmanager
    def lease(self) -> Iterator[WorkerProcess]:
        """Hold the ready worker; it is not unloaded as idle meanwhile."""
        worker = self.worker
        if worker is None or not worker.is_ready:
            raise errors.InternalError("A worker was leased that is not ready.")
        self._n_leases += 1
        self._stop_idle_timer()
        try:
            yield worker
        finally:
            self._n_leases -= 1
            self.last_used = time.monotonic()
            if self._n_leases == 0:
                self._start_idle_timer()
            self.notify()

    # --- loading --------------------------------------------------------------------------

    async def load(self) -> None:
        """Wait until the worker is ready, starting it if need be."""
        async with contextlib.aclosing(self.until_ready()) as loading:
            async for _ in loading:
                pass

    def forgive(self) -> None:
        """Forget earlier crashes: someone asks for the model by hand."""
        self._policy.reset()

    async def until_ready(self) -> AsyncGenerator[CompletionProgress, None]:
        """Yield load progress and end when the worker is ready, starting it if need be.

        Raises
        ------
        LocalLLMError
            It could not be loaded.
        """
        told: CompletionProgress | None = None
        self._n_wanting += 1
        try:
            while not self.is_ready:
                attempt = self._attempt or self._begin_loading()
                worker = self.worker
                done = worker.load_progress if worker is not None and self.has_process else 0.0
                progress = CompletionProgress(
                    model_state=ModelState.LOADING, load_progress=round(done, 2)
                )
                changed = self._changed
                if progress != told:
                    told = progress
                    yield progress
                if not attempt.is_done:
                    await changed.wait()
                if attempt.is_done and attempt.error is not None:
                    raise copy.copy(attempt.error)
        finally:
            self._n_wanting -= 1

    def _begin_loading(self) -> _LoadAttempt:
        now = time.monotonic()
        if self._policy.is_stopped(now):
            raise self._stopped()
        attempt = self._attempt = _LoadAttempt()
        attempt.task = asyncio.create_task(self._attempt_loading(attempt))
        return attempt

    async def _attempt_loading(self, attempt: _LoadAttempt) -> None:
        try:
            await asyncio.sleep(self._policy.delay_s(time.monotonic()))
            await self._load()
        except errors.LocalLLMError as error:
            attempt.error = error
        except asyncio.CancelledError:
            attempt.error = attempt.error or unloaded(self.source.id)
            if self.worker is not None:
                self.worker.kill(attempt.error)
        except Exception:
            log.exception("loading %s failed", self.source.id)
            attempt.error = errors.InternalError(
                f"The model {self.source.id} could not be loaded.",
                "The server's log has the details.",
            )
        finally:
            attempt.is_done = True
            self._attempt = None
            self._note_load_result(attempt.error)
            self.notify()

    def _note_load_result(self, error: errors.LocalLLMError | None) -> None:
        if error is None:
            self.last_error = None
            self._start_idle_timer()
        elif not isinstance(error, errors.Cancelled):
            is_stopped = self._policy.is_stopped(time.monotonic())
            self.last_error = self._stopped() if is_stopped else error
            # Those behind would only run into the same failure, one after the other.
            self._on_failure(error)

    async def _load(self) -> None:
        if self.worker is not None:
            await self.worker.exited.wait()
        async with self._launcher.lock:
            self._check_wanted()
            worker = await self._launcher.prepare(self)
            self._check_wanted()
            self.worker = worker
            worker.start()
            self._attendant = asyncio.create_task(self._attend(worker))
            self.notify()
            while not worker.is_ready and not worker.exited.is_set():
                await self._changed.wait()
        if not worker.is_ready:
            raise worker.cause_of_death()
        # Whoever loads a model means to use it: it is not the next one to be unloaded.
        self.last_used = time.monotonic()
        self._launcher.loaded()

    def _check_wanted(self) -> None:
        if not self._n_wanting:
            raise errors.Cancelled("Nobody waits for the model any more.")

    async def _attend(self, worker: WorkerProcess) -> None:
        """Stay with a worker until its end."""
        await watch_health(worker, self._config, lambda: self._n_leases > 0)
        if worker.client is not None:
            await worker.client.aclose()

    def worker_changed(self) -> None:
        """Take note of what the worker said, or of its end; called by the worker."""
        worker = self.worker
        if worker is not None and worker.exited.is_set() and worker is not self._buried:
            self._buried = worker
            self._stop_idle_timer()
            if worker.has_crashed:
                self._note_crash(worker.cause_of_death())
        self.notify()

    def _note_crash(self, cause: errors.LocalLLMError) -> None:
        now = time.monotonic()
        self._policy.record_crash(now)
        self._last_crash = cause
        log.warning("%s", cause.message)
        if self._policy.is_stopped(now):
            self.last_error = self._stopped()
            self._on_failure(self.last_error)

    def _stopped(self) -> errors.LocalLLMError:
        limit, window_s = self._config.crash_limit, self._config.crash_window_s
        return errors.WorkerCrashed(
            f"The model {self.source.id} crashed {limit} times within {window_s:.0f} s "
            "and is stopped.",
            "Load it again by hand, or use another model.",
            code="worker_stopped",
            details=self._last_crash.details if self._last_crash is not None else None,
        )

    # --- unloading ------------------------------------------------------------------------

    async def unload(self, reason: errors.LocalLLMError | None = None) -> None:
        """End the worker, and whatever runs or waits for it to load; returns when it is gone."""
        reason = reason or unloaded(self.source.id)
        attempt = self._attempt
        if attempt is not None and attempt.task is not None:
            attempt.error = attempt.error or reason
            attempt.task.cancel()
            await asyncio.wait({attempt.task})
        if self.worker is not None:
            await self.worker.stop(reason, grace_s=self._config.terminate_grace_s)
        if self._attendant is not None:
            await asyncio.wait({self._attendant})
        self.last_error = None

    async def release(self) -> None:
        """End the worker unless a request runs on it; later requests load it again."""
        if self.worker is None or self._n_leases:
            return
        self._stop_idle_timer()
        await self.worker.stop(unloaded(self.source.id), grace_s=self._config.terminate_grace_s)

    def _start_idle_timer(self) -> None:
        self._stop_idle_timer()
        if self._config.idle_unload_s > 0 and self.is_ready and not self._n_leases:
            loop = asyncio.get_running_loop()
            self._idle_timer = loop.call_later(self._config.idle_unload_s, self._unload_idle)

    def _stop_idle_timer(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None

    def _unload_idle(self) -> None:
        self._unloading = asyncio.create_task(self.release())


def unloaded(model_id: str) -> errors.LocalLLMError:
    """Return what those are told whose model was unloaded under them."""
    return errors.WorkerError(
        f"The model {model_id} was unloaded.",
        "Send the request again to load it anew.",
        code="model_unloaded",
    )


async def explained(worker: WorkerProcess, error: errors.LocalLLMError) -> errors.LocalLLMError:
    """Return what really happened where an error is only the sign of a worker's end."""
    if isinstance(error, errors.RequestError):
        return error
    if worker.stop_reason is not None:
        return copy.copy(worker.stop_reason)
    if not isinstance(error, (ConnectionLost, errors.HostUnavailable)):
        return error
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(worker.exited.wait(), _DEATH_NOTICE_S)
    return worker.cause_of_death() if worker.exited.is_set() else error
