"""Every service by which people are told, around one guard: stand-ins where the service is somebody's, real programs
where it is a protocol's. All secrets are planted values that a sweep knows again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from lab import database
from lab.database import Database
from lab.faults.receiver import Receiver, receiving
from lab.mounted import Mounted
from lab.standins import mail
from lab.standins.pagerduty import PagerDuty, pagerduty
from lab.standins.slack import Posted, Slack, slack
from lab.swept import MARK
from rollguard.model.channels import SecretKey

DEPLOYMENTS, WARNINGS, INCIDENTS = "#deployments", "#deployment-warnings", "#production-incidents"
HOOK = f"T1/B1/{MARK}-hook-of-slack"
KEYS = {
    SecretKey.SLACK_BOT_TOKEN: f"xoxb-{MARK}-bot-of-slack",
    SecretKey.PAGERDUTY_API_KEY: f"u+{MARK}-key-of-pagerduty",
    SecretKey.PAGERDUTY_SERVICE_ID: "PWIXJZS",
    SecretKey.PAGERDUTY_ROUTING_KEY: f"{MARK}KeyOfAnIntegration".ljust(32, "0"),
    SecretKey.SMTP_USERNAME: "guard@example.com",
    SecretKey.SMTP_PASSWORD: f"{MARK}-password-of-mail",
    SecretKey.WEBHOOK_HMAC_KEY: f"{MARK}-key-of-hooks",
    SecretKey.ALERTMANAGER_WEBHOOK_TOKEN: f"{MARK}-token-of-alerts",
}
"""Of the Secret; those with an address in them are the services' own affair."""
OF_JOURNAL, WRONG = f"{MARK}-password-of-journal", f"{MARK}-wrong-password-of-journal"
SENDER, ON_CALL, OPS = "rollguard@example.com", "oncall@example.com", "ops@example.com"
HOOKS, GATEWAY = "hooks", "gateway"
"""Two webhooks: one takes what is signed, the other says what it likes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """All of them, and the volume with what they want to be told."""

    slack: Slack
    pagerduty: PagerDuty
    mail: mail.Server
    hooks: Receiver
    gateway: Receiver
    database: Database
    dsn: str
    mounted: Mounted

    def notify(self) -> dict[str, Any]:
        """The policy's part about them."""
        return {
            "slack": {"api": self.slack.api.removesuffix("/chat.postMessage")},
            "pagerduty": {"from": ON_CALL, "api": self.pagerduty.url, "events": self.pagerduty.url},
            "email": {
                **{"to": [OPS], "from": SENDER, "host": "127.0.0.1", "port": self.mail.port},
                "caFile": str(self.mail.certificate),
            },
            "webhooks": [{"name": HOOKS, "url": self.hooks.url}, {"name": GATEWAY, "url": self.gateway.url}],
            "secrets": [*self.values()],
        }

    def values(self, **others: str) -> dict[str, str]:
        """The Secret's content; `others` by the keys' names, with `_`."""
        made = {
            **KEYS,
            SecretKey.SLACK_WEBHOOK_URL: self.slack.webhook(HOOK),
            SecretKey.JOURNAL_DSN: self.dsn,
            **{SecretKey(name.replace("_", "-")): value for name, value in others.items()},
        }
        return {key.value: value for key, value in made.items()}

    def posted(self, channel: str, notice: str) -> list[Posted]:
        """The messages of that notice in a channel of Slack: one, or more where an answer was lost."""
        return [each for each in self.slack.in_channel(channel) if f"notice {notice}" in json.dumps(each.message)]

    def refused(self) -> list[str]:
        """What a stand-in did not take, and should have been able to."""
        return [*self.slack.refused, *self.pagerduty.refused, *self.hooks.refused]

    async def journal(self) -> list[tuple[Any, ...]]:
        """All rows of the journal."""
        return await asyncio.to_thread(self._rows)

    def _rows(self) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn) as reader:
            return reader.execute("SELECT * FROM rollguard_journal ORDER BY at").fetchall()


@asynccontextmanager
async def services(directory: Path) -> AsyncIterator[Services]:
    """All of them for the length of the block; their Secret is not there yet."""
    account = PagerDuty(
        routing_key=KEYS[SecretKey.PAGERDUTY_ROUTING_KEY],
        token=KEYS[SecretKey.PAGERDUTY_API_KEY],
        service_id=KEYS[SecretKey.PAGERDUTY_SERVICE_ID],
        users=(ON_CALL,),
    )
    workspace = Slack(
        token=KEYS[SecretKey.SLACK_BOT_TOKEN],
        webhooks={HOOK: DEPLOYMENTS},
        channels=(DEPLOYMENTS, WARNINGS, INCIDENTS),
    )
    user, password = KEYS[SecretKey.SMTP_USERNAME], KEYS[SecretKey.SMTP_PASSWORD]
    mounted = Mounted(directory=directory / "secrets")
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        hooks, gateway = await enter(receiving()), await enter(receiving())
        hooks.key = KEYS[SecretKey.WEBHOOK_HMAC_KEY]
        postgres = await enter(database.running(OF_JOURNAL))
        yield Services(
            slack=await enter(slack(workspace)),
            pagerduty=await enter(pagerduty(account)),
            mail=await enter(mail.serving(directory / "mail", authentication=True, user=user, password=password)),
            hooks=hooks,
            gateway=gateway,
            database=postgres,
            dsn=await postgres.fresh(),
            mounted=mounted,
        )


def echo(values: Mapping[str, str]) -> str:
    """What a careless service might say: all that it knows."""
    return " ".join(value for value in values.values() if MARK in value)
