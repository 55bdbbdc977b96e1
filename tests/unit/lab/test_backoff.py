"""Restarts wait as in the kubelet."""

from lab.kubelet.backoff import Backoff


def test_the_first_restart_is_immediate_then_the_wait_doubles_up_to_five_minutes() -> None:
    backoff = Backoff()
    assert [backoff.failed(1.0) for _ in range(8)] == [0, 10, 20, 40, 80, 160, 300, 300]


def test_a_pull_waits_from_its_first_failure() -> None:
    backoff = Backoff(immediate_first=False)
    assert [backoff.failed(0.0) for _ in range(3)] == [10, 20, 40]


def test_a_long_life_is_forgiven() -> None:
    backoff = Backoff()
    for _ in range(4):
        backoff.failed(1.0)
    assert backoff.failed(600.0) == 0
    assert backoff.failed(599.0) == 10


def test_the_scale_applies_to_waits_and_to_forgiving() -> None:
    backoff = Backoff(scale=0.1)
    backoff.failed(1.0)
    assert backoff.failed(1.0) == 1.0
    assert backoff.failed(60.0) == 0
