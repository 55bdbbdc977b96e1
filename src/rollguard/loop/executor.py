"""Carries out a stored plan, step by step (rules 3 to 8). All that a new leader needs to go on is in the cluster."""

from __future__ import annotations

from dataclasses import replace

from rollguard import undo
from rollguard.loop import changes, planning, reading, surroundings, telling, timeline, units
from rollguard.loop.condemning import condemn
from rollguard.loop.context import Context, LookAgain, Memory
from rollguard.loop.sending import Go, Tally, mark, send
from rollguard.loop.transitions import note, transit, unit_of
from rollguard.model.action import Fruitless, Plan
from rollguard.model.lifecycle import PlanDone, PlanRefused, PlanStored, PlanSuperseded, Tell
from rollguard.model.names import UnitName
from rollguard.model.notices import NoticeClass
from rollguard.model.records import EVERYTHING, LifecycleState, RolloutRecord, TimelineEntry, UnitRecord


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
            await give_up(context, memory, record, PlanRefused(reason=why), why)
        elif record.state is LifecycleState.ACTING:
            again = await _go_on(context, memory, record)
        else:
            memory.deciding = None
            return None
        if again is not None:
            return again


async def _go_on(context: Context, memory: Memory, record: RolloutRecord) -> float | None:
    """Reads, asks `undo.next`, does that; None once the state has moved."""
    tally = Tally()
    while True:
        present = context.store.known(record.id)
        if present is None or present.plan is None or present.state is not LifecycleState.ACTING:
            return None
        plan = present.plan
        reason = await _fresh_freeze(context, record.unit)
        readings = await reading.read(context.cluster, undo.reads(plan), timeout=context.settings.request_timeout)
        unready = undo.unready(plan, context.cluster.facts(record.unit))
        answer = undo.next(plan, readings, context.now(), frozen=reason, unready=unready)
        follows: undo.Next | float | None = answer
        if isinstance(answer, undo.Send):
            go = Go(record=present, plan=plan, step=answer.step, readings=readings)
            follows = await send(context, memory, go, answer.write, tally)
        elif isinstance(answer, undo.Wait):
            memory.refusals = undo.interrupted(memory.refusals)
        again = follows if isinstance(follows, float) else await _follow(context, memory, present, plan, follows)
        if again is not None:
            return again


async def _follow(
    context: Context, memory: Memory, record: RolloutRecord, plan: Plan, answer: undo.Next | None
) -> float | None:
    """Does what is to be done beside a write. None means: read again now; else the seconds to leave it for."""
    match answer:
        case undo.Finished():
            await _finish(context, record, plan)
        case undo.MarkDone(step=step):
            if undo.undoes(plan, step) and (lost := await condemn(context, record, plan)):
                step = replace(step, detail=f"{step.detail}; {lost}")
            told = undo.switched(plan, step)
            tell = Tell(class_=NoticeClass.INFO, topic="switched-back", reason=told) if told else None
            await mark(context, record, step, tell=tell)
        case undo.Supersede(reason=why, refused=refused):
            await give_up(context, memory, record, (PlanRefused if refused else PlanSuperseded)(reason=why), why)
        case undo.Abandon():
            await _abandon(context, record, plan, answer)
        case undo.Resume(reason=why):
            await _resume(context, record, plan, why)
        case undo.Wait(reason=why, half=half, again=again):
            context.log("step-waits", {"plan": plan.id, "reason": why})
            if half:
                await _tell(context, record, Tell(class_=NoticeClass.PAGE, topic="half-back", reason=half))
            return again
    return None


async def _fresh_freeze(context: Context, unit: UnitName) -> str:
    """The reason of a freeze by fresh reads of the unit and of `rollguard-all`; raises Unavailable."""
    await context.store.refresh_unit(unit)
    await context.store.refresh_unit(UnitName(context.settings.namespace, EVERYTHING))
    return surroundings.frozen(context, unit_of(context, unit), context.now())


async def _finish(context: Context, record: RolloutRecord, plan: Plan) -> None:
    """Every step is done, by whom ever: from here on it is watched whether it helps."""

    def undone(unit: UnitRecord) -> UnitRecord:
        for digest in undo.undone(plan, record):
            unit = units.with_undone(unit, digest, plan.created)
        return unit

    await context.store.change_unit(record.unit, undone)
    state, caveat = plan.target.state, undo.caveat(plan, record)
    line = TimelineEntry(at=context.now(), kind="step", text=state[0].upper() + state[1:])
    done = PlanDone(caveat=caveat, back=state) if undo.of_set(plan) else PlanDone(caveat=caveat)
    await transit(context, record, done, entries=(line,))


async def _abandon(context: Context, record: RolloutRecord, plan: Plan, answer: undo.Abandon) -> None:
    """Nothing was undone, and nothing will be: what was raised for it is taken back, and then the plan is over."""
    now, failed = context.now(), answer.step
    text = f"Step {failed.n} ({failed.words}) failed: {answer.reason}; {undo.nothing_undone(plan)}"
    line = TimelineEntry(at=now, kind="step", text=text)

    def abandoned(present: RolloutRecord) -> RolloutRecord:
        changed = changes.with_abandoned_plan(present, plan, answer, now)
        return timeline.with_entries(changed, (line,)) if changed != present else present

    await note(context, record, abandoned)


async def _resume(context: Context, record: RolloutRecord, plan: Plan, half: str) -> None:
    """The time of the plan is up half way: another one, in one write, has the steps that are left."""
    now, seconds = context.now(), context.policies.of(record).timing.plan_expiry
    id_ = f"{record.id}.{planning.number(record)}"
    following = undo.resume_set(plan, id=id_, epoch=context.gate.epoch, now=now, seconds=seconds)
    line = TimelineEntry(at=now, kind="step", text=f"Plan {following.id} goes on where {plan.id} has expired")

    def resumed(present: RolloutRecord) -> RolloutRecord:
        if present.plan is None or present.plan.id != plan.id or present.state is not LifecycleState.ACTING:
            raise LookAgain(f"{present.id} has another plan than {plan.id}")
        return timeline.with_entries(replace(present, plan=following), (line,))

    await note(context, record, resumed)
    await _tell(context, record, Tell(class_=NoticeClass.PAGE, topic="half-back", reason=half))


async def _tell(context: Context, record: RolloutRecord, tell: Tell) -> None:
    """Tells how far a release set is; the same again only at the policy's interval.

    Half back is also what the record says of how the rollout stands, until a step comes on.
    """
    unit, now = unit_of(context, record.unit), context.now()

    def told(present: RolloutRecord) -> RolloutRecord:
        present = telling.told(present, tell, unit=unit, policy=context.policies.of(present), now=now)
        stands = tell.topic == "half-back" and present.state is LifecycleState.ACTING
        return replace(present, why=tell.reason) if stands else present

    await note(context, record, told)


async def give_up(
    context: Context, memory: Memory, record: RolloutRecord, input_: PlanSuperseded | PlanRefused, reason: str
) -> RolloutRecord:
    """The plan is over without being done: its open steps fail with the reason, the rollout is held and paged.

    What it was to undo counts as undone, unless it surely is not: its write may have arrived, or may still.
    """
    now, plan, cause, told = context.now(), record.plan, None, ""
    if plan is not None and not undo.untouched(plan, memory.refusals):
        told = await condemn(context, record, plan)
    elif plan is not None and not (undo.of_set(plan) and undo.committed(plan)):
        cause = Fruitless.REFUSED if isinstance(input_, PlanRefused) else Fruitless.HINDERED

    def failed(present: RolloutRecord) -> RolloutRecord:
        return changes.with_dead_plan(present, reason, now, fruitless=cause)

    text = f"Plan given up: {reason}" + (f"; {told}" if told else "")
    line = TimelineEntry(at=now, kind="plan", text=text)
    return await transit(context, record, input_, change=failed, entries=(line,))
