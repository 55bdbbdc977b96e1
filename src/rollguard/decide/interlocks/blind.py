"""Without a complete answer of a required signal, levels are not acted upon; what the cluster shows still is."""

from __future__ import annotations

from rollguard.decide.findings import decisive, is_event
from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Standing
from rollguard.model.judgement import Verdict
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "blind"


def blind(_situation: Situation, verdict: Verdict, _now: Instant) -> Standing:
    """Forbids levels (not events) while a required signal has had no complete answer for two slots in a row."""
    levels = tuple(finding for finding in decisive(verdict) if not is_event(finding))
    gaps = tuple(gap for gap in verdict.gaps if gap.required and gap.in_a_row >= 2)
    if levels and gaps:
        seen = "; ".join(f"{gap.signal}: {gap.cause} for {gap.in_a_row} slots, {gap.detail}" for gap in gaps)
        return forbids(NAME, f"required signals are without an answer ({seen})")
    return clear(NAME, "what decides is seen completely")
