"""The guard itself, as the cluster shows it: its Lease and its Deployment."""

from __future__ import annotations

import asyncio

import msgspec

from rollguard.adapters.kubernetes.connection import rights
from rollguard.adapters.kubernetes.objects import facts
from rollguard.adapters.kubernetes.objects.wire import Deployment
from rollguard.adapters.kubernetes.store.leadership import LEASE_NAME
from rollguard.adapters.kubernetes.survey.asking import Asking
from rollguard.doctor.facts import GuardSeen, LeaseSeen, Replicas
from rollguard.render import DEPLOYMENT


class _LeaseSpec(msgspec.Struct, rename="camel"):
    holder_identity: str | None = None
    renew_time: str | None = None


class _Lease(msgspec.Struct):
    spec: _LeaseSpec = msgspec.field(default_factory=_LeaseSpec)


async def guard(asking: Asking, namespace: str) -> GuardSeen:
    """Who leads, and how many replicas are ready."""
    lease, deployment = await asyncio.gather(
        asking.get(rights.GET_LEASE, namespace, LEASE_NAME),
        asking.get(rights.GET_DEPLOYMENT, namespace, DEPLOYMENT),
    )
    return GuardSeen(
        namespace=namespace,
        lease=_lease(lease) if isinstance(lease, bytes) else lease,
        deployment=_replicas(deployment) if isinstance(deployment, bytes) else deployment,
    )


def _lease(body: bytes) -> LeaseSeen:
    spec = msgspec.json.decode(body, type=_Lease).spec
    return LeaseSeen(holder=spec.holder_identity or "", renewed=facts.instant_or_none(spec.renew_time))


def _replicas(body: bytes) -> Replicas:
    found = msgspec.json.decode(body, type=Deployment)
    return Replicas(name=found.metadata.name, wanted=found.spec.replicas, ready=found.status.ready_replicas)
