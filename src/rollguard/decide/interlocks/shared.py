"""What many share may be exhausted by the release, or by anybody: a person is asked."""

from __future__ import annotations

from rollguard.decide.findings import BESIDE, decisive
from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Standing
from rollguard.model.judgement import Verdict
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "shared resource"


def shared_resource(_situation: Situation, verdict: Verdict, _now: Instant) -> Standing:
    """Forbids acting alone on a shared signal that is not charged to the new pods in particular."""
    for finding in decisive(verdict):
        reference = finding.reference
        apart = finding.arm == "new pods" and not (reference.source == BESIDE and reference.not_worse)
        if finding.shared and not apart:
            return forbids(
                NAME, f"{finding.signal} belongs to no workload alone, and old pods may suffer as the new do"
            )
    return clear(NAME, "no shared signal decides")
