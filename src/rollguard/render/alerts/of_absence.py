"""Alerts on what is no longer there: a signal's series or traffic, and scraped targets."""

from __future__ import annotations

from rollguard import signals
from rollguard.model.alerting import Category, Severity
from rollguard.model.policy import Policy
from rollguard.model.signals import Signal, SignalKind
from rollguard.policy.durations import format_
from rollguard.policy.promql import Matcher
from rollguard.render.alerts.alert import Alert
from rollguard.render.alerts.cluster import TARGETS, WHERE, deployments
from rollguard.render.alerts.lasting import lasting
from rollguard.render.alerts.recordings import by_workload, counts_requests, presence_over, requests_name, value_name
from rollguard.render.places import SCRAPED, place_of
from rollguard.signals import DEPLOYMENT, Scope

BEFORE = "2h"
"""What was there in most of the time is missed when it is gone, and given up after half of it."""


def of_absence(policy: Policy) -> tuple[Alert, ...]:
    """One for each required signal of workloads, and one for targets."""
    scope = signals.scope(policy)
    required = (
        signal
        for signal in policy.signals
        if signal.required and not signal.shared and by_workload(signal) and signal.kind is not SignalKind.EVENT
    )
    return (*(_signal(policy, signal, scope) for signal in required), _target(policy, scope))


def _running(scope: Scope) -> str:
    return f"and {scope.alike()} ({deployments(scope, 'spec_replicas')} > 0)"


def _lost(series: str, least: str, scope: Scope) -> str:
    """Had at least so much in most of the time, and has nothing now."""
    return f"quantile_over_time(0.5, {series}[{BEFORE}]) >= {least} unless {scope.alike()} ({series} > 0)"


def _signal(policy: Policy, signal: Signal, scope: Scope) -> Alert:
    seconds = lasting(policy, "SignalAbsent")
    if counts_requests(signal):
        series = requests_name(signal, presence_over(signal))
        lost = _lost(series, str(max(signal.minimum_traffic, 1)), scope)
        what = "has no traffic, or no series, where it had"
        quantile = next((each.quantile for each in signal.levels), None)
    else:
        alert = by_workload(signal)[0]
        level = next(each for each in signal.levels if each.name is alert.level)
        series = value_name(signal, alert, level)
        lost = f"last_over_time({series}[{BEFORE}]) unless {scope.alike()} {series}"
        what = "has no series where it had"
        quantile = level.quantile
    return Alert(
        name="SignalAbsent",
        severity=Severity.WARNING,
        category=Category.GUARD,
        expr=f"({lost}) {_running(scope)}{_idle(policy, series, scope)}",
        for_seconds=seconds,
        summary=f"The signal {signal.name} has fallen silent",
        description=f"The signal {signal.name} of {WHERE} {what} ({{{{ $value }}}} before) for {format_(seconds)}: "
        "without it neither alerts nor the guard see anything.",
        meaning=f"A Deployment with replicas had the signal `{signal.name}` in most of the last {BEFORE}, and has none "
        "now. A colour of a release set is left out while the other has it.",
        panel=place_of(signal, quantile),
        labels=(("signal", signal.name),),
        value=series,
        signal=signal.name,
    )


def _idle(policy: Policy, series: str, scope: Scope) -> str:
    """A colour that was switched away from has no traffic, and is not missed while the other has some."""
    clauses = ""
    for each in policy.release_sets():
        for member in each.members:
            names = "|".join(name for _, name in member.workloads)
            colours = (Matcher("namespace", "=", each.namespace), Matcher(DEPLOYMENT, "=~", names))
            served = f"sum by ({', '.join(scope.keys())}) ({series}{{{','.join(map(str, colours))}}}) > 0"
            either = deployments(scope, f"spec_replicas{{{colours[1]}}}")
            clauses += f" unless {scope.alike()} ({either} and {scope.on()} ({served}))"
    return clauses


def _target(policy: Policy, scope: Scope) -> Alert:
    seconds = lasting(policy, "TargetMissing")
    down = scope.by_workload("count", "up == 0")
    gone = f"({_lost(TARGETS, '1', scope)}) {_running(scope)}"
    return Alert(
        name="TargetMissing",
        severity=Severity.WARNING,
        category=Category.GUARD,
        expr=f"{down} or {gone}",
        for_seconds=seconds,
        summary="Pods are not scraped",
        description=f"Targets of {WHERE} that do not answer their scrapes, or are gone: {{{{ $value }}}}; the bound is "
        f"none for {format_(seconds)}.",
        meaning="The metrics store cannot scrape some pods of a Deployment, or has no target of it where it had some "
        f"in most of the last {BEFORE}.",
        panel=SCRAPED,
        value=down,
    )
