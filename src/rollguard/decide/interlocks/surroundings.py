"""Pods that lack what they need to start are not a broken release."""

from __future__ import annotations

from rollguard.decide.findings import blames
from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Standing
from rollguard.model.judgement import Attribution, Verdict
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "surroundings"


def lacking(_situation: Situation, verdict: Verdict, _now: Instant) -> Standing:
    """Forbids where the new pods find no node, quota, volume or admission, or wait for their init containers."""
    if blames(verdict, Attribution.SURROUNDINGS) is not None:
        return forbids(NAME, "something else than the release keeps the new pods from being ready", judging=True)
    return clear(NAME, "nothing but themselves keeps the new pods from being ready", judging=True)
