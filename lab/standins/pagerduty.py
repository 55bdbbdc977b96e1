"""PagerDuty's Events API v2, as its published documentation has it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lab.faults.serving import serving

KEY_LENGTH = 32
SUMMARY_MAX = 1024
DEDUP_MAX = 255
EVENT_MAX = 512 * 1024
"""Bytes."""
ACTIONS = ("trigger", "acknowledge", "resolve")
SEVERITIES = ("critical", "error", "warning", "info")


def problems(event: Any) -> Iterator[str]:
    """What is wrong with an event."""
    if not isinstance(event, dict):
        yield "the event is no object"
        return
    key = event.get("routing_key")
    if not isinstance(key, str) or len(key) != KEY_LENGTH:
        yield "'routing_key' is not a key of 32 characters"
    action, dedup = event.get("event_action"), event.get("dedup_key")
    if action not in ACTIONS:
        yield "'event_action' is not trigger, acknowledge or resolve"
    if dedup is not None and (not isinstance(dedup, str) or len(dedup) > DEDUP_MAX):
        yield "'dedup_key' is longer than 255 characters"
    if action in ("acknowledge", "resolve") and not dedup:
        yield "'dedup_key' is missing"
    if action == "trigger":
        yield from _payload(event.get("payload"))
    for link in event.get("links") or ():
        if not isinstance(link, dict) or not str(link.get("href", "")).startswith(("http://", "https://")):
            yield "'links' has one without an address"


def _payload(payload: Any) -> Iterator[str]:
    if not isinstance(payload, dict):
        yield "'payload' is missing"
        return
    summary = payload.get("summary")
    if not isinstance(summary, str) or not 1 <= len(summary) <= SUMMARY_MAX:
        yield "'payload.summary' is missing, blank or longer than 1024 characters"
    if not isinstance(payload.get("source"), str) or not payload["source"]:
        yield "'payload.source' is missing or blank"
    if payload.get("severity") not in SEVERITIES:
        yield "'payload.severity' is not critical, error, warning or info"
    if not isinstance(payload.get("custom_details", {}), dict):
        yield "'payload.custom_details' is no object"


@dataclass(slots=True, kw_only=True)
class PagerDuty:
    """A service with one integration."""

    routing_key: str
    url: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    limited: int = 0
    """So many of the next requests are answered 429."""

    @property
    def enqueue(self) -> str:
        """The address that takes events."""
        return f"{self.url}/v2/enqueue"

    async def _take(self, request: Request) -> Response:
        if self.limited:
            self.limited -= 1
            return JSONResponse({"status": "throttle exceeded"}, 429)
        body = await request.body()
        if len(body) > EVENT_MAX:
            return self._refuse(["the event is larger than 512 KB"], 413)
        try:
            event = json.loads(body)
        except ValueError:
            return self._refuse(["the body is no JSON"])
        found = list(problems(event))
        if not found and event["routing_key"] != self.routing_key:
            found = ["'routing_key' is of no integration"]
        if found:
            return self._refuse(found)
        self.events.append(event)
        dedup = event.get("dedup_key") or f"event-{len(self.events)}"
        return JSONResponse({"status": "success", "message": "Event processed", "dedup_key": dedup}, 202)

    def _refuse(self, errors: list[str], status: int = 400) -> Response:
        self.refused += errors
        return JSONResponse({"status": "invalid event", "message": "Event object is invalid", "errors": errors}, status)


@asynccontextmanager
async def pagerduty(service: PagerDuty) -> AsyncIterator[PagerDuty]:
    """The service, reachable for the length of the block."""
    app = Starlette(routes=[Route("/v2/enqueue", service._take, methods=["POST"])])
    async with serving(app) as url:
        service.url = url
        yield service
