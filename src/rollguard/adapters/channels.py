"""Every channel of notices by name: how it is made, and what it still needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from rollguard.adapters.email import Email, unusable
from rollguard.adapters.pagerduty import PagerDuty
from rollguard.adapters.pagerduty_events import PagerDutyEvents
from rollguard.adapters.secrets import Secrets
from rollguard.adapters.slack import Slack
from rollguard.adapters.webhook import Webhook
from rollguard.model.channels import (
    EMAIL,
    FIXED,
    LOG,
    OWN_WEBHOOKS,
    PAGERDUTY,
    PAGERDUTY_EVENTS,
    SLACK_DEPLOYMENTS,
    SLACK_INCIDENTS,
    SLACK_WARNINGS,
    TICKETS,
    SecretKey,
    is_slack,
)
from rollguard.model.policy import Policy
from rollguard.notify import ticket_payload
from rollguard.ports import Clock, Notifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a channel is made of."""

    policy: Policy
    secrets: Secrets
    clock: Clock


def _slack(name: str) -> Callable[[Means], Notifier]:
    return lambda means: Slack(name, means.policy.slack, secrets=means.secrets, clock=means.clock)


def _email(means: Means) -> Notifier | None:
    email = means.policy.email
    if email is None:
        return None
    return Email(email, means.secrets, time_zone=means.policy.time_zone, named=means.policy.notification_secrets)


def _tickets(means: Means) -> Notifier | None:
    tickets = means.policy.tickets
    if tickets is None:
        return None
    keys = (SecretKey.TICKETS_HMAC_KEY, SecretKey.WEBHOOK_HMAC_KEY)
    return Webhook(tickets.channel, means.secrets, body=ticket_payload, keys=keys)


MAKERS: Mapping[str, Callable[[Means], Notifier | None]] = MappingProxyType(
    {
        SLACK_DEPLOYMENTS: _slack(SLACK_DEPLOYMENTS),
        SLACK_WARNINGS: _slack(SLACK_WARNINGS),
        SLACK_INCIDENTS: _slack(SLACK_INCIDENTS),
        PAGERDUTY: lambda means: PagerDuty(means.policy.paging, means.secrets, cluster=means.policy.cluster),
        PAGERDUTY_EVENTS: lambda means: PagerDutyEvents(
            means.policy.paging, means.secrets, cluster=means.policy.cluster
        ),
        EMAIL: _email,
        TICKETS: _tickets,
    }
)
"""Fixed channel -> how it is made; None where the policy has no part for it. Webhooks are made from the policy."""


class PolicyChannels:
    """The `Channels` of a policy, with the secrets of one directory; `always` are those that every policy has."""

    def __init__(self, secrets: Secrets, clock: Clock, *always: Notifier) -> None:
        self._secrets = secrets
        self._clock = clock
        self._always = always

    def connect(self, policy: Policy) -> tuple[Notifier, ...]:
        """One for each fixed channel that the policy has a part for, also while its secret is not there, for each
        channel of a team, and for each webhook."""
        means = Means(policy=policy, secrets=self._secrets, clock=self._clock)
        made = [make(means) for make in MAKERS.values()]
        made += [_slack(channel)(means) for channel in policy.slack.of_teams()]
        hooks = [Webhook(hook, self._secrets) for hook in policy.webhooks]
        return (*self._always, *(notifier for notifier in made if notifier is not None), *hooks)

    def lacking(self, policy: Policy) -> dict[str, str]:
        """Channel -> what it still needs, as of now, for those by which nothing can be sent; of webhooks nothing is
        said."""
        present = self._secrets.present()
        slack = {
            channel: self._secrets.needed(SecretKey.SLACK_BOT_TOKEN, own, SecretKey.SLACK_WEBHOOK_URL)
            for channel, own in OWN_WEBHOOKS.items()
            if self._secrets.slack(channel) is None
        }
        slack |= {
            channel: f"{self._secrets.needed(SecretKey.SLACK_BOT_TOKEN)}: a webhook cannot choose its channel"
            for channel in policy.slack.of_teams()
            if self._secrets.slack(channel) is None
        }
        pager = [SecretKey.PAGERDUTY_API_KEY, SecretKey.PAGERDUTY_SERVICE_ID]
        sender = "" if policy.paging.sender else "`notify.pagerduty.from` in the policy"
        found = {
            **slack,
            PAGERDUTY: self._lacking([key for key in pager if key not in present], sender),
            PAGERDUTY_EVENTS: self._lacking([key for key in [SecretKey.PAGERDUTY_ROUTING_KEY] if key not in present]),
            EMAIL: self._of_mail(policy),
        }
        return {channel: needs for channel, needs in found.items() if needs}

    def needs(self, policy: Policy) -> tuple[tuple[str, str], ...]:
        """The fixed channels but the log, that of tickets only where the policy has an address for it, those of teams,
        then its webhooks."""
        lacking = self.lacking(policy)
        without = {LOG} if policy.tickets is not None else {LOG, TICKETS}
        names = [*(name for name in FIXED if name not in without), *policy.slack.of_teams()]
        return tuple((name, lacking.get(name, "")) for name in [*names, *(hook.name for hook in policy.webhooks)])

    def place(self, channel: str, policy: Policy) -> str:
        """The webhook of Slack that serves it, or its own name: for a bot each channel of Slack is a place, but one
        that the policy names twice."""
        if not is_slack(channel):
            return channel
        key = self._secrets.slack(channel)
        if key is None:
            return channel
        return f"{key}/{policy.slack.named(channel)}" if key is SecretKey.SLACK_BOT_TOKEN else key.value

    def _lacking(self, keys: list[SecretKey], more: str = "") -> str:
        return ", ".join([*(self._secrets.needed(key) for key in keys), *([more] if more else [])])

    def _of_mail(self, policy: Policy) -> str:
        """The part of the policy, or what is wrong with the user name and the password."""
        if policy.email is None:
            return "`notify.email` in the policy"
        return self._lacking(unusable(self._secrets, policy.notification_secrets))
