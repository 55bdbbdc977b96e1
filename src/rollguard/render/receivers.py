"""Whom Alertmanager tells, and in which words. Secrets are files of one mounted Secret, never values."""

from __future__ import annotations

from rollguard.model.channels import (
    OWN_WEBHOOKS,
    SLACK_DEPLOYMENTS,
    SLACK_INCIDENTS,
    SLACK_WARNINGS,
    SecretKey,
    slack_key,
)
from rollguard.model.documents import Json
from rollguard.model.policy import Policy
from rollguard.render.deployment import ALERTS_PATH, ALERTS_PORT, SECRET_NAME
from rollguard.render.labels import DEPLOYMENT, Object

MOUNT = f"/etc/alertmanager/secrets/{SECRET_NAME}"
"""Where Alertmanager finds the Secret: there Prometheus Operator mounts it, named in `spec.secrets`."""
OLDEST_VERSION = "0.26"
"""Earlier ones take Slack's refusals, which come with status 200, for success."""
DEPLOYMENTS = "deployment-alerts"
WARNINGS = "slack-warnings"
PAGES = "pagerduty-critical"
INCIDENTS = "production-incidents"
GUARD = "rollguard"
INCIDENT_OPEN = "guard-incident-open"
SHOWN = 20
"""Alerts in one message: Slack cuts a long one off."""
FIRING = 'eq .Status "firing"'
SUMMARY = "or .CommonAnnotations.summary .GroupLabels.alertname"
TEXT = f"""\
{{{{ range $number, $alert := .Alerts }}}}{{{{ if lt $number {SHOWN} -}}}}
{{{{ if eq .Status "resolved" }}}}Resolved: {{{{ end }}}}*{{{{ or .Annotations.summary .Labels.alertname }}}}*
{{{{ with .Annotations.description -}}}}
{{{{ . | reReplaceAll "&" "&amp;" | reReplaceAll "<" "&lt;" | reReplaceAll ">" "&gt;" }}}}
{{{{ end }}}}{{{{ with .Annotations.runbook_url }}}}Runbook: {{{{ . }}}}
{{{{ end }}}}{{{{ with .Annotations.dashboard_url }}}}Dashboard: {{{{ . }}}}
{{{{ end }}}}{{{{ end }}}}{{{{ end }}}}{{{{ if gt (len .Alerts) {SHOWN} -}}}}
These are {SHOWN} of {{{{ len .Alerts }}}} alerts.
{{{{ end -}}}}
"""
"""Of each alert its summary, what it says about value and bound (in which Slack would take three characters for signs
of its own), and its links, on lines of their own."""


def receivers(policy: Policy, namespace: str) -> list[Json]:
    """All receivers that the routes name."""
    slack = policy.slack
    deployments = _slack(policy, SLACK_DEPLOYMENTS, slack.deployments, "Deployment Alert")
    warnings = _slack(policy, SLACK_WARNINGS, slack.warnings, "Deployment Warning", "warning")
    incidents = _slack(policy, SLACK_INCIDENTS, slack.incidents, "Production Incident")
    made: list[Json] = [
        {"name": DEPLOYMENTS, **deployments},
        {"name": PAGES, **(_pagerduty() if can_page(policy) else {}), **incidents},
        {"name": WARNINGS, **warnings},
        {"name": INCIDENTS, **incidents},
        {"name": INCIDENT_OPEN},
    ]
    if policy.takes_alerts:
        made.append({"name": GUARD, **_guard(namespace)})
    return made


def can_page(policy: Policy) -> bool:
    """Whether Alertmanager can page: PagerDuty's REST key is not the key of an integration."""
    return SecretKey.PAGERDUTY_ROUTING_KEY in policy.notification_secrets


def remarks(policy: Policy) -> list[str]:
    """What who applies the configuration must know, by lines."""
    lines = [
        f"For Alertmanager {OLDEST_VERSION} or later. Its secrets are files: mount the Secret `{SECRET_NAME}` at",
        f"{MOUNT} (Prometheus Operator: `spec.secrets` of the Alertmanager).",
    ]
    keys = policy.notification_secrets
    if not can_page(policy):
        lines += [
            "Alertmanager itself cannot page: for that it needs the key `pagerduty-routing-key` (an integration of the",
            f"Events API v2), which `notify.secrets` does not name. {PAGES} writes to Slack alone.",
        ]
    if SecretKey.SLACK_BOT_TOKEN in keys:
        return lines
    webhooks = {slack_key(channel, keys) for channel in OWN_WEBHOOKS}
    if webhooks == {SecretKey.SLACK_WEBHOOK_URL}:
        lines += [
            "There is one Slack webhook, and an app's webhook posts to its own channel only: all messages go there,",
            "and the title names the class of each.",
        ]
    if None in webhooks:
        lines.append("`notify.secrets` names no way to some of Slack's channels: their receivers tell nobody there.")
    return lines


def _slack(policy: Policy, name: str, channel: str, title: str, colour: str = "danger") -> Object:
    """The receiver's part for a channel of Slack; empty where the Secret has no way there."""
    key = slack_key(name, policy.notification_secrets)
    if key is None:
        return {}
    by_token = {"api_url": policy.slack.post_message, **_bearer(key)}
    access: Object = by_token if key is SecretKey.SLACK_BOT_TOKEN else {"api_url_file": f"{MOUNT}/{key}"}
    config: Object = {
        **access,
        "channel": channel,
        "send_resolved": True,
        "color": f"{{{{ if {FIRING} }}}}{colour}{{{{ else }}}}good{{{{ end }}}}",
        "title": f"{title}{{{{ if not ({FIRING}) }}}} (resolved){{{{ end }}}}",
        "title_link": "{{ .CommonAnnotations.dashboard_url }}",
        "fallback": f"{title}: {{{{ {SUMMARY} }}}}",
        "text": TEXT,
    }
    return {"slack_configs": [config]}


def _pagerduty() -> Object:
    config: Object = {
        "routing_key_file": f"{MOUNT}/{SecretKey.PAGERDUTY_ROUTING_KEY}",
        "send_resolved": True,
        "severity": "critical",
        "description": f"{{{{ {SUMMARY} }}}}",
        "source": '{{ or .GroupLabels.namespace "cluster" }}{{ with .CommonLabels.deployment }}/{{ . }}{{ end }}',
        "class": "{{ .GroupLabels.alertname }}",
        "group": "{{ .GroupLabels.namespace }}",
        "component": "{{ .CommonLabels.deployment }}",
        "links": [
            {"href": "{{ .CommonAnnotations.runbook_url }}", "text": "Runbook"},
            {"href": "{{ .CommonAnnotations.dashboard_url }}", "text": "Dashboard"},
        ],
    }
    return {"pagerduty_configs": [config]}


def _guard(namespace: str) -> Object:
    config: Object = {
        "url": f"http://{DEPLOYMENT}.{namespace}.svc:{ALERTS_PORT}{ALERTS_PATH}",
        "send_resolved": True,
        **_bearer(SecretKey.ALERTMANAGER_WEBHOOK_TOKEN),
    }
    return {"webhook_configs": [config]}


def _bearer(key: SecretKey) -> Object:
    return {"http_config": {"authorization": {"type": "Bearer", "credentials_file": f"{MOUNT}/{key}"}}}
