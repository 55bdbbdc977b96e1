"""One guarded write of a plan's step, and what its answer means (rules 3 to 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from rollguard import undo
from rollguard.loop import changes, telling, timeline
from rollguard.loop.context import Context, Memory
from rollguard.loop.transitions import note, unit_of
from rollguard.model.action import (
    Absent,
    Applied,
    Conflict,
    Plan,
    Reading,
    Rejected,
    Step,
    StepKind,
    StepState,
    Throttled,
    Unknown,
    Write,
    WriteOutcome,
)
from rollguard.model.lifecycle import Tell
from rollguard.model.names import Ref
from rollguard.model.records import RolloutRecord, TimelineEntry
from rollguard.model.time import Instant

CONFLICTS = 5
"""Failed write guards after which a plan is given up."""
UNKNOWNS = 3
"""Lost answers in a row after which the worker is given to another unit for a while."""
PAUSE = 1.0
LONGEST_PAUSE = 10.0


@dataclass(slots=True)
class Tally:
    """What came back so far in this go."""

    conflicts: int = 0
    unknowns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Go:
    """A step that is due, and what was read before it."""

    record: RolloutRecord
    plan: Plan
    step: Step
    readings: Mapping[Ref, Reading]


async def send(context: Context, memory: Memory, go: Go, write: Write, tally: Tally) -> undo.Next | float | None:
    """None means: read again now; else what follows from the answer, or the seconds to leave it for."""
    step, timeout = go.step, context.settings.request_timeout
    if step.state is StepState.PENDING:
        await mark(context, go.record, replace(step, state=StepState.TRYING))
        memory.refusals = undo.Refusals(plan=go.plan.id, step=step.n, sure=True)
        return None  # those writes took their time: a freeze, an expiry, a newer change is seen by another fresh read
    context.gate.check(timeout)
    before, memory.refusals = memory.refusals, None  # until the answer is there, this try may take effect
    outcome = await context.cluster.apply(write, dry_run=False, timeout=timeout)
    memory.refusals = refusals = _answered(before, go, outcome, context.now())
    context.log("step-sent", {"plan": go.plan.id, "step": step.n, "outcome": type(outcome).__name__})
    if isinstance(outcome, Rejected) and outcome.passing and not undo.of_set(go.plan):
        outcome = Unknown(detail=outcome.detail)  # tried again until the plan expires
    if step.kind is StepKind.RESTORE_MANAGERS:
        return _after_courtesy(context, go, outcome, tally)
    match outcome:
        case Applied() if step.kind is StepKind.RESTORE_TEMPLATE and (why := undo.changed(step, outcome)):
            return undo.Supersede(reason=why)
        case Applied() | Absent():
            tally.unknowns = 0
            return None
        case Conflict(detail=detail):
            return _conflict(context, go, detail, tally)
        case Rejected(status=status, detail=detail):
            what = "the rollback" if step.kind is StepKind.RESTORE_TEMPLATE else f"to {step.words}"
            reason = f"the API server refused {what} ({status}): {detail}"
            follows = undo.refused(go.plan, step, reason, go.readings, context.now(), refusals=refusals)
            return replace(follows, refused=True) if isinstance(follows, undo.Supersede) else follows
        case Throttled(after=after):
            return min(max(after, PAUSE), LONGEST_PAUSE)
        case Unknown():
            tally.unknowns += 1
            return PAUSE if tally.unknowns >= UNKNOWNS else None


def _answered(before: undo.Refusals | None, go: Go, outcome: WriteOutcome, now: Instant) -> undo.Refusals:
    """The refusals of the step, with this answer: of one kind, one after the other."""
    fresh = undo.Refusals(plan=go.plan.id, step=go.step.n)
    known = before if before is not None and (before.plan, before.step) == (fresh.plan, fresh.step) else fresh
    if not isinstance(outcome, Rejected):
        untaken = isinstance(outcome, Conflict | Throttled)
        return replace(known, since=None, sure=known.sure and untaken, passing=False)
    since = known.since if known.passing == outcome.passing else None
    return replace(known, since=since or now, passing=outcome.passing)


def _after_courtesy(context: Context, go: Go, outcome: WriteOutcome, tally: Tally) -> undo.Next | None:
    """What came back of a write that the rollback does not need: read again, or leave it; never wait for it."""
    match outcome:
        case Applied() | Absent():
            return None
        case Conflict(detail=detail):
            return _conflict(context, go, detail, tally)
        case Rejected(status=status, detail=detail):
            return _refused(context, go, f"the API server refused it ({status}): {detail}")
        case Throttled():
            return _refused(context, go, "the API server had no time for it")
        case Unknown(detail=detail):
            tally.unknowns += 1
            return _refused(context, go, f"no answer: {detail}") if tally.unknowns >= UNKNOWNS else None


def _conflict(context: Context, go: Go, detail: str, tally: Tally) -> undo.Next | None:
    tally.conflicts += 1
    if tally.conflicts <= CONFLICTS:
        return None
    return _refused(context, go, f"the write guard failed {tally.conflicts} times: {detail}")


def _refused(context: Context, go: Go, reason: str) -> undo.Next:
    return undo.refused(go.plan, go.step, reason, go.readings, context.now())


async def mark(context: Context, record: RolloutRecord, step: Step, *, tell: Tell | None = None) -> None:
    """The step is at least that far; only the live plan's steps move. What is told of it goes with it in one write."""
    plan = record.plan
    if plan is None:
        return
    text = f"Step {step.n} ({step.words}) {step.state.value}" + (f": {step.detail}" if step.detail else "")
    now = context.now()
    line = TimelineEntry(at=now, kind="step", text=text)
    reached = replace(step, over_at=now if step.state is not StepState.TRYING else None)

    def marked(present: RolloutRecord) -> RolloutRecord:
        changed = changes.with_step(present, plan.id, reached)
        if changed == present:
            return present
        on = reached.state is not StepState.TRYING and undo.tells_half(present.why)
        changed = timeline.with_entries(replace(changed, why=plan.reason) if on else changed, (line,))
        if tell is None:
            return changed
        unit = unit_of(context, record.unit)
        return telling.told(changed, tell, unit=unit, policy=context.policies.of(changed), now=now)

    await note(context, record, marked)
