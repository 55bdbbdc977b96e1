"""The rows of what people answer, order, or leave unanswered."""

from __future__ import annotations

from typing import assert_never

from rollguard.model.lifecycle import (
    ApprovalGiven,
    ApprovalRefused,
    ApprovalTimedOut,
    MakePlan,
    OpenIncident,
    TakenOn,
    TakeOn,
    Tell,
    Transition,
)
from rollguard.model.notices import NoticeClass
from rollguard.model.records import LifecycleState

_S = LifecycleState


def given(state: LifecycleState, input: ApprovalGiven) -> Transition:
    """An approval or an order leads to a plan, unless one is under way."""
    match state:
        case _S.WATCHING | _S.AWAITING_APPROVAL | _S.HELD:
            effects = (OpenIncident(reason=input.reason), MakePlan(actor=input.actor, reason=input.reason))
            return Transition(state=_S.PLANNED, effects=effects)
        case _S.PLANNED | _S.ACTING | _S.VERIFYING | _S.CLOSED:
            return _stay(state)
        case _:
            assert_never(state)


def refused(state: LifecycleState, input: ApprovalRefused) -> Transition:
    """A rejection stops what has not begun; what has begun is stopped by a freeze."""
    match state:
        case _S.AWAITING_APPROVAL | _S.PLANNED:
            reason = f"{input.actor} rejected the rollback: {input.reason}"
            return Transition(state=_S.HELD, effects=(Tell(class_=NoticeClass.INFO, topic="rejected", reason=reason),))
        case _S.WATCHING | _S.HELD | _S.ACTING | _S.VERIFYING | _S.CLOSED:
            return _stay(state)
        case _:
            assert_never(state)


def taken_on(state: LifecycleState, input: TakenOn) -> Transition:
    """A person who looks into it holds up no more than the default at the end of a question's time."""
    match state:
        case _S.WATCHING | _S.AWAITING_APPROVAL | _S.HELD:
            reason = f"{input.actor} looks into it" + (f": {input.reason}" if input.reason else "")
            if state is _S.AWAITING_APPROVAL:
                reason += ". The question stays open without a time limit: it waits for approve or reject"
            told = Tell(class_=NoticeClass.INFO, topic="investigating", reason=reason, anew=True)
            return Transition(state=state, effects=(TakeOn(actor=input.actor), told))
        case _S.PLANNED | _S.ACTING | _S.VERIFYING | _S.CLOSED:
            return _stay(state)
        case _:
            assert_never(state)


def timed_out(state: LifecycleState, input: ApprovalTimedOut) -> Transition:
    """No answer in time: as the policy says."""
    match state:
        case _S.AWAITING_APPROVAL if input.roll_back:
            plan = MakePlan(actor="rollguard", reason="nobody answered in time, and the policy then rolls back")
            return Transition(state=_S.PLANNED, effects=(plan,))
        case _S.AWAITING_APPROVAL:
            reason = "nobody answered in time: the new version is left as it is"
            told = Tell(class_=NoticeClass.PAGE, topic="approval-timed-out", reason=reason)
            return Transition(state=_S.HELD, effects=(told,))
        case _S.WATCHING | _S.HELD | _S.PLANNED | _S.ACTING | _S.VERIFYING | _S.CLOSED:
            return _stay(state)
        case _:
            assert_never(state)


def _stay(state: LifecycleState) -> Transition:
    return Transition(state=state, effects=())
