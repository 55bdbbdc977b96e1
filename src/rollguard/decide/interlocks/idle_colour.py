"""A colour that does not serve is mended before it is switched to; there is nothing to go back from."""

from __future__ import annotations

from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Standing
from rollguard.model.judgement import Verdict
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "idle colour"


def idle_colour(situation: Situation, _verdict: Verdict, _now: Instant) -> Standing:
    """Forbids for a colour of a release set: as long as it does not serve, trouble on it is told, and nothing moves."""
    if not situation.watch.colour_of:
        return clear(NAME, "it is no colour of a release set")
    name, of = situation.unit.workload.name, situation.watch.colour_of
    return forbids(NAME, f"{name} does not serve in {of}: nothing is moved; mend it before the switch")
