"""Changes of the records, as functions of the record: applied again, they change nothing more."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import replace

from rollguard import undo
from rollguard.lifecycle import findings, recurring, response
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
from rollguard.model.notices import Notice, NoticeState
from rollguard.model.policy import Mode, Policy
from rollguard.model.records import GoodRevision, LifecycleState, Ordered, RolloutRecord, TimelineEntry, UnitRecord
from rollguard.model.time import Instant
from rollguard.notify.words import words
from rollguard.record import thinned

ENTRIES = 60
FIRST_ENTRIES = 20
PODS = 200
NOTICES = 24
GOOD = 10
GOOD_OF_MEMBER = 3
"""Of each Deployment of a release set."""
ADOPTED_BEFORE = 3
UNDONE = 10
CONDITION = 300
"""Characters of a condition's message."""
LEAST_FIRST = (Mode.OBSERVE, Mode.APPROVE, Mode.AUTOMATIC)
ROLLBACKS = 20
CHARGED = 32
ONE_STATE = ("blind",)
"""Topics that are one state whatever its cause is at the moment: another cause is no news."""
FINAL = (StepState.DONE, StepState.SKIPPED, StepState.FAILED)
ORDER = (StepState.PENDING, StepState.TRYING, StepState.DONE, StepState.SKIPPED, StepState.FAILED)


def to_milliseconds(now: Instant) -> Instant:
    """The instant as it reads after a round through a record: whole milliseconds."""
    return Instant(round(now.seconds, 3))


def with_entries(record: RolloutRecord, entries: Iterable[TimelineEntry]) -> RolloutRecord:
    """The record with these lines of its story; one that is there already is not told twice."""
    timeline = list(record.timeline)
    for entry in entries:
        if not any(_same_entry(entry, known) for known in timeline):
            timeline.append(entry)
    if len(timeline) == len(record.timeline):
        return record
    if len(timeline) > ENTRIES:
        timeline = timeline[:FIRST_ENTRIES] + timeline[FIRST_ENTRIES - ENTRIES :]
    return replace(record, timeline=tuple(timeline))


def _same_entry(one: TimelineEntry, other: TimelineEntry) -> bool:
    return one.kind == other.kind and one.text == other.text and abs(one.at.since(other.at)) < 0.002


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


def told(record: RolloutRecord, tell: Tell, *, unit: UnitRecord, policy: Policy, now: Instant) -> RolloutRecord:
    """The record with the notice in its outbox; the same topic and reason again only at the policy's interval.

    What it is about is the reason, not its words: a value that moves or another pod is not news, and to be blind is one
    state whatever hides the values now. What a person has acknowledged is not repeated at all. What begins anew is told
    anew, but a hold that comes and goes: see `recurring`.
    """
    if recurring.kept_back(record, tell, policy.timing.repeat_notice, now):
        return replace(record, over_untold=tell.reason)
    anew = tell.anew and not recurring.stands(record, tell)
    if recurring.corrects(tell):
        record = replace(record, over_untold="")
    return _with_told(record, replace(tell, anew=anew), unit=unit, policy=policy, now=now)


def with_over_told(record: RolloutRecord, *, unit: UnitRecord, policy: Policy, now: Instant) -> RolloutRecord:
    """The record with the notice that a hold is over, where that was kept back and is due now."""
    tell = recurring.over(record, policy.timing.repeat_notice, now)
    if tell is None:
        return record
    return _with_told(replace(record, over_untold=""), tell, unit=unit, policy=policy, now=now)


def _with_told(record: RolloutRecord, tell: Tell, *, unit: UnitRecord, policy: Policy, now: Instant) -> RolloutRecord:
    key = _key(tell)
    mine = [n for n in record.notices if n.topic == tell.topic]
    same = [n for n in mine if n.id.rsplit(".", 1)[0] == f"{record.id}.{tell.topic}.{key}"]
    known = bool(same) and not tell.anew
    if known and (now.since(same[-1].at) < policy.timing.repeat_notice or seen(record, same[-1].at)):
        return record
    record = response.told(record, tell, policy.timing.respond_within, now)
    number = 1 + max((int(n.id.rsplit(".", 1)[1]) for n in same), default=0)
    text = words(tell, record, unit, policy, now)
    notice = Notice(
        id=f"{record.id}.{tell.topic}.{key}.{number}",
        class_=tell.class_,
        topic=tell.topic,
        title=text.title,
        text=text.text,
        at=now,
        team=unit.team,
    )
    entry = TimelineEntry(at=now, kind="notice", text=text.title)
    return with_entries(replace(record, notices=thinned((*record.notices, notice), NOTICES)), (entry,))


def seen(record: RolloutRecord, told: Instant) -> bool:
    """Whether a person has taken note of what was told then, or of every finding since."""
    return response.seen_since(record, told) or findings.all_seen(record, told)


def told_unit(unit: UnitRecord, tell: Tell, *, policy: Policy, now: Instant) -> UnitRecord:
    """As `told`, for a notice that belongs to no rollout."""
    key = _key(tell)
    prefix = f"{unit.name.namespace}.{unit.name.object_name}.{tell.topic}.{key}"
    same = [n for n in unit.notices if n.id.rsplit(".", 1)[0] == prefix]
    id_ = f"{prefix}.{int(now.seconds)}"
    known = bool(same) and not tell.anew
    if any(n.id == id_ for n in same) or (known and now.since(same[-1].at) < policy.timing.repeat_notice):
        return unit
    text = words(tell, None, unit, policy, now)
    notice = Notice(
        id=id_,
        class_=tell.class_,
        topic=tell.topic,
        title=text.title,
        text=text.text,
        at=now,
        team=unit.team,
    )
    return replace(unit, notices=thinned((*unit.notices, notice), NOTICES))


def _key(tell: Tell) -> str:
    text = "" if tell.topic in ONE_STATE else tell.about or re.sub(r"\d+(\.\d+)?", "#", tell.reason)
    return hashlib.sha256(f"{tell.class_.value}/{text}".encode()).hexdigest()[:8]


def with_notice(notices: tuple[Notice, ...], changed: Notice) -> tuple[Notice, ...]:
    """The outbox with that notice in its new state; a notice that has arrived or failed stays so."""
    return tuple(changed if n.id == changed.id and n.state is NoticeState.PENDING else n for n in notices)


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


def handled(unit: UnitRecord, request: str) -> UnitRecord:
    """The unit with that request handled."""
    if request in unit.handled_requests:
        return unit
    return replace(unit, handled_requests=(*unit.handled_requests, request))


def with_good(unit: UnitRecord, good: GoodRevision) -> UnitRecord:
    """The unit with that revision judged healthy, as the newest; it is good since it was first judged so."""
    known = next((g for g in unit.healthy if g.digest == good.digest), None)
    if known is not None:
        good = replace(good, since=min(known.since, good.since), saved=good.saved or known.saved)
    others = tuple(g for g in unit.healthy if g.digest != good.digest)
    most = GOOD_OF_MEMBER if good.workload else GOOD
    surplus = [g for g in others if g.workload == good.workload][: -most + 1]
    kept = tuple(g for g in others if g not in surplus)
    return replace(unit, healthy=(*kept, good), undone=_but(unit.undone, good.digest))


def with_adopted(unit: UnitRecord, good: GoodRevision) -> UnitRecord:
    """The unit with that revision adopted; what was adopted before it stays a way back."""
    before = (*unit.adopted_before, *((unit.adopted,) if unit.adopted is not None else ()))
    kept = tuple(one for one in before if one.digest != good.digest)[-ADOPTED_BEFORE:]
    return replace(unit, adopted=good, adopted_before=kept, undone=_but(unit.undone, good.digest))


def with_adopted_side(unit: UnitRecord, good: GoodRevision) -> UnitRecord:
    """The release set with that revision adopted for its Deployment, in place of the one before it."""
    others = tuple(one for one in unit.adopted_before if one.workload != good.workload)
    return replace(unit, adopted_before=(*others, good), undone=_but(unit.undone, good.digest))


def with_undone(unit: UnitRecord, digest: str, at: Instant) -> UnitRecord:
    """The unit that does not go back to the revision of that template: it is undone. What is good anew counts again."""
    adopted = unit.adopted if unit.adopted is not None and unit.adopted.digest != digest else None
    known = any(undone == digest for undone, _at in unit.undone)
    return replace(
        unit,
        healthy=tuple(good for good in unit.healthy if good.digest != digest),
        adopted=adopted,
        adopted_before=tuple(good for good in unit.adopted_before if good.digest != digest),
        undone=unit.undone if known else (*unit.undone, (digest, at))[-UNDONE:],
    )


def _but(undone: tuple[tuple[str, Instant], ...], digest: str) -> tuple[tuple[str, Instant], ...]:
    return tuple(entry for entry in undone if entry[0] != digest)


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


def with_condition(unit: UnitRecord, type_: str, message: str) -> UnitRecord:
    """The unit with that condition as it began; without it where the message is empty."""
    others = tuple(entry for entry in unit.conditions if entry[0] != type_)
    if bool(message) is (len(others) < len(unit.conditions)):
        return unit
    return replace(unit, conditions=(*others, (type_, message[:CONDITION])) if message else others)


def with_present_condition(unit: UnitRecord, type_: str, message: str) -> UnitRecord:
    """As `with_condition`, but with the message of now."""
    if dict(unit.conditions).get(type_, "") == message[:CONDITION]:
        return unit
    return with_condition(with_condition(unit, type_, ""), type_, message)


def with_rollback(unit: UnitRecord, at: Instant) -> UnitRecord:
    """The unit with an automatic rollback counted, once."""
    if any(abs(at.since(known)) < 0.002 for known in unit.automatic_rollbacks):
        return unit
    return replace(unit, automatic_rollbacks=(*unit.automatic_rollbacks, at)[-ROLLBACKS:])


def with_charged(unit: UnitRecord, uids: tuple[str, ...]) -> UnitRecord:
    """The unit with these failed migrations charged to its rollouts so far."""
    fresh = tuple(uid for uid in uids if uid not in unit.charged_migrations)
    return replace(unit, charged_migrations=(*unit.charged_migrations, *fresh)[-CHARGED:]) if fresh else unit


def acting(record: RolloutRecord | None) -> bool:
    """True while there is something for the executor to do or to go on with."""
    return record is not None and record.state in (LifecycleState.PLANNED, LifecycleState.ACTING)


def with_saved(unit: UnitRecord, hash_: TemplateHash, saved: str) -> UnitRecord:
    """The unit with the name under which that revision's template is kept."""

    def kept(good: GoodRevision) -> GoodRevision:
        return replace(good, saved=saved) if good.hash == hash_ and not good.saved else good

    return replace(
        unit,
        healthy=tuple(kept(good) for good in unit.healthy),
        adopted=kept(unit.adopted) if unit.adopted is not None else None,
        adopted_before=tuple(kept(good) for good in unit.adopted_before),
    )
