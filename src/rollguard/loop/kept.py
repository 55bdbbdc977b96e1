"""What a rollout's record keeps of the looks at it: the last one whole, and the first response of each kind."""

from __future__ import annotations

from dataclasses import replace

from rollguard.model.action import Decision, DecisionKind
from rollguard.model.judgement import Finding, Verdict
from rollguard.model.policy import Timing
from rollguard.model.records import LastLook, Response, RolloutRecord
from rollguard.model.signals import LevelName
from rollguard.model.time import Instant

TICKS_AT_LEAST, TICKS_AT_MOST = 2, 20
"""Between two writes of a look that brought no news."""
FINDINGS = 8
REASON = 600
"""Characters of a response's reason."""


def with_look(record: RolloutRecord, decision: Decision, timing: Timing, now: Instant, *, news: bool) -> RolloutRecord:
    """The record with this look where it brought news or the kept one is old; else the same.

    The kept look may be as old as the rollout was then, and never older than twenty ticks: what is new changes fast,
    and a look is not worth a write at each tick.
    """
    record = with_response(record, decision, now)
    kept = record.last_look
    if kept is not None and not news and kept.decision is decision.kind and now < _due(record, kept, timing):
        return record
    return replace(record, last_look=_look(decision, now))


def findings(record: RolloutRecord, verdict: Verdict) -> tuple[Finding, ...]:
    """What the verdict found, and what was found before in a signal that is not seen whole now.

    Nobody knows that it is over: a rollback meanwhile has helped only where that is measured.
    """
    found = {finding.signal for finding in verdict.findings}
    unseen = {gap.signal for gap in verdict.gaps}
    unseen |= {reading.signal for reading in verdict.readings if reading.gaps or reading.value is None}
    earlier = (finding for finding in record.findings if finding.signal in unseen - found)
    return (*verdict.findings, *earlier)[:FINDINGS]


def unseen(record: RolloutRecord, verdict: Verdict) -> bool:
    """Whether what made the release bad is not seen whole now, nor anything else in its place."""
    return not verdict.findings and any(f.level is LevelName.ROLLBACK for f in findings(record, verdict))


def at_the_end(record: RolloutRecord, decision: Decision | None) -> RolloutRecord:
    """The record with the last look of all, whatever the one before it was; the same where this process had none."""
    if decision is None:
        return record
    return replace(record, last_look=_look(decision, decision.verdict.as_of))


def with_response(record: RolloutRecord, decision: Decision, now: Instant) -> RolloutRecord:
    """The record with what the decision does, or in mode observe would have done, where it is the first of its kind."""
    kind, would = decision.would or decision.kind, decision.would is not None
    known = any(response.kind is kind and response.would is would for response in record.responses)
    if kind is DecisionKind.CONTINUE or known:
        return record
    reason = decision.reason.partition(", because ")[2] if would else decision.reason
    reason = reason if len(reason) <= REASON else reason[: REASON - 1] + "…"
    response = Response(at=now, kind=kind, would=would, reason=reason)
    return replace(record, responses=(*record.responses, response))


def _due(record: RolloutRecord, kept: LastLook, timing: Timing) -> Instant:
    age = kept.at.since(record.started)
    return kept.at.plus(min(max(age, TICKS_AT_LEAST * timing.tick), TICKS_AT_MOST * timing.tick))


def _look(decision: Decision, at: Instant) -> LastLook:
    verdict = decision.verdict
    return LastLook(
        at=at,
        decision=decision.kind,
        reason=decision.reason,
        verdict=verdict.why,
        readings=verdict.readings,
        gaps=verdict.gaps,
        standings=decision.interlocks,
        wake_at=decision.wake_at,
    )
