"""Where unchanged things fail in the same way, it is an outage and not the release."""

from __future__ import annotations

from rollguard.decide.findings import BESIDE, blames, decisive
from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Standing
from rollguard.model.judgement import Attribution, Verdict
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "outage"


def outage(situation: Situation, verdict: Verdict, _now: Instant) -> Standing:
    """Forbids where a node is to blame, or where two or more unchanged siblings breach the same signal now.

    Siblings are asked only where no old pods run beside the new ones, and callers of the unit never count: a bad
    backend makes its frontend fail.
    """
    node = blames(verdict, Attribution.NODE)
    if node is not None:
        return forbids(NAME, f"it may be the node and not the release: {node.text}", judging=True)
    for finding in decisive(verdict):
        if finding.reference.source == BESIDE:
            continue
        suffering = _suffering(situation, finding.signal)
        if len(suffering) >= 2:
            said = f"{finding.signal} is past its bound on unchanged workloads too: {', '.join(suffering)}"
            return forbids(NAME, said, judging=True)
    return clear(NAME, "fewer than two unchanged workloads suffer in the same way", judging=True)


def _suffering(situation: Situation, signal: str) -> tuple[str, ...]:
    """Unchanged workloads, callers left out, that breach the signal now."""
    callers = situation.watch.called_by
    return tuple(
        str(sibling.workload)
        for sibling in situation.around.siblings
        if signal in sibling.breached
        and sibling.workload != situation.unit.workload
        and sibling.workload.name not in callers
        and str(sibling.workload) not in callers
    )
