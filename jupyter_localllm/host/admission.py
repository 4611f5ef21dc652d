"""Who may run next: a bounded queue, fair between users, in front of one model's slots.

Pure asyncio, no polling, no clock, nothing about models or workers. Called by ``served_model``.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
from collections import Counter

from .. import errors

#: Told to a refused client as ``Retry-After``.
RETRY_AFTER_S = 5

#: Absent users whose last turn is remembered while others wait.
MAX_REMEMBERED_USERS = 256


class Ticket:
    """One request's place: waiting with a position from 1, or admitted with position 0."""

    def __init__(self, queue: FairQueue, user: str, priority: int, number: int) -> None:
        self.user = user
        self.priority = priority
        self.number = number
        self.position = -1
        self._queue = queue
        self._error: errors.LocalLLMError | None = None
        self._waiter: asyncio.Future[None] | None = None

    async def changed(self, seen: int) -> int:
        """Wait until the position differs from ``seen`` and return it.

        Raises
        ------
        LocalLLMError
            The error given to :meth:`FairQueue.fail_waiting`.
        """
        while self.position == seen and self._error is None:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if self._error is not None:
            raise copy.copy(self._error)
        return self.position

    def leave(self) -> None:
        """Give the place back, whether waiting or admitted; idempotent."""
        self._queue._leave(self)

    def _notify(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class FairQueue:
    """Admits at most ``capacity`` requests at a time and keeps a bounded number waiting.

    Order: higher priority first; then the user with the fewest requests running; then the user
    served longest ago; then arrival. One user's flood therefore delays others by at most one turn.

    Parameters
    ----------
    capacity : int
        Requests admitted at once (the model's slots).
    max_waiting, max_waiting_per_user : int
        More than this is refused with :class:`~jupyter_localllm.errors.QueueFull`.
    """

    def __init__(self, capacity: int, max_waiting: int, max_waiting_per_user: int) -> None:
        self.capacity = capacity
        self.max_waiting = max_waiting
        self.max_waiting_per_user = max_waiting_per_user
        self._admitted: set[Ticket] = set()
        self._waiting: list[Ticket] = []
        self._last_served: dict[str, int] = {}
        self._numbers = itertools.count(1)
        self._is_paused = False

    @property
    def n_running(self) -> int:
        """Admitted requests."""
        return len(self._admitted)

    @property
    def n_waiting(self) -> int:
        """Requests with a position above 0."""
        return len(self._waiting)

    def enter(self, user: str = "", priority: int = 0) -> Ticket:
        """Take a place; the ticket is admitted at once where a slot is free.

        Raises
        ------
        QueueFull
            With the numbers in ``details``.
        """
        ticket = Ticket(self, user, priority, next(self._numbers))
        if not (self._waiting or self._is_paused) and len(self._admitted) < self.capacity:
            self._admit(ticket)
            return ticket
        own = sum(other.user == user for other in self._waiting)
        if own >= self.max_waiting_per_user:
            raise self._full(f"You have {own} requests waiting already", self.max_waiting_per_user)
        if len(self._waiting) >= self.max_waiting:
            raise self._full(f"{len(self._waiting)} requests are waiting already", self.max_waiting)
        self._waiting.append(ticket)
        self._advance()
        return ticket

    def pause(self) -> None:
        """Admit nobody until :meth:`resume`; those admitted go on."""
        self._is_paused = True

    def resume(self) -> None:
        """Admit again."""
        self._is_paused = False
        self._advance()

    def fail_waiting(self, error: errors.LocalLLMError) -> None:
        """Make every waiting ticket raise ``error``; those admitted are not touched."""
        failed, self._waiting = self._waiting, []
        for ticket in failed:
            ticket._error = error
            ticket._notify()

    def _full(self, reason: str, limit: int) -> errors.QueueFull:
        return errors.QueueFull(
            f"{reason}; at most {limit} may wait.",
            "Wait for an answer, or stop a request, and send this one again.",
            details={
                "running": len(self._admitted),
                "waiting": len(self._waiting),
                "limit": limit,
                "retry_after_s": RETRY_AFTER_S,
            },
        )

    def _leave(self, ticket: Ticket) -> None:
        if ticket in self._admitted:
            self._admitted.remove(ticket)
        elif ticket in self._waiting:
            self._waiting.remove(ticket)
        else:
            return
        self._advance()

    def _admit(self, ticket: Ticket) -> None:
        self._admitted.add(ticket)
        self._last_served[ticket.user] = next(self._numbers)
        ticket.position = 0
        ticket._notify()

    def _advance(self) -> None:
        """Admit whom there is room for and tell the others their positions."""
        order = self._order()
        free = 0 if self._is_paused else max(0, self.capacity - len(self._admitted))
        for ticket in order[:free]:
            self._admit(ticket)
        self._waiting = order[free:]
        for position, ticket in enumerate(self._waiting, start=1):
            if ticket.position != position:
                ticket.position = position
                ticket._notify()
        if not self._waiting or len(self._last_served) > MAX_REMEMBERED_USERS:
            here = {ticket.user for ticket in (*self._admitted, *self._waiting)}
            self._last_served = {u: n for u, n in self._last_served.items() if u in here}

    def _order(self) -> list[Ticket]:
        """Return the waiting tickets as they would be admitted if no one else came or left."""
        running = Counter(ticket.user for ticket in self._admitted)
        served = dict(self._last_served)
        pending = sorted(self._waiting, key=lambda ticket: ticket.number)
        order: list[Ticket] = []
        while pending:
            chosen = min(
                pending,
                key=lambda ticket: (
                    -ticket.priority,
                    running[ticket.user],
                    served.get(ticket.user, 0),
                    ticket.number,
                ),
            )
            pending.remove(chosen)
            order.append(chosen)
            running[chosen.user] += 1
            # Virtual turns come after every real one.
            served[chosen.user] = (1 << 62) + len(order)
        return order
