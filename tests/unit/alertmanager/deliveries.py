"""Bodies of Alertmanager's webhook, and who posts them to the receiver without a network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from starlette.types import ASGIApp, Message

from rollguard.model.time import Instant

TOKEN = "the-guards-own-token"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
NOW = Instant(1_793_500_000.0)


def alert(
    fingerprint: str = "c0ffee",
    *,
    status: str = "firing",
    starts: Instant = NOW,
    ends: Instant | None = None,
    **labels: str,
) -> dict[str, Any]:
    """An alert as Alertmanager sends it."""
    return {
        "status": status,
        "labels": {
            "alertname": "CheckoutSlow",
            "deployment": "api",
            "namespace": "production",
            "rollguard_action": "rollback",
            "severity": "critical",
            **labels,
        },
        "annotations": {"summary": "Checkout takes longer than 3 s", "description": "and more"},
        "startsAt": starts.iso().replace("Z", "123456Z"),
        "endsAt": ends.iso() if ends is not None else "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus/graph",
        "fingerprint": fingerprint,
    }


def delivery(*alerts: Any, **changed: Any) -> dict[str, Any]:
    """A whole body."""
    return {
        "version": "4",
        "groupKey": '{}:{alertname="CheckoutSlow"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "rollguard",
        "groupLabels": {"alertname": "CheckoutSlow"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager",
        "alerts": list(alerts),
        **changed,
    }


class Answer:
    """What the receiver said."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        self.text = text

    def json(self) -> Any:
        return json.loads(self.text)


async def post(
    app: ASGIApp,
    body: bytes | dict[str, Any],
    headers: dict[str, str] | None = None,
    *,
    method: str = "POST",
    path: str = "/alerts",
    parts: Sequence[bytes] | None = None,
) -> Answer:
    """One request; in several `parts` where given."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    left = list(parts if parts is not None else [sent])
    said: list[Message] = []

    async def receive() -> Message:
        if not left:
            return {"type": "http.disconnect"}
        part = left.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(left)}

    async def send(message: Message) -> None:
        said.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": [
            (name.lower().encode(), value.encode()) for name, value in (BEARER if headers is None else headers).items()
        ],
    }
    await app(scope, receive, send)
    return Answer(said[0]["status"], b"".join(message.get("body", b"") for message in said[1:]).decode())
