"""Late regressions are rarely the release, and data has moved on."""

from __future__ import annotations

from rollguard.decide.interlocks.standing import clear, forbids, span
from rollguard.model.action import Standing
from rollguard.model.judgement import Verdict
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "beyond the automatic part"


def automatic_part(situation: Situation, _verdict: Verdict, now: Instant) -> Standing:
    """Forbids acting alone (a person is asked) once the automatic part of the guard window is over."""
    age = now.since(situation.rollout.started)
    said = f"{span(age)} after the rollout's start, the automatic part is {span(situation.timing.automatic)}"
    if age > situation.timing.automatic:
        return forbids(NAME, said)
    return clear(NAME, said)
