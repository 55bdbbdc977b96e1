"""What many share may be exhausted by the release, or by anybody: a person is asked."""

from __future__ import annotations

from rollguard.decide.findings import decisive
from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Standing
from rollguard.model.judgement import Verdict
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "shared resource"


def shared_resource(_situation: Situation, verdict: Verdict, _now: Instant) -> Standing:
    """Forbids acting alone on what the judge could not charge to the new pods in particular."""
    for finding in decisive(verdict):
        if finding.shared:
            return forbids(NAME, f"{finding.signal} is shared, and not charged to the new pods in particular")
    return clear(NAME, "no shared signal decides")
