"""One process's watches: what it knows of the cluster, each kind of object a little late on its own stream."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from rollguard.model.facts import ClusterEvent, InventoryItem, Pod, Revision, UnitFacts, Workload
from rollguard.model.names import TemplateHash, UnitName, WorkloadName
from rollguard.sim.objects import at
from rollguard.sim.process import EPOCH

K = TypeVar("K")
V = TypeVar("V")
_STREAMS = ("deployments", "replicasets", "pods", "events")
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

    def list_pods(self, name: WorkloadName) -> None:
        """Begins to watch the pods of a workload; they are complete a moment later."""
        if name not in self._pods_listed:
            self._pods_listed[name] = self._loop.time() + self._random.uniform(0.02, 0.2)
            self._loop.call_at(self._pods_listed[name] + 0.001, self._tell, UnitName.of_workload(name))

    def inventory(self) -> tuple[InventoryItem, ...]:
        """All workloads."""
        return tuple(
            InventoryItem(name=seen.name, uid=seen.uid, labels=seen.labels, annotations=seen.annotations)
            for seen in self.workloads.values()
        )

    def facts(self, name: WorkloadName) -> UnitFacts:
        """What the caches show of the workload."""
        now = self._loop.time()
        missing = tuple(f"{stream} are being listed again" for stream, end in self._relisting.items() if now < end)
        if now < self._pods_listed.get(name, float("inf")):
            missing = (*missing, "its pods are not listed yet")
        built = self._built.get(name)
        if built is None:
            built = self._built[name] = self._build(name)
        behind = [since for since, end in self._stalled.values() if now < end]
        pods = built.pods if name in self._pods_listed else ()
        return UnitFacts(
            unit=built.unit,
            as_of=at(min((now, *behind))),
            complete=not missing,
            missing=missing,
            members=built.members,
            pods=pods,
            events=built.events,
        )

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

    def _deliver(self, stream: str, name: WorkloadName, put: Callable[[], None]) -> None:
        due = max(self._last[stream] + _BETWEEN, self._loop.time() + self._random.uniform(*_LAG))
        self._last[stream] = due
        if self._loop.time() < self._relisting.get(stream, 0.0):
            self._relisting[stream] = due + _BETWEEN  # a list arrives as a whole
        self._loop.call_at(due, self._arrive, name, put)

    def _arrive(self, name: WorkloadName, put: Callable[[], None]) -> None:
        put()
        self._built.pop(name, None)
        self._tell(UnitName.of_workload(name))

    def _tell_all(self) -> None:
        for name in self.workloads:
            self._tell(UnitName.of_workload(name))
