"""A plan that could not be made is not tried again at every look."""

from __future__ import annotations

from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Standing
from rollguard.model.judgement import Verdict
from rollguard.model.records import LifecycleState
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "plan refused lately"
TICKS = 20
"""Between two tries: 5 min by default."""


def refused_lately(situation: Situation, _verdict: Verdict, now: Instant) -> Standing:
    """Forbids for a while after a rollback was ordered that led to no plan."""
    rollout = situation.rollout
    ordered = max((entry.at for entry in rollout.timeline if entry.kind == "plan"), default=None)
    if ordered is None or rollout.plan is not None or rollout.state is not LifecycleState.HELD:
        return clear(NAME, "no plan was refused")
    again = ordered.plus(TICKS * situation.timing.tick)
    if now < again:
        return forbids(NAME, f"no plan could be made at {ordered.iso()}, it is tried again after {again.iso()}")
    return clear(NAME, f"a plan was refused at {ordered.iso()}: time to try again")
