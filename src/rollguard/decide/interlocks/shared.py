"""What many share may be exhausted by the release, or by anybody: a person is asked."""

from __future__ import annotations

from rollguard.decide.findings import decisive
from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Standing
from rollguard.model.judgement import Verdict
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "shared resource"


def shared_resource(situation: Situation, verdict: Verdict, _now: Instant) -> Standing:
    """Forbids acting alone on what the judge could not charge to the new pods in particular.

    The policy's `shared: rollBack` lifts it: that it began with the rollout, inside its bounds before, is for others to
    ask.
    """
    if situation.shared_roll_back:
        return clear(NAME, "the policy says `shared: rollBack`")
    for finding in decisive(verdict):
        if finding.shared:
            return forbids(NAME, f"{finding.signal} is shared, and not charged to the new pods in particular")
    return clear(NAME, "no shared signal decides")
