"""The row of `Decided`."""

from __future__ import annotations

from typing import assert_never

from rollguard.model.action import Decision, DecisionKind
from rollguard.model.judgement import VerdictKind
from rollguard.model.lifecycle import (
    AskApproval,
    Decided,
    Effect,
    MakePlan,
    MarkHealthy,
    OpenIncident,
    Tell,
    Transition,
)
from rollguard.model.notices import NoticeClass
from rollguard.model.records import LifecycleState


def decided(state: LifecycleState, input: Decided) -> Transition:
    """What a decision does: nothing once a plan is stored, for then the plan's own rules hold.

    A question and a hold stand while what led to them is out of sight: a lost answer of the store ends neither.
    """
    decision = input.decision
    over = decision.kind is not DecisionKind.CONTINUE or not input.unseen
    match state:
        case LifecycleState.WATCHING:
            return _watching(decision)
        case LifecycleState.AWAITING_APPROVAL if over:
            return _awaiting(decision)
        case LifecycleState.HELD if over:
            return _held(decision, was_blind=input.was_blind)
        case LifecycleState.AWAITING_APPROVAL | LifecycleState.HELD:
            return Transition(state=state, effects=())
        case LifecycleState.PLANNED | LifecycleState.ACTING | LifecycleState.VERIFYING | LifecycleState.CLOSED:
            return Transition(state=state, effects=())
        case _:
            assert_never(state)


def _watching(decision: Decision) -> Transition:
    match decision.kind:
        case DecisionKind.HOLD:
            blind = decision.verdict.kind is VerdictKind.BLIND  # it comes and goes with the store: once is enough
            return Transition(state=LifecycleState.HELD, effects=_hold(decision, anew=not blind))
        case DecisionKind.ASK:
            return _ask(decision)
        case DecisionKind.ROLL_BACK:
            return _roll_back(decision)
        case DecisionKind.CONTINUE | DecisionKind.WARN | DecisionKind.PAGE:
            return Transition(state=LifecycleState.WATCHING, effects=_watch(decision))
        case _:
            assert_never(decision.kind)


def _awaiting(decision: Decision) -> Transition:
    """The evidence may go while a person thinks: then there is nothing left to ask."""
    match decision.kind:
        case DecisionKind.ASK:
            return Transition(state=LifecycleState.AWAITING_APPROVAL, effects=())
        case DecisionKind.HOLD:
            return Transition(state=LifecycleState.HELD, effects=_hold(decision, anew=True))
        case DecisionKind.ROLL_BACK:
            return _roll_back(decision)
        case DecisionKind.WARN | DecisionKind.PAGE if not decision.would:
            # A value that wavers around its bound is no reason to take the question back.
            return Transition(state=LifecycleState.AWAITING_APPROVAL, effects=())
        case DecisionKind.CONTINUE | DecisionKind.WARN | DecisionKind.PAGE:
            withdrawn = Tell(class_=NoticeClass.INFO, topic="ask-withdrawn", reason=decision.reason, anew=True)
            return Transition(state=LifecycleState.WATCHING, effects=(withdrawn, *_watch(decision)))
        case _:
            assert_never(decision.kind)


def _held(decision: Decision, *, was_blind: bool) -> Transition:
    """A hold ends when its reason is gone: sight returns, a freeze is released, the value is inside all its bounds."""
    match decision.kind:
        case DecisionKind.HOLD if decision.known:
            return Transition(state=LifecycleState.HELD, effects=())
        case DecisionKind.HOLD:
            # Another reason is news, and an old one is repeated at the policy's interval: the outbox knows.
            return Transition(state=LifecycleState.HELD, effects=_hold(decision))
        case DecisionKind.ASK:
            return _ask(decision)
        case DecisionKind.ROLL_BACK:
            return _roll_back(decision)
        case DecisionKind.PAGE if decision.verdict.kind is VerdictKind.BAD and not decision.would:
            return Transition(state=LifecycleState.HELD, effects=_watch(decision))
        case DecisionKind.WARN | DecisionKind.PAGE if not (was_blind or decision.would):
            # A value that wavers around its bound does not end the hold and begin it anew.
            return Transition(state=LifecycleState.HELD, effects=())
        case DecisionKind.CONTINUE | DecisionKind.WARN | DecisionKind.PAGE:
            over = Tell(class_=NoticeClass.INFO, topic="hold-over", reason=decision.reason, anew=not was_blind)
            return Transition(state=LifecycleState.WATCHING, effects=(over, *_watch(decision)))
        case _:
            assert_never(decision.kind)


def _watch(decision: Decision) -> tuple[Effect, ...]:
    """The effects of a decision after which the guard only goes on watching."""
    reason = decision.reason
    if decision.kind is DecisionKind.PAGE:
        topic = "would-roll-back" if decision.would else "critical"
        return (
            OpenIncident(reason=reason),
            Tell(class_=NoticeClass.PAGE, topic=topic, reason=reason, about=decision.about()),
        )
    if decision.kind is DecisionKind.WARN:
        return (Tell(class_=NoticeClass.WARNING, topic="warning", reason=reason, about=decision.about()),)
    if decision.verdict.kind is VerdictKind.HEALTHY:
        return (MarkHealthy(), Tell(class_=NoticeClass.INFO, topic="healthy", reason=reason))
    return ()


def _hold(decision: Decision, *, anew: bool = False) -> tuple[Effect, ...]:
    """To be blind is no fault of the release: it is paged, but it opens no incident of the rollout."""
    if decision.verdict.kind is VerdictKind.BLIND:
        return (Tell(class_=NoticeClass.PAGE, topic="blind", reason=decision.reason, anew=anew),)
    told = Tell(class_=NoticeClass.PAGE, topic="hold", reason=decision.reason, anew=anew, about=decision.about())
    return (OpenIncident(reason=decision.reason), told)


def _ask(decision: Decision) -> Transition:
    """Each question has its own time limit, and so somebody is asked each time."""
    told = Tell(class_=NoticeClass.PAGE, topic="ask", reason=decision.reason, anew=True, about=decision.about())
    effects = (OpenIncident(reason=decision.reason), AskApproval(), told)
    return Transition(state=LifecycleState.AWAITING_APPROVAL, effects=effects)


def _roll_back(decision: Decision) -> Transition:
    plan = MakePlan(actor="rollguard", reason=decision.reason)
    return Transition(state=LifecycleState.PLANNED, effects=(OpenIncident(reason=decision.reason), plan))
