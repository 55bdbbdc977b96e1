"""The rule files: bare groups, and the same in the object that an operator of Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterable

from rollguard.model.alerting import Category
from rollguard.model.documents import Json
from rollguard.model.policy import Policy
from rollguard.policy.durations import format_
from rollguard.render.alerts.alert import Alert, Recording
from rollguard.render.alerts.table import GUARD, alerts, recordings
from rollguard.render.labels import Object

GROUP = "rollguard"
"""How the names of the rule groups begin."""


def groups(policy: Policy, *, namespace: str = GUARD) -> list[Json]:
    """The rule groups: the recorded series, then the alerts by category."""
    every = alerts(policy, namespace=namespace)
    found: list[Json] = [_group("recordings", [_recording(each) for each in recordings(policy)])]
    for category in Category:
        rules = [rule(alert, policy) for alert in every if alert.category is category]
        if rules:
            found.append(_group(category.value, rules))
    return found


def _group(name: str, rules: list[Json]) -> Json:
    return {"name": f"{GROUP}-{name}", "rules": rules}


def annotated(alert: Alert, policy: Policy) -> Object:
    """What an alert tells, and where to look and read on."""
    told: Object = {"summary": alert.summary, "description": alert.description}
    if runbook := policy.links.runbook_of(alert.name):
        told["runbook_url"] = runbook
    if policy.links.dashboard:
        workload = "&var-workload={{ $labels.deployment }}" if alert.deployment else ""
        told["dashboard_url"] = f"{policy.links.dashboard}?var-namespace={{{{ $labels.namespace }}}}{workload}"
    return told


def rule_names(found: Iterable[Alert]) -> tuple[str, ...]:
    """The names of alerts, each once, in their order."""
    return tuple(dict.fromkeys(alert.name for alert in found))


def _recording(recording: Recording) -> Json:
    labels: Object = {"labels": dict(recording.labels)} if recording.labels else {}
    return {"record": recording.record, "expr": recording.expr, **labels}


def rule(alert: Alert, policy: Policy) -> Json:
    """An alert as a rule file has it."""
    return {
        "alert": alert.name,
        "expr": alert.expr,
        "for": format_(alert.for_seconds),
        "labels": dict(alert.labelled),
        "annotations": annotated(alert, policy),
    }
