"""The autoscaler of the old colour: its minimum goes up for the time of the rollback, and becomes what it was."""

from __future__ import annotations

from rollguard.model.action import Absent, FoundAutoscaler, Plan, Step, StepKind, StepState, Unknown, Write
from rollguard.undo.answers import MarkDone, OfStep, Send, Stop, Wait, over
from rollguard.undo.half import BEGUN, abandoned, steps_of
from rollguard.undo.moment import Moment, unreadable
from rollguard.undo.patch import leave_receipt, left_by, operation, receipt_of, write

MINIMUM = "/spec/minReplicas"


def raise_minimum(step: Step, at: Moment) -> OfStep:
    """Raised: done. Set back after it was raised, or another value than it had: stop.

    Where it was found raised by an earlier plan, our receipt on it is what is written.
    """
    found = at.autoscaler(step.target)
    if isinstance(found, Unknown):
        return Wait(reason=unreadable(step.target, found))
    if isinstance(found, Absent):
        return Stop(step=step, reason=unreadable(step.target, found))
    ours = left_by(at.plan, step, found.receipt)
    taken_over = step.precondition == step.goal == str(found.minimum)
    if found.minimum >= int(step.goal) and (ours or not taken_over):
        detail = "the receipt is there" if ours else f"it was {found.minimum} already: nothing written"
        return over(step, StepState.DONE, detail, at.now)
    if lowered := still_raised(step, at):
        return Stop(step=step, reason=lowered)
    if found.minimum != int(step.precondition):
        was = f"it was {step.precondition} when the plan was made, and is {found.minimum}"
        return Stop(step=step, reason=f"somebody changed the minReplicas of {step.target.name} ({was})")
    return Send(step=step, write=set_minimum(at.plan, step, found))


def still_raised(step: Step, at: Moment) -> str:
    """Why the minimum is not what the step raised it to, empty where it is, or is not known to be set back."""
    found = at.autoscaler(step.target)
    if isinstance(found, Absent):
        return unreadable(step.target, found)
    if isinstance(found, Unknown) or found.minimum >= int(step.goal):
        return ""
    if step.state is not StepState.DONE and not left_by(at.plan, step, found.receipt):
        return ""
    return (
        f"something set the minReplicas of {step.target.name} back to {found.minimum} after it was raised to"
        f" {step.goal}: raise it where it is kept (a KEDA ScaledObject, a GitOps tool), then roll back again"
    )


def restore_minimum(step: Step, at: Moment) -> OfStep:
    """As it was: done. Raised by this plan: set back. Anything else is somebody's own, and stays."""
    found = at.autoscaler(step.target)
    if isinstance(found, Unknown):
        return Wait(reason=unreadable(step.target, found))
    if isinstance(found, Absent):
        return over(step, StepState.SKIPPED, unreadable(step.target, found), at.now)
    raising = next(each for each in steps_of(at.plan, StepKind.RAISE_MINIMUM) if each.target == step.target)
    if left_by(at.plan, step, found.receipt):
        return _restored(step, found, at)
    was, late = found.minimum == int(step.goal), abandoned(at.plan) and _tried(raising)
    if was and not late:
        return over(step, StepState.DONE, "it is what it was: nothing written", at.now)
    if was or (found.minimum == int(step.precondition) and left_by(at.plan, raising, found.receipt)):
        # Also where it is what it was: a request to raise it that is still under way fails its guard then.
        return Send(step=step, write=set_minimum(at.plan, step, found))
    return over(step, StepState.SKIPPED, _somebodys(step, found), at.now)


def _tried(raising: Step) -> bool:
    """Whether a request to raise it may have left; a step that was never tried is skipped by a plan given up."""
    return raising.state in (*BEGUN, StepState.FAILED)


def _restored(step: Step, found: FoundAutoscaler, at: Moment) -> MarkDone:
    if found.minimum == int(step.goal):
        return over(step, StepState.DONE, "the receipt is there", at.now)
    return over(step, StepState.DONE, f"somebody set it to {found.minimum} since", at.now)


def _somebodys(step: Step, found: FoundAutoscaler) -> str:
    return (
        f"somebody else set the minReplicas of {step.target.name} to {found.minimum}: it is left so"
        f" (it was {step.goal} before the rollback)"
    )


def set_minimum(plan: Plan, step: Step, found: FoundAutoscaler) -> Write:
    """The write of the step's goal; it passes only on the minimum and the receipt that were read."""
    operations = [
        operation("test", "/metadata/uid", found.uid),
        operation("test", MINIMUM, found.minimum),
        *leave_receipt(receipt_of(plan, step), found=found.receipt, has_annotations=found.has_annotations),
        operation("replace", MINIMUM, int(step.goal)),
    ]
    return write(step.target, operations)
