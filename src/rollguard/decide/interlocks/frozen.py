"""A freeze is a human's order to leave things alone."""

from __future__ import annotations

from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Standing
from rollguard.model.judgement import Verdict
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "freeze"


def frozen(situation: Situation, _verdict: Verdict, now: Instant) -> Standing:
    """Forbids while the unit, or everything, is frozen."""
    for what, freeze in (("this unit", situation.unit.freeze), ("everything", situation.around.freeze_all)):
        if freeze is not None and freeze.until > now:
            said = f"{what} is frozen until {freeze.until.iso()} by {freeze.actor} ({freeze.reason})"
            return forbids(NAME, said)
    return clear(NAME, "no freeze is in force")
