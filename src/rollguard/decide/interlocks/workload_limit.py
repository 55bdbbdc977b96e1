"""Where rollbacks do not last, something re-applies what they undo."""

from __future__ import annotations

from rollguard.decide.interlocks.standing import clear, forbids, span
from rollguard.model.action import Standing
from rollguard.model.judgement import Verdict
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "rollbacks of this workload"


def workload_limit(situation: Situation, _verdict: Verdict, now: Instant) -> Standing:
    """Forbids when the workload was rolled back automatically as often as the policy allows."""
    limits = situation.limits
    recent = sum(now.since(at) < limits.rollbacks_within for at in situation.unit.automatic_rollbacks)
    said = f"{recent} automatic rollbacks within {span(limits.rollbacks_within)}, {limits.rollbacks} are allowed"
    if recent >= limits.rollbacks:
        return forbids(NAME, f"{said}: something re-applies the bad version")
    return clear(NAME, said)
