"""Whom Alertmanager tells, and in which words. Secrets are files of one mounted Secret, never values."""

from __future__ import annotations

from rollguard.model.documents import Json
from rollguard.model.policy import Policy, SecretKey
from rollguard.render.deployment import SECRET_NAME
from rollguard.render.labels import DEPLOYMENT, Object

MOUNT = f"/etc/alertmanager/secrets/{SECRET_NAME}"
"""Where Alertmanager finds the Secret: there Prometheus Operator mounts it, named in `spec.secrets`."""
OLDEST_VERSION = "0.26"
"""Earlier ones take Slack's refusals, which come with status 200, for success."""
ALERTS_PORT = 9097
ALERTS_PATH = "/alerts"
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
OWN_WEBHOOKS = (
    SecretKey.SLACK_WEBHOOK_URL_DEPLOYMENTS,
    SecretKey.SLACK_WEBHOOK_URL_WARNINGS,
    SecretKey.SLACK_WEBHOOK_URL_INCIDENTS,
)


def receivers(policy: Policy, namespace: str) -> list[Json]:
    """All receivers that the routes name."""
    slack = policy.slack
    deployments = _slack(policy, slack.deployments, SecretKey.SLACK_WEBHOOK_URL_DEPLOYMENTS, "Deployment Alert")
    warnings = _slack(policy, slack.warnings, SecretKey.SLACK_WEBHOOK_URL_WARNINGS, "Deployment Warning", "warning")
    incidents = _slack(policy, slack.incidents, SecretKey.SLACK_WEBHOOK_URL_INCIDENTS, "Production Incident")
    made: list[Json] = [
        {"name": DEPLOYMENTS, **deployments},
        {"name": PAGES, **(_pagerduty() if can_page(policy) else {}), **incidents},
        {"name": WARNINGS, **warnings},
        {"name": INCIDENTS, **incidents},
        {"name": INCIDENT_OPEN},
    ]
    if takes_alerts(policy):
        made.append({"name": GUARD, **_guard(namespace)})
    return made


def can_page(policy: Policy) -> bool:
    """Whether Alertmanager can page: PagerDuty's REST key is not the key of an integration."""
    return SecretKey.PAGERDUTY_ROUTING_KEY in policy.notification_secrets


def takes_alerts(policy: Policy) -> bool:
    """Whether the guard takes alerts: from nobody without a token."""
    return SecretKey.ALERTMANAGER_WEBHOOK_TOKEN in policy.notification_secrets


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
    webhooks = {_webhook(policy, own) for own in OWN_WEBHOOKS}
    if webhooks == {SecretKey.SLACK_WEBHOOK_URL}:
        lines += [
            "There is one Slack webhook, and an app's webhook posts to its own channel only: all messages go there,",
            "and the title names the class of each.",
        ]
    if None in webhooks:
        lines.append("`notify.secrets` names no way to some of Slack's channels: their receivers tell nobody there.")
    return lines


def _webhook(policy: Policy, own: SecretKey) -> SecretKey | None:
    """The key of the webhook for a channel: its own goes before the one for all."""
    return next((key for key in (own, SecretKey.SLACK_WEBHOOK_URL) if key in policy.notification_secrets), None)


def _slack(policy: Policy, channel: str, own: SecretKey, title: str, colour: str = "danger") -> Object:
    """The receiver's part for a channel of Slack; empty where the Secret has no way there."""
    webhook = _webhook(policy, own)
    access: Object
    if SecretKey.SLACK_BOT_TOKEN in policy.notification_secrets:
        access = {"api_url": policy.slack.post_message, **_bearer(SecretKey.SLACK_BOT_TOKEN)}
    elif webhook is not None:
        access = {"api_url_file": f"{MOUNT}/{webhook}"}
    else:
        return {}
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
