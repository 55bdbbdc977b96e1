"""What changes in the simulated cluster is told to every cache that watches it, and to the traffic."""

from __future__ import annotations

import asyncio
import random
from typing import Protocol

from rollguard.model.facts import Autoscaler, ClusterEvent, Endpoint, Pod, Revision, Service, Workload
from rollguard.model.names import Ref, TemplateHash, WorkloadName
from rollguard.sim.objects import ReplicaSet, SimDeployment, SimPod


class Cache(Protocol):
    """A client's watches."""

    def deployment(self, name: WorkloadName, seen: Workload | None) -> None: ...

    def revision(self, name: WorkloadName, hash_: TemplateHash, seen: Revision | None) -> None: ...

    def pod(self, name: WorkloadName, pod: str, seen: Pod | None) -> None: ...

    def event(self, name: WorkloadName, seen: ClusterEvent) -> None: ...

    def service(self, ref: Ref, seen: Service | None) -> None: ...

    def endpoints(self, ref: Ref, seen: tuple[Endpoint, ...]) -> None: ...

    def autoscaler(self, ref: Ref, seen: Autoscaler) -> None: ...


class Watching:
    """Hands out versions and uids, and passes changes on."""

    def __init__(self, loop: asyncio.AbstractEventLoop, rng: random.Random) -> None:
        self.loop = loop
        self.random = rng
        self.caches: list[Cache] = []
        self.version = 1
        self._uids = 0

    def uid(self) -> str:
        """A uid that no other object has."""
        self._uids += 1
        return f"{self._uids:08x}-0000-4000-8000-{self.random.getrandbits(48):012x}"

    def touch(self, deployment: SimDeployment) -> None:
        """The Deployment changed: it gets a new version."""
        self.version += 1
        deployment.version = self.version
        seen = None if deployment.deleted else deployment.workload()
        for cache in self.caches:
            cache.deployment(deployment.name, seen)

    def revision_changed(self, deployment: SimDeployment, replica_set: ReplicaSet) -> None:
        """The ReplicaSet's number, size or readiness changed."""
        seen = replica_set.revision()
        for cache in self.caches:
            cache.revision(deployment.name, replica_set.hash, seen)

    def revision_gone(self, deployment: SimDeployment, replica_set: ReplicaSet) -> None:
        """The ReplicaSet was deleted."""
        for cache in self.caches:
            cache.revision(deployment.name, replica_set.hash, None)

    def pod_changed(self, pod: SimPod) -> None:
        """The pod's status or existence changed."""
        seen = None if pod.gone is not None else pod.pod()
        for cache in self.caches:
            cache.pod(pod.owner.name, pod.name, seen)

    def event(self, pod: SimPod, event: ClusterEvent) -> None:
        """An Event about a pod."""
        for cache in self.caches:
            cache.event(pod.owner.name, event)
