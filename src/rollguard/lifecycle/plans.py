"""The rows of what happens to a plan, and of the recovery after it."""

from __future__ import annotations

from typing import assert_never

from rollguard.model.lifecycle import (
    Act,
    Close,
    OpenIncident,
    PlanDone,
    PlanRefused,
    PlanSuperseded,
    RecoverySeen,
    ResolveIncident,
    StartVerifying,
    Tell,
    Transition,
)
from rollguard.model.notices import NoticeClass
from rollguard.model.records import LifecycleState, Outcome

_S = LifecycleState


def stored(state: LifecycleState) -> Transition:
    """A stored plan is acted on, whoever stored it."""
    match state:
        case _S.PLANNED | _S.WATCHING | _S.AWAITING_APPROVAL | _S.HELD:
            return Transition(state=_S.ACTING, effects=(Act(),))
        case _S.ACTING | _S.VERIFYING | _S.CLOSED:
            return _stay(state)
        case _:
            assert_never(state)


def refused(state: LifecycleState, input: PlanRefused) -> Transition:
    """No plan, no effect: a person must look."""
    match state:
        case _S.PLANNED | _S.ACTING:
            told = Tell(class_=NoticeClass.PAGE, topic="plan-refused", reason=input.reason)
            return Transition(state=_S.HELD, effects=(OpenIncident(reason=input.reason), told))
        case _S.WATCHING | _S.AWAITING_APPROVAL | _S.HELD | _S.VERIFYING | _S.CLOSED:
            return _stay(state)
        case _:
            assert_never(state)


def done(state: LifecycleState, input: PlanDone) -> Transition:
    """The old version is back; a write that took effect after its plan was given up counts as well."""
    match state:
        case _S.PLANNED | _S.ACTING | _S.HELD | _S.WATCHING | _S.AWAITING_APPROVAL:
            reason = (
                f"{input.back}; whether it helps is being watched."
                " What was undone is not gone back to until it is judged healthy or adopted anew"
            )
            if input.caveat:
                reason += f". {input.caveat}"
            told = Tell(class_=NoticeClass.PAGE, topic="rolled-back", reason=reason)
            return Transition(state=_S.VERIFYING, effects=(StartVerifying(), told))
        case _S.VERIFYING | _S.CLOSED:
            return _stay(state)
        case _:
            assert_never(state)


def superseded(state: LifecycleState, input: PlanSuperseded) -> Transition:
    """A plan that is given up is held and paged, in whatever state that is learnt."""
    match state:
        case _S.WATCHING | _S.AWAITING_APPROVAL | _S.PLANNED | _S.ACTING | _S.HELD:
            told = Tell(class_=NoticeClass.PAGE, topic="superseded", reason=input.reason)
            return Transition(state=_S.HELD, effects=(OpenIncident(reason=input.reason), told))
        case _S.VERIFYING | _S.CLOSED:
            return _stay(state)
        case _:
            assert_never(state)


def recovery(state: LifecycleState, input: RecoverySeen) -> Transition:
    """The end of the verification; only a real recovery resolves the incident."""
    match state:
        case _S.VERIFYING:
            return _recovered(input)
        case _S.WATCHING | _S.AWAITING_APPROVAL | _S.PLANNED | _S.ACTING | _S.HELD | _S.CLOSED:
            return _stay(state)
        case _:
            assert_never(state)


def _recovered(input: RecoverySeen) -> Transition:
    close = Close(outcome=input.outcome, reason=input.reason)
    if input.outcome is Outcome.RECOVERED:
        told = Tell(class_=NoticeClass.INFO, topic="recovered", reason=input.reason)
        return Transition(state=_S.CLOSED, effects=(ResolveIncident(), told, close))
    topic = "unconfirmed" if input.outcome is Outcome.UNCONFIRMED else "did-not-help"
    told = Tell(class_=NoticeClass.PAGE, topic=topic, reason=input.reason)
    return Transition(state=_S.CLOSED, effects=(told, close))


def _stay(state: LifecycleState) -> Transition:
    return Transition(state=state, effects=())
