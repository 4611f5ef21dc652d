"""The fair queue: order, bounds, positions, and that every place given out comes back."""

from __future__ import annotations

import asyncio
import random

import pytest

from jupyter_localllm import errors
from jupyter_localllm.host.admission import FairQueue, Ticket


def drain(queue: FairQueue, running: list[Ticket], waiting: list[Ticket]) -> list[Ticket]:
    """Finish one request after the other; return the tickets in the order of admission."""
    order = []
    while waiting:
        running.pop(0).leave()
        admitted = [ticket for ticket in waiting if ticket.position == 0]
        assert len(admitted) == 1
        waiting.remove(admitted[0])
        running.append(admitted[0])
        order.append(admitted[0])
    return order


def test_admits_up_to_capacity_then_counts_positions_from_one() -> None:
    queue = FairQueue(2, 8, 8)
    tickets = [queue.enter("ada") for _ in range(5)]
    assert [ticket.position for ticket in tickets] == [0, 0, 1, 2, 3]
    assert (queue.n_running, queue.n_waiting) == (2, 3)


def test_one_users_flood_delays_another_by_one_turn() -> None:
    queue = FairQueue(1, 64, 64)
    running = [queue.enter("flood")]
    waiting = [queue.enter("flood") for _ in range(10)]
    late = queue.enter("late")
    assert late.position == 1
    assert drain(queue, running, [*waiting, late])[0] is late


def test_users_alternate() -> None:
    queue = FairQueue(1, 64, 64)
    running = [queue.enter("a")]
    waiting = [queue.enter(user) for user in "aaabbbccc"]
    users = [ticket.user for ticket in drain(queue, running, waiting)]
    assert sorted(users[:3]) == sorted(users[3:6]) == sorted(users[6:]) == ["a", "b", "c"]


def test_who_has_least_running_goes_before_who_was_served_longest_ago() -> None:
    queue = FairQueue(4, 8, 8)
    first, *_ = [queue.enter("a") for _ in range(3)]
    queue.enter("b")
    more_of_a, more_of_b = queue.enter("a"), queue.enter("b")
    first.leave()
    assert (more_of_a.position, more_of_b.position) == (1, 0)


def test_priority_goes_first() -> None:
    queue = FairQueue(1, 64, 64)
    running = [queue.enter("a")]
    waiting = [queue.enter("a", priority) for priority in (0, 3, -1, 3)]
    order = drain(queue, running, list(waiting))
    assert [ticket.priority for ticket in order] == [3, 3, 0, -1]
    assert order[0] is waiting[1]


def test_full_queue_is_refused_with_its_numbers() -> None:
    queue = FairQueue(1, 3, 2)
    for user in ("a", "a", "a"):
        queue.enter(user)
    with pytest.raises(errors.QueueFull) as own:
        queue.enter("a")
    assert own.value.details["limit"] == 2
    queue.enter("b")
    with pytest.raises(errors.QueueFull) as total:
        queue.enter("c")
    assert total.value.details == {"running": 1, "waiting": 3, "limit": 3, "retry_after_s": 5}


def test_position_changes_are_told_and_leaving_is_idempotent() -> None:
    async def main() -> None:
        queue = FairQueue(1, 8, 8)
        first, second, third = (queue.enter("a") for _ in range(3))
        told = asyncio.create_task(third.changed(2))
        await asyncio.sleep(0)
        assert not told.done()
        second.leave()
        second.leave()
        assert await asyncio.wait_for(told, 5) == 1
        told = asyncio.create_task(third.changed(1))
        first.leave()
        assert await asyncio.wait_for(told, 5) == 0
        third.leave()
        assert (queue.n_running, queue.n_waiting) == (0, 0)

    asyncio.run(main())


def test_cancelled_wait_can_be_left() -> None:
    async def main() -> None:
        queue = FairQueue(1, 8, 8)
        first, second = queue.enter("a"), queue.enter("a")
        task = asyncio.create_task(second.changed(1))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        second.leave()
        first.leave()
        assert (queue.n_running, queue.n_waiting) == (0, 0)

    asyncio.run(main())


def test_pause_admits_nobody_until_resume() -> None:
    queue = FairQueue(2, 8, 8)
    first = queue.enter("a")
    queue.pause()
    second = queue.enter("a")
    first.leave()
    assert second.position == 1
    queue.resume()
    assert second.position == 0


def test_failing_the_waiting_spares_the_running() -> None:
    async def main() -> None:
        queue = FairQueue(1, 8, 8)
        first, second = queue.enter("a"), queue.enter("a")
        told = asyncio.create_task(second.changed(1))
        await asyncio.sleep(0)
        queue.fail_waiting(errors.HostUnavailable("The server stops."))
        with pytest.raises(errors.HostUnavailable):
            await asyncio.wait_for(told, 5)
        with pytest.raises(errors.HostUnavailable):
            await second.changed(1)
        assert first.position == 0
        assert queue.n_waiting == 0

    asyncio.run(main())


@pytest.mark.parametrize("seed", range(20))
def test_random_comings_and_goings_keep_the_invariants(seed: int) -> None:
    dice = random.Random(seed)
    queue = FairQueue(3, 12, 5)
    live: list[Ticket] = []
    for _ in range(400):
        if live and dice.random() < 0.5:
            live.pop(dice.randrange(len(live))).leave()
        else:
            try:
                live.append(queue.enter(dice.choice("abcd"), dice.choice([0, 0, 0, 1])))
            except errors.QueueFull:
                assert queue.n_waiting >= 5
        waiting = sorted(t.position for t in live if t.position > 0)
        assert waiting == list(range(1, queue.n_waiting + 1))
        assert sum(t.position == 0 for t in live) == queue.n_running <= 3
        assert queue.n_running == min(3, len(live))
    for ticket in live:
        ticket.leave()
    assert (queue.n_running, queue.n_waiting) == (0, 0)
    assert queue._last_served == {}
