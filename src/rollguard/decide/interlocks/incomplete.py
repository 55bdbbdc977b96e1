"""Facts with holes are not facts."""

from __future__ import annotations

from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import FACTS_INCOMPLETE, Standing
from rollguard.model.judgement import LIVE_COLOUR, Verdict
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = FACTS_INCOMPLETE


def facts_incomplete(situation: Situation, verdict: Verdict, _now: Instant) -> Standing:
    """Forbids while a cache is not in sync or the workload is not seen.

    That a live colour's Deployment is gone is what is found, not what hides it.
    """
    if not situation.facts.complete:
        return forbids(NAME, f"the facts are incomplete: {', '.join(situation.facts.missing)}")
    deleted = any(finding.signal == LIVE_COLOUR for finding in verdict.findings)
    if not situation.facts.members and not deleted:
        return forbids(NAME, f"{situation.unit.workload} is not seen in the cluster")
    return clear(NAME, "the facts are complete")
