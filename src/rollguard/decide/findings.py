"""Questions about findings that several interlocks ask."""

from __future__ import annotations

from rollguard.model.judgement import Attribution, Finding, Verdict
from rollguard.model.signals import LevelName
from rollguard.policy.amounts import amount

BESIDE = "old pods beside it"
NO_REFERENCE = "none"
_EVENT_UNITS = frozenset({"restarts", "pods", "migrations"})


def decisive(verdict: Verdict) -> tuple[Finding, ...]:
    """The findings that ask for a rollback."""
    return tuple(finding for finding in verdict.findings if finding.level is LevelName.ROLLBACK)


def is_event(finding: Finding) -> bool:
    """An event rule's finding: seen in the cluster itself, without the metrics store."""
    return finding.unit in _EVENT_UNITS


def blames(verdict: Verdict, attribution: Attribution) -> Finding | None:
    """The first decisive finding with that attribution."""
    return next((finding for finding in decisive(verdict) if finding.attribution is attribution), None)


def names(findings: tuple[Finding, ...]) -> str:
    """The findings' signals, for a reason."""
    return ", ".join(finding.signal for finding in findings)


def shown(finding: Finding) -> str:
    """The reference's value beside the new version's, for a reason."""
    if finding.reference.value is None:
        return "no value"
    beside, bound = amount(finding.reference.value, finding.unit), amount(finding.bound, finding.unit)
    return f"{beside} against {amount(finding.value, finding.unit)} now, bound {bound}"
