"""The Leadership port: a Lease. Times in it are written for people and never compared: only change on our own
monotonic clock counts."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from rollguard.adapters.kubernetes.connection import rights
from rollguard.adapters.kubernetes.connection.api import Api, Lane, NoAnswer, Reply
from rollguard.adapters.kubernetes.objects.wire import Meta
from rollguard.adapters.numbers import whole_number
from rollguard.model.action import Unknown
from rollguard.model.time import Mono
from rollguard.ports import Clock, Held, NotHeld
from rollguard.record.names import ANNOTATION_EPOCH

LEASE_NAME = "rollguard"
DURATION_S = 15.0
ACTING_SHARE = 2.0 / 3.0
"""The holder acts for 10 s of 15: a follower that counts 15 s from the last change it saw is surely later."""
TIMEOUT_S = 3.0


class _Spec(msgspec.Struct, rename="camel"):
    holder_identity: str | None = None
    lease_transitions: int | None = None
    acquire_time: str | None = None


class Lease(msgspec.Struct):
    """The parts of a Lease that we read."""

    metadata: Meta
    spec: _Spec = msgspec.field(default_factory=_Spec)

    @property
    def holder(self) -> str:
        """Whose it is; empty where it was given back."""
        return self.spec.holder_identity or ""

    @property
    def epoch(self) -> int:
        """The epoch of its last leader."""
        return whole_number((self.metadata.annotations or {}).get(ANNOTATION_EPOCH, "")) or 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """The Lease's version as first seen, and when, on our clock."""

    version: str
    at: Mono


class KubernetesLeadership:
    """One process's claim on the Lease. `identity` must have a random part: a restarted pod is another holder."""

    def __init__(
        self,
        api: Api,
        clock: Clock,
        *,
        namespace: str,
        identity: str,
        duration: float = DURATION_S,
        name: str = LEASE_NAME,
    ) -> None:
        self._api = api
        self._clock = clock
        self._namespace = namespace
        self._identity = identity
        self._duration = duration
        self._name = name
        self._seen: _Seen | None = None
        self._held: Held | None = None

    async def look(self) -> NotHeld | None:
        """Who else holds it, or that nobody answers; None where it is ours or may be taken."""
        start = self._clock.mono()
        lease = await self._read()
        if isinstance(lease, Unknown):
            return NotHeld(holder="", detail=lease.detail)
        if lease is None or lease.holder == self._identity:
            return None
        return self._held_by_other(lease, start)

    async def renew(self, *, open_epochs: tuple[int, ...]) -> Held | NotHeld:
        """Renews, or takes over what nobody renewed for the Lease's duration. Without an answer the last renewal
        still counts until its own end."""
        start = self._clock.mono()
        lease = await self._read()
        if isinstance(lease, Unknown):
            return self._still_held(start, lease.detail)
        highest = max(open_epochs, default=0)
        if lease is None:
            return await self._write(start, None, epoch=1 + highest)
        if lease.holder == self._identity:
            # An open rollout above our epoch was written by another leader since: ours begins anew.
            epoch = lease.epoch if lease.epoch > 0 and lease.epoch >= highest else 1 + max(lease.epoch, highest)
            return await self._write(start, lease, epoch=epoch)
        self._held = None
        other = self._held_by_other(lease, start)
        return other or await self._write(start, lease, epoch=1 + max(lease.epoch, highest))

    async def release(self) -> None:
        """Gives the Lease back if it is ours; an unreachable server is passed over, for it runs out by itself."""
        lease = await self._read()
        self._held = None
        if isinstance(lease, Lease) and lease.holder == self._identity:
            await self._put(self._body(lease, holder="", epoch=lease.epoch), exists=True)

    def _held_by_other(self, lease: Lease, now: Mono) -> NotHeld | None:
        if lease.holder and not self._unchanged_for_long(lease, now):
            return NotHeld(holder=lease.holder, detail=f"held by {lease.holder}")
        return None

    def _unchanged_for_long(self, lease: Lease, now: Mono) -> bool:
        version = lease.metadata.resource_version
        if self._seen is None or self._seen.version != version:
            # Seen after the answer came: counting from the request's start would be early by its duration.
            self._seen = _Seen(version=version, at=self._clock.mono())
            return False
        return now.since(self._seen.at) >= self._duration

    async def _write(self, start: Mono, lease: Lease | None, *, epoch: int) -> Held | NotHeld:
        reply = await self._put(self._body(lease, holder=self._identity, epoch=epoch), exists=lease is not None)
        if isinstance(reply, Unknown):
            return self._still_held(start, reply.detail)
        if reply.status == 409:
            self._held = None
            return NotHeld(holder="", detail="somebody else wrote the Lease first")
        if not reply.ok:
            return self._still_held(start, reply.message())
        self._held = Held(until=start.plus(self._duration * ACTING_SHARE), epoch=epoch)
        return self._held

    def _still_held(self, now: Mono, detail: str) -> Held | NotHeld:
        if self._held is not None and self._held.until > now:
            return self._held
        return NotHeld(holder="", detail=detail)

    def _body(self, lease: Lease | None, *, holder: str, epoch: int) -> bytes:
        now = self._clock.now().iso().replace("Z", "000Z")
        taken = lease is None or lease.holder != holder
        transitions = (lease.spec.lease_transitions or 0) + int(taken) if lease is not None else 0
        acquired = now if taken or lease is None else lease.spec.acquire_time or now
        metadata: dict[str, object] = {
            "name": self._name,
            "namespace": self._namespace,
            "annotations": {
                **((lease.metadata.annotations or {}) if lease is not None else {}),
                ANNOTATION_EPOCH: str(epoch),
            },
        }
        if lease is not None:
            metadata |= {"resourceVersion": lease.metadata.resource_version, "uid": lease.metadata.uid}
            metadata |= {"labels": lease.metadata.labels} if lease.metadata.labels else {}
        spec = {
            "holderIdentity": holder,
            "leaseDurationSeconds": max(1, round(self._duration)),
            "acquireTime": acquired,
            "renewTime": now,
            "leaseTransitions": transitions,
        }
        body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
        return msgspec.json.encode(body)

    async def _read(self) -> Lease | Unknown | None:
        try:
            reply = await self._api.send(
                rights.GET_LEASE, self._namespace, self._name, timeout=self._timeout(), lane=Lane.ACTING
            )
        except NoAnswer as error:
            return Unknown(detail=str(error))
        if reply.status == 404:
            return None
        return msgspec.json.decode(reply.body, type=Lease) if reply.ok else Unknown(detail=reply.message())

    async def _put(self, body: bytes, *, exists: bool) -> Reply | Unknown:
        right, name = (rights.UPDATE_LEASE, self._name) if exists else (rights.CREATE_LEASE, "")
        try:
            return await self._api.send(right, self._namespace, name, body=body, timeout=self._timeout())
        except NoAnswer as error:
            return Unknown(detail=str(error))

    def _timeout(self) -> float:
        return min(TIMEOUT_S, self._duration / 5.0)


async def read_holder(api: Api, *, namespace: str, name: str = LEASE_NAME) -> str | Unknown:
    """Who holds the Lease now, for people; empty where nobody does."""
    lease = await read_lease(api, namespace=namespace, name=name)
    return lease if isinstance(lease, Unknown) else lease.holder if lease is not None else ""


async def read_lease(api: Api, *, namespace: str, name: str = LEASE_NAME) -> Lease | Unknown | None:
    """The Lease as it is; None where there is none."""
    try:
        reply = await api.send(rights.GET_LEASE, namespace, name, timeout=TIMEOUT_S)
    except NoAnswer as error:
        return Unknown(detail=str(error))
    if reply.status == 404:
        return None
    return msgspec.json.decode(reply.body, type=Lease) if reply.ok else Unknown(detail=reply.message())
