"""The table: one row per kind of input, one cell per state. `closed` absorbs everything."""

from __future__ import annotations

from typing import assert_never

from rollguard.lifecycle import decisions, plans, requests
from rollguard.model.lifecycle import (
    ApprovalGiven,
    ApprovalRefused,
    ApprovalTimedOut,
    Close,
    CutShort,
    Decided,
    EndQuestion,
    LifecycleInput,
    NewTarget,
    PlanDone,
    PlanRefused,
    PlanStored,
    PlanSuperseded,
    RecoverySeen,
    TakenOn,
    Tell,
    Transition,
    WindowOver,
    WorkloadGone,
)
from rollguard.model.notices import NoticeClass
from rollguard.model.records import LifecycleState, Outcome


def advance(state: LifecycleState, input: LifecycleInput) -> Transition:
    """The next state with its effects, in the order in which they are to happen; defined for every pair."""
    if state is LifecycleState.CLOSED:
        return Transition(state=state, effects=())
    transition = _row(state, input)
    if state is not LifecycleState.AWAITING_APPROVAL or transition.state in (state, LifecycleState.CLOSED):
        return transition
    if isinstance(input, ApprovalTimedOut | ApprovalRefused):
        return transition
    return Transition(state=transition.state, effects=(EndQuestion(), *transition.effects))


def _row(state: LifecycleState, input: LifecycleInput) -> Transition:
    match input:
        case Decided():
            return decisions.decided(state, input)
        case PlanStored():
            return plans.stored(state)
        case PlanRefused():
            return plans.refused(state, input)
        case PlanDone():
            return plans.done(state, input)
        case PlanSuperseded():
            return plans.superseded(state, input)
        case RecoverySeen():
            return plans.recovery(state, input)
        case ApprovalGiven():
            return requests.given(state, input)
        case ApprovalRefused():
            return requests.refused(state, input)
        case ApprovalTimedOut():
            return requests.timed_out(state, input)
        case TakenOn():
            return requests.taken_on(state, input)
        case NewTarget():
            return _new_target(state, input)
        case WindowOver():
            return _window_over(state, input)
        case WorkloadGone():
            return _close(Outcome.GONE, "the workload was deleted")
        case CutShort():
            return _cut_short(state, input)
        case _:
            assert_never(input)


def _new_target(state: LifecycleState, input: NewTarget) -> Transition:
    outcome, topic = (Outcome.PUT_BACK, "put-back") if input.back else (Outcome.SUPERSEDED, "new-target")
    match state:
        case LifecycleState.ACTING:
            # The step's own fresh read says whether this is our write or a newer change, never the cache.
            return Transition(state=state, effects=())
        case LifecycleState.VERIFYING:
            told = Tell(class_=NoticeClass.WARNING, topic="verification-cut-short", reason=input.reason)
            return _close(Outcome.ROLLED_BACK, input.reason, told)
        case LifecycleState.WATCHING:
            return _close(outcome, input.reason, _ended(input.reason))
        case LifecycleState.AWAITING_APPROVAL | LifecycleState.PLANNED | LifecycleState.HELD:
            told = Tell(class_=NoticeClass.INFO, topic=topic, reason=input.reason)
            return _close(outcome, input.reason, told)
        case LifecycleState.CLOSED:
            return Transition(state=state, effects=())
        case _:
            assert_never(state)


def _window_over(state: LifecycleState, input: WindowOver) -> Transition:
    match state:
        case LifecycleState.WATCHING:
            if input.healthy:
                reason = "the guard window is over and the revision was judged healthy"
                return _close(Outcome.HEALTHY, reason, _ended(reason))
            reason = "the guard window is over without a conclusion"
            return _close(Outcome.UNDECIDED, reason, _ended(reason))
        case LifecycleState.AWAITING_APPROVAL | LifecycleState.HELD:
            rests = f"it is left as it is, {input.left}" if input.left else "the new version is left as it is"
            reason = f"the guard window is over and nobody decided: {rests}"
            told = Tell(class_=NoticeClass.PAGE, topic="held-to-the-end", reason=reason)
            return _close(Outcome.HELD, reason, told)
        case LifecycleState.PLANNED | LifecycleState.ACTING | LifecycleState.VERIFYING | LifecycleState.CLOSED:
            return Transition(state=state, effects=())
        case _:
            assert_never(state)


def _cut_short(state: LifecycleState, input: CutShort) -> Transition:
    match state:
        case LifecycleState.WATCHING | LifecycleState.AWAITING_APPROVAL | LifecycleState.HELD:
            told = () if input.handed_over else (_ended(input.reason),)
            return _close(Outcome.UNDECIDED, input.reason, *told)
        case LifecycleState.PLANNED | LifecycleState.ACTING | LifecycleState.VERIFYING | LifecycleState.CLOSED:
            return Transition(state=state, effects=())
        case _:
            assert_never(state)


def _ended(reason: str) -> Tell:
    """Where nothing else tells the end."""
    return Tell(class_=NoticeClass.INFO, topic="ended", reason=reason)


def _close(outcome: Outcome, reason: str, *before: Tell) -> Transition:
    return Transition(state=LifecycleState.CLOSED, effects=(*before, Close(outcome=outcome, reason=reason)))
