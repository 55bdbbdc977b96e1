"""The workloads that the policy's watches select."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from rollguard import policy as policies
from rollguard.doctor.facts import Facts, NamespaceSeen, WorkloadSeen
from rollguard.model.action import Unknown
from rollguard.model.facts import InventoryItem, UnitFacts
from rollguard.model.names import UnitName, WorkloadName
from rollguard.model.policy import Policy, Watch
from rollguard.policy.ground import Ground


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """A workload, the watch that guards it, and its facts where they are known."""

    seen: WorkloadSeen
    watch: Watch
    facts: UnitFacts | None
    judged: Watch
    """Whose signals it should have: the same watch; for the live colour of a release set, its member's."""
    idle: bool = False
    """It is the colour of a release set that does not serve."""

    @property
    def name(self) -> WorkloadName:
        """The workload's name."""
        return self.seen.workload.name

    @property
    def resting(self) -> bool:
        """It is an idle colour without pods."""
        return self.idle and self.seen.workload.desired == 0

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
                found = known.get(UnitName.of_workload(seen.workload.name))
                plain = Selected(seen=seen, watch=watch, facts=found, judged=watch)
                yield _coloured(facts.policy, namespace, plain) if watch.colour_of else plain


def _coloured(policy: Policy, namespace: NamespaceSeen, plain: Selected) -> Selected:
    """The same, with whether its colour serves: its Service says that, and without one its pods do."""
    whole = next(watch for watch in policy.watches if watch.name == plain.watch.colour_of)
    found = whole.release_set.member_of(plain.name.name) if whole.release_set is not None else None
    if whole.release_set is None or found is None or not isinstance(namespace.ground, Ground):
        return plain
    member, colour = found
    live = namespace.ground.live(member, whole.release_set.selector_key)
    idle = live != colour if member.service else plain.seen.workload.desired == 0
    return replace(plain, idle=True) if idle else replace(plain, judged=whole.of_member(member))


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
