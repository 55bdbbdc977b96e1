"""One rollout is rolled back at most once by the guard alone."""

from __future__ import annotations

from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Standing
from rollguard.model.judgement import Verdict
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "one rollback of a rollout"


def planned_before(situation: Situation, _verdict: Verdict, _now: Instant) -> Standing:
    """Forbids when this rollout has had a plan already: it ended without success, and a person must say what now."""
    plan = situation.rollout.plan
    if plan is not None:
        return forbids(NAME, f"plan {plan.id} of {plan.created.iso()} was already made for this rollout")
    return clear(NAME, "no rollback of this rollout was tried before")
