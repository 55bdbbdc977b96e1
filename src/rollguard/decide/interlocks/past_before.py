"""A signal that was bad before the rollout says nothing about the rollout."""

from __future__ import annotations

from rollguard.decide.findings import NO_REFERENCE, decisive, shown
from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Standing
from rollguard.model.judgement import Verdict
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "past its bound before"


def past_before(_situation: Situation, verdict: Verdict, _now: Instant) -> Standing:
    """Forbids where a decisive signal's reference is itself past the bound."""
    for finding in decisive(verdict):
        reference = finding.reference
        if reference.source != NO_REFERENCE and reference.past_bound:
            said = (
                f"{finding.signal} is past its bound without the new version too ({reference.source}: {shown(finding)})"
            )
            return forbids(NAME, said, judging=True)
    return clear(NAME, "no reference is past the bound", judging=True)
