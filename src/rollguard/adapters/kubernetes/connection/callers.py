"""Whether somebody who asks us for something may have it: the API server knows tokens, and rights."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import msgspec

from rollguard.adapters.kubernetes.connection.api import Api, Lane, NoAnswer, Reply
from rollguard.adapters.kubernetes.connection.rights import CREATE_ACCESS_REVIEW, CREATE_TOKEN_REVIEW, Right
from rollguard.model.action import Unknown
from rollguard.model.time import Mono
from rollguard.ports import Clock

KEPT_S = 30.0
"""How long an answer counts: a token or a right that is taken away counts for at most so much longer."""
KEPT = 256
AT_ONCE = 2
"""Reviews under way: strangers with made-up tokens take nothing from the guard's own requests."""
WAITING = 16
TIMEOUT_S = 5.0


class Access(Enum):
    """What the API server says of a caller."""

    ALLOWED = "allowed"
    STRANGER = "the API server does not know this token"
    REFUSED = "this account has no right to it"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    access: Access
    until: Mono


class _User(msgspec.Struct, omit_defaults=True):
    username: str = ""
    uid: str = ""
    groups: list[str] | None = None
    extra: dict[str, list[str]] | None = None


class _TokenStatus(msgspec.Struct):
    authenticated: bool = False
    user: _User = msgspec.field(default_factory=_User)


class _TokenReview(msgspec.Struct):
    status: _TokenStatus = msgspec.field(default_factory=_TokenStatus)


class _AccessStatus(msgspec.Struct):
    allowed: bool = False


class _AccessReview(msgspec.Struct):
    status: _AccessStatus = msgspec.field(default_factory=_AccessStatus)


class Callers:
    """Asks for each token at most every 30 seconds, by TokenReview and SubjectAccessReview."""

    def __init__(self, api: Api, clock: Clock, *, path: str) -> None:
        """`path` is the URL that a caller must have the right to get."""
        self._api = api
        self._clock = clock
        self._path = path
        self._kept: dict[str, _Kept] = {}
        self._room = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def access(self, token: str) -> Access | Unknown:
        """What the bearer of the token may; Unknown where the API server does not say. The token is kept nowhere."""
        key = hashlib.sha256(token.encode()).hexdigest()
        known = self._known(key)
        if known is not None:
            return known
        if self._waiting >= WAITING:
            return Unknown(detail="too many callers are being asked about")
        self._waiting += 1
        try:
            async with self._room:
                found = self._known(key) or await self._ask(token)
        except (NoAnswer, msgspec.MsgspecError) as problem:
            return Unknown(detail=str(problem))
        finally:
            self._waiting -= 1
        if isinstance(found, Access):
            self._keep(key, found)
        return found

    def _known(self, key: str) -> Access | None:
        kept = self._kept.get(key)
        return kept.access if kept is not None and self._clock.mono() < kept.until else None

    def _keep(self, key: str, access: Access) -> None:
        self._kept.pop(key, None)
        while len(self._kept) >= KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = _Kept(access=access, until=self._clock.mono().plus(KEPT_S))

    async def _ask(self, token: str) -> Access | Unknown:
        reply = await self._review(CREATE_TOKEN_REVIEW, "TokenReview", {"token": token})
        if not reply.ok:
            return Unknown(detail=f"TokenReview: {reply.message()}")
        status = msgspec.json.decode(reply.body, type=_TokenReview).status
        if not status.authenticated:
            return Access.STRANGER
        user = status.user
        spec = {
            "user": user.username,
            "uid": user.uid,
            "groups": user.groups or [],
            "extra": user.extra or {},
            "nonResourceAttributes": {"path": self._path, "verb": "get"},
        }
        reply = await self._review(CREATE_ACCESS_REVIEW, "SubjectAccessReview", spec)
        if not reply.ok:
            return Unknown(detail=f"SubjectAccessReview: {reply.message()}")
        allowed = msgspec.json.decode(reply.body, type=_AccessReview).status.allowed
        return Access.ALLOWED if allowed else Access.REFUSED

    async def _review(self, right: Right, kind: str, spec: Mapping[str, object]) -> Reply:
        body = msgspec.json.encode({"apiVersion": f"{right.group}/{right.version}", "kind": kind, "spec": spec})
        return await self._api.send(right, "", body=body, timeout=TIMEOUT_S, lane=Lane.READING)
