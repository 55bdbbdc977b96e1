"""With a clock that is off, before and after cannot be told apart."""

from __future__ import annotations

from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Standing
from rollguard.model.judgement import Verdict
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "clock off"


def clock_off(situation: Situation, _verdict: Verdict, _now: Instant) -> Standing:
    """Forbids while a server's clock differs from ours by more than the policy allows."""
    offset, allowed = situation.around.clock_offset, situation.timing.clock_offset_max
    if offset is not None and abs(offset) > allowed:
        return forbids(NAME, f"the clocks differ by {abs(offset):.0f} s, more than {allowed:.0f} s")
    return clear(NAME, "the clocks agree")
