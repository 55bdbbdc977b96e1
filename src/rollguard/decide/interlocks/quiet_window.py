"""In a quiet window people decide."""

from __future__ import annotations

from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Standing
from rollguard.model.judgement import Verdict
from rollguard.model.quiet import latest_end
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "quiet window"


def quiet_window(situation: Situation, _verdict: Verdict, now: Instant) -> Standing:
    """Forbids within a window of the policy's `maintenance`."""
    found = latest_end(situation.maintenance, now)
    if found is None:
        return clear(NAME, "no quiet window is in force")
    window, end = found
    return forbids(NAME, f"the quiet window {window.name} lasts until {end.iso()} ({window.reason})")
