"""A Deployment of strategy Recreate has no pods while it goes back: that outage is a person's to choose."""

from __future__ import annotations

from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Standing
from rollguard.model.judgement import Verdict
from rollguard.model.policy import Mode
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "recreate"


def recreate(situation: Situation, _verdict: Verdict, _now: Instant) -> Standing:
    """Forbids acting alone (a person is asked) where a rollback stops all pods before it starts any.

    A watch that says `mode: automatic` itself has chosen; one that only inherits it has not.
    """
    if situation.watch.own_mode and situation.watch.mode is Mode.AUTOMATIC:
        return clear(NAME, "the workload's own watch says `mode: automatic`")
    for member in situation.facts.members:
        if member.strategy == "Recreate":
            return forbids(NAME, f"{member.name} has the strategy Recreate: a rollback stops all its pods at once")
    return clear(NAME, "pods are replaced one after the other")
