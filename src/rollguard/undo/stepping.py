"""The next step of a stored plan, decided from a fresh quorum read alone (protocol rules 3 to 7)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rollguard.model.action import Absent, FetchOutcome, Found, Plan, Step, StepState, Unknown, Write
from rollguard.model.time import Instant
from rollguard.undo.deployment import receipt_of, restore


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Send this write now; whatever comes back, read again and ask again."""

    step: Step
    write: Write


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkDone:
    """The step's goal is reached: `step` is as it is to be stored, with the detail of who reached it."""

    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """Every step is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supersede:
    """The plan must not go on: hold and page."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Nothing can be said or done now: read again a little later."""

    reason: str


Next = Send | MarkDone | Finished | Supersede | Wait


def next(plan: Plan, found: FetchOutcome, now: Instant, *, frozen: str) -> Next:
    """What to do now about the first step that is not done.

    `found` is a GET made after the last write's answer, never the cache; `frozen` is the reason of a freeze in
    force, else empty.
    """
    step = pending_step(plan)
    if step is None:
        return Finished()
    if step.state is StepState.FAILED:
        return Supersede(reason=f"step {step.n} failed: {step.detail}")
    if isinstance(found, Unknown):
        return Wait(reason=f"{step.target.namespace}/{step.target.name} cannot be read: {found.detail}")
    if isinstance(found, Absent) or found.uid != step.target.uid:
        return Supersede(reason=f"{step.target.namespace}/{step.target.name} was deleted")
    if found.template_digest == step.goal:
        return MarkDone(step=_done(plan, step, found))
    return _write_or_not(plan, step, found, now, frozen)


def pending_step(plan: Plan) -> Step | None:
    """The first step that is not done, None where all are."""
    return min((step for step in plan.steps if step.state is not StepState.DONE), key=lambda s: s.n, default=None)


def dry_run_writes(plan: Plan, found: Found) -> tuple[Write, ...]:
    """The writes of all steps that are not done, as they would be sent now: the server is asked before storing."""
    steps = (step for step in plan.steps if step.state is not StepState.DONE)
    return tuple(restore(step, found, receipt_of(plan, step)) for step in steps)


def _done(plan: Plan, step: Step, found: Found) -> Step:
    ours = found.receipt == receipt_of(plan, step)
    detail = "the receipt is there" if ours else "somebody else had already put this template back: nothing written"
    return replace(step, state=StepState.DONE, detail=detail)


def _write_or_not(plan: Plan, step: Step, found: Found, now: Instant, frozen: str) -> Next:
    """The template is not the goal: send, unless the plan no longer holds."""
    if found.template_digest != step.precondition:
        return Supersede(reason="the template was changed since the plan was made: a newer change is never overwritten")
    if found.receipt == receipt_of(plan, step):
        # Our write took effect once already; writing again would be a tug of war with whoever undid it.
        return Supersede(reason="the template was put back by this plan, and then replaced by the bad one again")
    if found.revision > step.revision:
        again = f"revision {found.revision} now, {step.revision} when it was judged"
        return Supersede(reason=f"the bad template was applied again since ({again}): that is never overwritten")
    if found.paused:
        return Supersede(reason="the Deployment was paused")
    if frozen:
        return Supersede(reason=f"frozen: {frozen}")
    if now >= plan.expires:
        return Supersede(reason=f"the plan expired at {plan.expires.iso()}")
    if found.observed_generation < found.generation:
        return Wait(reason=f"generation {found.observed_generation} of {found.generation} is observed")
    if found.revision < step.revision:
        return Wait(reason=f"the template is not numbered yet: revision {found.revision}, {step.revision} was judged")
    return Send(step=step, write=restore(step, found, receipt_of(plan, step)))
