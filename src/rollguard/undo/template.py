"""The step that puts a template back, and the courtesy after it."""

from __future__ import annotations

from rollguard.model.action import Absent, FetchOutcome, Found, Plan, Step, StepState, Unknown
from rollguard.model.time import Instant
from rollguard.undo.answers import MarkDone, Next, Send, Supersede, Wait, over, skipped
from rollguard.undo.deployment import restore
from rollguard.undo.managers import hand_over
from rollguard.undo.patch import receipt_of


def put_back(plan: Plan, step: Step, found: FetchOutcome, now: Instant, frozen: str) -> Next:
    """The template is the goal: done, by whom ever. The bad one: sent, unless the plan no longer holds."""
    if step.state is StepState.FAILED:
        return Supersede(reason=f"step {step.n} failed: {step.detail}")
    if isinstance(found, Unknown):
        return Wait(reason=f"{step.target.namespace}/{step.target.name} cannot be read: {found.detail}")
    if isinstance(found, Absent) or found.uid != step.target.uid:
        return Supersede(reason=f"{step.target.namespace}/{step.target.name} was deleted")
    if found.template_digest == step.goal:
        ours = found.receipt == receipt_of(plan, step)
        who = "the receipt is there" if ours else "somebody else had already put this template back: nothing written"
        return over(step, StepState.DONE, who, now)
    return _write_or_not(plan, step, found, now, frozen)


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


def give_back(plan: Plan, step: Step, found: FetchOutcome, now: Instant, frozen: str) -> Next:
    """The courtesy after the undo: done, or skipped with the reason. Nothing here gives the plan up."""
    if now < plan.expires and isinstance(found, Unknown):
        return Wait(reason=f"{step.target.namespace}/{step.target.name} cannot be read: {found.detail}")
    if isinstance(found, Unknown | Absent) or found.uid != step.target.uid:
        return MarkDone(step=skipped(step, "the workload cannot be read, or was deleted"))
    receipt = receipt_of(plan, plan.restoring)
    write = hand_over(step, found, receipt=receipt) if found.receipt == receipt else None
    if write is None:
        return over(step, StepState.DONE, "no field of it is in the guard's name", now)
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
