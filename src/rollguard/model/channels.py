"""The channels of notices by name, and the keys of the Secret that they need: names, never values."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

LOG = "log"
"""The guard's own log. It takes every notice, and nobody is told by it."""
SLACK_DEPLOYMENTS = "slack-deployments"
SLACK_WARNINGS = "slack-warnings"
SLACK_INCIDENTS = "slack-incidents"
PAGERDUTY = "pagerduty"
"""Incidents by the REST API."""
PAGERDUTY_EVENTS = "pagerduty-events"
"""Incidents by the Events API v2."""
EMAIL = "email"
TICKETS = "tickets"
"""Where a finding becomes a ticket. It takes the messages about tickets, and no others."""
FIXED = (SLACK_DEPLOYMENTS, SLACK_WARNINGS, SLACK_INCIDENTS, PAGERDUTY, PAGERDUTY_EVENTS, EMAIL, TICKETS, LOG)
"""Every other channel is a webhook, under its own name."""


class SecretKey(StrEnum):
    """The keys that the Secret for notices may hold: their names, never their values."""

    SLACK_WEBHOOK_URL = "slack-webhook-url"
    SLACK_WEBHOOK_URL_DEPLOYMENTS = "slack-webhook-url-deployments"
    SLACK_WEBHOOK_URL_WARNINGS = "slack-webhook-url-warnings"
    SLACK_WEBHOOK_URL_INCIDENTS = "slack-webhook-url-incidents"
    SLACK_BOT_TOKEN = "slack-bot-token"  # noqa: S105 (a name)
    PAGERDUTY_API_KEY = "pagerduty-api-key"
    PAGERDUTY_SERVICE_ID = "pagerduty-service-id"
    PAGERDUTY_ROUTING_KEY = "pagerduty-routing-key"
    """The key of an Events v2 integration: with it Alertmanager pages too."""
    ALERTMANAGER_WEBHOOK_TOKEN = "alertmanager-webhook-token"  # noqa: S105 (a name)
    """What Alertmanager shows to the guard."""
    SMTP_USERNAME = "smtp-username"
    SMTP_PASSWORD = "smtp-password"  # noqa: S105 (a name)
    WEBHOOK_HMAC_KEY = "webhook-hmac-key"
    """What signs the bodies of webhooks that name no key file of their own."""
    TICKETS_HMAC_KEY = "tickets-hmac-key"
    """What signs the bodies about tickets in its stead."""
    JOURNAL_DSN = "journal-dsn"
    """Where the journal is, with its password."""
    GRAFANA_TOKEN = "grafana-token"  # noqa: S105 (a name)


OWN_WEBHOOKS: Mapping[str, SecretKey] = MappingProxyType(
    {
        SLACK_DEPLOYMENTS: SecretKey.SLACK_WEBHOOK_URL_DEPLOYMENTS,
        SLACK_WARNINGS: SecretKey.SLACK_WEBHOOK_URL_WARNINGS,
        SLACK_INCIDENTS: SecretKey.SLACK_WEBHOOK_URL_INCIDENTS,
    }
)
"""Channel of Slack -> the key of the webhook that is its alone."""


def of_team(channel: str, team: str) -> str:
    """The name of a team's own channel of Slack for what goes to that one: `slack-incidents@video`."""
    return f"{channel}@{team}"


def is_slack(channel: str) -> bool:
    """Whether that is a channel of Slack, of all or of a team."""
    return channel.partition("@")[0] in OWN_WEBHOOKS


def slack_key(channel: str, present: Container[SecretKey]) -> SecretKey | None:
    """By which of the present keys that channel of Slack is reached: the bot's token, its own webhook, the one for all;
    None where there is no way to it. A team's channel is the bot's alone: a webhook cannot choose where it writes."""
    own = (OWN_WEBHOOKS[channel], SecretKey.SLACK_WEBHOOK_URL) if channel in OWN_WEBHOOKS else ()
    return next((key for key in (SecretKey.SLACK_BOT_TOKEN, *own) if key in present), None)


NAMED = 8
"""Channels that are named in a line for people; each team may have some."""


def by_needs(channels: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Of (channel, what it still needs): what is needed -> the channels that need it, in words. Those that are set up
    are under the empty text."""
    found: dict[str, list[str]] = {}
    for name, needs in channels:
        found.setdefault(needs, []).append(name)
    return {needs: _listed(names) for needs, names in found.items()}


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
