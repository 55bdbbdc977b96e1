"""What was good before is a revert, whoever made it: the trouble lies elsewhere."""

from __future__ import annotations

from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Standing
from rollguard.model.judgement import Verdict
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "target judged healthy before"


def healthy_before(situation: Situation, _verdict: Verdict, _now: Instant) -> Standing:
    """Forbids where the rollout's target was judged healthy, or adopted, before this rollout began."""
    rollout = situation.rollout
    for good in situation.good():
        if good.digest == rollout.target_digest and good.since < rollout.started:
            said = f"revision {rollout.target_number} was good before, as revision {good.number} at {good.since.iso()}"
            return forbids(NAME, said, judging=True)
    return clear(NAME, "the new version was not known as good before", judging=True)
