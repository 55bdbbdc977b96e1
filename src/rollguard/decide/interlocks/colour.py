"""The old colour must be what it was when it served, and able to serve again."""

from __future__ import annotations

from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Standing
from rollguard.model.judgement import Verdict
from rollguard.model.situation import Situation
from rollguard.model.time import Instant
from rollguard.observe.old_colour import unfit

NAME = "old colour"


def old_colour(situation: Situation, _verdict: Verdict, _now: Instant) -> Standing:
    """Of a release set: forbids where a member's old colour is gone, paused, was given another version, or cannot get
    the pods that it needs. Elsewhere there is no old colour."""
    rollout = situation.rollout
    reasons = [reason for passage in rollout.passages if (reason := unfit(situation.facts, passage))]
    if reasons:
        return forbids(NAME, "; ".join(reasons))
    colours = " and ".join(sorted({passage.old.colour for passage in rollout.passages}))
    return clear(NAME, f"{colours} is as it was when it served" if colours else "it is not blue-green")
