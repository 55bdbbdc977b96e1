"""The Cluster port of one process over the simulated cluster."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from rollguard.model.action import (
    Absent,
    AutoscalerOutcome,
    Evidence,
    FetchOutcome,
    Found,
    FoundAutoscaler,
    FoundService,
    ServiceOutcome,
    Throttled,
    Unknown,
    Write,
    WriteOutcome,
)
from rollguard.model.facts import InventoryItem, Template, UnitFacts
from rollguard.model.names import Ref, RolloutId, TemplateHash, UnitName, WorkloadKind, WorkloadName
from rollguard.model.policy import ReleaseSet
from rollguard.sim.cache import SimCache
from rollguard.sim.faults import FaultPlan
from rollguard.sim.network import Later, Lost, call
from rollguard.sim.objects import LAST_APPLIED, RECEIPT, REVISION
from rollguard.sim.process import Process
from rollguard.sim.signalling import Names
from rollguard.sim.world import Emitted, Sent, World


class SimCluster:
    """Cached facts that lag, quorum reads and guarded writes, with the faults of the plan."""

    def __init__(self, world: World, process: Process, faults: FaultPlan, *, wakes_lost: float = 0.0) -> None:
        self._world = world
        self._process = process
        self._faults = faults
        self._wakes_lost = wakes_lost
        self._changed: Names[UnitName] = Names()
        self.cache = SimCache(world.loop, faults.random, self._wake)
        self._listed_at = world.loop.time() + 0.05
        self._join()

    def _join(self) -> None:
        """The first list of everything, then every change."""
        for deployment in self._world.deployments.values():
            self.cache.deployment(deployment.name, deployment.workload())
            for replica_set in deployment.replica_sets:
                self.cache.revision(deployment.name, replica_set.hash, replica_set.revision())
            for pod in deployment.pods():
                self.cache.pod(deployment.name, pod.name, pod.pod())
        for service in self._world.services.all.values():
            self.cache.service(service.ref, service.service())
            self.cache.endpoints(service.ref, service.endpoints())
        for autoscaler in self._world.scaling.all.values():
            self.cache.autoscaler(autoscaler.ref, autoscaler.autoscaler())
        self._world.watching.caches.append(self.cache)

    def close(self) -> None:
        """The process is gone: nobody watches any more."""
        if self.cache in self._world.watching.caches:
            self._world.watching.caches.remove(self.cache)

    def _wake(self, unit: UnitName) -> None:
        if not self._wakes_lost or self._faults.random.random() >= self._wakes_lost:
            self._changed.put(unit)

    def changes(self) -> AsyncIterator[UnitName]:
        """Units whose facts changed."""
        return self._changed.stream(self._process)

    def inventory(self) -> tuple[InventoryItem, ...] | None:
        """All workloads; None until the first list is complete."""
        if self._world.loop.time() < self._listed_at:
            return None
        return self.cache.inventory()

    def cover(self, namespaces: frozenset[str]) -> tuple[str, ...]:  # noqa: ARG002
        """There is one namespace, and it is known."""
        return ()

    def look_for(self, migrations: tuple[str, ...], *, secrets: bool) -> None:
        """There are no migrations."""

    def sets(self, sets: tuple[ReleaseSet, ...]) -> None:
        """Exactly these release sets are known from now on."""
        self.cache.sets(sets)

    def guard(self, units: frozenset[UnitName]) -> None:
        """Begins to watch the pods of these units."""
        for unit in sorted(units):
            self.cache.list_pods(unit)

    def facts(self, unit: UnitName) -> UnitFacts:
        """The unit's facts from the cache."""
        return self.cache.facts(unit, self._world.configuration)

    async def fetch(self, ref: Ref, *, timeout: float) -> FetchOutcome:
        """A quorum read."""
        outcome = await call("cluster.fetch", self._process, self._faults, timeout, lambda: self._found(ref))
        return Unknown(detail="no answer") if isinstance(outcome, Lost | Later) else outcome

    def _found(self, ref: Ref) -> Found | Absent:
        deployment = self._world.deployments.get(_of(ref))
        if deployment is None or (ref.uid and ref.uid != deployment.uid):
            return Absent()
        return Found(
            uid=deployment.uid,
            resource_version=str(deployment.version),
            generation=deployment.generation,
            observed_generation=deployment.observed_generation,
            paused=deployment.paused,
            template_body=deployment.template.body,
            template_digest=deployment.template.digest,
            receipt=deployment.annotations.get(RECEIPT, ""),
            has_annotations=bool(deployment.annotations),
            revision=int(deployment.annotations.get(REVISION, "0")),
            raw_template=json.dumps(deployment.raw),
            last_applied=deployment.annotations.get(LAST_APPLIED, ""),
            managed_fields=json.dumps(deployment.managers),
            replicas=deployment.replicas,
            ready=deployment.ready,
        )

    async def fetch_service(self, ref: Ref, *, timeout: float) -> ServiceOutcome:
        """Quorum reads of a Service, its EndpointSlices and the pods that it selects."""

        def found() -> FoundService | Absent:
            return self._world.services.found(ref) or Absent()

        outcome = await call("cluster.fetch_service", self._process, self._faults, timeout, found)
        return Unknown(detail="no answer") if isinstance(outcome, Lost | Later) else outcome

    async def fetch_autoscaler(self, ref: Ref, *, timeout: float) -> AutoscalerOutcome:
        """A quorum read of an autoscaler."""

        def found() -> FoundAutoscaler | Absent:
            return self._world.scaling.found(ref) or Absent()

        outcome = await call("cluster.fetch_autoscaler", self._process, self._faults, timeout, found)
        return Unknown(detail="no answer") if isinstance(outcome, Lost | Later) else outcome

    async def apply(self, write: Write, *, dry_run: bool, timeout: float) -> WriteOutcome:
        """One guarded write."""
        point = "cluster.dry_run" if dry_run else "cluster.apply"
        sent_at = self._world.loop.time()
        if not dry_run:
            sent = Sent(at=sent_at, process=self._process.name, ref=write.ref, patch=write.patch, timeout=timeout)
            self._world.send(sent)

        def effect() -> WriteOutcome:
            outcome = self._world.patch(
                write.ref, write.patch, actor=self._process.name, sent_at=sent_at, dry_run=dry_run
            )
            return Absent() if outcome is None else outcome

        outcome = await call(point, self._process, self._faults, timeout, effect)
        if isinstance(outcome, Lost):
            return Unknown(detail=outcome.detail)
        return Throttled(after=outcome.after) if isinstance(outcome, Later) else outcome

    async def save_evidence(
        self, rollout: RolloutId, unit: UnitName, *, bad: frozenset[TemplateHash], timeout: float
    ) -> Evidence:
        """Keeps a note of the evidence."""
        name = f"{rollout}-evidence-1"
        outcome = await call(
            "cluster.save_evidence",
            self._process,
            self._faults,
            timeout,
            lambda: self._world.evidence.append((self._world.loop.time(), name)),
        )
        if isinstance(outcome, Lost | Later):
            return Evidence(rollout=rollout, names=(), complete=False, detail="the API server did not answer in time")
        pods = self.facts(unit).pods
        of_bad = sum(pod.revision in bad for pod in pods)
        return Evidence(
            rollout=rollout, names=(name,), complete=True, detail=f"statuses of {len(pods)} pods, {of_bad} of them bad"
        )

    async def save_template(self, workload: WorkloadName, template: Template, *, timeout: float) -> str | Unknown:
        """Keeps the template under a name made from its digest."""
        name = f"rollguard-{workload.name}-{template.digest[:10]}"

        def keep() -> str:
            self._world.saved_templates[workload.namespace, name] = template
            return name

        outcome = await call("cluster.save_template", self._process, self._faults, timeout, keep)
        return Unknown(detail="no answer") if isinstance(outcome, Lost | Later) else outcome

    async def load_template(self, namespace: str, name: str, *, timeout: float) -> Template | Absent | Unknown:
        """A kept template."""

        def read() -> Template | Absent:
            return self._world.saved_templates.get((namespace, name), Absent())

        outcome = await call("cluster.load_template", self._process, self._faults, timeout, read)
        return Unknown(detail="no answer") if isinstance(outcome, Lost | Later) else outcome

    async def emit_event(self, workload: WorkloadName, uid: str, reason: str, text: str, *, warning: bool) -> None:
        """Keeps the Event for whoever asks."""

        def keep() -> None:
            self._world.emitted.append(
                Emitted(
                    at=self._world.loop.time(), uid=uid, workload=workload, reason=reason, text=text, warning=warning
                )
            )

        await call("cluster.emit_event", self._process, self._faults, 3.0, keep)

    def clock_offset(self) -> float | None:
        """By how much the process's wall clock is behind the world's."""
        return -self._process.clock_error


def _of(ref: Ref) -> WorkloadName:
    return WorkloadName(ref.namespace, WorkloadKind.DEPLOYMENT, ref.name)
