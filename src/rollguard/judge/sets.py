"""The verdict on a release set: that of its worst member, with every member's evidence."""

from __future__ import annotations

from dataclasses import replace

from rollguard.judge.words import NOTHING_REACHED
from rollguard.model.judgement import Finding, Verdict, VerdictKind
from rollguard.model.signals import LevelName

_WORST_FIRST = (
    VerdictKind.BAD,
    VerdictKind.BLIND,
    VerdictKind.DEGRADED,
    VerdictKind.UNDECIDED,
    VerdictKind.HEALTHY,
)


def with_finding(verdict: Verdict, finding: Finding) -> Verdict:
    """The verdict with a finding that no signal of the policy makes: bad where it asks for a rollback, else degraded at
    least.

    A verdict that was blind is so no more: that pods which are gone answer nothing is what is found.
    """
    kind = VerdictKind.BAD if finding.level is LevelName.ROLLBACK else VerdictKind.DEGRADED
    if verdict.kind is VerdictKind.BAD and kind is not VerdictKind.BAD:
        return replace(verdict, findings=(*verdict.findings, finding))
    return replace(verdict, kind=kind, why=finding.text, findings=(finding, *verdict.findings))


def of_member(member: str, verdict: Verdict) -> Verdict:
    """The verdict with its evidence in the member's name."""
    return replace(
        verdict,
        findings=tuple(
            replace(finding, member=member, text=f"{member}: {finding.text}") for finding in verdict.findings
        ),
        gaps=tuple(replace(gap, member=member) for gap in verdict.gaps),
        readings=tuple(replace(reading, member=member) for reading in verdict.readings),
        why=f"{member}: {verdict.why}",
    )


def of_set(verdicts: tuple[Verdict, ...]) -> Verdict:
    """The set's verdict from those of its members (`of_member`), of which there must be one or more.

    Healthy only where every member is. Proven is the old version only since all of it is.
    """
    worst = min(verdicts, key=lambda verdict: _WORST_FIRST.index(verdict.kind))
    proven = [verdict.proven for verdict in verdicts]
    known = [moment for moment in proven if moment is not None]
    healthy = worst.kind is VerdictKind.HEALTHY  # of which member is no matter, nor who is a member
    return replace(
        worst,
        why=f"of every member {NOTHING_REACHED}" if healthy else worst.why,
        as_of=min(verdict.as_of for verdict in verdicts),
        findings=tuple(finding for verdict in (worst, *_but(verdicts, worst)) for finding in verdict.findings),
        gaps=tuple(gap for verdict in verdicts for gap in verdict.gaps),
        readings=tuple(reading for verdict in verdicts for reading in verdict.readings),
        proven=max(known) if len(known) == len(proven) else None,
    )


def _but(verdicts: tuple[Verdict, ...], one: Verdict) -> tuple[Verdict, ...]:
    return tuple(verdict for verdict in verdicts if verdict is not one)
