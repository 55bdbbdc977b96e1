"""From "roll back" to a stored plan: evidence, template, fresh read, dry run, one compare-and-swap (rule 2)."""

from __future__ import annotations

from dataclasses import replace

from rollguard import observe, undo
from rollguard.loop import changes, orders, reading, surroundings
from rollguard.loop.context import Context, LookAgain, Memory
from rollguard.loop.transitions import transit, unit_of
from rollguard.model.action import (
    Absent,
    Applied,
    Conflict,
    Evidence,
    Found,
    Plan,
    Rejected,
    Step,
    StepKind,
    Target,
    Throttled,
    Unknown,
    Write,
)
from rollguard.model.facts import Template, UnitFacts
from rollguard.model.lifecycle import PlanRefused, PlanStored
from rollguard.model.records import Ordered, RolloutRecord, TimelineEntry
from rollguard.model.requests import HumanRequest
from rollguard.model.situation import Situation

RETRY = 1.0
"""Seconds until a plan is tried again after the server gave no answer."""
LONGEST_RETRY = 10.0
LEAST_EVIDENCE = 0.5
"""Seconds below which no evidence is begun: the rollback goes before it."""
READS = 5
PATIENCE = 30.0
"""Seconds that a cache or a controller that is behind is waited for before a plan is refused because of it."""


async def make(context: Context, memory: Memory, record: RolloutRecord) -> float | None:
    """Stores a plan for a rollout that is `planned`, or has it refused; else the seconds until it is worth retrying.

    Evidence is saved after the dry run and before the first effect; that it could not be saved never blocks.
    """
    unit = unit_of(context, record.unit)
    facts = context.cluster.facts(record.unit)
    situation = surroundings.situation(context, memory, unit, record, facts)
    order = await _order(context, memory, situation)
    age = context.now().since(record.wanted().at)
    if age >= situation.timing.plan_expiry:
        await _refuse(context, record, order, f"no plan could be made for {age:.0f} s")
        return None
    if age < PATIENCE and not _fit(facts):
        return RETRY
    target = _target(context, memory, situation, order)
    if isinstance(target, undo.Refused):
        await _refuse(context, record, order, target.reason)
        return None
    planned = await _planned(context, record, situation, target, order)
    if isinstance(planned, undo.Refused):
        await _refuse(context, record, order, planned.reason)
        return None
    if isinstance(planned, Plan):
        evidence = await _evidence(context, memory, record)
        await _store(context, record, planned, evidence, remarks=undo.remarks(planned, facts))
        return None
    return planned


def _fit(facts: UnitFacts) -> bool:
    """Whether the facts are such as a plan can be made from, as far as time alone mends them."""
    return facts.complete and all(w.observed_generation >= w.generation for w in facts.members)


async def _order(context: Context, memory: Memory, situation: Situation) -> HumanRequest | None:
    """The order behind the plan; one that is refused does not take the guard's own decision away."""
    order = orders.order_of(situation.unit, situation.rollout)
    if order is None or situation.rollout.wanted().actor != surroundings.GUARD:
        return order
    target = _target(context, memory, situation, order)
    if isinstance(target, Target):
        return order
    await orders.refuse(context, situation.unit, order, target.reason, situation.rollout)
    return None


def _target(
    context: Context, memory: Memory, situation: Situation, order: HumanRequest | None
) -> Target | undo.Refused:
    if order is not None:
        standings = memory.decision.interlocks if memory.decision is not None else ()
        return undo.manual(situation, order, standings, context.now())
    if situation.rollout.passages:
        return undo.set_target(situation)
    target = situation.target()
    if target is None:
        return undo.Refused(reason=observe.no_way_back(situation))
    return target


async def _evidence(context: Context, memory: Memory, record: RolloutRecord) -> Evidence | None:
    """What was saved, in what the leadership leaves beside the plan's own write; None where it was saved before."""
    if record.evidence:
        return None
    known = memory.evidence
    if known is not None and known.rollout == record.id:
        return known
    timeout = min(context.settings.evidence_timeout, context.gate.left() - context.settings.request_timeout)
    if timeout < LEAST_EVIDENCE:
        return Evidence(rollout=record.id, names=(), complete=False, detail="no time: the leadership was about to end")
    memory.evidence = await context.cluster.save_evidence(record.id, record.unit, bad=record.hashes(), timeout=timeout)
    return memory.evidence


async def _planned(
    context: Context, record: RolloutRecord, situation: Situation, target: Target, order: HumanRequest | None
) -> Plan | undo.Refused | float:
    """The plan, once the server has accepted its writes in a dry run."""
    wanted = _wanted(record, order)
    id_, epoch, now = f"{record.id}.{number(record)}", context.gate.epoch, context.now()
    if record.passages:
        only = order.only if order is not None else ""
        plan = undo.plan_set(
            situation, id=id_, epoch=epoch, reason=wanted.reason, actor=wanted.actor, now=now, only=only
        )
    else:
        template = await _template(context, situation, target)
        if isinstance(template, undo.Refused | float):
            return template
        plan = undo.plan(
            situation, target, template, id=id_, epoch=epoch, reason=wanted.reason, actor=wanted.actor, now=now
        )
    return plan if isinstance(plan, undo.Refused) else await _dry_run(context, plan)


def number(record: RolloutRecord) -> int:
    """The next plan's number: only a plan that is given up, and a human's new order, make it more than 1."""
    return 1 if record.plan is None else record.plan.number + 1


def _wanted(record: RolloutRecord, order: HumanRequest | None) -> Ordered:
    """Who wants the rollback and why: of a pending order, else as the record has it."""
    if order is not None:
        return Ordered(at=order.at, actor=order.actor, reason=order.reason)
    return record.wanted()


async def _template(context: Context, situation: Situation, target: Target) -> Template | undo.Refused | float:
    """The target's template: as the cluster records it, else as we saved it."""
    for workload in situation.facts.members:
        revision = workload.revision(target.hash)
        if revision is not None:
            return revision.template
    good = next((g for g in situation.good() if g.hash == target.hash), None)
    gone = f"revision {target.number} is no longer in the history"
    if good is None or not good.saved:
        return undo.Refused(reason=f"{gone} and its template was not saved")
    timeout = context.settings.request_timeout
    found = await context.cluster.load_template(situation.unit.workload.namespace, good.saved, timeout=timeout)
    if isinstance(found, Unknown):
        return RETRY
    if isinstance(found, Absent):
        return undo.Refused(reason=f"{gone} and its saved template {good.saved} was deleted")
    return found


async def _dry_run(context: Context, plan: Plan) -> Plan | undo.Refused | float:
    """The plan, whole, where its writes pass on the server as it is now: all of them or none."""
    for _ in range(READS):
        readings = await reading.read(
            context.cluster,
            tuple(dict.fromkeys(step.target for step in plan.steps)),
            timeout=context.settings.request_timeout,
        )
        if any(isinstance(found, Unknown) for found in readings.values()):
            return RETRY
        trials = undo.trials(plan, readings, context.now())
        if isinstance(trials, undo.Refused):
            return trials
        outcome = await _dry_run_all(context, trials)
        if isinstance(outcome, undo.Refused | float):
            return outcome
        if outcome is None:
            found = readings[plan.restoring.target]
            return undo.with_owners(plan, found) if isinstance(found, Found) and not undo.of_set(plan) else plan
    return RETRY


async def _dry_run_all(
    context: Context, trials: tuple[tuple[Step, Write], ...]
) -> undo.Refused | float | Conflict | None:
    """None where the server would take every write."""
    timeout = context.settings.request_timeout
    for step, write in trials:
        context.gate.check(timeout)
        outcome = await context.cluster.apply(write, dry_run=True, timeout=timeout)
        match outcome:
            case Applied() if changed := undo.changed(step, outcome):
                return undo.Refused(reason=changed)
            case Applied():
                continue
            case Conflict():
                return outcome
            case Rejected(status=status, detail=detail):
                what = "the rollback" if step.kind is StepKind.RESTORE_TEMPLATE else f"to {step.words}"
                return undo.Refused(reason=f"the API server would refuse {what} ({status}): {detail}")
            case Absent():
                return undo.Refused(reason=f"{step.target.kind} {step.target.name} was deleted")
            case Throttled(after=after):
                return min(max(after, RETRY), LONGEST_RETRY)
            case Unknown():
                return RETRY
    return None


async def _store(
    context: Context, record: RolloutRecord, plan: Plan, evidence: Evidence | None, *, remarks: str
) -> None:
    """The one write that makes the plan real; the state moves with it."""
    names = evidence.names if evidence is not None else ()
    now = context.now()
    text = f"Plan {plan.id}: {plan.target.order}, epoch {plan.epoch}" + (f"; {remarks}" if remarks else "")
    lines = [TimelineEntry(at=now, kind="plan", text=text, actor=plan.actor)]
    if evidence is not None:
        saved = f"Evidence saved: {', '.join(evidence.names)}" if evidence.names else "No evidence could be saved"
        detail = "" if evidence.complete else f" (incomplete: {evidence.detail})"
        lines.insert(0, TimelineEntry(at=now, kind="evidence", text=saved + detail))

    def with_plan(present: RolloutRecord) -> RolloutRecord:
        if present.plan is not None and changes.alive(present.plan):
            raise LookAgain(f"{present.id} has a plan already")
        return replace(
            present, plan=plan, evidence=(*present.evidence, *(n for n in names if n not in present.evidence))
        )

    await transit(context, record, PlanStored(), change=with_plan, entries=tuple(lines))
    await orders.close_order(context, record)


async def _refuse(context: Context, record: RolloutRecord, order: HumanRequest | None, reason: str) -> None:
    context.log("plan-refused", {"rollout": record.id, "reason": reason})
    line = TimelineEntry(at=context.now(), kind="plan", text=f"No plan: {reason}")
    await transit(context, record, PlanRefused(reason=reason), change=lambda r: replace(r, why=reason), entries=(line,))
    if order is not None:
        await orders.close_order(context, record)
