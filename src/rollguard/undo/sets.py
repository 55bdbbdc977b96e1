"""The plan that takes a release set, or one member of it, back to the colour that served before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from rollguard.model.action import Plan, Step, StepKind, StepState, Target
from rollguard.model.facts import Autoscaler, UnitFacts, Workload
from rollguard.model.names import AUTOSCALER, SERVICE, Ref
from rollguard.model.records import Passage
from rollguard.model.situation import Situation
from rollguard.model.time import Instant
from rollguard.observe.old_colour import scaler_of, target_of, unfit
from rollguard.undo.half import steps_of
from rollguard.undo.planning import Refused

STEPS = 32
"""The most that a record has room for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Move:
    """A member and what there is of it."""

    passage: Passage
    old: Workload
    new: Workload | None
    """None where the bad colour is gone."""
    scaler: Autoscaler | None
    """The old colour's."""
    service: str
    """Its Service's uid, empty where it has none."""
    before: int | None
    """What the minimum of the autoscaler was before an earlier plan raised it; None where none left it raised."""

    @property
    def needed(self) -> int:
        """Ready pods that the old colour must have."""
        return max(1, self.passage.needed)


def plan_set(
    situation: Situation, *, id: str, epoch: int, reason: str, actor: str, now: Instant, only: str = ""
) -> Plan | Refused:
    """The plan for the members that changed in the rollout, or `only` that one; Refused where one is not in a state
    for it: all go back or none.

    It expires `timing.plan_expiry` seconds after `now`.
    """
    target = set_target(situation, only=only)
    if isinstance(target, Refused):
        return target
    earlier = situation.rollout.plan
    moves = [_move(situation.facts, passage, earlier) for passage in moved(situation, only)]
    key = situation.watch.release_set.selector_key if situation.watch.release_set is not None else ""
    steps = tuple(replace(step, n=n) for n, step in enumerate(_steps(moves, key), 1))
    if len(steps) > STEPS:
        return Refused(reason=f"it would take {len(steps)} steps, more than {STEPS}: take it back member by member")
    return Plan(
        id=id,
        epoch=epoch,
        created=now,
        expires=now.plus(situation.timing.plan_expiry),
        reason=reason,
        actor=actor,
        target=target,
        steps=steps,
        drain=situation.timing.drain,
    )


def resume_set(plan: Plan, *, id: str, epoch: int, now: Instant, seconds: float) -> Plan:
    """The plan with the steps that are left of one whose time is up, for so many seconds more.

    Still the same rollback: what is done stays done, and the receipts of the plan before it count.
    """
    return replace(plan, id=id, epoch=epoch, expires=now.plus(seconds), continues=plan.continues + 1)


def moved(situation: Situation, only: str = "") -> tuple[Passage, ...]:
    """The members that changed, or that one of them."""
    return tuple(passage for passage in situation.rollout.passages if only in ("", passage.member))


def set_target(situation: Situation, *, only: str = "") -> Target | Refused:
    """The colour that served before, as it stands; Refused with what a person can do where it is no way back."""
    passages = moved(situation, only)
    changed = ", ".join(passage.member for passage in situation.rollout.passages)
    if not passages:
        return Refused(
            reason=f"{only or 'no member'} did not change in this rollout; it changed: {changed or 'nothing'}"
        )
    if situation.watch.release_set is None:
        return Refused(reason=f"the policy has no release set {situation.unit.workload.name} any more")
    if not situation.facts.complete:
        return Refused(reason=f"the facts are incomplete: {', '.join(situation.facts.missing)}")
    key = situation.watch.release_set.selector_key
    refusals = [_refusal(situation.facts, passage, key) for passage in passages]
    if reasons := [reason for reason in refusals if reason]:
        return Refused(reason="; ".join(reasons))
    return target_of(passages[0], judged=all(_judged(situation, passage) for passage in passages))


def remarks(plan: Plan, facts: UnitFacts) -> str:
    """What is worth telling when the plan is stored: an autoscaler that sleeps; empty where nothing is."""
    asleep = []
    for step in plan.steps:
        scalers = [s for s in facts.autoscalers if s.workload.name == step.target.name]
        if step.kind is StepKind.SCALE_UP and step.body == "0" and scalers:
            scaler = scalers[0]
            asleep.append(f"{step.target.name} is at 0, so its autoscaler {scaler.name} is disabled until it has pods")
    return "; ".join(asleep)


def _judged(situation: Situation, passage: Passage) -> bool:
    return any(
        good.digest == passage.old.digest and good.workload in ("", passage.old.workload.name)
        for good in situation.unit.healthy
    )


def _refusal(facts: UnitFacts, passage: Passage, key: str) -> str:
    """Why this member cannot go back, empty where it can."""
    return unfit(facts, passage) or _changed_since(facts, passage, key)


def _changed_since(facts: UnitFacts, passage: Passage, key: str) -> str:
    """What somebody changed since it was judged: that is never overwritten."""
    new, bad = passage.new, facts.member(passage.new.workload)
    if bad is not None and (bad.uid != new.uid or bad.template.digest != new.digest):
        return f"the template of {new.workload.name} changed since it was judged: a newer change is never overwritten"
    service = facts.service(passage.service) if passage.service else None
    value = service.selects(key) if service is not None else passage.new.colour
    if value not in (passage.old.colour, passage.new.colour):
        return f"{passage.service} selects {value or 'no colour'} now: a newer change is never overwritten"
    return ""


def _move(facts: UnitFacts, passage: Passage, earlier: Plan | None) -> _Move:
    old = facts.member(passage.old.workload)
    if old is None:
        raise ValueError(f"{passage.old.workload} is not in the facts")
    service, scaler = facts.service(passage.service) if passage.service else None, scaler_of(facts, old.name)
    return _Move(
        passage=passage,
        old=old,
        new=facts.member(passage.new.workload),
        scaler=scaler,
        service=service.uid if service is not None else "",
        before=_left_raised(scaler, earlier),
    )


def _left_raised(scaler: Autoscaler | None, earlier: Plan | None) -> int | None:
    """What the minimum was before a plan that was given up raised it, where it is as that plan left it."""
    if scaler is None or earlier is None:
        return None
    left = (
        int(step.goal)
        for step in steps_of(earlier, StepKind.RESTORE_MINIMUM)
        if step.target.uid == scaler.uid
        and step.state is not StepState.DONE
        and scaler.minimum == int(step.precondition)
    )
    return next(left, None)


def _steps(moves: list[_Move], key: str) -> Iterator[Step]:
    """All steps of one kind before the next."""
    kinds: tuple[Callable[[_Move, str], Step | None], ...] = (_raise, _up, _switch, _down, _restore, _back)
    for make in kinds:
        for move in moves:
            step = make(move, key)
            if step is not None:
                yield step


def _raise(move: _Move, _key: str) -> Step | None:
    """Not where a tool keeps it, or its maximum is below: then the old colour has enough pods as it is.

    One that an earlier plan left raised is taken over: this plan's receipt says that it sets it back.
    """
    scaler = move.scaler
    if scaler is None or scaler.owner or move.needed > scaler.maximum:
        return None
    if scaler.minimum >= move.needed and move.before is None:
        return None
    ref = Ref(AUTOSCALER, scaler.namespace, scaler.name, scaler.uid)
    return _step(move, StepKind.RAISE_MINIMUM, ref, str(scaler.minimum), str(max(scaler.minimum, move.needed)))


def _up(move: _Move, _key: str) -> Step:
    """For every member, also where nothing need be written: it says how many pods must be ready."""
    return _step(
        move,
        StepKind.SCALE_UP,
        _ref(move.old),
        move.passage.old.digest,
        str(move.needed),
        body=str(move.old.desired),
    )


def _switch(move: _Move, key: str) -> Step | None:
    passage = move.passage
    if not passage.service:
        return None
    ref = Ref(SERVICE, move.old.name.namespace, passage.service, move.service)
    return _step(move, StepKind.SWITCH, ref, passage.new.colour, passage.old.colour, body=key)


def _down(move: _Move, _key: str) -> Step | None:
    if move.new is None:
        return None
    digest = move.passage.new.digest
    return _step(move, StepKind.SCALE_DOWN, _ref(move.new), digest, "0", body=str(move.new.desired))


def _restore(move: _Move, key: str) -> Step | None:
    raising = _raise(move, key)
    if raising is None:
        return None
    goal = raising.precondition if move.before is None else str(move.before)
    return replace(raising, kind=StepKind.RESTORE_MINIMUM, precondition=raising.goal, goal=goal)


def _back(move: _Move, _key: str) -> Step | None:
    """Only where no autoscaler does it."""
    if move.scaler is not None or move.old.desired >= move.needed:
        return None
    before, needed = str(move.old.desired), str(move.needed)
    return _step(move, StepKind.SCALE_BACK, _ref(move.old), move.passage.old.digest, before, body=needed)


def _step(move: _Move, kind: StepKind, target: Ref, precondition: str, goal: str, *, body: str = "") -> Step:
    return Step(
        n=0,
        kind=kind,
        target=target,
        precondition=precondition,
        goal=goal,
        body=body,
        revision=0,
        state=StepState.PENDING,
        member=move.passage.member,
    )


def _ref(workload: Workload) -> Ref:
    return Ref(workload.name.kind.value, workload.name.namespace, workload.name.name, workload.uid)
