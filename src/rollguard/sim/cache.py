"""One process's watches: what it knows of the cluster, each kind of object a little late on its own stream."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from rollguard.model.facts import (
    Autoscaler,
    ClusterEvent,
    Configuration,
    Endpoint,
    InventoryItem,
    Pod,
    Revision,
    Service,
    UnitFacts,
    Workload,
)
from rollguard.model.names import Ref, TemplateHash, UnitName, WorkloadKind, WorkloadName
from rollguard.model.policy import ReleaseSet
from rollguard.sim.objects import at
from rollguard.sim.process import EPOCH

K = TypeVar("K")
V = TypeVar("V")
_STREAMS = ("deployments", "replicasets", "pods", "events", "services", "endpointslices", "autoscalers")
_LAG = (0.002, 0.03)
_BETWEEN = 1e-6
"""Seconds between two changes of one stream."""


class SimCache:
    """Fed by the world's changes; each stream keeps its order, lags, may stall or break (410) until it relists."""

    def __init__(self, loop: asyncio.AbstractEventLoop, rng: random.Random, tell: Callable[[UnitName], None]) -> None:
        self._loop = loop
        self._random = rng
        self._tell = tell
        self._last = dict.fromkeys(_STREAMS, 0.0)
        self._stalled: dict[str, tuple[float, float]] = {}
        self._relisting: dict[str, float] = {}
        self._pods_listed: dict[WorkloadName, float] = {}
        self.workloads: dict[WorkloadName, Workload] = {}
        self._revisions: dict[WorkloadName, dict[TemplateHash, Revision]] = {}
        self._pods: dict[WorkloadName, dict[str, Pod]] = {}
        self._events: dict[WorkloadName, list[ClusterEvent]] = {}
        self._services: dict[tuple[str, str], Service] = {}
        self._endpoints: dict[tuple[str, str], tuple[Endpoint, ...]] = {}
        self._autoscalers: dict[tuple[str, str], Autoscaler] = {}
        self._sets: dict[UnitName, ReleaseSet] = {}
        self._set_of: dict[WorkloadName | tuple[str, str], UnitName] = {}
        """By a member's Deployment, or by namespace and name of its Service."""
        self._built: dict[WorkloadName, UnitFacts] = {}

    # --- what the world tells ---

    def deployment(self, name: WorkloadName, seen: Workload | None) -> None:
        self._deliver("deployments", name, lambda: self._put_deployment(name, seen))

    def revision(self, name: WorkloadName, hash_: TemplateHash, seen: Revision | None) -> None:
        self._deliver("replicasets", name, lambda: self._put(self._revisions, name, hash_, seen))

    def pod(self, name: WorkloadName, pod: str, seen: Pod | None) -> None:
        self._deliver("pods", name, lambda: self._put(self._pods, name, pod, seen))

    def event(self, name: WorkloadName, seen: ClusterEvent) -> None:
        self._deliver("events", name, lambda: self._events.setdefault(name, []).append(seen))

    def service(self, ref: Ref, seen: Service | None) -> None:
        key = (ref.namespace, ref.name)
        self._deliver("services", key, lambda: self._keep(self._services, key, seen))

    def endpoints(self, ref: Ref, seen: tuple[Endpoint, ...]) -> None:
        key = (ref.namespace, ref.name)
        self._deliver("endpointslices", key, lambda: self._keep(self._endpoints, key, seen))

    def autoscaler(self, ref: Ref, seen: Autoscaler) -> None:
        key = (ref.namespace, ref.name)
        self._deliver("autoscalers", seen.workload, lambda: self._keep(self._autoscalers, key, seen))

    # --- faults ---

    def stall(self, stream: str, seconds: float) -> None:
        """The watch falls silent for so long; nobody notices at once, `as_of` stays behind."""
        now = self._loop.time()
        self._stalled[stream] = (now, now + seconds)
        self._last[stream] = max(self._last[stream], now + seconds)
        self._loop.call_later(seconds, self._tell_all)

    def gone(self, stream: str, seconds: float) -> None:
        """410: facts are incomplete until the list is there again."""
        now = self._loop.time()
        self._relisting[stream] = now + seconds
        self._last[stream] = max(self._last[stream], now + seconds)
        self._built.clear()
        self._loop.call_later(seconds + 0.001, self._tell_all)

    # --- what the process asks ---

    def sets(self, sets: tuple[ReleaseSet, ...]) -> None:
        """Exactly these release sets are known from now on."""
        self._sets = {_unit_of(release_set): release_set for release_set in sets}
        self._set_of = {}
        for unit, release_set in self._sets.items():
            self._set_of.update(dict.fromkeys(release_set.deployments(), unit))
            services = ((release_set.namespace, member.service) for member in release_set.members if member.service)
            self._set_of.update(dict.fromkeys(services, unit))

    def list_pods(self, unit: UnitName) -> None:
        """Begins to watch the pods of a unit; they are complete a moment later."""
        for name in self._members(unit):
            if name not in self._pods_listed:
                self._pods_listed[name] = self._loop.time() + self._random.uniform(0.02, 0.2)
                self._loop.call_at(self._pods_listed[name] + 0.001, self._tell_of, name)

    def inventory(self) -> tuple[InventoryItem, ...]:
        """All workloads."""
        return tuple(
            InventoryItem(name=seen.name, uid=seen.uid, labels=seen.labels, annotations=seen.annotations)
            for seen in self.workloads.values()
        )

    def facts(self, unit: UnitName, config: Configuration) -> UnitFacts:
        """What the caches show of the unit, and the configuration, which does not lag."""
        now, names = self._loop.time(), self._members(unit)
        missing = tuple(
            f"{stream} are being listed again"
            for stream, end in self._relisting.items()
            if now < end and self._concerns(stream, unit)
        )
        if any(now < self._pods_listed.get(name, float("inf")) for name in names):
            missing = (*missing, "its pods are not listed yet")
        parts = [self._part(name) for name in names]
        stalled = (row for stream, row in self._stalled.items() if self._concerns(stream, unit))
        behind = [since for since, end in stalled if now < end]
        services, autoscalers = self._around(unit, names)
        return UnitFacts(
            unit=unit,
            as_of=at(min((now, *behind))),
            complete=not missing,
            missing=missing,
            members=tuple(member for part in parts for member in part.members),
            pods=tuple(pod for name, part in zip(names, parts, strict=True) for pod in self._listed(name, part)),
            events=tuple(event for part in parts for event in part.events),
            services=services,
            autoscalers=autoscalers,
            config=config,
        )

    def _members(self, unit: UnitName) -> tuple[WorkloadName, ...]:
        """The Deployments behind the unit, whether they exist or not, in its order."""
        release_set = self._sets.get(unit)
        if release_set is not None:
            return release_set.deployments()
        name = unit.object_name.removeprefix("deployment-")
        return (WorkloadName(unit.namespace, WorkloadKind.DEPLOYMENT, name),)

    def _concerns(self, stream: str, unit: UnitName) -> bool:
        return unit in self._sets or stream not in ("services", "endpointslices", "autoscalers")

    def _part(self, name: WorkloadName) -> UnitFacts:
        built = self._built.get(name)
        if built is None:
            built = self._built[name] = self._build(name)
        return built

    def _listed(self, name: WorkloadName, part: UnitFacts) -> tuple[Pod, ...]:
        return part.pods if name in self._pods_listed else ()

    def _around(
        self, unit: UnitName, names: tuple[WorkloadName, ...]
    ) -> tuple[tuple[Service, ...], tuple[Autoscaler, ...]]:
        """A set's Services with their endpoints, and the autoscalers of its workloads, each by name."""
        if unit not in self._sets:
            return (), ()
        services = tuple(
            replace(seen, endpoints=self._endpoints.get(key, ()))
            for key, seen in sorted(self._services.items())
            if self._set_of.get(key) == unit
        )
        autoscalers = (seen for _, seen in sorted(self._autoscalers.items()) if seen.workload in names)
        return services, tuple(autoscalers)

    def _build(self, name: WorkloadName) -> UnitFacts:
        workload = self.workloads.get(name)
        revisions = tuple(sorted(self._revisions.get(name, {}).values(), key=lambda revision: revision.number))
        return UnitFacts(
            unit=UnitName.of_workload(name),
            as_of=at(-EPOCH),
            complete=True,
            missing=(),
            members=() if workload is None else (replace(workload, revisions=revisions),),
            pods=tuple(self._pods.get(name, {}).values()),
            events=tuple(self._events.get(name, ())[-50:]),
        )

    def _put_deployment(self, name: WorkloadName, seen: Workload | None) -> None:
        if seen is None:
            self.workloads.pop(name, None)
        else:
            self.workloads[name] = seen

    @staticmethod
    def _put(table: dict[WorkloadName, dict[K, V]], name: WorkloadName, key: K, seen: V | None) -> None:
        row = table.setdefault(name, {})
        if seen is None:
            row.pop(key, None)
        else:
            row[key] = seen

    @staticmethod
    def _keep(table: dict[tuple[str, str], V], key: tuple[str, str], seen: V | None) -> None:
        if seen is None:
            table.pop(key, None)
        else:
            table[key] = seen

    def _deliver(self, stream: str, name: WorkloadName | tuple[str, str], put: Callable[[], None]) -> None:
        due = max(self._last[stream] + _BETWEEN, self._loop.time() + self._random.uniform(*_LAG))
        self._last[stream] = due
        if self._loop.time() < self._relisting.get(stream, 0.0):
            self._relisting[stream] = due + _BETWEEN  # a list arrives as a whole
        self._loop.call_at(due, self._arrive, name, put)

    def _arrive(self, name: WorkloadName | tuple[str, str], put: Callable[[], None]) -> None:
        put()
        if isinstance(name, WorkloadName):
            self._built.pop(name, None)
        self._tell_of(name)

    def _tell_of(self, name: WorkloadName | tuple[str, str]) -> None:
        """Wakes what guards a Deployment, or (by namespace and name) a Service."""
        if isinstance(name, WorkloadName):
            self._tell(UnitName.of_workload(name))
        if name in self._set_of:
            self._tell(self._set_of[name])

    def _tell_all(self) -> None:
        for name in self.workloads:
            self._tell_of(name)


def _unit_of(release_set: ReleaseSet) -> UnitName:
    return UnitName.of_workload(WorkloadName(release_set.namespace, WorkloadKind.RELEASE_SET, release_set.name))
