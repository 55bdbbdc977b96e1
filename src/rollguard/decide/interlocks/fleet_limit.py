"""When many units go bad together, it is not the releases."""

from __future__ import annotations

from rollguard.decide.interlocks.standing import clear, forbids, span
from rollguard.model.action import Standing
from rollguard.model.judgement import Verdict
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "fleet budget"


def fleet_limit(situation: Situation, _verdict: Verdict, now: Instant) -> Standing:
    """Forbids when this would be one unit more than the fleet's budget within its time."""
    limits, own = situation.limits, situation.unit.name
    recent = {unit for unit, at in situation.around.fleet_rollbacks if now.since(at) < limits.fleet_within}
    said = f"{len(recent)} units rolled back within {span(limits.fleet_within)}, {limits.fleet_units} are allowed"
    if len(recent | {own}) > limits.fleet_units:
        return forbids(NAME, f"the fleet's budget is spent ({said}): then it is not the releases")
    return clear(NAME, said)
