"""The next step of a stored plan, decided from fresh quorum reads alone (protocol rules 3 to 7)."""

from __future__ import annotations

from collections.abc import Mapping

from rollguard.model.action import Plan, Reading, Step, StepKind, StepState
from rollguard.model.names import Ref
from rollguard.model.time import Instant
from rollguard.undo import colours
from rollguard.undo.answers import Finished, MarkDone, Next, Refusals, Supersede, skipped
from rollguard.undo.half import of_set
from rollguard.undo.moment import Moment
from rollguard.undo.template import give_back, put_back
from rollguard.undo.unready import Unready

OVER = (StepState.DONE, StepState.SKIPPED)


def next(
    plan: Plan,
    readings: Mapping[Ref, Reading],
    now: Instant,
    *,
    frozen: str,
    unready: Mapping[Ref, Unready] | None = None,
) -> Next:
    """What to do now about the first step that is not done; of a release set, about those of its kind.

    `readings` are GETs of what `reads` names, made after the last write's answer, never the cache; `frozen` is the
    reason of a freeze in force, else empty; `unready` is what the pods say of what is waited for.
    """
    at = Moment(plan=plan, readings=readings, now=now, unready=unready or {})
    if of_set(plan):
        return colours.next(at, frozen=frozen)
    step = pending_step(plan)
    if step is None:
        return Finished()
    answer = give_back if step.kind is StepKind.RESTORE_MANAGERS else put_back
    return answer(plan, step, at.deployment(step.target), now, frozen)


def reads(plan: Plan) -> tuple[Ref, ...]:
    """Which objects must be read afresh before `next` is asked."""
    if of_set(plan):
        return colours.reads(plan)
    step = pending_step(plan)
    return (step.target,) if step is not None else ()


def pending_step(plan: Plan) -> Step | None:
    """The first step that is not over, None where all are."""
    return min((step for step in plan.steps if step.state not in OVER), key=lambda s: s.n, default=None)


def refused(
    plan: Plan,
    step: Step,
    reason: str,
    readings: Mapping[Ref, Reading],
    now: Instant,
    *,
    refusals: Refusals | None = None,
) -> Next:
    """What it means that the server refuses the step's write for good, or that its write guard fails over and over.

    A plan for a workload by itself is given up. A courtesy is left. A release set is given up before its first switch;
    after it, the refusal is waited for, and told. `refusals` are the server's; None where the write guard failed.
    """
    if of_set(plan):
        return colours.refused(Moment(plan=plan, readings=readings, now=now), step, reason, refusals)
    if step.kind is StepKind.RESTORE_MANAGERS:
        return MarkDone(step=skipped(step, reason))
    return Supersede(reason=reason)
