"""A plan that could not be made, or that the server refused, is not tried again at every look."""

from __future__ import annotations

from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Fruitless, Standing
from rollguard.model.judgement import Verdict
from rollguard.model.records import LifecycleState
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "plan refused lately"
TICKS = 20
"""Between two tries: 5 min by default."""


def refused_lately(situation: Situation, _verdict: Verdict, now: Instant) -> Standing:
    """Forbids for a while after a rollback was ordered that led to no plan, or to one that the server refused."""
    rollout = situation.rollout
    last = max((entry.at for entry in rollout.timeline if entry.kind == "plan"), default=None)
    may_be_made = rollout.plan is None or rollout.plan.fruitless is Fruitless.REFUSED
    if last is None or not may_be_made or rollout.state is not LifecycleState.HELD:
        return clear(NAME, "no plan was refused")
    again = last.plus(TICKS * situation.timing.tick)
    if now < again:
        return forbids(NAME, f"a plan was refused at {last.iso()}, it is tried again after {again.iso()}")
    return clear(NAME, f"a plan was refused at {last.iso()}: time to try again")
