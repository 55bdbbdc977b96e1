"""Who takes Alertmanager's webhook, version 4, and knows the sender by a token."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from lab.faults.serving import serving

KEYS = frozenset(
    [
        "version",
        "groupKey",
        "truncatedAlerts",
        "status",
        "receiver",
        "groupLabels",
        "commonLabels",
        "commonAnnotations",
        "externalURL",
        "alerts",
    ]
)
ALERT_KEYS = frozenset(["status", "labels", "annotations", "startsAt", "endsAt", "generatorURL", "fingerprint"])


@dataclass(slots=True, kw_only=True)
class Taken:
    """The deliveries that came, in order."""

    token: str
    url: str = ""
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    async def _take(self, request: Request) -> Response:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return self._refuse("another token, or none", 401)
        body = await request.json()
        if body.get("version") != "4" or set(body) != KEYS:
            return self._refuse(f"not version 4: {sorted(body)}", 400)
        if any(not set(alert) >= ALERT_KEYS for alert in body["alerts"]):
            return self._refuse("an alert without one of its fields", 400)
        self.deliveries.append(body)
        return PlainTextResponse("ok")

    def _refuse(self, why: str, status: int) -> Response:
        self.refused.append(why)
        return PlainTextResponse(why, status)


@asynccontextmanager
async def taking(taken: Taken) -> AsyncIterator[Taken]:
    """The receiver, reachable for the length of the block."""
    app = Starlette(routes=[Route("/alerts", taken._take, methods=["POST"])])
    async with serving(app) as url:
        taken.url = f"{url}/alerts"
        yield taken
