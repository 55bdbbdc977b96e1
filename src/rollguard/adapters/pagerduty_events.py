"""PagerDuty by its Events API, version 2: alerts with a key, which become incidents. Nothing can be read back by it."""

from __future__ import annotations

import httpx2
import msgspec

from rollguard.adapters.answers import PAUSE_S, passing, pause, words
from rollguard.adapters.client import client
from rollguard.adapters.secrets import Secrets
from rollguard.adapters.unreached import unreached
from rollguard.model.channels import PAGERDUTY_EVENTS, SecretKey
from rollguard.model.destinations import Paging
from rollguard.model.notices import Notice
from rollguard.model.records import RolloutRecord
from rollguard.notify.pages import Page, Turn, page
from rollguard.ports import Accepted, NotConfigured, Refused, Retry

ACCEPTED = 202
ANSWER_SHOWN = 200


class PagerDutyEvents:
    """The `Notifier` that triggers and resolves alerts by the key of an integration."""

    name = PAGERDUTY_EVENTS

    def __init__(
        self, paging: Paging, secrets: Secrets, *, cluster: str, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self._address = f"{paging.events}/v2/enqueue"
        self._secrets = secrets
        self._cluster = cluster
        self._client = client(transport)

    async def send(
        self, notice: Notice, rollout: RolloutRecord | None, *, timeout: float
    ) -> Accepted | Refused | Retry | NotConfigured:
        """Triggers or resolves the alert of the notice's key: a repeat is the same alert.

        202 is accepted; 429, 408, 5xx and no answer are to be tried again; the rest is refused.
        """
        key = self._secrets.read(SecretKey.PAGERDUTY_ROUTING_KEY)
        if key is None:
            return NotConfigured(detail=self._secrets.missing(SecretKey.PAGERDUTY_ROUTING_KEY))
        told = page(notice, rollout, cluster=self._cluster)
        if told is None:
            return Accepted(detail="nothing that PagerDuty is told of")
        body = msgspec.json.encode(_event(key, notice, rollout, told))
        headers = {"Content-Type": "application/json"}
        try:
            response = await self._client.post(self._address, content=body, headers=headers, timeout=timeout)
        except httpx2.HTTPError as problem:
            return Retry(after=PAUSE_S, detail=f"PagerDuty: {unreached(self._address, problem)}")
        answer = self._secrets.redact(words(response))[:ANSWER_SHOWN]
        detail = f"HTTP {response.status_code} {answer}".strip()
        if response.status_code == ACCEPTED:
            return Accepted(detail=detail)
        if passing(response):
            return Retry(after=pause(response), detail=detail)
        return Refused(detail=detail)

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()


def _event(key: str, notice: Notice, rollout: RolloutRecord | None, told: Page) -> dict[str, object]:
    event: dict[str, object] = {"routing_key": key, "dedup_key": told.key, "event_action": "trigger"}
    if told.turn is Turn.RESOLVE:
        return event | {"event_action": "resolve"}
    details = {"text": told.body}
    if rollout is not None:
        details |= {"rollout": rollout.id, "incident": rollout.incident}
    payload = {
        "summary": told.title,
        "source": told.source,
        "severity": told.severity.value,
        "timestamp": notice.at.iso(),
        "class": notice.topic,
        "custom_details": details,
    }
    return event | {"payload": payload, "client": "Rollguard"}
