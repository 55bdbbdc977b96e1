"""What PagerDuty refuses, as its published documentation has it: of an event (v2), and of a request to the REST API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

KEY_LENGTH = 32
SUMMARY_MAX = 1024
DEDUP_MAX = 255
ACTIONS = ("trigger", "acknowledge", "resolve")
SEVERITIES = ("critical", "error", "warning", "info")
ACCEPT = "application/vnd.pagerduty+json;version=2"
AT_ONCE = 250
"""Incidents of one change."""
NOTES_MAX = 2000
PAGE_MAX = 100
STATUSES = ("triggered", "acknowledged", "resolved")
INCIDENT_KEYS = frozenset(
    [
        "type",
        "title",
        "service",
        "priority",
        "urgency",
        "body",
        "incident_key",
        "incident_type",
        "assignments",
        "escalation_policy",
        "conference_bridge",
    ]
)
CHANGE_KEYS = frozenset(
    [
        "id",
        "type",
        "status",
        "resolution",
        "title",
        "priority",
        "urgency",
        "escalation_level",
        "assignments",
        "escalation_policy",
        "conference_bridge",
    ]
)
QUERY_KEYS = frozenset(
    [
        "incident_key",
        "statuses[]",
        "service_ids[]",
        "team_ids[]",
        "user_ids[]",
        "urgencies[]",
        "include[]",
        "date_range",
        "since",
        "until",
        "time_zone",
        "sort_by",
        "limit",
        "offset",
        "total",
    ]
)
MESSAGES = {
    1001: "Incident Already Resolved",
    1003: "Invalid Status Provided",
    1008: "Requester User Not Found",
    2001: "Invalid Input Provided",
    2002: "Arguments Caused Error",
    2006: "Authentication failed",
    2020: "Rate Limit Exceeded",
    2100: "Not Found",
    5002: "Service Not Found",
}
"""PagerDuty's codes of errors."""
OPEN_ALREADY = "Open incident with matching dedup key already exists on this service"


class RefusedError(Exception):
    """A request to the REST API that is refused, with its HTTP status and PagerDuty's code."""

    def __init__(self, status: int, code: int, why: str) -> None:
        super().__init__(why)
        self.status, self.code, self.why = status, code, why

    def body(self) -> dict[str, Any]:
        """The error as the API words it."""
        return {"error": {"message": MESSAGES[self.code], "code": self.code, "errors": [self.why]}}


def event_problems(event: Any) -> Iterator[str]:
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


def check_new(body: Any) -> dict[str, Any]:
    """The incident that a request asks for."""
    incident = _within(body, "incident")
    _only(incident, INCIDENT_KEYS)
    if incident.get("type") != "incident":
        raise RefusedError(400, 2001, "'type' is not incident")
    _text(incident, "title", required=True)
    _text(incident, "incident_key")
    service = incident.get("service")
    if not isinstance(service, dict) or service.get("type") != "service_reference" or not service.get("id"):
        raise RefusedError(400, 2001, "'service' is no reference to a service")
    if incident.get("urgency", "high") not in ("high", "low"):
        raise RefusedError(400, 2001, "'urgency' is not high or low")
    if "assignments" in incident and "escalation_policy" in incident:
        raise RefusedError(400, 2001, "'assignments' beside 'escalation_policy'")
    if "body" in incident:
        details = incident["body"]
        if not isinstance(details, dict) or details.get("type") != "incident_body":
            raise RefusedError(400, 2001, "'body' is no incident_body")
        _text(details, "details", required=True)
    return incident


def check_changes(body: Any) -> list[dict[str, Any]]:
    """The changes of incidents that a request asks for."""
    changes = body.get("incidents") if isinstance(body, dict) else None
    if not isinstance(changes, list) or not changes:
        raise RefusedError(400, 2001, "'incidents' is no list of changes")
    if len(changes) > AT_ONCE:
        raise RefusedError(413, 2001, f"more than {AT_ONCE} incidents")
    for change in changes:
        if not isinstance(change, dict) or not isinstance(change.get("id"), str):
            raise RefusedError(400, 2001, "a change without 'id'")
        _only(change, CHANGE_KEYS)
        if change.get("type") not in ("incident", "incident_reference"):
            raise RefusedError(400, 2001, "'type' is not incident or incident_reference")
        if change.get("status", "resolved") not in ("resolved", "acknowledged"):
            raise RefusedError(400, 1003, "'status' is not resolved or acknowledged")
        _text(change, "resolution")
        if "resolution" in change and change.get("status") != "resolved":
            raise RefusedError(400, 2001, "'resolution' of what is not resolved")
    return changes


def check_note(body: Any) -> str:
    """The text of the note that a request adds."""
    note = _within(body, "note")
    _only(note, frozenset(["content"]))
    return _text(note, "content", required=True)


def check_query(query: list[tuple[str, str]]) -> None:
    """Whether a list of incidents can be asked for in that way."""
    for key, value in query:
        if key not in QUERY_KEYS:
            raise RefusedError(400, 2001, f"no parameter is called {key!r}")
        if key == "statuses[]" and value not in STATUSES:
            raise RefusedError(400, 1003, f"no status is called {value!r}")
        if key == "date_range" and value != "all":
            raise RefusedError(400, 2001, "'date_range' is not all")
        if key == "limit" and not (value.isdecimal() and 1 <= int(value) <= PAGE_MAX):
            raise RefusedError(400, 2001, f"'limit' is not 1 to {PAGE_MAX}")


def _within(body: Any, name: str) -> dict[str, Any]:
    found = body.get(name) if isinstance(body, dict) else None
    if not isinstance(found, dict):
        raise RefusedError(400, 2001, f"'{name}' is missing")
    return found


def _only(part: dict[str, Any], keys: frozenset[str]) -> None:
    if unknown := sorted(part.keys() - keys):
        raise RefusedError(400, 2001, f"no property is called {unknown[0]!r}")


def _text(part: dict[str, Any], name: str, *, required: bool = False) -> str:
    value = part.get(name, None if required else "")
    if not isinstance(value, str) or (required and not value.strip()):
        raise RefusedError(400, 2001, f"'{name}' is no text")
    return value
