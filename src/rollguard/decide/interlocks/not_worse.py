"""A new version that is no worse than its reference is not what is wrong."""

from __future__ import annotations

from rollguard.decide.findings import NO_REFERENCE, decisive, shown
from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Standing
from rollguard.model.judgement import Verdict
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "reference as bad"


def not_worse(_situation: Situation, verdict: Verdict, _now: Instant) -> Standing:
    """Forbids where a decisive signal is not worse on the new version, by the judge's one-sided exact test at 1%."""
    for finding in decisive(verdict):
        reference = finding.reference
        if reference.source == NO_REFERENCE or not reference.not_worse:
            continue
        said = f"{finding.signal} is not worse than its reference ({reference.source}: {shown(finding)})"
        return forbids(NAME, said, judging=True)
    return clear(NAME, "the new version is worse than its reference", judging=True)
