"""`rollguard policy check --cluster`: what there is in the cluster and in its metrics store, for a policy's check."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import msgspec

from rollguard import signals
from rollguard.adapters.kubernetes import Api
from rollguard.adapters.kubernetes.connection import rights
from rollguard.adapters.kubernetes.objects.wire import OnlyMeta
from rollguard.adapters.kubernetes.survey.asking import Asking, reading
from rollguard.adapters.kubernetes.survey.ground import ground
from rollguard.adapters.prometheus import MetricsInspector, StoreProblem
from rollguard.adapters.prometheus.soundings import main_selector
from rollguard.cli.store_door import opened_store
from rollguard.model.action import Absent, Unknown
from rollguard.model.names import WorkloadKind, WorkloadName
from rollguard.model.permissions import Scope
from rollguard.model.policy import Policy, Watch
from rollguard.model.signals import Signal
from rollguard.policy.against import Found, NamespaceFound, SeriesFound, matching
from rollguard.policy.promql import narrowed
from rollguard.ports import Clock
from rollguard.signals import parts

AT_ONCE = 4
LIST_NAMESPACES = reading("", "v1", "namespaces", "list", Scope.CLUSTER)
GET_NAMESPACE = reading("", "v1", "namespaces", "get", Scope.CLUSTER)


@dataclass(slots=True)
class Looked:
    """What was found, and in words what could not be asked."""

    found: Found
    problems: list[str] = field(default_factory=list)


async def look(api: Api, clock: Clock, policy: Policy) -> Looked:
    """Asks the cluster, then the store for the workloads that are there. What is not answered is a problem."""
    asking = Asking(api)
    looked = Looked(Found(namespaces=(), series=()))
    watched = policy.namespaces()
    found = await asyncio.gather(*(_namespace(asking, policy, name, looked.problems) for name in watched))
    namespaces = tuple(each for each in found if each is not None)
    names: tuple[str, ...] = ()
    if any(each.exists is False for each in namespaces):
        listed = await asking.list(LIST_NAMESPACES, "")
        names = () if isinstance(listed, Unknown) else tuple(_name(raw) for raw in listed)
    looked.found = Found(namespaces=namespaces, series=(), namespace_names=names)
    try:
        async with opened_store(api, clock, policy.metrics) as store:
            series = await _Series(policy, namespaces, store.inspector, clock).all()
            missing = any(not each.anywhere for each in series)
            metrics = await store.inspector.metric_names() if missing else ()
        looked.found = Found(namespaces=namespaces, series=series, namespace_names=names, metric_names=metrics)
    except StoreProblem as problem:
        looked.problems.append(f"the metrics store did not answer: {problem.reason}")
    return looked


def _name(raw: msgspec.Raw) -> str:
    return msgspec.json.decode(raw, type=OnlyMeta).metadata.name


async def _namespace(asking: Asking, policy: Policy, name: str, problems: list[str]) -> NamespaceFound | None:
    exists, listed = await asyncio.gather(
        asking.get(GET_NAMESPACE, "", name), asking.list(rights.LIST_DEPLOYMENTS, name)
    )
    if isinstance(listed, Unknown):
        problems.append(f"the Deployments of {name} cannot be listed: {listed.detail}")
        return None
    stood = await ground(asking, name) if name in policy.set_namespaces() else None
    if isinstance(stood, Unknown):
        problems.append(f"what the release sets of {name} stand on cannot be listed: {stood.detail}")
    objects = [msgspec.json.decode(raw, type=OnlyMeta).metadata for raw in listed]
    return NamespaceFound(
        name=name,
        exists=None if isinstance(exists, Unknown) else not isinstance(exists, Absent),
        deployments=tuple((each.name, tuple(sorted((each.labels or {}).items()))) for each in objects),
        ground=None if isinstance(stood, Unknown) else stood,
    )


@dataclass(frozen=True, slots=True)
class _Subject:
    """Workloads of which a signal should have series: a watch's, or those of a member of its release set."""

    watch: str
    member: str
    workloads: tuple[WorkloadName, ...]


@dataclass(frozen=True, slots=True)
class _Series:
    """Asks for the series of each signal. Raises StoreProblem where one is not answered."""

    policy: Policy
    namespaces: tuple[NamespaceFound, ...]
    inspector: MetricsInspector
    clock: Clock

    async def all(self) -> tuple[SeriesFound, ...]:
        await self.inspector.clock_offset()  # where nobody answers, it is asked once
        room = asyncio.Semaphore(AT_ONCE)

        async def one(signal: Signal) -> SeriesFound:
            async with room:
                return await self._signal(signal)

        return tuple(await asyncio.gather(*(one(signal) for signal in signals.asked(self.policy))))

    async def _signal(self, signal: Signal) -> SeriesFound:
        selector = main_selector(signal)
        anywhere = await self._count(selector)
        asked = [subject for subject in self._subjects(signal) if anywhere and subject.workloads]
        return SeriesFound(
            signal=signal.name,
            anywhere=anywhere,
            labels=await self.inspector.label_names(selector) if anywhere else (),
            by_watch=tuple([(each.watch, each.member, await self._of(signal, each)) for each in asked]),
            edges=await self.inspector.bucket_edges(signal.buckets) if signal.buckets and anywhere else (),
            bad_series=await self._count(signal.bad) if signal.bad and anywhere else 0,
        )

    async def _count(self, selector: str) -> int:
        samples = await self.inspector.query(f"count({narrowed(selector, (), self.policy.metrics.match)})")
        return round(samples[0].value) if samples else 0

    def _subjects(self, signal: Signal) -> Iterator[_Subject]:
        """The watches that use the signal; of a release set those of its members that do."""
        for watch in self.policy.watches:
            if watch.release_set is None:
                if watch.uses(signal.name):
                    yield _Subject(watch.name, "", self._workloads(watch))
                continue
            for member in watch.release_set.members:
                pair = replace(watch.of_member(member), workloads=tuple(name for _colour, name in member.workloads))
                if pair.uses(signal.name):
                    yield _Subject(watch.name, member.name, self._workloads(pair))

    def _workloads(self, watch: Watch) -> tuple[WorkloadName, ...]:
        names = [name for each in self.namespaces if each.name == watch.namespace for name in matching(watch, each)]
        return tuple(WorkloadName(watch.namespace, WorkloadKind.DEPLOYMENT, name) for name in names)

    async def _of(self, signal: Signal, subject: _Subject) -> int:
        """How many pods have a value, asked as the loop asks."""
        questions = signals.question(
            signal,
            self.policy.metrics,
            workloads=subject.workloads,
            instants=(self.clock.now(),),
            slot_seconds=self.policy.timing.slot,
        )
        asked = [e.promql for question in questions for e in question.expressions if e.part in parts.SUBJECTS]
        return sum([len(await self.inspector.query(promql)) for promql in asked])
