"""A status of an older spec says nothing about this one."""

from __future__ import annotations

from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import STALE_STATUS, Standing
from rollguard.model.judgement import Verdict
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = STALE_STATUS


def stale_status(situation: Situation, _verdict: Verdict, _now: Instant) -> Standing:
    """Forbids while a workload's status is behind its spec."""
    for member in situation.facts.members:
        if member.observed_generation < member.generation:
            behind = f"generation {member.observed_generation} of {member.generation} is observed"
            return forbids(NAME, f"the status of {member.name} is behind its spec: {behind}")
    return clear(NAME, "the status is that of the present spec")
