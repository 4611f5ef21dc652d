"""The thread count follows the load beside this process, with the clock and the load given."""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path

import pytest

from jupyter_localllm.engine import threads
from jupyter_localllm.engine.threads import ThreadCount, usable_cores

FIELDS = "user nice system idle iowait irq softirq steal"
Times = namedtuple("Times", FIELDS)


class Machine:
    """A machine of four cores whose time and load the test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.busy = 1000.0
        self.own = 10.0
        monkeypatch.setattr(threads.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(threads.os, "cpu_count", lambda: 4)
        monkeypatch.setattr(threads, "usable_cores", lambda: 4)
        monkeypatch.setattr(
            threads.psutil, "cpu_times", lambda: Times(self.busy, 0, 0, 9.0, 0, 0, 0, 0)
        )
        monkeypatch.setattr(ThreadCount, "_own_busy", lambda counter: self.own)

    def run(self, seconds: float, *, others: float, own: float = 3.0) -> None:
        self.now += seconds
        self.busy += seconds * (others + own)
        self.own += seconds * own


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def test_a_busy_neighbour_costs_one_thread_and_gives_it_back(machine: Machine) -> None:
    count = ThreadCount()
    assert count.current == 4
    machine.run(1.5, others=1.0)
    assert count.update() == 3
    machine.run(1.5, others=0.45)
    assert count.update() == 3
    machine.run(1.5, others=0.1)
    assert count.update() == 4


def test_its_own_work_is_not_a_neighbour(machine: Machine) -> None:
    count = ThreadCount()
    machine.run(2.0, others=0.0, own=4.0)
    assert count.update() == 4


def test_the_load_is_looked_at_once_a_second(machine: Machine) -> None:
    count = ThreadCount()
    machine.run(0.5, others=4.0)
    assert count.update() == 4


def test_what_happened_while_it_was_idle_does_not_count(machine: Machine) -> None:
    count = ThreadCount()
    machine.run(60.0, others=3.0, own=0.0)
    assert count.update() == 4


def test_a_fixed_count_stays(machine: Machine) -> None:
    count = ThreadCount(2)
    machine.run(1.5, others=4.0)
    assert count.update() == 2


def test_cores_are_counted_within_quota_and_affinity(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(threads.os, "cpu_count", lambda: 16)
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr(threads.psutil, "cpu_count", lambda logical: 8)
    monkeypatch.setattr(threads, "_cgroup_quota", lambda: None)
    # Eight hardware threads of sixteen, two to a core: four cores.
    assert usable_cores() == 4
    monkeypatch.setattr(threads, "_cgroup_quota", lambda: 2.5)
    assert usable_cores() == 2
    monkeypatch.setattr(threads, "_cgroup_quota", lambda: 0.5)
    assert usable_cores() == 1
