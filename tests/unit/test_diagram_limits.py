"""The child that draws: its limits, its death, and that nobody else waits for it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import psutil
import pytest

from jupyter_localllm import errors
from jupyter_localllm.assistant.diagrams import kept, renderer
from jupyter_localllm.assistant.diagrams.renderer import DiagramRenderer

from . import hostile_diagrams as hostile

HEAVY = hostile.heavy_sources()
SLOW = HEAVY["dense mermaid"][1]


def simple(number: int = 0) -> str:
    return f"flowchart TD\nA[Start {number}] --> B[End]"


async def until(is_so: Callable[[], bool]) -> None:
    """Look at each turn of the loop."""
    loop, seen = asyncio.get_running_loop(), asyncio.Event()

    def look() -> None:
        if is_so():
            seen.set()
        else:
            loop.call_soon(look)

    look()
    await seen.wait()


@pytest.fixture(scope="module")
def drawer() -> Iterator[DiagramRenderer]:
    # Less than the usual time, so that what runs into it does not take the suite's.
    drawer = DiagramRenderer(limit_s=2.0)
    yield drawer
    drawer.close()


@pytest.fixture
def hasty() -> Iterator[DiagramRenderer]:
    """One that gives a diagram a second."""
    drawer = DiagramRenderer(limit_s=1.0)
    yield drawer
    drawer.close()


@pytest.mark.parametrize("name", HEAVY)
def test_a_heavy_diagram_ends_in_a_picture_or_a_clear_error(
    name: str, drawer: DiagramRenderer
) -> None:
    kind, source = HEAVY[name]

    async def run() -> None:
        try:
            drawing = await drawer.draw(source, "dot" if kind == "dot" else "mermaid")
            assert len(drawing.png) < 8 << 20
        except (errors.DiagramTooLarge, errors.DiagramInvalid) as error:
            assert error.message.endswith(".") and error.hint
            assert len(error.message) < 300

    asyncio.run(run())


def test_it_draws_after_all_of_them(drawer: DiagramRenderer) -> None:
    assert asyncio.run(drawer.draw(simple(1))).alt.startswith("Flowchart with 2 nodes")


@pytest.mark.parametrize(
    ("source", "word"),
    [
        (HEAVY["dense 100"][1], "4,950 edges"),
        (HEAVY["dense 200"][1], "seconds|memory"),
        (HEAVY["nested clusters"][1], "nested"),
        (HEAVY["a label of 2 MB"][1], "characters"),
        (SLOW, "within 1 seconds"),
    ],
    ids=["edges", "layout time", "depth", "length", "time"],
)
def test_the_error_says_which_limit(source: str, word: str, hasty: DiagramRenderer) -> None:
    hasty.limit_s = 1.0 if source == SLOW else 6.0
    with pytest.raises(errors.DiagramTooLarge, match=word):
        asyncio.run(hasty.draw(source))


def test_one_that_is_too_slow_is_ended_and_the_next_is_drawn(hasty: DiagramRenderer) -> None:
    async def run() -> None:
        await hasty.draw(simple())
        first = hasty.process_id
        with pytest.raises(errors.DiagramTooLarge):
            await hasty.draw(SLOW)
        assert first is not None and not psutil.pid_exists(first)
        assert (await hasty.draw(simple(1))).source == simple(1)
        assert hasty.process_id not in (None, first)

    asyncio.run(run())


def test_the_loop_is_free_and_others_are_not_forgotten(hasty: DiagramRenderer) -> None:
    """Three hostile ones first; everything that waits on the loop goes on meanwhile."""

    async def run() -> None:
        await hasty.draw(simple())
        hostile_ones = [
            asyncio.create_task(hasty.draw(f"{SLOW}\nn{number}-->n0")) for number in range(3)
        ]
        good = asyncio.create_task(hasty.draw(simple(7)))
        n_turns = 0
        while not good.done():
            await asyncio.sleep(0)
            n_turns += 1
        assert n_turns > 1000
        assert (await good).source == simple(7)
        for task in hostile_ones:
            assert task.done()
            assert isinstance(task.exception(), errors.DiagramTooLarge)

    asyncio.run(run())


def test_a_cancelled_one_leaves_the_next_its_own_answer(hasty: DiagramRenderer) -> None:
    async def run() -> None:
        hasty.limit_s = 60.0
        await hasty.draw(simple())
        task = asyncio.create_task(hasty.draw(SLOW))
        await until(lambda: hasty._running is not None)
        waiting = asyncio.create_task(hasty.draw(simple(8)))
        queued = asyncio.create_task(hasty.draw(SLOW + "\nn1-->n0"))
        await asyncio.sleep(0)
        queued.cancel()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await waiting).source == simple(8)
        assert (await hasty.draw(simple(9))).source == simple(9)

    asyncio.run(run())


def test_cancelling_ends_the_child_that_is_at_work() -> None:
    deaf = (
        "import sys, time; sys.stdout.buffer.write(b'\\0' * 4); sys.stdout.flush(); time.sleep(99)"
    )
    drawer = DiagramRenderer(limit_s=60, start_child=lambda: _talker(deaf))

    async def run() -> None:
        task = asyncio.create_task(drawer.draw(simple()))
        await until(lambda: drawer._running is not None)
        assert drawer.process_id is not None
        process = psutil.Process(drawer.process_id)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        _, alive = psutil.wait_procs([process], timeout=10)
        assert not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]

    asyncio.run(run())
    drawer.close()


def test_a_killed_child_is_one_lost_picture(drawer: DiagramRenderer) -> None:
    async def run() -> None:
        await drawer.draw(simple(20))
        task = asyncio.create_task(drawer.draw(SLOW + "\nn0-->n0"))
        await until(lambda: drawer._running is not None)
        assert drawer.process_id is not None
        os.kill(drawer.process_id, signal.SIGTERM)
        with pytest.raises(errors.DiagramsUnavailable, match="without an answer"):
            await task
        assert (await drawer.draw(simple(21))).source == simple(21)

    asyncio.run(run())


def test_a_child_that_died_between_two_is_not_noticed(drawer: DiagramRenderer) -> None:
    async def run() -> None:
        await drawer.draw(simple(30))
        assert drawer.process_id is not None
        process = psutil.Process(drawer.process_id)
        process.kill()
        psutil.wait_procs([process], timeout=10)
        assert (await drawer.draw(simple(31))).source == simple(31)

    asyncio.run(run())


def test_the_layout_program_dies_with_its_child(hasty: DiagramRenderer) -> None:
    async def run() -> None:
        await hasty.draw(simple())
        assert hasty.process_id is not None
        parent = psutil.Process(hasty.process_id)
        edges = ";".join(f"n{n % 97}->n{(n * 7 + 1) % 89}" for n in range(500))
        # Names that make it look sparse, so that it is laid out with care.
        names = " ".join(f"m{number}" for number in range(400))
        source = f"digraph {{ {edges}; /* {names} */ }}"
        task = asyncio.create_task(hasty.draw(source, "dot"))
        await until(lambda: bool(parent.children()))
        programs = parent.children()
        with pytest.raises(errors.DiagramTooLarge):
            await task
        # By itself it would go on for as many seconds again.
        _, alive = psutil.wait_procs(programs, timeout=2)
        assert not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]

    asyncio.run(run())


def test_a_program_that_cannot_start_is_said() -> None:
    def missing() -> subprocess.Popen[bytes]:
        raise FileNotFoundError("no such program")

    drawer = DiagramRenderer(start_child=missing)
    with pytest.raises(errors.DiagramsUnavailable, match="could not be started"):
        asyncio.run(drawer.draw(simple()))
    drawer.close()


def _talker(program: str) -> subprocess.Popen[bytes]:
    pipes = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=pipes,
        stdout=pipes,
        stderr=pipes,
        start_new_session=True,
    )


@pytest.mark.parametrize(
    "program",
    [
        "",
        "import sys; sys.exit('no library')",
        "import sys; sys.stdout.buffer.write(b'\\xff' * 9000)",
        "import sys; sys.stdout.buffer.write(b'\\0\\0\\0\\0' + b'\\5\\0\\0\\0hello')",
        "import sys; sys.stdout.buffer.write(b'\\0\\0\\0\\0' + b'\\1\\0\\0\\0\\x80')",
    ],
    ids=["silent", "failing", "shouting", "nonsense", "empty"],
)
def test_a_child_that_talks_nonsense_is_an_error(program: str) -> None:
    drawer = DiagramRenderer(limit_s=10, start_child=lambda: _talker(program))
    for number in range(2):
        with pytest.raises(errors.DiagramsUnavailable):
            asyncio.run(drawer.draw(simple(number)))
    drawer.close()


def test_a_source_given_twice_is_drawn_once(drawer: DiagramRenderer) -> None:
    async def run() -> None:
        first, again = await asyncio.gather(drawer.draw(simple(40)), drawer.draw(simple(40)))
        assert first is again is await drawer.draw(simple(40))
        dark = await drawer.draw(simple(40), theme="dark")
        assert dark.svg != first.svg

    asyncio.run(run())


def test_an_error_given_twice_is_found_once_and_raised_anew(drawer: DiagramRenderer) -> None:
    seen = []
    for _ in range(2):
        with pytest.raises(errors.DiagramInvalid) as caught:
            asyncio.run(drawer.draw("digraph { a -> ; }", "dot"))
        seen.append(caught.value)
    assert seen[0] is not seen[1]
    assert seen[0].to_body() == seen[1].to_body()


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "CACHE_BYTES", 100_000)
    outcomes = kept.KeptOutcomes()
    for number in range(200):
        outcomes.put((f"{number:03}" * 100, None, "neutral"), errors.DiagramInvalid("x."))
    assert outcomes.get(("000" * 100, None, "neutral")) is None
    assert outcomes.get(("199" * 100, None, "neutral")) is not None
    assert outcomes._size_bytes <= 100_000


def test_it_works_from_two_loops_in_two_threads(drawer: DiagramRenderer) -> None:
    found: list[str] = []

    def run(start: int) -> None:
        async def draw() -> None:
            for number in range(start, start + 5):
                found.append((await drawer.draw(simple(number))).source)

        asyncio.run(draw())

    threads = [threading.Thread(target=run, args=(start,)) for start in (100, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    expected = [simple(start + number) for start in (100, 200) for number in range(5)]
    assert sorted(found) == sorted(expected)


def test_more_than_can_wait_are_told_so(hasty: DiagramRenderer) -> None:
    async def run() -> None:
        hasty.limit_s = 60.0
        await hasty.draw(simple())
        tasks = [
            asyncio.create_task(hasty.draw(f"{SLOW}\nn{number}-->n0"))
            for number in range(renderer.MAX_WAITING + 2)
        ]
        for _ in range(10):
            await asyncio.sleep(0)
        full = [task for task in tasks if task.done()]
        assert full
        for task in full:
            with pytest.raises(errors.DiagramsUnavailable, match="waiting"):
                await task
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (await hasty.draw(simple(2))).source == simple(2)

    asyncio.run(run())


def test_a_closed_one_ends_its_child_and_says_so() -> None:
    drawer = DiagramRenderer()
    asyncio.run(drawer.draw(simple()))
    assert drawer.process_id is not None
    process = psutil.Process(drawer.process_id)
    drawer.close()
    drawer.close()
    psutil.wait_procs([process], timeout=10)
    assert not process.is_running()
    with pytest.raises(errors.DiagramsUnavailable):
        asyncio.run(drawer.draw(simple(3)))
