"""A Deployment that a person paused is in that person's hands."""

from __future__ import annotations

from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Standing
from rollguard.model.judgement import Verdict
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "paused"


def paused(situation: Situation, _verdict: Verdict, _now: Instant) -> Standing:
    """Forbids while a workload is paused."""
    for member in situation.facts.members:
        if member.paused:
            return forbids(NAME, f"{member.name} is paused")
    return clear(NAME, "nothing is paused")
