"""PagerDuty: an account with one service, its Events API v2 and its REST API, as the published documentation has them.

What people see is the list of incidents, by whichever API they came.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lab.faults.serving import serving
from lab.standins.pagerduty_rules import (
    ACCEPT,
    NOTES_MAX,
    OPEN_ALREADY,
    RefusedError,
    check_changes,
    check_new,
    check_note,
    check_query,
    event_problems,
)

EVENT_MAX = 512 * 1024
"""Bytes."""
AFTER_S = 20
"""Seconds that a limit says it lasts."""


@dataclass(slots=True, kw_only=True)
class Incident:
    """What an on-call engineer sees."""

    id: str
    key: str
    title: str
    details: str
    status: str = "triggered"
    notes: list[str] = field(default_factory=list)
    acknowledged: tuple[str, str] | None = None
    """By whom, and when."""
    changed_by: tuple[str, str] = ("Rollguard", "service_reference")
    """The name and kind of who changed its status last."""
    changed_at: str = ""
    resolution: str = ""
    alerts: int = 0
    """Events that triggered it."""

    @property
    def open(self) -> bool:
        return self.status != "resolved"

    def shown(self) -> dict[str, Any]:
        """As the REST API answers."""
        acknowledgements = []
        if self.status == "acknowledged" and self.acknowledged is not None:
            who, at = self.acknowledged
            agent = {"id": "PXPGF42", "type": "user_reference", "summary": who}
            acknowledgements = [{"at": at, "acknowledger": agent}]
        who, kind = self.changed_by
        return {
            "id": self.id,
            "type": "incident",
            "summary": f"[#{self.id}] {self.title}",
            "title": self.title,
            "status": self.status,
            "incident_key": None if self.alerts else self.key,
            "acknowledgements": acknowledgements,
            "last_status_change_at": self.changed_at,
            "last_status_change_by": {"id": "PXPGF42", "type": kind, "summary": who},
        }


@dataclass(slots=True, kw_only=True)
class PagerDuty:
    """A service with one integration of the Events API, in an account with one key of the REST API."""

    routing_key: str
    token: str = "u+" + "t" * 18
    service_id: str = "PWIXJZS"
    users: tuple[str, ...] = ("oncall@example.com",)
    url: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    limited: int = 0
    """So many of the next requests are answered 429."""
    broken: int = 0
    """So many of the next changes are answered 500 though they take effect."""
    echoing: int = 0
    """So many of the next requests are answered 500 with all headers that came, the key among them."""

    @property
    def enqueue(self) -> str:
        """The address that takes events."""
        return f"{self.url}/v2/enqueue"

    def open(self) -> list[Incident]:
        """Incidents that are not resolved."""
        return [each for each in self.incidents if each.open]

    def acknowledge(self, incident: Incident, who: str) -> None:
        """A person takes it."""
        incident.status, incident.changed_at = "acknowledged", _now()
        incident.acknowledged, incident.changed_by = (who, incident.changed_at), (who, "user_reference")

    def resolve(self, incident: Incident, who: str) -> None:
        """A person closes it."""
        incident.status, incident.changed_at, incident.changed_by = "resolved", _now(), (who, "user_reference")

    async def _take_event(self, request: Request) -> Response:
        if self.limited:
            self.limited -= 1
            return JSONResponse({"status": "throttle exceeded"}, 429)
        body = await request.body()
        if len(body) > EVENT_MAX:
            return self._refuse_event(["the event is larger than 512 KB"], 413)
        try:
            event = json.loads(body)
        except ValueError:
            return self._refuse_event(["the body is no JSON"])
        found = list(event_problems(event))
        if not found and event["routing_key"] != self.routing_key:
            found = ["'routing_key' is of no integration"]
        if found:
            return self._refuse_event(found)
        self.events.append(event)
        dedup = event.get("dedup_key") or f"event-{len(self.events)}"
        self._apply(event, dedup)
        if self.broken:
            self.broken -= 1
            return JSONResponse({"status": "error", "message": "Internal Server Error"}, 500)
        return JSONResponse({"status": "success", "message": "Event processed", "dedup_key": dedup}, 202)

    def _apply(self, event: dict[str, Any], key: str) -> None:
        """An event of a key that has no open incident opens one, or is dropped."""
        found = self._of_key(key)
        match event["event_action"]:
            case "trigger" if found is None:
                self._add(key, event["payload"]["summary"], json.dumps(event["payload"])).alerts = 1
            case "trigger" if found is not None:
                found.alerts += 1
            case "resolve" if found is not None:
                found.status, found.changed_at = "resolved", _now()
            case "acknowledge" if found is not None:
                found.status, found.changed_at = "acknowledged", _now()

    def _refuse_event(self, errors: list[str], status: int = 400) -> Response:
        self.refused += errors
        return JSONResponse({"status": "invalid event", "message": "Event object is invalid", "errors": errors}, status)

    def _of_key(self, key: str) -> Incident | None:
        return next((each for each in self.incidents if each.open and each.key == key), None)

    def _add(self, key: str, title: str, details: str) -> Incident:
        made = Incident(id=f"Q{len(self.incidents) + 1:06}", key=key, title=title, details=details, changed_at=_now())
        self.incidents.append(made)
        return made

    async def _rest(self, request: Request, answer: Callable[[Request, Any], tuple[Any, int]]) -> Response:
        """The answer to a request that is authenticated, of version 2 and, where it changes something, from a user."""
        if self.limited:
            self.limited -= 1
            limits = {"ratelimit-limit": "960", "ratelimit-remaining": "0", "ratelimit-reset": str(AFTER_S)}
            return JSONResponse({"error": {"message": "Rate Limit Exceeded", "code": 2020}}, 429, limits)
        if self.echoing:
            self.echoing -= 1
            return JSONResponse({"error": {"message": f"Internal Server Error at {request.headers.raw}"}}, 500)
        try:
            if request.headers.get("Authorization") != f"Token token={self.token}":
                raise RefusedError(401, 2006, "another key, or none, or not as `Token token=`")
            if request.headers.get("Accept") != ACCEPT:
                raise RefusedError(400, 2002, "'Accept' is not of version 2")
            body: Any = None
            if request.method != "GET":
                body = await self._body(request)
            found, status = answer(request, body)
        except RefusedError as error:
            self.refused.append(error.why)
            return JSONResponse(error.body(), error.status)
        if self.broken and request.method != "GET":
            self.broken -= 1
            return JSONResponse({"error": {"message": "Internal Server Error", "code": 2000}}, 500)
        return JSONResponse(found, status)

    async def _body(self, request: Request) -> Any:
        if request.headers.get("From") not in self.users:
            raise RefusedError(400, 1008, "'From' is no user of the account")
        if request.headers.get("Content-Type", "").partition(";")[0] != "application/json":
            raise RefusedError(400, 2002, "'Content-Type' is not application/json")
        try:
            return json.loads(await request.body())
        except ValueError as error:
            raise RefusedError(400, 2001, "the body is no JSON") from error

    def _create(self, _request: Request, body: Any) -> tuple[Any, int]:
        asked = check_new(body)
        if asked["service"]["id"] != self.service_id:
            raise RefusedError(404, 5002, "no such service")
        key = asked.get("incident_key") or f"made-{len(self.incidents)}"
        if self._of_key(key) is not None:
            raise RefusedError(400, 2002, OPEN_ALREADY)
        made = self._add(key, asked["title"], asked.get("body", {}).get("details", ""))
        return {"incident": made.shown()}, 201

    def _list(self, request: Request, _body: Any) -> tuple[Any, int]:
        query = request.query_params.multi_items()
        check_query(query)
        keys = [value for key, value in query if key == "incident_key"]
        statuses = [value for key, value in query if key == "statuses[]"]
        services = [value for key, value in query if key == "service_ids[]"]
        found = [
            each.shown()
            for each in self.incidents
            if (not keys or each.key in keys) and (not statuses or each.status in statuses)
        ]
        found = found if not services or self.service_id in services else []
        return {"incidents": found[:25], "limit": 25, "offset": 0, "more": len(found) > 25, "total": None}, 200

    def _change(self, request: Request, body: Any) -> tuple[Any, int]:
        changes = [(self._named(change["id"]), change) for change in check_changes(body)]
        for incident, change in changes:
            if not incident.open:
                raise RefusedError(400, 1001, f"{incident.id} is resolved")
            incident.status = change.get("status", incident.status)
            incident.resolution = change.get("resolution", "")
            incident.changed_at = _now()
            incident.changed_by = (request.headers["From"], "user_reference")
        return {"incidents": [incident.shown() for incident, _change in changes]}, 200

    def _get(self, request: Request, _body: Any) -> tuple[Any, int]:
        return {"incident": self._named(request.path_params["id"]).shown()}, 200

    def _notes(self, request: Request, _body: Any) -> tuple[Any, int]:
        incident = self._named(request.path_params["id"])
        return {"notes": [{"id": f"N{n}", "content": content} for n, content in enumerate(incident.notes)]}, 200

    def _note(self, request: Request, body: Any) -> tuple[Any, int]:
        incident, content = self._named(request.path_params["id"]), check_note(body)
        if len(incident.notes) >= NOTES_MAX:
            raise RefusedError(400, 2001, f"more than {NOTES_MAX} notes")
        incident.notes.append(content)
        return {"note": {"id": f"N{len(incident.notes)}", "content": content}}, 200

    def _named(self, id_: str) -> Incident:
        found = next((each for each in self.incidents if each.id == id_), None)
        if found is None:
            raise RefusedError(404, 2100, f"no incident {id_}")
        return found

    def _rest_route(self, path: str, method: str, answer: Callable[[Request, Any], tuple[Any, int]]) -> Route:
        async def endpoint(request: Request) -> Response:
            return await self._rest(request, answer)

        made: Callable[[Request], Awaitable[Response]] = endpoint
        return Route(path, made, methods=[method])

    def routes(self) -> list[Route]:
        """Both APIs."""
        return [
            Route("/v2/enqueue", self._take_event, methods=["POST"]),
            self._rest_route("/incidents", "POST", self._create),
            self._rest_route("/incidents", "GET", self._list),
            self._rest_route("/incidents", "PUT", self._change),
            self._rest_route("/incidents/{id}", "GET", self._get),
            self._rest_route("/incidents/{id}/notes", "GET", self._notes),
            self._rest_route("/incidents/{id}/notes", "POST", self._note),
        ]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@asynccontextmanager
async def pagerduty(service: PagerDuty) -> AsyncIterator[PagerDuty]:
    """The service, reachable for the length of the block."""
    async with serving(Starlette(routes=service.routes())) as url:
        service.url = url
        yield service
