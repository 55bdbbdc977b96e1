"""Replicas: the old colour gets what it needs and is waited for, the bad one goes to 0 when its connections drained."""

from __future__ import annotations

from rollguard.model.action import Absent, Found, Plan, Step, StepKind, StepState, Unknown, Write
from rollguard.undo.answers import OfStep, Send, Stop, Wait, over
from rollguard.undo.half import BEGUN, committed, steps_of
from rollguard.undo.moment import Moment, unreadable
from rollguard.undo.patch import leave_receipt, left_by, operation, parse, receipt_of, write

REPLICAS = "/spec/replicas"
HOPELESS_AFTER = 30.0
"""Seconds after which pods that say that an image or a Secret is gone are not waited for any longer."""
LONGEST_WAIT = 10.0


def scale_up(step: Step, at: Moment) -> OfStep:
    """Ready: done. Fewer replicas than needed: sent, once. Pods that do not become ready in time: stop."""
    found = at.deployment(step.target)
    if isinstance(found, Unknown):
        return Wait(reason=unreadable(step.target, found))
    if isinstance(found, Absent):
        return Stop(step=step, reason=unreadable(step.target, found))
    if unfit := _unfit(step, found):
        return Stop(step=step, reason=unfit)
    needed, ours = int(step.goal), left_by(at.plan, step, found.receipt)
    if found.replicas < needed:
        if ours:
            reason = f"something set the replicas of {step.target.name} back to {found.replicas} after {needed}"
            return Stop(step=step, reason=f"{reason}: find out what scales it, then roll back again")
        return Send(step=step, write=set_replicas(at.plan, step, found))
    if found.ready >= needed and found.observed_generation >= found.generation:
        return over(step, StepState.DONE, f"{found.ready} pods are ready", at.now)
    return _not_ready(step, found, at)


def able(step: Step, at: Moment, *, ready: int) -> str:
    """Why the old colour cannot serve now, by a fresh read; empty where it has so many ready pods and its template."""
    found = at.deployment(step.target)
    if isinstance(found, Unknown | Absent):
        return unreadable(step.target, found)
    if unfit := _unfit(step, found):
        return unfit
    return "" if found.ready >= ready else f"{found.ready} of {step.goal} pods of {step.target.name} are ready"


def none_ready(step: Step, at: Moment) -> str:
    """Says that the old colour has no ready pod any more; empty where it has one, or that is not known."""
    found = at.deployment(step.target)
    if not isinstance(found, Found) or found.ready:
        return ""
    return f"{step.target.name} has {found.replicas} replicas and none is ready: it serves nobody"


def wait_before(step: Step, at: Moment, reason: str) -> Stop | Wait:
    """Waits for the old colour, before the first decisive step no longer than it may take to be ready.

    One that was tried may have arrived, or may still: what was raised for it must stay, and it is gone on with.
    """
    if at.too_long and not committed(at.plan):
        return Stop(step=step, reason=f"{reason}, after {at.now.since(at.plan.created):.0f} s")
    return Wait(reason=reason)


def changed(step: Step, at: Moment) -> str:
    """Why the old colour is not what it was any more; empty where it is, or is not known."""
    found = at.deployment(step.target)
    if isinstance(found, Unknown):
        return ""
    return unreadable(step.target, found) if isinstance(found, Absent) else _unfit(step, found)


def released_anew(step: Step, at: Moment) -> str:
    """Why the bad colour is not what was judged any more; empty where it is, or is not known, or is gone."""
    found = at.deployment(step.target)
    if isinstance(found, Unknown | Absent) or found.template_digest == step.precondition:
        return ""
    return f"the template of {step.target.name} was changed since it was judged: a newer change is never overwritten"


def _unfit(step: Step, found: Found) -> str:
    name = step.target.name
    if found.template_digest != step.precondition:
        return f"the template of {name} was changed since it served: it is no way back any more"
    return f"{name} was paused: `kubectl rollout resume deployment/{name}` first" if found.paused else ""


def _not_ready(step: Step, found: Found, at: Moment) -> OfStep:
    """What its pods say is why, and what a person can do."""
    said, waited = at.unready.get(step.target), at.now.since(at.plan.created)
    reason = f"{found.ready} of {step.goal} pods of {step.target.name} are ready"
    hopeless = said is not None and said.hopeless and waited >= HOPELESS_AFTER
    words = f"; the others say: {said.words}" if said is not None else ""
    if committed(at.plan) or not (hopeless or at.too_long):
        return Wait(reason=reason + words)
    return Stop(
        step=step,
        reason=f"{reason} after {waited:.0f} s{words}. {_advice(step, refused=said is not None and said.refused)},"
        " then roll back again, or fix the new colour forward",
    )


def _advice(step: Step, *, refused: bool) -> str:
    kubectl = f"`kubectl -n {step.target.namespace} describe"
    if refused:
        return f"See {kubectl} deployment {step.target.name}`; lift what refuses its pods (a quota, admission)"
    return f"See {kubectl} pods`; get its image and its pods back"


def scale_down(step: Step, at: Moment) -> OfStep:
    """Nobody is served by it any more, and the drain is over: to 0, once. A newer template of it stays as it is."""
    found = at.deployment(step.target)
    if isinstance(found, Unknown):
        return Wait(reason=unreadable(step.target, found))
    if isinstance(found, Absent):
        return over(step, StepState.SKIPPED, unreadable(step.target, found), at.now)
    ours = left_by(at.plan, step, found.receipt)
    if found.replicas == int(step.goal):
        return over(step, StepState.DONE, _ended(step, ours), at.now)
    if ours:
        return over(step, StepState.DONE, f"somebody scaled it to {found.replicas} since", at.now)
    if found.template_digest != step.precondition:
        reason = f"the template of {step.target.name} was changed since it was judged: it is left as it is"
        return over(step, StepState.SKIPPED, reason, at.now) if committed(at.plan) else Stop(step=step, reason=reason)
    if found.paused:
        return Stop(step=step, reason=f"{step.target.name} was paused")
    return _drained(step, at) or Send(step=step, write=set_replicas(at.plan, step, found))


def _ended(step: Step, ours: bool) -> str:
    return f"it had {step.body}" if ours else "somebody else scaled it down: nothing written"


def _drained(step: Step, at: Moment) -> Stop | Wait | None:
    """Why it may not end yet: its Services must serve the old colour, which must be able to, and the drain be over."""
    for switch in steps_of(at.plan, StepKind.SWITCH):
        if found := switched_again(switch, at):
            return found if isinstance(found, Wait) else Stop(step=step, reason=found)
    for up in steps_of(at.plan, StepKind.SCALE_UP):
        if gone := changed(up, at):
            return Stop(step=step, reason=gone)
        # before the first step that ends the bad colour the whole capacity is asked for, later that it serves at all
        if short := able(up, at, ready=1 if committed(at.plan) else int(up.goal)):
            return wait_before(step, at, short)
    ends = [each.over_at for each in steps_of(at.plan, StepKind.SWITCH) if each.over_at is not None]
    left = at.plan.drain - at.now.since(max(ends)) if ends else 0.0
    if left > 0:
        return Wait(reason=f"its connections drain for {left:.0f} s", again=min(max(left, 0.1), LONGEST_WAIT))
    return None


def switched_again(switch: Step, at: Moment) -> str | Wait:
    """Says that the Service of a switch that is done does not select the old colour any more; empty where it does."""
    service = at.service(switch.target)
    if isinstance(service, Unknown):
        return Wait(reason=unreadable(switch.target, service))
    if isinstance(service, Absent):
        return unreadable(switch.target, service)
    value = dict(service.selector).get(switch.body, "")
    if value == switch.goal:
        return ""
    return f"{switch.target.name} was switched to {value or 'no colour'} since: that is never overwritten"


def scale_back(step: Step, at: Moment) -> OfStep:
    """Of a plan that is given up: what was scaled up becomes what it was. What somebody else set since stays."""
    found = at.deployment(step.target)
    if isinstance(found, Unknown):
        return Wait(reason=unreadable(step.target, found))
    if isinstance(found, Absent):
        return over(step, StepState.SKIPPED, unreadable(step.target, found), at.now)
    raising = next(each for each in steps_of(at.plan, StepKind.SCALE_UP) if each.target == step.target)
    if left_by(at.plan, step, found.receipt):
        return over(step, StepState.DONE, "the receipt is there", at.now)
    was, late = found.replicas == int(step.goal), raising.state in (*BEGUN, StepState.FAILED)
    if was and not late:
        return over(step, StepState.DONE, "it is what it was: nothing written", at.now)
    serving = _serving(step, at)
    if isinstance(serving, Wait):
        return serving
    raised = found.replicas == int(step.body) and left_by(at.plan, raising, found.receipt)
    if serving or not (was or raised):
        reason = f"{step.target.name} has {found.replicas} replicas: it is left so{serving}"
        return over(step, StepState.SKIPPED, reason, at.now)
    return Send(step=step, write=set_replicas(at.plan, step, found))


def _serving(step: Step, at: Moment) -> str | Wait:
    """Says that a Service selects the old colour by now, by whom ever: then it keeps its pods."""
    for switch in steps_of(at.plan, StepKind.SWITCH, step.member):
        service = at.service(switch.target)
        if isinstance(service, Unknown):
            return Wait(reason=unreadable(switch.target, service))
        if not isinstance(service, Absent) and dict(service.selector).get(switch.body, "") == switch.goal:
            return f", for {switch.target.name} serves it"
    return ""


def set_replicas(plan: Plan, step: Step, found: Found) -> Write:
    """The write of the step's goal; it passes only on the template, the replicas and the receipt that were read."""
    operations = [
        operation("test", "/metadata/uid", found.uid),
        operation("test", "/spec/template", parse(found.raw_template)),
        operation("test", REPLICAS, found.replicas),
        *leave_receipt(receipt_of(plan, step), found=found.receipt, has_annotations=found.has_annotations),
        operation("replace", REPLICAS, int(step.goal)),
    ]
    return write(step.target, operations)
