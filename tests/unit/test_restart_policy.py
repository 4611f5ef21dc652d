"""Backoff and the crash limit, on a clock the test moves."""

from __future__ import annotations

import pytest

from jupyter_localllm.host.restart import RestartPolicy


def test_delays_grow_and_the_limit_stops() -> None:
    policy = RestartPolicy(5, 60)
    delays = []
    for crash in range(4):
        policy.record_crash(float(crash))
        delays.append(policy.delay_s(float(crash)))
    assert delays == [0.0, 0.5, 1.0, 2.0]
    assert not policy.is_stopped(4.0)
    policy.record_crash(4.0)
    assert policy.is_stopped(4.0)


def test_time_that_has_passed_counts() -> None:
    policy = RestartPolicy(5, 60)
    policy.record_crash(0.0)
    policy.record_crash(0.0)
    assert policy.delay_s(0.2) == pytest.approx(0.3)
    assert policy.delay_s(10.0) == 0.0


def test_old_crashes_are_forgotten_and_a_reset_forgets_all() -> None:
    policy = RestartPolicy(2, 60)
    policy.record_crash(0.0)
    policy.record_crash(59.0)
    assert policy.is_stopped(59.5)
    assert not policy.is_stopped(61.0)
    policy.record_crash(61.0)
    assert policy.is_stopped(61.0)
    policy.reset()
    assert not policy.is_stopped(61.0)
    assert policy.delay_s(61.0) == 0.0
