"""After the guard window nothing is undone."""

from __future__ import annotations

from rollguard.decide.interlocks.standing import clear, forbids, span
from rollguard.model.action import Standing
from rollguard.model.judgement import Verdict
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "after the guard window"


def window_closed(situation: Situation, _verdict: Verdict, now: Instant) -> Standing:
    """Forbids acting and asking (a person is paged) once the guard window is over."""
    age = now.since(situation.rollout.started)
    said = f"{span(age)} after the rollout's start, the guard window is {span(situation.timing.close)}"
    if age > situation.timing.close:
        return forbids(NAME, said)
    return clear(NAME, said)
