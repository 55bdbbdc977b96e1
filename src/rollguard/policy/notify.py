"""`spec.notify`: its keys, what is wrong between them, and what they come to."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rollguard.model.channels import FIXED, SecretKey
from rollguard.model.destinations import SlackChannels, WebhookChannel
from rollguard.policy.email import EMAIL, EmailPart, check_email
from rollguard.policy.pagerduty import PagerDutyPart
from rollguard.policy.part import File, Name, Part, SecuredUrl, SlackChannel, TeamName, Url
from rollguard.policy.quiet import QuietHoursPart
from rollguard.policy.response import RespondPart, TicketsPart
from rollguard.policy.teams import TeamPart, channels_of, check_means
from rollguard.policy.yaml_text import Marked

SecretName = Literal[
    "slack-webhook-url",
    "pagerduty-api-key",
    "pagerduty-service-id",
    "slack-bot-token",
    "slack-webhook-url-deployments",
    "slack-webhook-url-warnings",
    "slack-webhook-url-incidents",
    "pagerduty-routing-key",
    "alertmanager-webhook-token",
    "smtp-username",
    "smtp-password",
    "webhook-hmac-key",
    "tickets-hmac-key",
    "journal-dsn",
    "grafana-token",
]
_TOGETHER = (
    (SecretKey.PAGERDUTY_API_KEY, SecretKey.PAGERDUTY_SERVICE_ID),
    (SecretKey.SMTP_USERNAME, SecretKey.SMTP_PASSWORD),
)


class Webhook(Part):
    """Every notice as JSON."""

    name: Name
    """A name of its own."""
    url: Url
    """Where each notice is sent."""
    hmac_key_file: File | None = None
    """A file with the key that signs each body."""


class SlackPart(Part):
    """The channels of Slack, each in quotes: without them YAML takes `#` for a comment."""

    deployments: SlackChannel = SlackChannels().deployments
    """All notices of deployments."""
    warnings: SlackChannel = SlackChannels().warnings
    """What is worth a look, and needs nobody at once."""
    incidents: SlackChannel = SlackChannels().incidents
    """What is critical, and incidents."""
    api: SecuredUrl = SlackChannels().api
    """Where a bot's token is sent; in GovSlack `https://slack-gov.com/api`."""


class Notify(Part):
    """Where notices and alerts go."""

    webhooks: list[Webhook] = []
    """Every notice as JSON, to each of these."""
    slack: SlackPart = SlackPart()
    """The channels of Slack."""
    pagerduty: PagerDutyPart = PagerDutyPart()
    """How incidents are opened in PagerDuty."""
    respond: RespondPart = RespondPart()
    """How soon a page is answered."""
    quiet: Annotated[list[QuietHoursPart], Field(max_length=64)] = []
    """Quiet hours: warnings and information wait for their end; pages never do."""
    email: EmailPart | None = None
    """Summaries of rollouts, and pages that nothing else took, by mail."""
    teams: Annotated[dict[TeamName, TeamPart], Field(max_length=64)] = {}
    """Who else is told of the workloads of a team, by the `team` of their watch."""
    tickets: TicketsPart | None = None
    """Where a finding becomes a ticket; none where it is not given."""
    secrets: Annotated[list[SecretName], Field(max_length=16)] = [
        "slack-webhook-url",
        "pagerduty-api-key",
        "pagerduty-service-id",
    ]
    """The keys that the Secret `notification-secrets` has to hold: what is rendered for Alertmanager follows from them,
    and `doctor` names each channel that lacks one. The guard uses a key that is there without being named, but for
    `alertmanager-webhook-token`."""


def check_notify(part: Notify, marked: Marked) -> None:
    """What is wrong within `spec.notify`."""
    path = ("spec", "notify")
    names: set[str] = set()
    for index, webhook in enumerate(part.webhooks):
        if webhook.name in names:
            marked.wrong((*path, "webhooks", index, "name"), webhook.name, "a name of its own for each webhook")
        if webhook.name in FIXED:
            words = "a name that is none of the guard's own channels (" + ", ".join(FIXED) + ")"
            marked.wrong((*path, "webhooks", index, "name"), webhook.name, words)
        names.add(webhook.name)
    for index, key in enumerate(part.secrets):
        if key in part.secrets[:index]:
            marked.wrong((*path, "secrets", index), key, "each key once")
    for pair in _TOGETHER:
        alone = [key for key in part.secrets if key in pair]
        if len(set(alone)) == 1:
            words = f"both `{pair[0]}` and `{pair[1]}`, or neither"
            marked.wrong((*path, "secrets", part.secrets.index(alone[0])), alone[0], words)
    check_email(part.email, secrets_of(part), marked)
    by_mail = part.email is not None or any(dropped[: len(EMAIL)] == EMAIL for dropped in marked.dropped)
    check_means(part.teams, marked, by_mail=by_mail)


def webhooks_of(part: Notify) -> tuple[WebhookChannel, ...]:
    """The webhooks of a part without mistakes."""
    return tuple(
        WebhookChannel(name=hook.name, url=hook.url, hmac_key_file=hook.hmac_key_file or "") for hook in part.webhooks
    )


def slack_of(part: Notify) -> SlackChannels:
    """The channels of a part without mistakes."""
    return SlackChannels(
        deployments=part.slack.deployments,
        warnings=part.slack.warnings,
        incidents=part.slack.incidents,
        api=part.slack.api,
        teams=channels_of(part.teams),
    )


def secrets_of(part: Notify) -> tuple[SecretKey, ...]:
    """The keys of a part without mistakes, in the order of their names: it means nothing in the text."""
    return tuple(sorted(SecretKey(key) for key in part.secrets))
