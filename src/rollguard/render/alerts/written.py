"""The rule files: bare groups, and the same in the object that an operator of Prometheus reads."""

from __future__ import annotations

from rollguard.model.alerting import Category
from rollguard.model.documents import Json
from rollguard.model.policy import Policy
from rollguard.policy.durations import format_
from rollguard.render.alerts.alert import Alert, Recording
from rollguard.render.alerts.table import GUARD, alerts, recordings
from rollguard.render.file import File, yaml_file
from rollguard.render.installation import space
from rollguard.render.labels import Object, labels
from rollguard.render.places import address, panel_id

OBJECT_PATH = "deployment-alerts.yaml"
RULES_PATH = "rules/rollguard.rules.yaml"
OBJECT = "rollguard"
"""What the PrometheusRule is called."""
GROUP = "rollguard"
"""How the names of the rule groups begin."""


def rule_files(policy: Policy, *, namespace: str = GUARD) -> tuple[File, ...]:
    """The object for the operator of Prometheus, with the namespace that it is in, for it is applied first; and the
    bare groups, for a Prometheus without one and for promtool."""
    found = groups(policy, namespace=namespace)
    rule: Object = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {
            "name": OBJECT,
            "namespace": namespace,
            "labels": {**labels(namespace), **dict(policy.alerting.labels)},
        },
        "spec": {"groups": found},
    }
    return (
        yaml_file(OBJECT_PATH, (space(namespace), rule)),
        yaml_file(RULES_PATH, ({"groups": found},)),
    )


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
        told["dashboard_url"] = _shown(alert, policy)
    return told


def _shown(alert: Alert, policy: Policy) -> str:
    """The panel about the alert, of what it names. A dashboard takes no notice of variables that it does not have."""
    # A label that the rule itself adds cannot be named in a template; what has it has no other.
    own = dict(alert.labels).get("namespace", "")
    cluster = "" if own else policy.metrics.cluster_label
    found = (
        f"var-cluster={{{{ $labels.{cluster} }}}}" if cluster else "",
        f"var-namespace={own or '{{ $labels.namespace }}'}",
        "var-workload={{ $labels.deployment }}" if alert.deployment else "",
        f"viewPanel={panel_id(alert.panel.key)}",
    )
    return f"{address(alert.panel.board, policy.links)}?{'&'.join(each for each in found if each)}"


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
