"""Gathers what a decision looks at beside the verdict."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from rollguard import judge
from rollguard.loop import changes
from rollguard.loop.context import Context, Memory
from rollguard.model.facts import InventoryItem, UnitFacts
from rollguard.model.names import UnitName, WorkloadKind, WorkloadName
from rollguard.model.policy import Policy, Watch
from rollguard.model.records import EVERYTHING, LifecycleState, RolloutRecord, UnitRecord
from rollguard.model.requests import Freeze
from rollguard.model.situation import Sibling, Situation, Surroundings
from rollguard.model.time import Instant
from rollguard.policy import watch_of

GUARD = "rollguard"
"""The actor of what the guard decides by itself."""
PORTION = 20
"""Units whose signals are looked at in one go before others may run."""


def situation(
    context: Context, memory: Memory, unit: UnitRecord, rollout: RolloutRecord, facts: UnitFacts
) -> Situation:
    """The unit, its rollout and what surrounds them, as of now.

    Limits and quiet windows are those in force: they are the fleet's, not the rollout's.
    """
    policy = context.policies.of(rollout)
    return Situation(
        unit=unit,
        rollout=rollout,
        facts=facts,
        around=surroundings(context, unit.name, policy),
        watch=watch_under(context, memory, policy, facts),
        mode=changes.milder(memory.watch.mode, rollout.mode),
        timing=policy.timing,
        limits=context.policy.limits,
        on_timeout_roll_back=policy.on_timeout_roll_back,
        maintenance=context.policy.maintenance,
        owners=policy.owners,
        migration=policy.migration,
        shared_roll_back=policy.shared_roll_back,
    )


def watch_under(context: Context, memory: Memory, policy: Policy, facts: UnitFacts) -> Watch:
    """The watch by which the policy guards the unit: the one in force where it is that policy's, or where that one
    does not select the workload as it is labelled now."""
    if policy is context.policy or not facts.members:
        return memory.watch
    if memory.watch.release_set is not None:
        name = memory.watch.release_set.name
        sets = (watch for watch in policy.watches if watch.release_set is not None and watch.release_set.name == name)
        return next(sets, memory.watch)
    workload = facts.members[0]
    item = InventoryItem(name=workload.name, uid=workload.uid, labels=workload.labels, annotations=workload.annotations)
    return watch_of(policy, item) or memory.watch


def surroundings(context: Context, unit: UnitName, policy: Policy) -> Surroundings:
    """What is known beyond the unit itself, whose rollout is judged by that policy."""
    return Surroundings(
        siblings=siblings(context, unit, policy),
        fleet_rollbacks=fleet_rollbacks(context),
        clock_offset=context.offset(),
        freeze_all=freeze_of_all(context, context.now()),
    )


async def watch_siblings(context: Context) -> None:
    """Finds which workloads without a rollout breach a signal now: a release is not blamed for an outage.

    They are judged by the policy in force, and by each that an open rollout began with: an outage must not be seen in
    the one and not in the others for their bounds. Only asked while something rolls out.
    """
    rolling = [record for name in context.units if (record := context.store.rollout(name)) is not None]
    policies = {policy.digest: policy for policy in (context.policy, *map(context.policies.of, rolling))}
    wanted = sorted(policies.items()) if rolling else ()
    context.breaching = {digest: await _breaching(context, policy) for digest, policy in wanted}


async def _breaching(context: Context, policy: Policy) -> dict[UnitName, Sibling]:
    """The workloads at rest that breach a signal of the policy, in portions: a crash loop must not wait for it."""
    now = context.now()
    asked = context.asking.under(policy)
    answers = asked.since(now.plus(-asked.reach - policy.timing.lateness))
    before = context.breaching.get(policy.digest, {})
    breaching: dict[UnitName, Sibling] = {}
    for index, name in enumerate([name for name in context.units if context.store.rollout(name) is None]):
        if index % PORTION == PORTION - 1:
            await asyncio.sleep(0)
        memory = context.units.get(name)
        if memory is None:
            continue
        signals = judge.signals_of(policy, _watch_of_sibling(context, memory, policy, name))
        serving = _serving(context, memory, name)
        breached = dict.fromkeys(each for workload in serving for each in judge.breaches(answers, signals, workload))
        if breached:
            began = before[name].since if name in before else now
            breaching[name] = Sibling(workload=memory.workload, breached=tuple(breached), since=began)
    return breaching


def _watch_of_sibling(context: Context, memory: Memory, policy: Policy, name: UnitName) -> Watch:
    if policy is context.policy:
        return memory.watch
    return watch_under(context, memory, policy, context.cluster.facts(name))


def _serving(context: Context, memory: Memory, name: UnitName) -> tuple[WorkloadName, ...]:
    """The Deployments that serve for the unit: of a release set, each member's live one, which is asked for there."""
    if memory.workload.kind is WorkloadKind.DEPLOYMENT:
        return () if memory.watch.colour_of else (memory.workload,)
    unit = context.store.unit(name)
    return tuple(live.side.workload for live in unit.live) if unit is not None else ()


def siblings(context: Context, unit: UnitName, policy: Policy) -> tuple[Sibling, ...]:
    """The unchanged workloads that breach a signal of the policy, or have an alert, now, in order of name.

    Alerts are looked at as they stand: those of one delivery come at once, and none waits for the next tick.
    """
    found = dict(context.breaching.get(policy.digest, {}))
    for name, memory in context.units.items():
        if alerts := _alerts(context, memory, name, policy):
            known = found.get(name) or Sibling(workload=memory.workload, breached=(), since=context.now())
            found[name] = replace(known, breached=(*known.breached, *alerts))
    return tuple(
        sibling for name, sibling in sorted(found.items()) if name != unit and context.store.rollout(name) is None
    )


def _alerts(context: Context, memory: Memory, name: UnitName, policy: Policy) -> tuple[str, ...]:
    """The alerts that fire for what serves for the unit."""
    record = context.store.unit(name)
    if record is None or not record.alerts:
        return ()
    serving = {workload.name for workload in _serving(context, memory, name)}
    return judge.firing_alerts((alert for alert in record.alerts if alert.deployment in serving), policy)


def fleet_rollbacks(context: Context) -> tuple[tuple[UnitName, Instant], ...]:
    """Automatic rollbacks of all units, those just decided or under way included, the newest last.

    One that is under way counts before it is written into its unit, also for a leader who has not decided it: else all
    units that turn bad in the same moment, or that nobody answered about, would find the budget unspent.
    """
    counted = {(unit.name, at) for unit in context.store.units for at in unit.automatic_rollbacks}
    for record in context.store.rollouts:
        plan = None if _without_plan(record) else record.plan
        if record.closed is None and plan is not None and plan.actor == GUARD:
            counted.add((record.unit, plan.created))
        elif record.state is LifecycleState.PLANNED and (wanted := record.wanted()).actor == GUARD:
            counted.add((record.unit, wanted.at))
    for name, memory in context.units.items():
        undecided = context.store.rollout(name) if memory.deciding is not None else None
        if memory.deciding is not None and undecided is not None and _without_plan(undecided):
            counted.add((name, memory.deciding))
    return tuple(sorted(counted, key=lambda entry: (entry[1], entry[0])))


def _without_plan(record: RolloutRecord) -> bool:
    """Whether nothing was done about it, and nothing is under way: what was planned before came to nothing."""
    return record.plan is None or record.plan.fruitless is not None


def freeze_of_all(context: Context, now: Instant) -> Freeze | None:
    """The freeze of everything, while it is in force."""
    everything = context.store.unit(UnitName(context.settings.namespace, EVERYTHING))
    if everything is None or everything.freeze is None or everything.freeze.until <= now:
        return None
    return everything.freeze


def frozen(context: Context, unit: UnitRecord, now: Instant) -> str:
    """The reason of a freeze in force, of the unit or of everything; empty where there is none."""
    for freeze in (unit.freeze, freeze_of_all(context, now)):
        if freeze is not None and freeze.until > now:
            return f"by {freeze.actor} until {freeze.until.iso()}: {freeze.reason}"
    return ""
