"""Changes of a rollout's record, as functions of the record: applied again, they change nothing more."""

from __future__ import annotations

from dataclasses import replace

from rollguard import undo
from rollguard.lifecycle import response
from rollguard.loop.telling import told, with_over_told
from rollguard.loop.timeline import to_milliseconds, with_entries
from rollguard.model.action import Fruitless, Plan, Step, StepState
from rollguard.model.facts import UnitFacts
from rollguard.model.handling import Acknowledgement
from rollguard.model.lifecycle import (
    AskApproval,
    Close,
    EndQuestion,
    MakePlan,
    OpenIncident,
    ResolveIncident,
    StartVerifying,
    TakeOn,
    Tell,
    Transition,
)
from rollguard.model.names import TemplateHash
from rollguard.model.policy import Mode, Policy
from rollguard.model.records import LifecycleState, Ordered, RolloutRecord, TimelineEntry, UnitRecord
from rollguard.model.time import Instant

PODS = 200
LEAST_FIRST = (Mode.OBSERVE, Mode.APPROVE, Mode.AUTOMATIC)
FINAL = (StepState.DONE, StepState.SKIPPED, StepState.FAILED)
ORDER = (StepState.PENDING, StepState.TRYING, StepState.DONE, StepState.SKIPPED, StepState.FAILED)


def with_pods(record: RolloutRecord, facts: UnitFacts) -> RolloutRecord:
    """The record with the revisions of the pods that exist now; pods that are gone stay while there is room."""
    known: dict[str, TemplateHash] = dict(record.pods)
    now = {pod.name: pod.revision for pod in facts.pods if pod.revision is not None}
    if now.items() <= known.items() and len(known) <= PODS:
        return record
    known.update(now)
    if len(known) > PODS:
        alive = {pod.name for pod in facts.pods}
        ordered = sorted(known, key=lambda name: name in alive)
        known = {name: known[name] for name in ordered[-PODS:]}
    return replace(record, pods=tuple(known.items()))


def advanced(
    record: RolloutRecord, transition: Transition, *, unit: UnitRecord, policy: Policy, now: Instant
) -> RolloutRecord:
    """The record after a transition of the state machine, with everything that its effects write into it."""
    if record.state is not transition.state:
        record = replace(record, state=transition.state)
    for effect in transition.effects:
        match effect:
            case MakePlan(actor=actor, reason=reason):
                entry = TimelineEntry(at=now, kind="plan", text=f"Rollback ordered: {reason}", actor=actor)
                ordered = Ordered(at=to_milliseconds(now), actor=actor, reason=reason)
                # somebody acts: what people were called for is seen to
                record = with_entries(replace(record, ordered=ordered, called=None, over_untold=""), (entry,))
            case AskApproval() if record.investigating is None:
                record = replace(record, asked_until=now.plus(policy.timing.approval_within))
            case EndQuestion():
                record = replace(record, asked_until=None)
            case TakeOn(actor=actor):
                record = response.taken_on(record, Acknowledgement(actor=actor, at=now))
            case StartVerifying():
                record = replace(record, verify_since=now)
            case OpenIncident() if not record.incident:
                record = replace(record, incident=str(record.id), incident_opened=to_milliseconds(now))
            case ResolveIncident() if record.incident and record.incident_resolved is None:
                record = replace(record, incident_resolved=now)
            case Close(outcome=outcome, reason=reason):
                entry = TimelineEntry(at=now, kind="decision", text=f"Closed, {outcome.value}: {reason}")
                record = with_entries(replace(record, outcome=outcome, closed=now, why=reason), (entry,))
            case _:
                pass  # Act and MarkHealthy change other objects; a second OpenIncident or AskApproval changes nothing
    record = with_over_told(record, unit=unit, policy=policy, now=now)
    for effect in transition.effects:
        if isinstance(effect, Tell):
            record = told(record, effect, unit=unit, policy=policy, now=now)
    return record


def with_step(record: RolloutRecord, plan_id: str, step: Step) -> RolloutRecord:
    """The record with the step at least that far: the state of a step only advances."""
    plan = record.plan
    if plan is None or plan.id != plan_id:
        return record
    steps = tuple(
        replace(known, state=step.state, detail=step.detail, over_at=step.over_at, fruitless=step.fruitless)
        if known.n == step.n and _further(known.state, step.state)
        else known
        for known in plan.steps
    )
    return replace(record, plan=replace(plan, steps=steps))


def _further(present: StepState, wanted: StepState) -> bool:
    return present not in FINAL and ORDER.index(wanted) > ORDER.index(present)


def alive(plan: Plan) -> bool:
    """True until one of its steps has failed: a plan that is given up is never taken up again."""
    return all(step.state is not StepState.FAILED for step in plan.steps)


def with_dead_plan(
    record: RolloutRecord, reason: str, now: Instant, *, fruitless: Fruitless | None = None
) -> RolloutRecord:
    """The record with what was open of its plan, where there is one, failed for that reason."""
    plan = record.plan
    for step in plan.steps if plan is not None else ():
        failed = replace(step, state=StepState.FAILED, detail=reason, over_at=now, fruitless=fruitless)
        record = with_step(record, plan.id if plan is not None else "", failed)
    return replace(record, why=reason)


def with_abandoned_plan(record: RolloutRecord, plan: Plan, answer: undo.Abandon, now: Instant) -> RolloutRecord:
    """The record with the step of its plan failed that ends it, and what had not begun skipped; what takes back is
    still to do.

    What was tried has failed as well; of a decisive step it is sure that no try took effect.
    """
    cause = Fruitless.REFUSED if answer.refused else Fruitless.HINDERED
    failed = replace(answer.step, state=StepState.FAILED, detail=answer.reason, over_at=now, fruitless=cause)
    record = with_step(record, plan.id, failed)
    for step in plan.steps:
        if step.kind not in undo.TAKES_BACK:
            state = StepState.SKIPPED if step.state is StepState.PENDING else StepState.FAILED
            record = with_step(record, plan.id, replace(step, state=state, over_at=now))
    return replace(record, why=answer.reason)


def milder(one: Mode, other: Mode) -> Mode:
    """The mode that lets the guard do less."""
    return min(one, other, key=LEAST_FIRST.index)


def without_policy(record: RolloutRecord, lost: str, present: str, now: Instant) -> RolloutRecord:
    """The record under the policy in force, by its digest, where the one that it began with is `lost`: said once."""
    if not lost or record.policy_digest == present:
        return record
    text = (
        f"The policy {record.policy_digest[:12]} that it began with cannot be read any more ({lost}):"
        f" the policy in force, {present[:12]}, decides from here on"
    )
    line = TimelineEntry(at=now, kind="rollout", text=text)
    return with_entries(replace(record, policy_digest=present), (line,))


def in_milder_mode(record: RolloutRecord, present: Mode, now: Instant) -> RolloutRecord:
    """The record in the mode of the policy in force, where that lets the guard do less; else as it was."""
    mode = milder(record.mode, present)
    if mode is record.mode:
        return record
    line = TimelineEntry(at=now, kind="rollout", text=f"Mode {mode.value} from here on: the policy was changed")
    return with_entries(replace(record, mode=mode), (line,))


def acting(record: RolloutRecord | None) -> bool:
    """True while there is something for the executor to do or to go on with."""
    return record is not None and record.state in (LifecycleState.PLANNED, LifecycleState.ACTING)
