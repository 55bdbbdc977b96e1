"""A rollback needs a revision that is known to be good."""

from __future__ import annotations

from rollguard import observe
from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Standing
from rollguard.model.judgement import Verdict
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "no good revision"


def no_target(situation: Situation, _verdict: Verdict, _now: Instant) -> Standing:
    """Forbids where no revision beside the running one was judged healthy or adopted."""
    good = situation.way_back()
    if good is None:
        return forbids(NAME, observe.no_way_back(situation))
    kind = "judged healthy" if good in situation.unit.healthy else "adopted, not judged,"
    return clear(NAME, f"revision {good.number} was {kind} at {good.since.iso()}")
