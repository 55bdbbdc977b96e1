"""What is to be asked of the metrics stores at a tick: for which workloads, under which policy, how far back."""

from __future__ import annotations

from rollguard import observe
from rollguard.loop.asking import Ask
from rollguard.loop.context import Context
from rollguard.loop.sets import workloads
from rollguard.model.names import WorkloadKind, WorkloadName
from rollguard.model.policy import Policy
from rollguard.model.records import RolloutRecord
from rollguard.model.time import Instant


def asks(context: Context, now: Instant) -> list[Ask]:
    """The policy in force asks for every unit, and so does that of an open rollout: what suffers beside it as well."""
    present = context.policy
    everyone = frozenset(workload for memory in context.units.values() for workload in workloads(memory))
    begun = [record.started for record in context.store.rollouts if record.closed is None]
    if context.asking.under(present).last is None:
        begun += _unopened(context)
    wanted = [Ask(policy=present, workloads=everyone, earliest=_earliest(context, present, begun, now))]
    for record in context.store.rollouts:
        policy = context.policies.of(record)
        if record.closed is None and policy is not present:
            earliest = _earliest(context, policy, [record.started], now)
            wanted.append(Ask(policy=policy, workloads=everyone | _of(record), earliest=earliest))
    return wanted


def _of(record: RolloutRecord) -> frozenset[WorkloadName]:
    """The Deployments that the rollout is about."""
    sides = frozenset(side.workload for passage in record.passages for side in (passage.old, passage.new))
    return sides or frozenset({record.workload})


def _earliest(context: Context, policy: Policy, begun: list[Instant], now: Instant) -> Instant:
    """How far back the first look catches up: the longest window before the oldest open rollout."""
    oldest, timing = min(begun, default=now), policy.timing
    reach = context.asking.under(policy).reach
    return max(oldest, now.plus(-timing.automatic)).plus(-reach - timing.lateness)


def _unopened(context: Context) -> list[Instant]:
    """When the rollouts began that nobody has taken under guard yet: nobody led then. A switch shows no such time."""
    found = (
        observe.rollout_begun(unit, context.cluster.facts(unit.name), context.server_now())
        for unit in context.store.units
        if unit.workload.kind is WorkloadKind.DEPLOYMENT
        and unit.name in context.units
        and context.store.rollout(unit.name) is None
    )
    return [begun.since for begun in found if begun is not None]
