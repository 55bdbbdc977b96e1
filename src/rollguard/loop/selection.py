"""Which workloads are guarded now, by the policy's watches."""

from __future__ import annotations

from rollguard import policy as policies
from rollguard.loop.context import Context
from rollguard.model.names import UnitName, WorkloadKind, WorkloadName
from rollguard.model.policy import Mode, Watch

NOBODY = Watch(name="", namespace="", workloads=(), selector=(), mode=Mode.OBSERVE, signals=(), called_by=())
"""Stands for the watch of a workload that no watch selects (any more)."""


def select(context: Context) -> bool:
    """Brings `context.units` up to the inventory; False while that is not known.

    A unit that is no longer selected, or whose workload is gone, stays until its open rollout is ended.
    """
    inventory = context.cluster.inventory()
    if inventory is None:
        return False
    selected: set[UnitName] = set()
    for item in inventory:
        watch = policies.watch_of(context.policy, item)
        if watch is not None:
            selected.add(_enter(context, item.name, watch))
    for watch in context.policy.watches:
        if watch.release_set is not None:
            selected.add(_enter(context, watch.release_set.workload, watch))
    existing = {item.name for item in inventory}
    for record in context.store.rollouts:
        if record.closed is None and record.unit not in selected and record.unit not in context.units:
            context.remember(record.workload, NOBODY)
    left = _left_sets(context, selected)
    for name, workload in left.items():
        if name not in context.units:
            context.remember(workload, NOBODY)
    for name in [n for n in context.units if n not in selected]:
        memory = context.units[name]
        if context.store.rollout(name) is None and not context.store.strays(name) and name not in left:
            del context.units[name]
        elif memory.workload in existing or memory.workload.kind is WorkloadKind.RELEASE_SET:
            memory.dropped = f"{memory.workload} is not guarded any more"
    context.cluster.sets(tuple(watch.release_set for watch in context.policy.watches if watch.release_set is not None))
    context.cluster.guard(frozenset(context.units))
    return True


def _left_sets(context: Context, selected: set[UnitName]) -> dict[UnitName, WorkloadName]:
    """Release sets that the policy had, and whose Deployments it guards otherwise now: their records must not speak for
    these any more. A set of another guard is none of them."""
    ours = {memory.workload for name, memory in context.units.items() if name in selected}
    return {
        unit.name: unit.workload
        for unit in context.store.units
        if unit.release_set is not None
        and unit.name not in selected
        and not ours.isdisjoint(unit.release_set.deployments())
    }


def _enter(context: Context, workload: WorkloadName, watch: Watch) -> UnitName:
    name = UnitName.of_workload(workload)
    memory = context.units.get(name)
    if memory is None:
        context.remember(workload, watch)
    else:
        memory.watch, memory.dropped = watch, ""
    return name
