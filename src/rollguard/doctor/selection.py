"""The workloads that the policy's watches select."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rollguard import policy as policies
from rollguard.doctor.facts import Facts, NamespaceSeen, WorkloadSeen
from rollguard.model.action import Unknown
from rollguard.model.facts import InventoryItem, UnitFacts
from rollguard.model.names import UnitName, WorkloadName
from rollguard.model.policy import Policy, Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """A workload, the watch that guards it, and its facts where they are known."""

    seen: WorkloadSeen
    watch: Watch
    facts: UnitFacts | None

    @property
    def name(self) -> WorkloadName:
        """The workload's name."""
        return self.seen.workload.name

    @property
    def unit(self) -> UnitName:
        """The unit that guards it."""
        return UnitName.of_workload(self.name)


def selected(facts: Facts) -> Iterator[Selected]:
    """All that are known, by namespace and name."""
    for namespace in facts.namespaces:
        known = {} if isinstance(namespace.units, Unknown) else {each.unit: each for each in namespace.units}
        for seen in _workloads(namespace):
            watch = policies.watch_of(facts.policy, item(seen))
            if watch is not None:
                yield Selected(seen=seen, watch=watch, facts=known.get(UnitName.of_workload(seen.workload.name)))


def watched(policy: Policy, namespaces: tuple[NamespaceSeen, ...]) -> tuple[WorkloadName, ...]:
    """The names of all workloads that are known and selected."""
    every = (seen for namespace in namespaces for seen in _workloads(namespace))
    return tuple(seen.workload.name for seen in every if policies.watch_of(policy, item(seen)) is not None)


def item(seen: WorkloadSeen) -> InventoryItem:
    """What a watch selects by."""
    found = seen.workload
    return InventoryItem(name=found.name, uid=found.uid, labels=found.labels, annotations=found.annotations)


def _workloads(namespace: NamespaceSeen) -> tuple[WorkloadSeen, ...]:
    return () if isinstance(namespace.workloads, Unknown) else namespace.workloads
