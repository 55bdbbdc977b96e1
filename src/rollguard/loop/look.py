"""One look at one unit: what rolls out, is it bad, what follows (observe, judge, decide, advance).

Level-based: it acts on the facts and answers of now, never on the event that woke it, and it does nothing that would be
wrong if it ran twice.
"""

from __future__ import annotations

from dataclasses import replace

from rollguard import decide, judge, observe, undo
from rollguard.lifecycle import recurring
from rollguard.loop import (
    changes,
    conditions,
    executor,
    kept,
    migrations,
    opening,
    people,
    reading,
    sets,
    surroundings,
    telling,
    verify,
)
from rollguard.loop.context import Context, Memory
from rollguard.loop.judging import ending, judged
from rollguard.loop.selection import NOBODY
from rollguard.loop.sets import stopped_half
from rollguard.loop.targets import gives_way, opened, remember_template, retarget
from rollguard.loop.transitions import note, transit, unit_of
from rollguard.loop.workers import Priority
from rollguard.model.action import Decision, DecisionKind
from rollguard.model.facts import UnitFacts
from rollguard.model.judgement import Phase, Verdict, VerdictKind
from rollguard.model.lifecycle import (
    ApprovalTimedOut,
    CutShort,
    Decided,
    NewTarget,
    PlanSuperseded,
    Tell,
    WindowOver,
)
from rollguard.model.names import UnitName
from rollguard.model.notices import NoticeClass
from rollguard.model.policy import Timing
from rollguard.model.records import LifecycleState, RolloutRecord, TimelineEntry
from rollguard.model.time import Instant

OPEN_TO_DECISIONS = (LifecycleState.WATCHING, LifecycleState.AWAITING_APPROVAL, LifecycleState.HELD)
SETTLING = 2.0
"""Seconds that the caches may take for a unit that is new to this process."""


async def look(context: Context, memory: Memory) -> None:
    """Brings the unit's records and its rollout up to what the cluster and the store show now."""
    name = UnitName.of_workload(memory.workload)
    facts = context.cluster.facts(name)
    remember_template(context, memory, facts)
    conditions.see(context, memory, facts)
    if context.settings.orders_only:
        await _orders(context, memory, facts)
        return
    if memory.dropped:
        await _drop(context, memory, name)
        return
    if not facts.complete and context.now().since(memory.since) < SETTLING:
        context.workers.later(SETTLING / 4, Priority.WAKE, name)
        return  # the caches of a process that has just come are filling: incomplete facts are no news
    if not facts.complete and not facts.members:
        await conditions.keep(context, memory, facts, blind="")
        return
    if facts.members or context.store.unit(name) is not None:
        unit = await opening.ensure_unit(context, memory, facts)
        await opening.recover_current(context, unit)
        await people.handle_all(context, memory, facts)
    record = await _own(context, memory, name)
    if record is not None:
        record = await retarget(context, memory, record, facts)
    if record is not None and (guard := sets.taken_over(context, memory)):
        reason = f"{guard} of its release set guards it from here on"
        record = await transit(context, record, CutShort(reason=reason, handed_over=True))
    if record is None and facts.complete and facts.members:
        record = await opened(context, memory, facts)
    blind = ""
    if record is not None and not context.policies.known(record):
        blind = _unjudged(context, record)
    elif record is not None:
        blind = await _go_on(context, memory, record, facts)
    await conditions.keep(context, memory, facts, blind=blind)


async def _orders(context: Context, memory: Memory, facts: UnitFacts) -> None:
    """Handles the orders alone: policy, decisions, verification and conditions are the controller's.

    A rollout whose revision is no longer the workload's target is ended: an order is for what runs.
    """
    unit = context.store.unit(facts.unit)
    if unit is None or memory.dropped or not facts.complete:
        return
    await opening.recover_current(context, unit)
    record = await _own(context, memory, unit.name)
    if record is not None:
        await retarget(context, memory, record, facts)
    await people.handle_all(context, memory, facts)
    if changes.acting(context.store.rollout(unit.name)):
        context.workers.later(0.0, Priority.ACT, unit.name)


async def _own(context: Context, memory: Memory, name: UnitName) -> RolloutRecord | None:
    """The unit's rollout, under our epoch: raised by compare-and-swap before anything is done under it.

    It keeps the policy that it began with. Where that is lost, it goes on under the one in force; where it was not read
    yet, nothing is decided by another one.
    """
    record = context.store.rollout(name)
    if record is None or record.closed is not None:
        return record
    epoch, now = context.gate.epoch, context.now()
    foreign = bool(memory.dropped) or memory.watch is NOBODY or context.settings.orders_only
    untouched = foreign or not context.policies.known(record)

    def ours(present: RolloutRecord) -> RolloutRecord:
        raised = replace(present, epoch=epoch) if epoch > present.epoch else present
        if untouched:
            return raised
        kept = changes.without_policy(raised, context.policies.lost(raised), context.policy.digest, now)
        return changes.in_milder_mode(kept, memory.watch.mode, now)

    return await note(context, record, ours) if ours(record) != record else record


def _unjudged(context: Context, record: RolloutRecord) -> str:
    """Pushes on what was decided, by a stored plan or an order, and decides nothing. Why, once that lasts."""
    if changes.acting(record):
        context.workers.later(0.0, Priority.ACT, record.unit)
    said = context.policies.unread(record, context.now())
    return f"the policy {record.policy_digest[:12]} that it began with cannot be read: {said}" if said else ""


async def _drop(context: Context, memory: Memory, name: UnitName) -> None:
    """The unit is not guarded any more: what is open is ended, a stored plan is given up."""
    reason = memory.dropped
    record = await _own(context, memory, name)
    if record is None:
        await sets.let_go(context, name)
        return
    if record.state is LifecycleState.ACTING:
        why = await _leaves(context, record, reason)
        record = await executor.give_up(context, memory, record, PlanSuperseded(reason=why), why)
    await transit(context, record, NewTarget(reason=reason), change=ending(memory))


async def _leaves(context: Context, record: RolloutRecord, reason: str) -> str:
    """Why its plan is given up, with what that leaves of a release set, by a fresh read."""
    plan = record.plan
    if plan is None or not undo.of_set(plan):
        return reason
    readings = await reading.read(context.cluster, undo.reads(plan), timeout=context.settings.request_timeout)
    return undo.given_up(plan, readings, reason)


async def _go_on(context: Context, memory: Memory, record: RolloutRecord, facts: UnitFacts) -> str:
    """Judges and decides while nothing is under way; else pushes on what is. What is not seen, empty where all is."""
    verdict = judged(context, memory, record, facts)
    if record.order and record.state in OPEN_TO_DECISIONS:
        record = await _order_over(context, record)
    elif record.state in OPEN_TO_DECISIONS and stopped_half(record):
        record = await _left_to_people(context, memory, record)
    elif record.state in OPEN_TO_DECISIONS and gives_way(context, memory, record, facts):
        context.workers.later(SETTLING / 4, Priority.WAKE, record.unit)
    elif record.state in OPEN_TO_DECISIONS:
        record = await _decided(context, memory, record, facts, verdict)
    elif record.state is LifecycleState.VERIFYING:
        record = await sets.left_alone(context, memory, record, facts)
        if record.closed is None:
            await verify.verify(context, memory, record, facts)
    if changes.acting(record):
        context.workers.later(0.0, Priority.ACT, record.unit)
    if record.closed is not None:
        return ""
    gaps = [gap for gap in verdict.gaps if gap.required and gap.in_a_row >= judge.BLIND_AFTER]
    return "; ".join(f"{gap.signal} has no complete answer ({gap.cause})" for gap in gaps)


async def _order_over(context: Context, record: RolloutRecord) -> RolloutRecord:
    """A rollout that was opened for an order ends where that came to nothing; it decides nothing by itself."""
    if record.plan is None:
        return await transit(context, record, CutShort(reason=f"the order was not carried out: {record.why}"))
    if context.now() >= record.started.plus(context.policies.of(record).timing.close):
        return await transit(context, record, WindowOver())
    return record  # a plan that was given up: its write may still arrive


async def _left_to_people(context: Context, memory: Memory, record: RolloutRecord) -> RolloutRecord:
    """A release set that rests half back is held until somebody ends that, or its window is over: told again at the
    policy's interval."""
    now, unit = context.now(), unit_of(context, record.unit)
    if now < record.started.plus(context.policies.of(record).timing.close):
        tell = Tell(class_=NoticeClass.PAGE, topic="superseded", reason=record.why)
        policy = context.policies.of(record)
        return await note(context, record, lambda r: telling.told(r, tell, unit=unit, policy=policy, now=now))
    await sets.remember(context, memory, record.unit)
    return await transit(context, record, WindowOver(left=record.why), change=ending(memory))


async def _decided(
    context: Context, memory: Memory, record: RolloutRecord, facts: UnitFacts, verdict: Verdict
) -> RolloutRecord:
    """The rollout after this look's decision."""
    now = context.now()
    unit = unit_of(context, record.unit)
    policy = context.policies.of(record)
    if now >= record.started.plus(policy.timing.close):
        good = {revision.digest for revision in unit.healthy}
        healthy = all(digest in good for digest in record.digests())
        return await transit(context, record, WindowOver(healthy=healthy), change=ending(memory))
    situation = surroundings.situation(context, memory, unit, record, facts)
    decision = (
        decide.decide_set(situation, memory.members, verdict, now)
        if record.passages
        else decide.decide(
            situation, verdict, now, interlocks=decide.OF_IDLE_COLOUR if memory.watch.colour_of else decide.EVERY
        )
    )
    if _passing(memory, decision, now):
        memory.deciding = None
        return record
    earlier, memory.decision = memory.decision, decision
    # before anything is awaited: the next unit's decision must see it
    unanswered = _unanswered(record, decision, now, roll_back=policy.on_timeout_roll_back)
    acts = decision.kind is DecisionKind.ROLL_BACK or (unanswered and policy.on_timeout_roll_back)
    memory.deciding = now if acts else None
    lines = _lines(policy.timing, record, decision, earlier, now)
    # migrations concern all members alike: the first one's way back dates them
    first = observe.member_situation(situation, record.passages[0]) if record.passages else situation
    blind = record.verdict is VerdictKind.BLIND

    def seen(present: RolloutRecord) -> RolloutRecord:
        updated = _with_verdict(policy.timing, present, decision, facts, now)
        return migrations.remembered(updated, first, verdict.proven, now)

    input_ = Decided(decision=decision, was_blind=blind, unseen=kept.unseen(record, verdict))
    record = await transit(context, record, input_, change=seen, entries=lines)
    if unanswered and record.state is LifecycleState.AWAITING_APPROVAL:
        roll_back = policy.on_timeout_roll_back
        line = TimelineEntry(at=now, kind="human", text="Nobody answered in time")
        record = await transit(context, record, ApprovalTimedOut(roll_back=roll_back), entries=(line,))
    return record


def _passing(memory: Memory, decision: Decision, now: Instant) -> bool:
    """Whether the look decides nothing: what is bad is held for holes in the facts that may be gone at the next look.

    It does not begin a hold or end a question, for as long as people are not told that the unit is unseen.
    """
    if not decision.unclear():
        memory.unclear = None
        return False
    memory.unclear = memory.unclear or now
    return now.since(memory.unclear) < conditions.UNSEEN_AFTER


def _unanswered(record: RolloutRecord, decision: Decision, now: Instant, *, roll_back: bool) -> bool:
    """Whether the time of an open question is up.

    Where the policy then rolls back, that is an action of the guard's own: it waits for a look that would ask now, past
    the evidence and the interlocks of now.
    """
    asked = record.asked_until if record.state is LifecycleState.AWAITING_APPROVAL else None
    if asked is None or now < asked:
        return False
    return decision.kind is DecisionKind.ASK or not roll_back


def phase(started: Instant, now: Instant, timing: Timing) -> Phase:
    """The rollout's phase by its age."""
    age = now.since(started)
    if age < timing.startup:
        return Phase.STARTUP
    if age < timing.stabilization:
        return Phase.STABILIZATION
    return Phase.VALIDATION if age < timing.automatic else Phase.STEADY


def _with_verdict(
    timing: Timing, record: RolloutRecord, decision: Decision, facts: UnitFacts, now: Instant
) -> RolloutRecord:
    """The record as it should read now; the same where only values have moved."""
    present = phase(record.started, now, timing)
    verdict = decision.verdict
    findings = kept.findings(record, verdict)
    named = {(f.signal, f.level) for f in findings}
    same = (
        verdict.kind is record.verdict
        and present is record.phase
        and named == {(f.signal, f.level) for f in record.findings}
    )
    updated = kept.with_look(changes.with_pods(record, facts), decision, timing, now, news=not same)
    if same:
        return updated
    return replace(
        updated,
        phase=present,
        verdict=verdict.kind,
        why=decision.reason,
        findings=findings,
        recurrences=recurring.counted(record, findings, now),
    )


def _lines(
    timing: Timing,
    record: RolloutRecord,
    decision: Decision,
    earlier: Decision | None,
    now: Instant,
) -> tuple[TimelineEntry, ...]:
    """What is worth telling of this look: another phase, another verdict, another decision."""
    lines = []
    verdict = decision.verdict
    present = phase(record.started, now, timing)
    if present is not record.phase:
        lines.append(TimelineEntry(at=now, kind="phase", text=f"Phase {present.value}"))
    if verdict.kind is not record.verdict:
        lines.append(TimelineEntry(at=now, kind="verdict", text=f"{verdict.kind.value.capitalize()}: {verdict.why}"))
    told = f"{decision.kind.value.capitalize()}: "
    last = next((e.text for e in reversed(record.timeline) if e.kind == "decision"), "Continue: ")
    fresh = earlier is None or earlier.kind is not decision.kind
    if fresh and not last.startswith(told):
        lines.append(TimelineEntry(at=now, kind="decision", text=told + decision.reason))
    return tuple(lines)
