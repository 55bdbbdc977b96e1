"""A person who rejected a rollback, or let the time pass, is not asked again for the same."""

from __future__ import annotations

from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Standing
from rollguard.model.judgement import Verdict
from rollguard.model.records import LifecycleState
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "answered"


def declined(situation: Situation, _verdict: Verdict, now: Instant) -> Standing:
    """Forbids when the rollback was rejected, or when it is held because nobody answered in time."""
    rollout = situation.rollout
    request = situation.unit.rejection(rollout)
    if request is not None:
        return forbids(NAME, f"{request.actor} rejected the rollback at {request.at.iso()}: {request.reason}")
    asked = rollout.asked_until
    if rollout.state is LifecycleState.HELD and asked is not None and now >= asked:
        return forbids(NAME, f"nobody approved the rollback until {asked.iso()}")
    return clear(NAME, "nobody declined the rollback")
