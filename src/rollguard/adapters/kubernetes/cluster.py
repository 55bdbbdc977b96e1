"""The Cluster port on a real API server."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Self

from rollguard.adapters.kubernetes.acting import evidence, notes, reads, saved, writes
from rollguard.adapters.kubernetes.connection.api import Api
from rollguard.adapters.kubernetes.objects import facts
from rollguard.adapters.kubernetes.watching.cache import Cache, Look
from rollguard.adapters.kubernetes.watching.configuration import releases
from rollguard.adapters.kubernetes.watching.namespace import Watch
from rollguard.adapters.kubernetes.watching.reflector import STALL_S
from rollguard.adapters.kubernetes.watching.wakeups import Wakeups
from rollguard.model.action import (
    Absent,
    AutoscalerOutcome,
    Evidence,
    FetchOutcome,
    ServiceOutcome,
    Unknown,
    Write,
    WriteOutcome,
)
from rollguard.model.facts import ClusterEvent, Configuration, InventoryItem, Pod, Template, UnitFacts, Workload
from rollguard.model.names import Ref, RolloutId, TemplateHash, UnitName, WorkloadKind, WorkloadName
from rollguard.model.policy import ReleaseSet
from rollguard.ports import Clock

EVENTS_MAX = 50


class KubernetesCluster:
    """Facts from copies that watches keep, writes straight to the server. Use as an async context manager."""

    def __init__(
        self,
        api: Api,
        clock: Clock,
        rng: random.Random,
        *,
        namespaces: tuple[str, ...] = (),
        instance: str = "rollguard",
        stall: float = STALL_S,
        look: Look | None = None,
        on_failure: Callable[[str], None] = lambda _detail: None,
    ) -> None:
        """`on_failure` is told of each watch that failed and of each object that cannot be read."""
        self._api = api
        self._clock = clock
        self._namespaces = namespaces
        self._instance = instance
        self._cache = Cache(
            api, clock, rng, self._wake, self._wake_set, stall=stall, look=look or Look(), on_failure=on_failure
        )
        self._guarded: frozenset[UnitName] = frozenset()
        self._known: set[UnitName] = set()
        self._sets: dict[UnitName, ReleaseSet] = {}
        self._wakeups = Wakeups()

    async def __aenter__(self) -> Self:
        self._cache.watch_deployments(frozenset(self._namespaces or ("",)))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._cache.close()

    def changes(self) -> AsyncIterator[UnitName]:
        """Guarded units whose facts changed, and workloads that came or went; many changes wake once."""
        return self._wakeups

    def inventory(self) -> tuple[InventoryItem, ...] | None:
        """All Deployments that exist; None until the first list is complete."""
        self._cache.check()
        if not self._cache.listed():
            return None
        return tuple(
            InventoryItem(name=each.name, uid=each.uid, labels=each.labels, annotations=each.annotations)
            for reflector in self._cache.deployments.values()
            for each in reflector.items.values()
        )

    def cover(self, namespaces: frozenset[str]) -> tuple[str, ...]:
        """Copies the Deployments of exactly these namespaces from now on; what keeps a new one from being listed."""
        self._cache.watch_deployments(namespaces)
        self._known = {unit for unit in self._known if unit.namespace in namespaces}
        return self._cache.unlisted()

    def look_for(self, migrations: tuple[str, ...], *, secrets: bool) -> None:
        """By which names Jobs and bare pods are migrations from now on; Jobs are copied only where there are some."""
        self._cache.look_for(migrations, secrets=secrets)

    def sets(self, sets: tuple[ReleaseSet, ...]) -> None:
        """Exactly these release sets are known from now on; their Services, EndpointSlices and autoscalers are copied
        in their namespaces alone."""
        self._sets = {each.unit: each for each in sets}
        self._cache.watch_sets(sets)

    def guard(self, units: frozenset[UnitName]) -> None:
        """Which units' ReplicaSets, pods, events and configuration are copied from now on (by their namespaces, and so
        those of all Deployments of a set)."""
        self._guarded = units
        self._cache.watch_namespaces(frozenset(unit.namespace for unit in units))

    def facts(self, unit: UnitName) -> UnitFacts:
        """The unit's facts. Not `complete` while a copy behind them is not in sync; `missing` says which."""
        self._cache.check()
        behind = self._cache.behind(unit.namespace)
        if unit.guards is not WorkloadKind.RELEASE_SET:
            member = self._cache.workload(unit.namespace, deployment_name(unit))
            return self._facts(unit, (member,) if member is not None else (), behind)
        release_set, copies = self._sets.get(unit), self._cache.for_sets(unit.namespace)
        if release_set is None or copies is None:
            whole = self._facts(unit, (), behind)
            return dataclasses.replace(whole, complete=False, missing=(*whole.missing, f"{unit}: not a known set"))
        members = (self._cache.workload(each.namespace, each.name) for each in release_set.deployments())
        return dataclasses.replace(
            self._facts(unit, tuple(each for each in members if each is not None), (*behind, *copies.all())),
            services=copies.services_of(release_set),
            autoscalers=copies.autoscalers_of(release_set),
        )

    def _facts(self, unit: UnitName, members: tuple[Workload, ...], behind: tuple[Watch, ...]) -> UnitFacts:
        """The facts of these workloads; `behind` are the copies that they rest on."""
        missing = tuple(
            f"{each.collection.name}: {each.last_error or 'not listed yet'}" for each in behind if not each.in_sync
        )
        missing += tuple(
            f"{each.collection.name}: {detail}"
            for each in behind
            for (namespace, _), detail in each.unreadable.items()
            if namespace == unit.namespace
        )
        if self._cache.namespace(unit.namespace) is None:
            missing = (*missing, f"ReplicaSets, pods and events in {unit.namespace}: not watched")
        now = self._clock.now()
        stale = [each.last_sync for each in behind if not each.in_sync and each.last_sync is not None]
        config = self._cache.configuration(unit.namespace)
        pods = {member.name: self._pods(member) for member in members}
        return UnitFacts(
            unit=unit,
            as_of=min([now, *stale]),
            complete=not missing,
            missing=missing,
            members=tuple(self._with_revisions(member) for member in members),
            pods=tuple(pod for each in pods.values() for pod in each),
            events=tuple(event for each in pods.values() for event in self._events(unit.namespace, each)),
            migrations=self._cache.migrations(unit.namespace),
            migrations_from=self._cache.migrations_from(unit.namespace),
            config=config.configuration() if config is not None else Configuration(),
            helm=releases(members, self._cache.configuration),
        )

    async def fetch(self, ref: Ref, *, timeout: float) -> FetchOutcome:
        """A quorum read of a Deployment; Absent also where another uid has its name."""
        return await reads.deployment(self._api, ref, timeout=timeout)

    async def fetch_service(self, ref: Ref, *, timeout: float) -> ServiceOutcome:
        """A quorum read of a Service, its EndpointSlices and its pods, within `timeout` seconds in all."""
        return await reads.service(self._api, ref, timeout=timeout)

    async def fetch_autoscaler(self, ref: Ref, *, timeout: float) -> AutoscalerOutcome:
        """A quorum read of a HorizontalPodAutoscaler."""
        return await reads.autoscaler(self._api, ref, timeout=timeout)

    async def apply(self, write: Write, *, dry_run: bool, timeout: float) -> WriteOutcome:
        """One guarded patch, sent once."""
        return await writes.patch(self._api, self._clock, write, dry_run=dry_run, timeout=timeout)

    async def save_evidence(
        self, rollout: RolloutId, unit: UnitName, *, bad: frozenset[TemplateHash], timeout: float
    ) -> Evidence:
        """Statuses, events and logs of the unit's pods, masked, in ConfigMaps; what is ready when time is up."""
        return await evidence.save(self._api, self._clock, rollout, self.facts(unit), bad=bad, timeout=timeout)

    async def save_template(self, workload: WorkloadName, template: Template, *, timeout: float) -> str | Unknown:
        """Keeps the template as a ControllerRevision with our labels only; its name."""
        return await saved.save(self._api, workload, template, timeout=timeout)

    async def load_template(self, namespace: str, name: str, *, timeout: float) -> Template | Absent | Unknown:
        """A template that `save_template` kept."""
        return await saved.load(self._api, namespace, name, timeout=timeout)

    async def emit_event(self, workload: WorkloadName, uid: str, reason: str, text: str, *, warning: bool) -> None:
        """A Kubernetes Event on the workload; best effort."""
        note = notes.Note(workload=workload, uid=uid, reason=reason, text=text, warning=warning)
        await notes.emit(self._api, self._clock, self._instance, note)

    def clock_offset(self) -> float | None:
        """Seconds by which the API server's clock is ahead of ours, to about half a second."""
        return self._api.clock_offset()

    def watch_errors(self) -> dict[str, int]:
        """Errors so far of every watch, by its collection, for the guard's own metrics."""
        return {each.collection.name: each.errors for each in self._cache.all()}

    def _with_revisions(self, member: Workload) -> Workload:
        owned = self._cache.owned.revisions_of.get(member.uid, {}).values()
        revisions = sorted((each.revision for each in owned), key=lambda revision: revision.number)
        return dataclasses.replace(member, revisions=tuple(revisions))

    def _pods(self, member: Workload) -> tuple[Pod, ...]:
        known = self._cache.owned.revisions_of.get(member.uid, {})
        pods = []
        for set_uid in self._cache.owned.sets_of(member.uid):
            revision = known[set_uid].revision if set_uid in known else None
            template = revision.template if revision is not None else member.template
            hash_ = revision.hash if revision is not None else None
            for owned in self._cache.owned.pods_of.get(set_uid, {}).values():
                pods.append(facts.pod(owned.pod, member.name, hash_, template))
        return tuple(sorted(pods, key=lambda pod: (pod.created, pod.name)))

    def _events(self, namespace: str, pods: tuple[Pod, ...]) -> tuple[ClusterEvent, ...]:
        found = [event for pod in pods for event in self._cache.owned.events_of.get((namespace, pod.name), {}).values()]
        return tuple(sorted(found, key=lambda event: (event.last_seen, event.pod, event.reason))[-EVENTS_MAX:])

    def _wake(self, namespace: str, name: str) -> None:
        unit = UnitName.of_workload(WorkloadName(namespace, WorkloadKind.DEPLOYMENT, name))
        exists = self._cache.workload(namespace, name) is not None
        # What the first list brings is no change: the loop looks at the whole inventory then.
        came_or_went = self._cache.listed() and exists != (unit in self._known)
        if unit in self._guarded or came_or_went:
            self._wakeups.add(unit)
        (self._known.add if exists else self._known.discard)(unit)
        for whole, release_set in self._sets.items():
            if whole.namespace == namespace and release_set.member_of(name):
                self._wake_set(whole)

    def _wake_set(self, unit: UnitName) -> None:
        if unit in self._guarded:
            self._wakeups.add(unit)


def deployment_name(unit: UnitName) -> str:
    """The Deployment that the unit guards."""
    return unit.object_name.removeprefix("deployment-")
