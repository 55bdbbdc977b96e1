"""Alerts on the guard itself, and the one that inhibits others while an incident of the guard is open."""

from __future__ import annotations

from rollguard import signals
from rollguard.model.alerting import Category, Severity
from rollguard.model.policy import Policy
from rollguard.policy.durations import format_
from rollguard.policy.promql import Matcher, narrowed
from rollguard.render.alerts.alert import Alert
from rollguard.render.alerts.cluster import WHERE, told
from rollguard.render.alerts.lasting import lasting
from rollguard.render.places import BLIND, HELD, INCIDENTS, JOURNAL, LEADING, STALLED, Place
from rollguard.signals import NAMESPACE


def of_guard(policy: Policy, namespace: str) -> tuple[Alert, ...]:
    """Of the guard in that namespace."""
    return (
        _down(policy, namespace),
        _made(
            policy,
            "GuardBlind",
            "rollguard_blind",
            BLIND,
            summary="The guard cannot judge a rollout",
            says=f"A required signal of {WHERE} has no complete answers, and its rollout cannot be judged",
            meaning="The metrics store does not answer completely for a required signal. Crash loops and the other "
            "event rules still act; error rates and response times do not.",
        ),
        _made(
            policy,
            "GuardHeld",
            "rollguard_hold_unanswered",
            HELD,
            summary="A bad rollout waits for a person",
            says=f"The rollout of {WHERE} is bad, and the guard may not undo it alone: it waits for an answer",
            meaning="The rollout is judged bad and an interlock forbids the guard to act alone, or it asked for an "
            "approval and got none.",
        ),
        _made(
            policy,
            "GuardRollbackStalled",
            "rollguard_rollback_stalled",
            STALLED,
            summary="A rollback does not come to its end",
            says=f"The rollback of {WHERE} does not come to its end",
            meaning="The guard has written a rollback, and the restored version does not become available, or the "
            "rollback did not help.",
        ),
        _made(
            policy,
            "GuardIncidentOpen",
            "rollguard_incident_open",
            INCIDENTS,
            severity=Severity.NONE,
            summary="The guard has paged for a rollout",
            says=f"The guard has an open incident about {WHERE}, and a paging channel has accepted it",
            meaning="Nobody is told by this alert: while it fires, the critical alerts on the same Deployment are not "
            "paged a second time. When the guard is dead it does not fire, and they are.",
        ),
        *((_unreached(policy, namespace),) if policy.journal is not None else ()),
    )


def _down(policy: Policy, namespace: str) -> Alert:
    seconds = lasting(policy, "GuardDown")
    leading = _own(policy, namespace, "rollguard_leading")
    return Alert(
        name="GuardDown",
        severity=Severity.CRITICAL,
        category=Category.GUARD,
        expr=f"absent(max({leading}) == 1)",
        for_seconds=seconds,
        summary="No guard leads",
        description=f"No replica of the guard in {namespace} has led for {format_(seconds)}: no rollout is guarded.",
        meaning=f"No scraped replica of the guard in `{namespace}` says that it leads: all are gone, none gets the "
        "Lease, or the metrics store cannot scrape them.",
        panel=LEADING,
        labels=(("namespace", namespace),),
        deployment=False,
    )


def _unreached(policy: Policy, namespace: str) -> Alert:
    seconds = lasting(policy, "GuardJournalUnreached")
    return Alert(
        name="GuardJournalUnreached",
        severity=Severity.WARNING,
        category=Category.GUARD,
        expr=f"min({_own(policy, namespace, 'rollguard_journal_reached')}) == 0",
        for_seconds=seconds,
        summary="The guard's journal is not reached",
        description=f"The journal's database has taken no lines of the guard in {namespace} for {format_(seconds)}.",
        meaning=f"A replica of the guard in `{namespace}` cannot write to the database that the policy's `journal` "
        "names. Nothing waits for it: rollouts are guarded as ever.",
        panel=JOURNAL,
        labels=(("namespace", namespace),),
        deployment=False,
    )


def _own(policy: Policy, namespace: str, series: str) -> str:
    """A series about the guard of that namespace itself."""
    return narrowed(series, (Matcher(NAMESPACE, "=", namespace),), policy.metrics.match)


def _made(
    policy: Policy,
    name: str,
    series: str,
    panel: Place,
    *,
    summary: str,
    says: str,
    meaning: str,
    severity: Severity = Severity.CRITICAL,
) -> Alert:
    seconds = lasting(policy, name)
    return Alert(
        name=name,
        severity=severity,
        category=Category.GUARD,
        expr=told(signals.scope(policy), series),
        for_seconds=seconds,
        summary=summary,
        description=f"{says}{f', for {format_(seconds)}' if seconds else ''}.",
        meaning=meaning,
        panel=panel,
    )
