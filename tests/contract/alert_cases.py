"""The alerts of the platform's policy as Prometheus would send them, and whom the table of routes names for each."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from rollguard.model.channels import SecretKey
from rollguard.model.policy import Policy, QuietWindow
from rollguard.policy import load
from rollguard.render.alerts.table import alerts
from rollguard.render.alerts.written import annotated

POLICY_FILE = Path(__file__).parents[2] / "examples/dubbing-platform/policy.yaml"
PLATFORM = (SecretKey.SLACK_WEBHOOK_URL, SecretKey.PAGERDUTY_API_KEY, SecretKey.PAGERDUTY_SERVICE_ID)
ALL = (SecretKey.SLACK_BOT_TOKEN, SecretKey.PAGERDUTY_ROUTING_KEY, SecretKey.ALERTMANAGER_WEBHOOK_TOKEN)
NAMESPACE = "production"
INCIDENT_OPEN = "GuardIncidentOpen"
_TEMPLATED = re.compile(r"{{.*?}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An alert of one severity that fires in a namespace, for a Deployment where its rule names one."""

    name: str
    severity: str
    category: str
    namespace: str = NAMESPACE
    deployment: str = "backend-green"
    action: str = ""
    annotations: tuple[tuple[str, str], ...] = ()

    @property
    def labels(self) -> dict[str, str]:
        """Its labels; those without a value are not there."""
        found = {
            "alertname": self.name,
            "severity": self.severity,
            "category": self.category,
            "namespace": self.namespace,
            "deployment": self.deployment,
            "rollguard_action": self.action,
        }
        return {name: value for name, value in found.items() if value}

    @property
    def told(self) -> dict[str, str]:
        """Its annotations as Prometheus would fill them in."""
        labels = {"namespace": self.namespace, "deployment": self.deployment}

        def filled(found: re.Match[str]) -> str:
            name = found[0].strip("{} ").removeprefix("$labels.")
            return labels.get(name, "12.3% <of all>")

        return {key: _TEMPLATED.sub(filled, text) for key, text in self.annotations}

    def moved(self, namespace: str) -> Case:
        """The same in another namespace; not where the rule itself names one, as of the guard."""
        return replace(self, namespace=namespace) if self.namespace == NAMESPACE else self

    def sent(self, **more: str) -> dict[str, object]:
        """As Alertmanager gets it."""
        return {"labels": self.labels, "annotations": self.told, **more}


def platform(keys: tuple[SecretKey, ...], quiet: tuple[QuietWindow, ...] = ()) -> Policy:
    """The platform's policy with other keys in the Secret for notices."""
    policy = load(POLICY_FILE.read_text(), "policy.yaml")
    assert isinstance(policy, Policy), policy
    return replace(policy, notification_secrets=keys, maintenance=quiet)


@cache
def cases() -> tuple[Case, ...]:
    """Every alert of the policy, once for each of its severities."""
    policy = platform(ALL)
    found: dict[tuple[str, str], Case] = {}
    for alert in alerts(policy):
        annotations = {key: str(value) for key, value in annotated(alert, policy).items()}
        found[alert.name, alert.severity.value] = Case(
            name=alert.name,
            severity=alert.severity.value,
            category=alert.category.value,
            namespace=dict(alert.labels).get("namespace", NAMESPACE),
            deployment="backend-green" if alert.deployment else "",
            action=dict(alert.labels).get("rollguard_action", ""),
            annotations=tuple(annotations.items()),
        )
    return tuple(found.values())


def receivers(case: Case) -> tuple[str, ...]:
    """Whom the table of routes names, in their order."""
    if case.name == INCIDENT_OPEN:
        return ("guard-incident-open",)
    guard = ("rollguard",) if case.action == "rollback" else ()
    if case.category == "deployment" and case.severity in ("critical", "warning"):
        first = "pagerduty-critical" if case.severity == "critical" else "slack-warnings"
        return (*guard, first, "deployment-alerts")
    return (*guard, "production-incidents" if case.severity == "critical" else "deployment-alerts")
