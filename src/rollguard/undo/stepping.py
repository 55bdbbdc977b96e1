"""The next step of a stored plan, decided from a fresh quorum read alone (protocol rules 3 to 7)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rollguard.model.action import Absent, FetchOutcome, Found, Plan, Step, StepKind, StepState, Unknown, Write
from rollguard.model.time import Instant
from rollguard.undo.deployment import restore
from rollguard.undo.managers import hand_over
from rollguard.undo.patch import receipt_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Send this write now; whatever comes back, read again and ask again."""

    step: Step
    write: Write


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkDone:
    """The step is over: `step` is as it is to be stored, done or skipped, with the detail of how."""

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
    if step.kind is StepKind.RESTORE_MANAGERS:
        return _give_back(plan, step, found, now, frozen)
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
    """The first step that is not over, None where all are."""
    over = (StepState.DONE, StepState.SKIPPED)
    return min((step for step in plan.steps if step.state not in over), key=lambda s: s.n, default=None)


def dry_run_write(plan: Plan, found: Found) -> Write:
    """The write that restores, as it would be sent now: the server is asked before the plan is stored.

    A courtesy after it can only be tried on what it leaves.
    """
    return restore(plan.restoring, found, receipt_of(plan, plan.restoring))


def skipped(step: Step, reason: str) -> Step:
    """A courtesy that is left, as it is to be stored."""
    return replace(step, state=StepState.SKIPPED, detail=reason)


def _done(plan: Plan, step: Step, found: Found) -> Step:
    ours = found.receipt == receipt_of(plan, step)
    detail = "the receipt is there" if ours else "somebody else had already put this template back: nothing written"
    return replace(step, state=StepState.DONE, detail=detail)


def _write_or_not(plan: Plan, step: Step, found: Found, now: Instant, frozen: str) -> Next:
    """The template is not the goal: send, unless the plan no longer holds."""
    ours = found.receipt == receipt_of(plan, step)
    if found.template_digest != step.precondition and ours:
        return Supersede(
            reason="the restored template is not there as it was written: somebody, or admission, changed it"
        )
    if found.template_digest != step.precondition:
        return Supersede(reason="the template was changed since the plan was made: a newer change is never overwritten")
    if ours:
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


def _give_back(plan: Plan, step: Step, found: FetchOutcome, now: Instant, frozen: str) -> Next:
    """The courtesy after the undo: done, or skipped with the reason. Nothing here gives the plan up."""
    if now < plan.expires and isinstance(found, Unknown):
        return Wait(reason=f"{step.target.namespace}/{step.target.name} cannot be read: {found.detail}")
    if isinstance(found, Unknown | Absent) or found.uid != step.target.uid:
        return MarkDone(step=skipped(step, "the workload cannot be read, or was deleted"))
    receipt = receipt_of(plan, plan.restoring)
    write = hand_over(step, found, receipt=receipt) if found.receipt == receipt else None
    if write is None:
        return MarkDone(step=replace(step, state=StepState.DONE, detail="no field of it is in the guard's name"))
    if reason := _no_courtesy(plan, step, found, now, frozen):
        return MarkDone(step=skipped(step, reason))
    return Send(step=step, write=write)


def _no_courtesy(plan: Plan, step: Step, found: Found, now: Instant, frozen: str) -> str:
    """Why the step is to be left, empty where it is due."""
    if found.template_digest != step.goal:
        return "the template was changed since"
    if found.paused:
        return "the Deployment was paused"
    if frozen:
        return f"frozen: {frozen}"
    return f"the plan expired at {plan.expires.iso()}" if now >= plan.expires else ""
