"""One rollout is rolled back at most once by the guard alone."""

from __future__ import annotations

from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Fruitless, Standing
from rollguard.model.judgement import Verdict
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "one rollback of a rollout"


def planned_before(situation: Situation, _verdict: Verdict, _now: Instant) -> Standing:
    """Forbids when this rollout has had a plan already: it ended without success, and a person must say what now.

    A plan that the server refused undid nothing, and may be allowed by now: it is tried again, as often as the policy
    allows rollbacks of one workload.
    """
    plan, most = situation.rollout.plan, situation.limits.rollbacks
    if plan is None:
        return clear(NAME, "no rollback of this rollout was tried before")
    made = f"plan {plan.id} of {plan.created.iso()} was already made for this rollout"
    if plan.fruitless is not Fruitless.REFUSED:
        return forbids(NAME, made)
    if plan.number >= most:
        return forbids(NAME, f"{made} and was refused, as the ones before it: {most} tries are allowed")
    return clear(NAME, f"plan {plan.id} of {plan.created.iso()} was refused, and undid nothing")
