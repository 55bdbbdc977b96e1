"""Carries out a stored plan, step by step (rules 3 to 8). All that a new leader needs to go on is in the cluster."""

from __future__ import annotations

from dataclasses import dataclass

from rollguard import undo
from rollguard.loop import changes, planning, surroundings
from rollguard.loop.context import Context, Memory
from rollguard.loop.transitions import note, transit, unit_of
from rollguard.model.action import (
    Absent,
    Applied,
    Conflict,
    Plan,
    Rejected,
    Step,
    StepKind,
    StepState,
    Throttled,
    Unknown,
    WriteOutcome,
)
from rollguard.model.lifecycle import PlanDone, PlanRefused, PlanStored, PlanSuperseded
from rollguard.model.names import UnitName
from rollguard.model.records import EVERYTHING, LifecycleState, RolloutRecord, TimelineEntry, UnitRecord

CONFLICTS = 5
"""Failed write guards after which a plan is given up."""
UNKNOWNS = 3
"""Lost answers in a row after which the worker is given to another unit for a while."""
PAUSE = 1.0
LONGEST_PAUSE = 10.0


@dataclass(slots=True)
class _Tally:
    """What came back so far in this go."""

    conflicts: int = 0
    unknowns: int = 0


async def act(context: Context, memory: Memory) -> float | None:
    """Goes on with the unit's rollback as far as possible; the seconds after which to go on, None where it is over."""
    name = UnitName.of_workload(memory.workload)
    while True:
        record = context.store.rollout(name)
        if record is None:
            return None
        again: float | None = None
        if record.state is LifecycleState.PLANNED:
            if record.plan is None or not changes.alive(record.plan):
                again = await planning.make(context, memory, record)
            else:
                await transit(context, record, PlanStored())
        elif record.state is LifecycleState.ACTING and record.plan is None:
            why = "the rollout was being acted upon, and its record has no plan"
            await give_up(context, record, PlanRefused(reason=why), why)
        elif record.state is LifecycleState.ACTING:
            again = await _go_on(context, record)
        else:
            memory.deciding = None
            return None
        if again is not None:
            return again


async def _go_on(context: Context, record: RolloutRecord) -> float | None:
    """Reads, asks `undo.next`, does that; None once the state has moved."""
    tally = _Tally()
    while True:
        present = context.store.known(record.id)
        if present is None or present.plan is None or present.state is not LifecycleState.ACTING:
            return None
        plan = present.plan
        reason = await _fresh_freeze(context, record.unit)
        found = await context.cluster.fetch(plan.restoring.target, timeout=context.settings.request_timeout)
        match undo.next(plan, found, context.now(), frozen=reason):
            case undo.Finished():
                await _finish(context, present, plan)
                return None
            case undo.MarkDone(step=step):
                await _mark(context, present, step, step.state, step.detail)
            case undo.Supersede(reason=why):
                await give_up(context, present, PlanSuperseded(reason=why), why)
                return None
            case undo.Wait(reason=why):
                context.log("step-waits", {"plan": plan.id, "reason": why})
                return PAUSE
            case undo.Send() as send:
                again = await _send(context, present, plan, send, tally)
                if again is not None:
                    return again


async def _fresh_freeze(context: Context, unit: UnitName) -> str:
    """The reason of a freeze by fresh reads of the unit and of `rollguard-all`; raises Unavailable."""
    await context.store.refresh_unit(unit)
    await context.store.refresh_unit(UnitName(context.settings.namespace, EVERYTHING))
    return surroundings.frozen(context, unit_of(context, unit), context.now())


async def _send(context: Context, record: RolloutRecord, plan: Plan, send: undo.Send, tally: _Tally) -> float | None:
    """One guarded write. None means: read again now; else the seconds to leave it for."""
    timeout = context.settings.request_timeout
    if send.step.state is StepState.PENDING:
        told = await _condemn(context, record, plan) if send.step == plan.restoring else ""
        await _mark(context, record, send.step, StepState.TRYING, told)
        return None  # those writes took their time: a freeze, an expiry, a newer change is seen by another fresh read
    context.gate.check(timeout)
    outcome = await context.cluster.apply(send.write, dry_run=False, timeout=timeout)
    context.log("step-sent", {"plan": plan.id, "step": send.step.n, "outcome": type(outcome).__name__})
    if send.step.kind is StepKind.RESTORE_MANAGERS:
        await _courtesy(context, record, send.step, outcome, tally)
        return None
    match outcome:
        case Applied() if why := undo.changed(send.step, outcome):
            await give_up(context, record, PlanSuperseded(reason=why), why)
            return None
        case Applied() | Absent():
            tally.unknowns = 0
            return None
        case Conflict(detail=detail):
            tally.conflicts += 1
            if tally.conflicts > CONFLICTS:
                why = f"the write guard failed {tally.conflicts} times: {detail}"
                await give_up(context, record, PlanSuperseded(reason=why), why)
            return None
        case Rejected(status=status, detail=detail):
            why = f"the API server refused the rollback ({status}): {detail}"
            await give_up(context, record, PlanRefused(reason=why), why)
            return None
        case Throttled(after=after):
            return min(max(after, PAUSE), LONGEST_PAUSE)
        case Unknown():
            tally.unknowns += 1
            return PAUSE if tally.unknowns >= UNKNOWNS else None


async def _courtesy(context: Context, record: RolloutRecord, step: Step, outcome: WriteOutcome, tally: _Tally) -> None:
    """What came back of a write that the rollback does not need: read again, or leave it; never wait for it."""
    match outcome:
        case Applied() | Absent():
            return
        case Conflict(detail=detail):
            tally.conflicts += 1
            reason = f"the write guard failed {tally.conflicts} times: {detail}" if tally.conflicts > CONFLICTS else ""
        case Rejected(status=status, detail=detail):
            reason = f"the API server refused it ({status}): {detail}"
        case Throttled():
            reason = "the API server had no time for it"
        case Unknown(detail=detail):
            tally.unknowns += 1
            reason = f"no answer: {detail}" if tally.unknowns >= UNKNOWNS else ""
    if reason:
        await _mark(context, record, step, StepState.SKIPPED, reason)


async def _condemn(context: Context, record: RolloutRecord, plan: Plan) -> str:
    """Its unit forgets what is undone as good, and counts a rollback of the guard's own, once: before the first write,
    for a crash must not lose it. Returns what is to be told of it."""

    def undone(unit: UnitRecord) -> UnitRecord:
        left = changes.with_undone(unit, record.target_digest, plan.created)
        return changes.with_rollback(left, plan.created) if plan.actor == surroundings.GUARD else left

    unit = unit_of(context, record.unit)
    await context.store.change_unit(record.unit, undone)
    if not any(good.digest == record.target_digest for good in unit.good()):
        return ""
    return f"revision {record.target_number} was good until now, and is not gone back to any more"


async def _mark(context: Context, record: RolloutRecord, step: Step, state: StepState, detail: str = "") -> None:
    """The step is at least that far; only the live plan's steps move."""
    plan = record.plan
    if plan is None:
        return
    text = f"Step {step.n} ({step.kind}) {state.value}" + (f": {detail}" if detail else "")
    line = TimelineEntry(at=context.now(), kind="step", text=text)

    def marked(present: RolloutRecord) -> RolloutRecord:
        changed = changes.with_step(present, plan.id, step.n, state, detail)
        return changes.with_entries(changed, (line,)) if changed != present else present

    await note(context, record, marked)


async def _finish(context: Context, record: RolloutRecord, plan: Plan) -> None:
    """Every step is done, by whom ever: from here on it is watched whether it helps."""
    digest = record.target_digest
    await context.store.change_unit(record.unit, lambda unit: changes.with_undone(unit, digest, plan.created))
    line = TimelineEntry(at=context.now(), kind="step", text=f"Revision {plan.target.number} is put back")
    await transit(context, record, PlanDone(caveat=undo.caveat(plan)), entries=(line,))


async def give_up(
    context: Context, record: RolloutRecord, input_: PlanSuperseded | PlanRefused, reason: str
) -> RolloutRecord:
    """The plan is over without being done: its open steps fail with the reason, the rollout is held and paged."""

    def failed(present: RolloutRecord) -> RolloutRecord:
        return changes.with_dead_plan(present, reason)

    line = TimelineEntry(at=context.now(), kind="plan", text=f"Plan given up: {reason}")
    return await transit(context, record, input_, change=failed, entries=(line,))
