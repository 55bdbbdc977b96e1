"""A release set's plan, step kind by step kind: all of one kind before the next, and all or none before the first
switch.

Before the first switch whatever goes wrong ends the plan, and what was raised for it is taken back. After it nothing
does: it waits, and says that the set is half back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from rollguard.model.action import FoundService, Plan, Step, StepKind, StepState
from rollguard.model.names import Ref
from rollguard.undo.answers import (
    Abandon,
    Finished,
    MarkDone,
    Next,
    OfStep,
    Refusals,
    Resume,
    Send,
    Stop,
    Supersede,
    Wait,
    over,
    skipped,
)
from rollguard.undo.autoscaling import raise_minimum, restore_minimum
from rollguard.undo.half import BEGUN, OVER, TAKES_BACK, abandoned, committed, decisive, half_back, moved, steps_of
from rollguard.undo.moment import Moment
from rollguard.undo.scaling import scale_back, scale_down, scale_up
from rollguard.undo.switching import switch

Answer = TypeVar("Answer")
SETTLES = 60.0
"""Seconds that a half-finished set may wait for something by itself before people are told."""
REFUSED_AGAIN = 5.0
"""Seconds until a write that was refused is tried again."""
REFUSED_FOR = 10.0
"""Seconds that the first switch is refused before the plan is given up, with nothing switched."""
PASSES = 60.0
"""Seconds that a step is refused for what may be over soon, before that is a refusal as any other."""

OF_KIND: Mapping[StepKind, Callable[[Step, Moment], OfStep]] = {
    StepKind.RAISE_MINIMUM: raise_minimum,
    StepKind.SCALE_UP: scale_up,
    StepKind.SWITCH: switch,
    StepKind.SCALE_DOWN: scale_down,
    StepKind.RESTORE_MINIMUM: restore_minimum,
    StepKind.SCALE_BACK: scale_back,
}
BEFORE: Mapping[StepKind, tuple[StepKind, ...]] = {
    StepKind.SWITCH: (StepKind.RAISE_MINIMUM, StepKind.SCALE_UP, StepKind.SWITCH, StepKind.SCALE_DOWN),
    StepKind.SCALE_DOWN: (StepKind.SWITCH, StepKind.SCALE_UP),
    StepKind.SCALE_BACK: (StepKind.SWITCH,),
}
"""Whose objects are read as well, for a step of this kind is only right while they are as they should be."""


def due(plan: Plan) -> tuple[Step, ...]:
    """The steps that are worked on now: those of the first kind that is not over."""
    left = sorted((step for step in plan.steps if step.state not in OVER), key=lambda step: step.n)
    return tuple(step for step in left if step.kind is left[0].kind)


def reads(plan: Plan) -> tuple[Ref, ...]:
    """The objects of the steps that are due, and of those that they rest upon."""
    steps = due(plan)
    beside = [each for kind in BEFORE.get(steps[0].kind, ()) for each in steps_of(plan, kind)] if steps else []
    return tuple(dict.fromkeys(step.target for step in (*steps, *beside)))


def next(at: Moment, *, frozen: str) -> Next:
    """What to do now about the steps that are due."""
    steps = due(at.plan)
    if abandoned(at.plan):
        return _taken_back(at, steps, frozen)
    if not steps:
        return Finished()
    if steps[0].kind is StepKind.SCALE_BACK:
        return over(steps[0], StepState.SKIPPED, "the old colour serves, and keeps its pods", at.now)
    answers = [OF_KIND[step.kind](step, at) for step in steps]
    stopped = _first(answers, MarkDone) or _first(answers, Stop)
    if isinstance(stopped, MarkDone):
        return stopped
    if stopped is not None:
        return _stop(at, stopped)
    if frozen:
        return _stop(at, Stop(step=steps[0], reason=f"frozen: {frozen}"))
    if at.now >= at.plan.expires:
        return _expired(at, steps)
    return _first(answers, Send) or _wait(at, [answer for answer in answers if isinstance(answer, Wait)])


def refused(at: Moment, step: Step, reason: str, refusals: Refusals | None) -> Next:
    """What follows where the step's write is refused; `refusals` is None where its write guard fails.

    A first switch that was tried and always refused has switched nothing: the plan ends as before it. One of which an
    answer is missing may have arrived, or may still: it counts as done until it is seen.
    """
    lasts = at.now.since(refusals.since) if refusals is not None and refusals.since is not None else 0.0
    if refusals is not None and refusals.passing and lasts < PASSES:
        return Wait(reason=reason)
    if abandoned(at.plan):
        return MarkDone(step=skipped(step, reason))
    if not committed(at.plan):
        return Abandon(step=step, reason=reason, refused=refusals is not None)
    if refusals is None or not refusals.sure or not _alone(at, step):
        return Wait(reason=reason, half=half_back(at.plan, at.readings, reason), again=REFUSED_AGAIN)
    if lasts < REFUSED_FOR:
        return Wait(reason=reason, again=REFUSED_AGAIN)
    what = f"have it allowed, then roll back again, or fix {_bad_colour(at.plan)} forward"
    return Abandon(step=step, reason=f"{reason}, for {lasts:.0f} s: {what}", refused=True)


def _alone(at: Moment, step: Step) -> bool:
    """Whether the step is the only decisive one that was ever tried, and nothing is seen to be switched, by whom ever.

    A Service that was not read may be.
    """
    kind = decisive(at.plan)
    others = any(each.state in BEGUN for each in steps_of(at.plan, kind) if each.n != step.n)
    if step.kind is not kind or others:
        return False
    switches = steps_of(at.plan, StepKind.SWITCH)
    seen = all(isinstance(at.readings.get(each.target), FoundService) for each in switches)
    return not switches or (seen and not moved(at.plan, at.readings))


def _bad_colour(plan: Plan) -> str:
    switches = steps_of(plan, StepKind.SWITCH)
    return switches[0].precondition if switches else "the new colour"


def _first(answers: list[OfStep], kind: type[Answer]) -> Answer | None:
    found = [answer for answer in answers if isinstance(answer, kind)]
    return found[0] if found else None


def _stop(at: Moment, stop: Stop) -> Abandon | Supersede:
    if committed(at.plan):
        return Supersede(reason=half_back(at.plan, at.readings, stop.reason))
    return Abandon(step=stop.step, reason=stop.reason)


def _expired(at: Moment, steps: tuple[Step, ...]) -> Next:
    reason = f"the plan expired at {at.plan.expires.iso()}"
    if not committed(at.plan):
        return Abandon(step=steps[0], reason=reason)
    if steps[0].kind is StepKind.RESTORE_MINIMUM:
        return MarkDone(step=skipped(steps[0], f"{reason}: set it back by hand"))
    return Resume(reason=half_back(at.plan, at.readings, reason))


def _wait(at: Moment, waits: list[Wait]) -> Wait:
    """All that is waited for. That a set is half back is told once that lasts, and at once where nothing serves a
    Service; a drain is no news."""
    reason, again = "; ".join(dict.fromkeys(wait.reason for wait in waits)), min(wait.again for wait in waits)
    last = max((step.over_at for step in at.plan.steps if step.over_at is not None), default=at.plan.created)
    drain = at.plan.drain if due(at.plan)[0].kind is StepKind.SCALE_DOWN else 0.0
    dark = any(wait.half for wait in waits)
    if not committed(at.plan) or (not dark and at.now.since(last) < SETTLES + drain):
        return Wait(reason=reason, again=again)
    return Wait(reason=reason, half=half_back(at.plan, at.readings, reason), again=again)


def _taken_back(at: Moment, steps: tuple[Step, ...], frozen: str) -> Next:
    """What was raised goes down again, and then the plan is given up with the reason that ended it."""
    if not steps:
        failed = [step.detail for step in at.plan.steps if step.state is StepState.FAILED and step.detail]
        back = [step for step in at.plan.steps if step.kind in TAKES_BACK and step.state is StepState.SKIPPED]
        left = [f"{step.words} ({step.detail})" for step in back]
        return Supersede(reason="; ".join([*dict.fromkeys(failed), *(f"left undone: {text}" for text in left)]))
    step = steps[0]
    answer = OF_KIND[step.kind](step, at)
    if isinstance(answer, MarkDone):
        return answer
    if frozen:
        return MarkDone(step=skipped(step, f"frozen: {frozen}"))
    if at.now >= at.plan.expires:
        return MarkDone(step=skipped(step, f"the plan expired at {at.plan.expires.iso()}"))
    return MarkDone(step=skipped(step, answer.reason)) if isinstance(answer, Stop) else answer
