"""A policy with release sets is checked, but not run yet."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from rollguard.cli import exits
from rollguard.cli.main import call
from rollguard.cli.run import run
from rollguard.cli.sets_later import WithoutSets
from rollguard.model.action import Unknown
from rollguard.model.records import PolicyStatus
from rollguard.ports import PolicyReading
from tests.unit.cli.clusters import Cluster
from tests.unit.policy.texts import GOOD, WITH_SET, good


class Source:
    """Says what it is told to say."""

    def __init__(self, reading: PolicyReading) -> None:
        self.reading = reading
        self.reported: list[PolicyStatus] = []

    def latest(self) -> PolicyReading:
        return self.reading

    async def report(self, status: PolicyStatus, *, timeout: float) -> Unknown | None:
        self.reported.append(status)
        return None


def test_run_refuses_it_and_check_does_not(httpserver: HTTPServer, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(WITH_SET)
    assert call(["policy", "check", str(file)]) == exits.OK
    with pytest.raises(exits.CommandError, match=r"the watch `shop`: .*, but not guarded yet"):
        run(policy=file, kubeconfig=Cluster(httpserver).kubeconfig(tmp_path))


async def test_a_set_that_comes_later_is_a_mistake_and_leaves_the_last_good_policy_in_force() -> None:
    source = Source(PolicyReading(policy=good(WITH_SET), generation=7))
    reading = WithoutSets(source).latest()
    assert reading.policy is None
    assert reading.generation == 7
    assert len(reading.mistakes) == 1
    source.reading = PolicyReading(policy=good(GOOD), generation=8)
    assert WithoutSets(source).latest() == source.reading
    status = PolicyStatus(valid=True, digest="d", mistakes=(), observed_generation=8)
    await WithoutSets(source).report(status, timeout=1.0)
    assert source.reported == [status]
