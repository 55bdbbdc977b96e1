"""Is the rollout under guard still that of the workload's target, and has another one begun?"""

from __future__ import annotations

from rollguard import observe
from rollguard.loop import opening, orders, sets
from rollguard.loop.context import Context, Memory
from rollguard.loop.judging import ending
from rollguard.loop.transitions import transit, unit_of
from rollguard.model.facts import Revision, UnitFacts
from rollguard.model.lifecycle import NewTarget, PlanDone, WorkloadGone
from rollguard.model.names import WorkloadKind
from rollguard.model.records import OWN_UNDO, LifecycleState, RolloutRecord, TimelineEntry, UnitRecord

TEMPLATES = 10
NUMBERED_WITHIN = 10.0
"""Seconds that the Deployment's controller may take to number a changed template."""


def remember_template(context: Context, memory: Memory, facts: UnitFacts) -> None:
    """When a template gave way to another: where it comes back, its pods from before are not of the new rollout."""
    for workload in facts.members if memory.workload.kind is WorkloadKind.DEPLOYMENT else ():
        digest = workload.template.digest
        if memory.template and memory.template != digest:
            memory.replaced.pop(memory.template, None)
            memory.replaced[memory.template] = context.server_now()
            for oldest in list(memory.replaced)[:-TEMPLATES]:
                del memory.replaced[oldest]
        memory.template = digest


async def retarget(context: Context, memory: Memory, record: RolloutRecord, facts: UnitFacts) -> RolloutRecord | None:
    """The rollout if it is still that of the unit's target; None once it is closed."""
    if memory.watch.release_set is not None:
        return await sets.retarget(context, memory, record, memory.watch.release_set, facts)
    if not facts.complete:
        return record
    if not facts.members or facts.members[0].uid != record.uid:
        await transit(context, record, WorkloadGone(), change=ending(memory))
        return None
    target = observe.settled_target(facts)
    if target is None or target.number <= record.target_number:
        return record  # not numbered yet, or a cache older than the record
    plan = record.plan
    if plan is not None and plan.fruitless is None and target.template.digest == plan.restoring.goal:
        if record.state in OWN_UNDO:
            return record
        line = TimelineEntry(at=context.now(), kind="step", text=f"Revision {plan.target.number} is back after all")
        return await transit(context, record, PlanDone(), entries=(line,))
    new = _new_target(unit_of(context, record.unit), record, target)
    if record.state is not LifecycleState.ACTING:
        await orders.outdated(context, record, target.template.digest)
    after = await transit(context, record, new, change=ending(memory))
    return after if after.closed is None else None


def _new_target(unit: UnitRecord, record: RolloutRecord, target: Revision) -> NewTarget:
    """Whether somebody else than the guard has gone back, and to which revision."""
    known = {good.digest: good.number for good in unit.good() if good.digest != record.target_digest}
    before = record.baseline_number if target.hash == record.baseline else known.get(target.template.digest)
    if before is None:
        return NewTarget(reason=f"revision {target.number} is the target now")
    new = f", as revision {target.number}" if target.number != before else ""
    return NewTarget(reason=f"revision {before} was put back by hand{new}, not by the guard", back=True)


async def opened(context: Context, memory: Memory, facts: UnitFacts) -> RolloutRecord | None:
    """The rollout that the facts show; else the unit is at rest: adopt what has stood long enough."""
    if memory.watch.release_set is not None:
        return await sets.opened(context, memory, memory.watch.release_set, facts)
    unit = unit_of(context, facts.unit)
    replaced = memory.replaced.get(facts.members[0].template.digest)
    begun = observe.rollout_begun(unit, facts, context.server_now(), replaced=replaced)
    if begun is not None:
        quiet = sets.tells(context, memory, begun)
        return await opening.open_rollout(context, memory, begun, facts, quiet=quiet)
    await opening.adopt(context, unit, facts)
    return None


def gives_way(context: Context, memory: Memory, record: RolloutRecord, facts: UnitFacts) -> bool:
    """Whether somebody has just changed the template again: this rollout ends once the new one has its number, and a
    hold for a status that is behind until then would page for nothing."""
    at = memory.replaced.get(record.target_digest)
    changed = bool(facts.members) and facts.members[0].template.digest != record.target_digest
    return changed and at is not None and context.server_now().since(at) < NUMBERED_WITHIN
