"""The response to a verdict: each decisive finding faces every interlock, and the least hindered one carries."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import assert_never

from rollguard.decide.findings import decisive, names
from rollguard.decide.interlocks.every import EVERY, Interlock
from rollguard.model.action import Decision, DecisionKind, Standing
from rollguard.model.judgement import Finding, Verdict, VerdictKind
from rollguard.model.policy import Mode
from rollguard.model.quiet import latest_end
from rollguard.model.signals import LevelName
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

STRICTNESS = {DecisionKind.ROLL_BACK: 0, DecisionKind.ASK: 1, DecisionKind.HOLD: 2, DecisionKind.PAGE: 3}
_WOULD = {DecisionKind.ROLL_BACK: "would have rolled back", DecisionKind.ASK: "would have asked for approval"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One finding before the interlocks: what they leave, and how each stands."""

    finding: Finding
    leaves: DecisionKind
    standings: tuple[Standing, ...]
    known: bool
    """People know why already."""


def decide(
    situation: Situation, verdict: Verdict, now: Instant, *, interlocks: tuple[Interlock, ...] = EVERY
) -> Decision:
    """The decision, with the value and bound of what led to it in its reason, and every interlock as it stands.

    Only a `bad` verdict leads to a rollback, and then only by a finding that no interlock forbids.
    """
    match verdict.kind:
        case VerdictKind.BAD:
            return _on_bad(situation, verdict, now, interlocks)
        case VerdictKind.BLIND:
            kind = DecisionKind.HOLD
        case VerdictKind.DEGRADED:
            critical = any(finding.level is not LevelName.WARNING for finding in verdict.findings)
            kind = DecisionKind.PAGE if critical else DecisionKind.WARN
        case VerdictKind.HEALTHY | VerdictKind.UNDECIDED:
            kind = DecisionKind.CONTINUE
        case _:
            assert_never(verdict.kind)
    standings = tuple(interlock.check(situation, verdict, now) for interlock in interlocks)
    reason = "; ".join(finding.text for finding in verdict.findings) or verdict.why
    return _decision(situation, verdict, now, kind=kind, reason=reason, standings=standings)


def _on_bad(situation: Situation, verdict: Verdict, now: Instant, interlocks: tuple[Interlock, ...]) -> Decision:
    cases = tuple(_case(situation, verdict, finding, now, interlocks) for finding in decisive(verdict))
    if not cases:
        reason = f"called bad without a finding at rollback level: {verdict.why}"
        return _decision(situation, verdict, now, kind=DecisionKind.HOLD, reason=reason, standings=())
    leaves = min((case.leaves for case in cases), key=lambda kind: STRICTNESS[kind])
    carrying = tuple(case for case in cases if case.leaves is leaves)
    passed_over = tuple(case for case in cases if case.leaves is not leaves)
    standings = tuple(dict.fromkeys(standing for case in carrying for standing in case.standings))
    evidence = "; ".join(case.finding.text for case in carrying)
    against = "; ".join(dict.fromkeys(standing.reason for standing in standings if standing.forbids))
    aside = names(tuple(case.finding for case in passed_over))
    kind, would = _response(leaves, situation.mode)
    reason = f"{_WOULD[would]}, because {evidence}" if would is not None else evidence
    reason += f"; but {against}" if against else ""
    reason += f" (left aside, for interlocks forbid to act on it: {aside})" if aside else ""
    decision = _decision(situation, verdict, now, kind=kind, reason=reason, standings=standings)
    return replace(decision, would=would, known=any(case.known for case in carrying))


def _case(
    situation: Situation, verdict: Verdict, finding: Finding, now: Instant, interlocks: tuple[Interlock, ...]
) -> _Case:
    alone = replace(verdict, findings=(finding,))
    leaves, known, standings = DecisionKind.ROLL_BACK, False, []
    for interlock in interlocks:
        standing = interlock.check(situation, alone, now)
        standings.append(standing)
        if standing.forbids:
            leaves = max(leaves, interlock.leaves, key=lambda kind: STRICTNESS[kind])
            known = known or interlock.known
    return _Case(finding=finding, leaves=leaves, standings=tuple(standings), known=known)


def _response(leaves: DecisionKind, mode: Mode) -> tuple[DecisionKind, DecisionKind | None]:
    """What the mode makes of what the interlocks leave; in mode observe also what would have been done."""
    if leaves in {DecisionKind.HOLD, DecisionKind.PAGE}:
        return leaves, None
    match mode:
        case Mode.AUTOMATIC:
            return leaves, None
        case Mode.APPROVE:
            return DecisionKind.ASK, None
        case Mode.OBSERVE:
            return DecisionKind.PAGE, leaves
        case _:
            assert_never(mode)


def _decision(
    situation: Situation,
    verdict: Verdict,
    now: Instant,
    *,
    kind: DecisionKind,
    reason: str,
    standings: tuple[Standing, ...],
) -> Decision:
    return Decision(
        kind=kind,
        reason=reason,
        interlocks=standings,
        verdict=verdict,
        target=situation.target(),
        wake_at=_wake_at(situation, now),
    )


def _wake_at(situation: Situation, now: Instant) -> Instant | None:
    """The next moment at which time alone can change the decision: a freeze or a limit ends, a part of the window."""
    timing, limits, started = situation.timing, situation.limits, situation.rollout.started
    quiet = latest_end(situation.maintenance, now)
    freezes = (situation.unit.freeze, situation.around.freeze_all)
    moments = [
        started.plus(timing.automatic),
        started.plus(timing.close),
        *(freeze.until for freeze in freezes if freeze is not None),
        *([quiet[1]] if quiet is not None else []),
        *(at.plus(limits.rollbacks_within) for at in situation.unit.automatic_rollbacks),
        *(at.plus(limits.fleet_within) for _, at in situation.around.fleet_rollbacks),
    ]
    return min((moment for moment in moments if moment > now), default=None)
