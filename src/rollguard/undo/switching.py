"""A Service's selector: it names the old colour again, and the endpoints are the old colour's."""

from __future__ import annotations

from rollguard.model.action import Absent, FoundService, Plan, Step, StepKind, StepState, Unknown, Write
from rollguard.model.names import Ref
from rollguard.undo.answers import OfStep, Send, Stop, Wait, over
from rollguard.undo.autoscaling import still_raised
from rollguard.undo.half import moved, steps_of
from rollguard.undo.moment import Moment, unreadable
from rollguard.undo.patch import escaped, leave_receipt, left_by, operation, receipt_of, write
from rollguard.undo.scaling import able, changed, none_ready, released_anew, switched_again, wait_before

SELECTOR = "/spec/selector/"


def switch(step: Step, at: Moment) -> OfStep:
    """The old colour's, and served by its pods alone: done. Still the bad colour's: sent, where the old one is able to
    serve. Switched again since, or a third colour: a newer change, never overwritten."""
    found = at.service(step.target)
    if isinstance(found, Unknown):
        return Wait(reason=unreadable(step.target, found))
    if isinstance(found, Absent):
        return Stop(step=step, reason=unreadable(step.target, found))
    value, ours = dict(found.selector).get(step.body, ""), left_by(at.plan, step, found.receipt)
    if value == step.goal:
        return _served(step, found, at, ours=ours)
    if value != step.precondition:
        reason = f"{step.target.name} selects {value or 'no colour'} now: a newer change is never overwritten"
        return Stop(step=step, reason=reason)
    if ours:
        reason = f"{step.target.name} was switched back to {value} by somebody: that is never overwritten"
        return Stop(step=step, reason=reason)
    return _hindered(step, at) or Send(step=step, write=select(at.plan, step, found))


def _served(step: Step, found: FoundService, at: Moment, *, ours: bool) -> OfStep:
    gone = [reason for up in steps_of(at.plan, StepKind.SCALE_UP, step.member) if (reason := changed(up, at))]
    if gone and not found.serving:
        return Stop(step=step, reason=f"{step.target.name} selects {step.goal}, and nothing serves it: {gone[0]}")
    if found.strangers or not found.serving:
        seen = f"{found.serving} ready endpoints are {step.goal}'s, {found.strangers} are not"
        waits = f"{step.target.name} selects {step.goal}, and its endpoints are behind: {seen}"
        if found.serving:
            return Wait(reason=waits)
        ups = steps_of(at.plan, StepKind.SCALE_UP, step.member)
        dark = "; ".join(short for up in ups if (short := none_ready(up, at)))
        return Wait(reason=dark or waits, half=dark)
    who = "the receipt is there" if ours else "somebody else had already switched it: nothing written"
    return over(step, StepState.DONE, f"{found.serving} endpoints serve; {who}", at.now)


def _hindered(step: Step, at: Moment) -> Stop | Wait | None:
    """Why it is not switched now. Before the first switch every member's old colour must be whole, and its bad one the
    one that was judged; after it, a member's own old colour must have ready pods, and nobody may have switched another
    one again."""
    first = not moved(at.plan, at.readings)
    for other in steps_of(at.plan, StepKind.SWITCH):
        if other.state is StepState.DONE and (found := switched_again(other, at)):
            return found if isinstance(found, Wait) else Stop(step=step, reason=found)
    ups = steps_of(at.plan, StepKind.SCALE_UP, "" if first else step.member)
    for up in ups:
        if gone := changed(up, at):
            return Stop(step=step, reason=gone)
        if short := able(up, at, ready=int(up.goal) if first else 1):
            return wait_before(step, at, short)
    if not first:
        return None
    reasons = [released_anew(each, at) for each in steps_of(at.plan, StepKind.SCALE_DOWN)]
    reasons += [still_raised(each, at) for each in steps_of(at.plan, StepKind.RAISE_MINIMUM)]
    reason = next((text for text in reasons if text), "")
    return Stop(step=step, reason=reason) if reason else None


def by_hand(ref: Ref, found: FoundService, key: str, colour: str) -> Write:
    """A person's own switch: no receipt, and it passes only on the very Service that was read."""
    path = SELECTOR + escaped(key)
    operations = [
        operation("replace", "/metadata/resourceVersion", found.resource_version),
        operation("test", "/metadata/uid", found.uid),
        operation("test", path, dict(found.selector).get(key)),
        operation("replace", path, colour),
    ]
    return write(ref, operations)


def select(plan: Plan, step: Step, found: FoundService) -> Write:
    """The write of the step's goal; it passes only on the very Service that was read, else it answers 409."""
    path = SELECTOR + escaped(step.body)
    operations = [
        operation("replace", "/metadata/resourceVersion", found.resource_version),
        operation("test", "/metadata/uid", found.uid),
        operation("test", path, dict(found.selector).get(step.body)),
        *leave_receipt(receipt_of(plan, step), found=found.receipt, has_annotations=found.has_annotations),
        operation("replace", path, step.goal),
    ]
    return write(step.target, operations)
