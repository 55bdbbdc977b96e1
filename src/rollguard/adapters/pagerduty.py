"""PagerDuty by its REST API: incidents can be read there, so that an acknowledgement there is one here.

PagerDuty refuses a second incident while one of the same key is open. That makes a repeat harmless, and tells an
incident that somebody has resolved from one that is open: a later page is a note on the one, and opens the other anew.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from typing import TypeVar

import httpx2
import msgspec

from rollguard.adapters.answers import PAUSE_S, passing, pause, words
from rollguard.adapters.client import client
from rollguard.adapters.secrets import Secrets
from rollguard.adapters.unreached import unreached
from rollguard.model.action import Unknown
from rollguard.model.channels import PAGERDUTY, SecretKey
from rollguard.model.destinations import Paging
from rollguard.model.handling import Acknowledgement, Via
from rollguard.model.notices import Notice
from rollguard.model.records import RolloutRecord
from rollguard.model.time import Instant
from rollguard.notify.pages import Page, Turn, page
from rollguard.ports import Accepted, NotConfigured, Refused, Retry

ACCEPT = "application/vnd.pagerduty+json;version=2"
OPEN_ALREADY = "Open incident with matching dedup key already exists on this service"
RESOLVED_ALREADY = 1001
ARGUMENTS = 2002
"""PagerDuty's codes of errors."""
KEY = re.compile(r"[!-~]+", re.ASCII)
SERVICE = re.compile(r"[A-Z0-9]+", re.ASCII)
ANSWER_SHOWN = 200
PERSON = "user_reference"
Shape = TypeVar("Shape")


class _Agent(msgspec.Struct):
    type: str = ""
    summary: str | None = None


class _Taken(msgspec.Struct):
    at: str
    acknowledger: _Agent


class _Incident(msgspec.Struct):
    id: str
    title: str | None = None
    status: str = ""
    acknowledgements: list[_Taken] = []
    last_status_change_at: str | None = None
    last_status_change_by: _Agent | None = None


class _One(msgspec.Struct):
    incident: _Incident


class _Several(msgspec.Struct):
    incidents: list[_Incident]


class _Note(msgspec.Struct):
    content: str = ""


class _Notes(msgspec.Struct):
    notes: list[_Note]


class _Error(msgspec.Struct):
    message: str = ""
    code: int = 0
    errors: list[str] = []


class _Failure(msgspec.Struct):
    error: _Error


class _NotDoneError(Exception):
    """PagerDuty did not do what was asked, or nobody knows."""

    def __init__(self, outcome: Refused | Retry, error: _Error | None = None) -> None:
        super().__init__(outcome.detail)
        self.outcome, self.error = outcome, error or _Error()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Account:
    """By what the account is reached now."""

    token: str
    service: str


class PagerDuty:
    """The `Notifier` that opens, annotates and resolves incidents on one service."""

    name = PAGERDUTY

    def __init__(
        self, paging: Paging, secrets: Secrets, *, cluster: str, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self._paging = paging
        self._secrets = secrets
        self._cluster = cluster
        self._client = client(transport, base_url=paging.api)

    async def send(
        self, notice: Notice, rollout: RolloutRecord | None, *, timeout: float
    ) -> Accepted | Refused | Retry | NotConfigured:
        """Opens, annotates or resolves the incident of the notice's key, as the notice wants it. The reference is the
        incident's id.

        429, 408, 5xx, no answer and one in another shape are to be tried again; the rest is refused.
        """
        account = self._account()
        if isinstance(account, NotConfigured):
            return account
        told = page(notice, rollout, cluster=self._cluster)
        if told is None:
            return Accepted(detail="nothing that PagerDuty is told of")
        try:
            async with asyncio.timeout(timeout):
                if told.turn is Turn.RESOLVE:
                    return await self._resolve(account, told)
                return await self._open(account, told)
        except TimeoutError:
            return Retry(after=PAUSE_S, detail=f"PagerDuty: no whole answer within {timeout:g} s")
        except _NotDoneError as problem:
            return problem.outcome

    async def acknowledged(self, reference: str, *, timeout: float) -> Acknowledgement | Unknown | None:
        """Who has acknowledged the incident of that id last, and when; None while nobody has.

        Whoever resolved it there by hand has taken note of it as well.
        """
        account = self._account()
        if isinstance(account, NotConfigured):
            return Unknown(detail=account.detail)
        if not reference.isalnum():
            return Unknown(detail=f"{reference!r} is no incident's id")
        try:
            async with asyncio.timeout(timeout):
                answer = await self._ask(account, "GET", f"/incidents/{reference}", _One)
            taken = _taken_by(answer.incident)
            return replace(taken, actor=self._secrets.redact(taken.actor)) if taken is not None else None
        except TimeoutError:
            return Unknown(detail=f"PagerDuty: no whole answer within {timeout:g} s")
        except _NotDoneError as problem:
            return Unknown(detail=problem.outcome.detail)
        except ValueError as problem:
            return Unknown(detail=self._secrets.redact(f"PagerDuty: an answer in another shape: {problem}"))

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    def _account(self) -> _Account | NotConfigured:
        token = self._secrets.read(SecretKey.PAGERDUTY_API_KEY)
        service = self._secrets.read(SecretKey.PAGERDUTY_SERVICE_ID)
        missing = [
            *([] if token else [self._secrets.missing(SecretKey.PAGERDUTY_API_KEY)]),
            *([] if service else [self._secrets.missing(SecretKey.PAGERDUTY_SERVICE_ID)]),
            *([] if self._paging.sender else ["the policy has no `notify.pagerduty.from`"]),
        ]
        if missing or token is None or service is None:
            return NotConfigured(detail="; ".join(missing))
        if not KEY.fullmatch(token):
            words = "is no key of PagerDuty: expected one word, as PagerDuty shows it"
            return NotConfigured(detail=f"the Secret's `{SecretKey.PAGERDUTY_API_KEY}` {words}")
        if not SERVICE.fullmatch(service):
            words = "is no service's id: expected the last part of its address alone, capital letters and digits"
            return NotConfigured(detail=f"the Secret's `{SecretKey.PAGERDUTY_SERVICE_ID}` {words}")
        return _Account(token=token, service=service)

    async def _open(self, account: _Account, told: Page) -> Accepted | Retry:
        incident = {
            "type": "incident",
            "title": told.title,
            "service": {"id": account.service, "type": "service_reference"},
            "incident_key": told.key,
            "body": {"type": "incident_body", "details": told.body},
        }
        try:
            made = await self._ask(account, "POST", "/incidents", _One, {"incident": incident})
        except _NotDoneError as problem:
            if problem.error.code != ARGUMENTS or OPEN_ALREADY not in problem.error.errors:
                raise
            return await self._on_open(account, told)
        return Accepted(detail=f"incident {made.incident.id} opened", reference=made.incident.id)

    async def _on_open(self, account: _Account, told: Page) -> Accepted | Retry:
        """The page where an incident of its key is open: a note on it, unless it is what that was opened with."""
        found = await self._find(account, told.key)
        if not found and told.turn is Turn.OPEN:
            return Accepted(detail="an incident of it is open already; PagerDuty does not show which")
        if not found:
            return Retry(after=PAUSE_S, detail="an incident of it is open, and PagerDuty does not show which")
        incident = found[0]
        if told.turn is Turn.OPEN and incident.title == told.title:
            return Accepted(detail=f"incident {incident.id} was open already", reference=incident.id)
        await self._annotate(account, incident, told)
        return Accepted(detail=f"noted on incident {incident.id}", reference=incident.id)

    async def _annotate(self, account: _Account, incident: _Incident, told: Page) -> None:
        """Once, also where the answer was lost: the notice's id stands in its note."""
        path = f"/incidents/{incident.id}/notes"
        known = await self._ask(account, "GET", path, _Notes)
        if not any(told.mark in note.content.splitlines() for note in known.notes):
            content = f"{told.title}\n{told.body}"
            await self._ask(account, "POST", path, msgspec.Raw, {"note": {"content": content}})

    async def _resolve(self, account: _Account, told: Page) -> Accepted:
        found = await self._find(account, told.key)
        if not found:
            return Accepted(detail="no incident of it is open")
        changes = [
            {"id": each.id, "type": "incident_reference", "status": "resolved", "resolution": told.body}
            for each in found
        ]
        try:
            await self._ask(account, "PUT", "/incidents", msgspec.Raw, {"incidents": changes})
        except _NotDoneError as problem:
            if problem.error.code != RESOLVED_ALREADY:
                raise
        return Accepted(detail=f"incident {found[0].id} is resolved")

    async def _find(self, account: _Account, key: str) -> list[_Incident]:
        """The open incidents of the key: at most one."""
        query: dict[str, str | list[str]] = {
            "incident_key": key,
            "statuses[]": ["triggered", "acknowledged"],
            "service_ids[]": account.service,
            "date_range": "all",
        }
        return (await self._ask(account, "GET", "/incidents", _Several, query=query)).incidents

    async def _ask(
        self,
        account: _Account,
        method: str,
        path: str,
        shape: type[Shape],
        body: object = None,
        *,
        query: dict[str, str | list[str]] | None = None,
    ) -> Shape:
        """The answer in that shape; raises where there is none that says it is done."""
        headers = {"Authorization": f"Token token={account.token}", "Accept": ACCEPT}
        if body is not None:
            headers |= {"From": self._paging.sender, "Content-Type": "application/json"}
        content = None if body is None else msgspec.json.encode(body)
        try:
            response = await self._client.request(
                method, path, params=query, content=content, headers=headers, timeout=None
            )
        except httpx2.HTTPError as problem:
            detail = f"PagerDuty: {unreached(self._paging.api, problem)}"
            raise _NotDoneError(Retry(after=PAUSE_S, detail=detail)) from None
        if not response.is_success:
            raise self._not_done(response)
        try:
            return msgspec.json.decode(response.content, type=shape)
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            detail = self._secrets.redact(f"PagerDuty: an answer in another shape: {problem}")
            raise _NotDoneError(Retry(after=PAUSE_S, detail=detail)) from None

    def _not_done(self, response: httpx2.Response) -> _NotDoneError:
        error = _error(response)
        said = "; ".join([error.message, *error.errors]) if error.message else words(response)
        detail = f"HTTP {response.status_code} {self._secrets.redact(said)[:ANSWER_SHOWN]}".strip()
        if passing(response):
            header = "Retry-After" if "Retry-After" in response.headers else "ratelimit-reset"
            return _NotDoneError(Retry(after=pause(response, header), detail=detail))
        return _NotDoneError(Refused(detail=detail), error)


def _error(response: httpx2.Response) -> _Error:
    try:
        return msgspec.json.decode(response.content, type=_Failure).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Error()


def _taken_by(incident: _Incident) -> Acknowledgement | None:
    """Raises ValueError where a time is none."""
    if incident.status == "acknowledged" and incident.acknowledgements:
        last = max(incident.acknowledgements, key=lambda taken: Instant.parse(taken.at))
        who, at = last.acknowledger.summary, Instant.parse(last.at)
        return Acknowledgement(actor=who or "somebody", at=at, via=Via.PAGERDUTY)
    agent = incident.last_status_change_by
    if incident.status == "resolved" and agent is not None and agent.type == PERSON:
        at = Instant.parse(incident.last_status_change_at or "")
        return Acknowledgement(actor=agent.summary or "somebody", at=at, via=Via.PAGERDUTY)
    return None
