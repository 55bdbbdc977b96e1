"""What a signal was before the rollout is not known: that is no evidence that it was fine."""

from __future__ import annotations

from rollguard.decide.findings import NO_REFERENCE, decisive, is_event
from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Standing
from rollguard.model.judgement import Verdict
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "nothing to compare with"


def nothing_beside(_situation: Situation, verdict: Verdict, _now: Instant) -> Standing:
    """Forbids acting alone on a level without old pods beside the new ones and without a known time before."""
    for finding in decisive(verdict):
        if not is_event(finding) and finding.reference.source == NO_REFERENCE:
            said = f"{finding.signal} has nothing to compare with: no old pods beside, and the time before is not known"
            return forbids(NAME, said)
    return clear(NAME, "what decides has a reference")
