"""Requests of a survey: a bounded number at once, and what is not answered is an outcome, with the server's words."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import msgspec

from rollguard.adapters.kubernetes.connection.api import Api, Lane, NoAnswer, Reply
from rollguard.adapters.kubernetes.connection.rights import Right
from rollguard.adapters.kubernetes.objects.wire import Page
from rollguard.model.action import Absent, Unknown
from rollguard.model.permissions import Scope

AT_ONCE = 12
PAGE = "500"
TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Url(Right):
    """A path beside the resources, such as /version."""

    url: str

    def path(self, namespace: str, name: str = "") -> str:  # noqa: ARG002 (a resource's path depends on them)
        """The path, whatever the namespace and the name."""
        return self.url


def reading(group: str, version: str, resource: str, verb: str, scope: Scope = Scope.WATCHED) -> Right:
    """A right of whoever runs the survey; the guard's Role need not have it."""
    return Right(group=group, version=version, resource=resource, verb=verb, why="doctor looks at it", scope=scope)


class Asking:
    """The API server, asked at most `AT_ONCE` things at a time."""

    def __init__(self, api: Api, *, timeout: float = TIMEOUT_S) -> None:
        self._api = api
        self._timeout = timeout
        self._room = asyncio.Semaphore(AT_ONCE)

    def clock_offset(self) -> float | None:
        """Seconds by which the server's clock is ahead of ours; None before the first answer."""
        return self._api.clock_offset()

    async def send(
        self,
        right: Right,
        namespace: str,
        name: str = "",
        *,
        params: dict[str, str] | None = None,
        body: object = None,
    ) -> Reply | Unknown:
        """The answer, of any status; Unknown where none came in time. The deadline begins when it is sent."""
        content = msgspec.json.encode(body) if body is not None else None
        async with self._room:
            try:
                return await self._api.send(
                    right, namespace, name, params=params, body=content, timeout=self._timeout, lane=Lane.READING
                )
            except NoAnswer as error:
                return Unknown(detail=str(error))

    async def get(self, right: Right, namespace: str, name: str) -> bytes | Absent | Unknown:
        """The object's JSON."""
        reply = await self.send(right, namespace, name)
        if isinstance(reply, Unknown):
            return reply
        if reply.status == 404:
            return Absent()
        return reply.body if reply.ok else Unknown(detail=reply.message())

    async def list(self, right: Right, namespace: str) -> tuple[msgspec.Raw, ...] | Unknown:
        """Every object of every page; Unknown where one page is missing."""
        found: list[msgspec.Raw] = []
        params = {"limit": PAGE}
        while True:
            reply = await self.send(right, namespace, params=params)
            if isinstance(reply, Unknown):
                return reply
            if not reply.ok:
                return Unknown(detail=reply.message())
            page = msgspec.json.decode(reply.body, type=Page)
            found += page.items or []
            if not page.metadata.continue_:
                return tuple(found)
            params = {"limit": PAGE, "continue": page.metadata.continue_}
