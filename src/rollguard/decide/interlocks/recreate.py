"""A Deployment of strategy Recreate has no pods while it goes back: that outage is a person's to choose."""

from __future__ import annotations

from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Standing
from rollguard.model.judgement import Verdict
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "recreate"


def recreate(situation: Situation, _verdict: Verdict, _now: Instant) -> Standing:
    """Forbids acting alone (a person is asked) where a rollback stops all pods before it starts any."""
    for member in situation.facts.members:
        if member.strategy == "Recreate":
            return forbids(NAME, f"{member.name} has the strategy Recreate: a rollback stops all its pods at once")
    return clear(NAME, "pods are replaced one after the other")
