"""Which pod belongs to which revision: by owner references as the cluster showed them, never by a name's prefix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from rollguard.model.facts import UnitFacts
from rollguard.model.metrics import SeriesKey
from rollguard.model.names import WorkloadName
from rollguard.model.records import RolloutRecord
from rollguard.model.time import Instant

ALWAYS = Instant(float("-inf"))
REMEMBERED_FOR = 10800.0
"""Seconds that a gone pod is remembered: the guard window and the time before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPod:
    """A pod that exists, or did. `ready_since` is when it first became ready, None while it never did."""

    key: SeriesKey
    uid: str
    ready_since: Instant | None
    present: bool
    last_seen: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class PodIndex:
    """(namespace, pod) -> whose it is. Gone pods stay known for REMEMBERED_FOR."""

    pods: Mapping[tuple[str, str], KnownPod] = field(default_factory=dict)
    workloads: frozenset[WorkloadName] = frozenset()

    @staticmethod
    def empty() -> PodIndex:
        """An index that knows nothing."""
        return PodIndex()

    def find(self, namespace: str, pod: str) -> KnownPod | None:
        """The pod of that name, if it is or was one of ours."""
        return self.pods.get((namespace, pod))

    def updated(self, facts: Iterable[UnitFacts], rollouts: Iterable[RolloutRecord], now: Instant) -> PodIndex:
        """The index after a look at the cluster: all guarded units' facts, and the open rollouts' records.

        Facts that are not complete prove no pod gone.
        """
        every = tuple(facts)
        pods = {k: p for k, p in self.pods.items() if now.since(p.last_seen) <= REMEMBERED_FOR}
        whole = {member.name for unit in every if unit.complete for member in unit.members}
        for key, known in pods.items():
            if known.present and known.key.workload in whole:
                pods[key] = replace(known, present=False)
        for unit in every:
            _enter(pods, unit, now)
        for record in rollouts:
            _recall(pods, record, now)
        return PodIndex(pods=pods, workloads=frozenset(member.name for unit in every for member in unit.members))


def _enter(pods: dict[tuple[str, str], KnownPod], facts: UnitFacts, now: Instant) -> None:
    for pod in facts.pods:
        name = (pod.workload.namespace, pod.name)
        old = pods.get(name)
        same = old is not None and old.uid in {"", pod.uid}
        ready = pod.ready_since if pod.ready else None
        first = old.ready_since if old is not None and same else None
        revision = pod.revision if pod.revision is not None or old is None or not same else old.key.revision
        times = [t for t in (ready, first) if t is not None]
        pods[name] = KnownPod(
            key=SeriesKey(workload=pod.workload, revision=revision, pod=pod.name),
            uid=pod.uid,
            ready_since=min(times) if times else None,
            present=not pod.deleting,
            last_seen=now,
        )


def _recall(pods: dict[tuple[str, str], KnownPod], record: RolloutRecord, now: Instant) -> None:
    """Pods of the record that are gone. Old ones were ready before the rollout; of a new one nobody knows when."""
    owners = {side.hash: side.workload for passage in record.passages for side in (passage.old, passage.new)}
    new = {record.target, *(passage.new.hash for passage in record.passages)}
    for pod, revision in record.pods:
        name = (record.workload.namespace, pod)
        if name in pods:
            continue
        pods[name] = KnownPod(
            key=SeriesKey(workload=owners.get(revision, record.workload), revision=revision, pod=pod),
            uid="",
            ready_since=None if revision in new else ALWAYS,
            present=False,
            last_seen=now,
        )
