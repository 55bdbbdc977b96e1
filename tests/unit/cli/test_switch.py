"""When a release set may be switched by hand, and what its names stand for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollguard.cli.connect import why_not
from rollguard.cli.switch import hindrances
from rollguard.model.action import Absent, Applied, Conflict, Rejected, Throttled, Unknown, WriteOutcome
from rollguard.model.facts import UnitFacts, Workload
from tests.unit.observe.building import NOW
from tests.unit.observe.sets import SET, facts_of, named, side

READY = {"backend-green": 2, "workers-green": 2}


def against(facts: UnitFacts, colour: str = "green") -> list[str]:
    return list(hindrances(SET, facts, colour))


def test_a_complete_colour_as_large_as_the_one_that_serves_may_be_switched_to() -> None:
    assert against(facts_of(ready=READY)) == []


@pytest.mark.parametrize(
    ("green", "words"),
    [
        (side("backend-green", replicas=0), "has 0 ready pods, 2 serve now: scale it up first"),
        (replace(side("backend-green"), available=1), "1 of 2 updated pods are available"),
        (replace(side("backend-green"), observed_generation=1), "generation 1 of 2 is observed"),
        (replace(side("backend-green"), paused=True), "kubectl rollout resume deployment/backend-green"),
    ],
)
def test_a_colour_that_is_short_of_something_says_of_what(green: Workload, words: str) -> None:
    empty = green.desired == 0
    short = replace(green, ready=0, available=0, updated=0, total=0) if empty else green
    [line] = against(facts_of(short, ready=READY))
    assert line.startswith("backend: ")
    assert words in line


def test_a_missing_deployment_and_a_missing_service_are_named_for_their_member() -> None:
    facts = facts_of(ready=READY)
    without = replace(facts, members=tuple(m for m in facts.members if m.name != named("workers-green")))
    assert against(without) == ["workers: there is no Deployment workers-green"]
    assert against(replace(facts, services=())) == ["backend: there is no Service backend-service"]


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Applied(at=NOW, generation=1), ""),
        (Absent(), "it does not exist"),
        (Rejected(status=403, detail="services is forbidden"), "the API server refused: services is forbidden"),
        (Conflict(detail="409"), "somebody changed it at the same time (409)"),
        (Throttled(after=3), "the API server is busy, try again in 3 s"),
        (Unknown(detail="timeout"), "no answer, it may or may not be done (timeout)"),
    ],
)
def test_what_came_of_a_write_is_told_in_words(outcome: WriteOutcome, words: str) -> None:
    assert why_not(outcome) == words
