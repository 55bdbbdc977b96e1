"""A real Alertmanager under the rendered configuration, with stand-ins for all that it can tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.alertmanager import Alertmanager, Services, adapted
from lab.standins.alerts import Taken, taking
from lab.standins.pagerduty import PagerDuty, pagerduty
from lab.standins.slack import Posted, Slack, slack
from rollguard.model.channels import SecretKey
from rollguard.model.policy import Policy
from rollguard.render.routing import routing
from tests.contract.alert_cases import Case, receivers

DEPLOYMENTS, WARNINGS, INCIDENTS = "#deployments", "#deployment-warnings", "#production-incidents"
CHANNELS = (DEPLOYMENTS, WARNINGS, INCIDENTS)
ROUTING_KEY = "0123456789abcdef" * 2
PLACES = {
    "guard-incident-open": (),
    "rollguard": ("guard",),
    "pagerduty-critical": ("pagerduty", INCIDENTS),
    "slack-warnings": (WARNINGS,),
    "production-incidents": (INCIDENTS,),
    "deployment-alerts": (DEPLOYMENTS,),
}
TITLES = {DEPLOYMENTS: "Deployment Alert", WARNINGS: "Deployment Warning", INCIDENTS: "Production Incident"}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """An Alertmanager and everything that it can tell."""

    alertmanager: Alertmanager
    slack: Slack
    pagerduty: PagerDuty
    guard: Taken
    secrets: Path
    """The directory that stands for the mounted Secret."""

    def places(self) -> Counter[tuple[str, str, str, str]]:
        """Where something came: the alert's name, its namespace, the place, and `firing` or `resolved`."""
        found = [(*subject(each), each.channel, _status(each)) for each in self.slack.posted]
        for event in self.pagerduty.events:
            payload = event["payload"]
            status = "firing" if event["event_action"] == "trigger" else "resolved"
            found.append((payload["class"], payload["group"], "pagerduty", status))
        for delivery in self.guard.deliveries:
            labels = delivery["groupLabels"]
            found.append((labels["alertname"], labels["namespace"], "guard", delivery["status"]))
        return Counter(found)

    def refused(self) -> list[str]:
        """What a stand-in did not take."""
        return [*self.slack.refused, *self.pagerduty.refused, *self.guard.refused]

    async def until_told(self, expected: Counter[tuple[str, str, str, str]], *, timeout_s: float = 30.0) -> None:
        """Returns when all of it has come; fails where a stand-in refused something."""
        try:
            await self.alertmanager.until(lambda: expected <= self.places(), what="every message", timeout_s=timeout_s)
        finally:
            assert self.refused() == []
            missing = expected - self.places()
            assert not missing, f"not told: {sorted(missing)}"

    def clear(self) -> None:
        """Forgets what came so far."""
        self.slack.posted.clear()
        self.pagerduty.events.clear()
        self.guard.deliveries.clear()


def subject(posted: Posted) -> tuple[str, str]:
    """Name and namespace of the alert of a message: they stand in its links."""
    text = str(posted.attachment["text"])
    name = text.partition("Runbook: ")[2].partition(".md")[0].rpartition("/")[2]
    return name, text.partition("var-namespace=")[2].partition("&")[0].partition("\n")[0]


def _status(posted: Posted) -> str:
    return "resolved" if posted.attachment["title"].endswith(" (resolved)") else "firing"


def expected(found: Iterable[Case], status: str = "firing") -> Counter[tuple[str, str, str, str]]:
    """Where the alerts are to be told of."""
    return Counter(
        (case.name, case.namespace, place, status)
        for case in found
        for receiver in receivers(case)
        for place in PLACES[receiver]
    )


def secrets(directory: Path, workspace: Slack) -> Path:
    """The Secret as it is mounted."""
    directory.mkdir(parents=True, exist_ok=True)
    values = {
        SecretKey.SLACK_BOT_TOKEN: workspace.token,
        SecretKey.PAGERDUTY_ROUTING_KEY: ROUTING_KEY,
        SecretKey.ALERTMANAGER_WEBHOOK_TOKEN: "guard-token",
        SecretKey.SLACK_WEBHOOK_URL: workspace.webhook("T1/B1/all"),
        SecretKey.SLACK_WEBHOOK_URL_WARNINGS: workspace.webhook("T1/B2/warnings"),
    }
    for key, value in values.items():
        (directory / key).write_text(f"{value}\n")
    return directory


@asynccontextmanager
async def world(policy: Policy, directory: Path) -> AsyncIterator[World]:
    """An Alertmanager under the policy's configuration, with its services."""
    hooks = {"T1/B1/all": DEPLOYMENTS, "T1/B2/warnings": WARNINGS}
    async with (
        slack(Slack(token="xoxb-1", webhooks=hooks, channels=CHANNELS)) as workspace,
        pagerduty(PagerDuty(routing_key=ROUTING_KEY)) as service,
        taking(Taken(token="guard-token")) as guard,
    ):
        (file,) = routing(policy, "monitoring")
        services = Services(slack_api=workspace.api, pagerduty=service.enqueue, guard=guard.url)
        mounted = secrets(directory / "secrets", workspace)
        async with Alertmanager.running(directory, adapted(file.text, mounted, services)) as alertmanager:
            yield World(alertmanager=alertmanager, slack=workspace, pagerduty=service, guard=guard, secrets=mounted)
