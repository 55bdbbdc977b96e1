"""The table of states: every pair has its row, and the rows that matter most by name."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollguard.lifecycle import advance
from rollguard.model.action import FACTS_INCOMPLETE, Decision, DecisionKind, Standing
from rollguard.model.judgement import VerdictKind
from rollguard.model.lifecycle import (
    Act,
    ApprovalGiven,
    ApprovalRefused,
    ApprovalTimedOut,
    AskApproval,
    Close,
    CutShort,
    Decided,
    EndQuestion,
    LifecycleInput,
    MakePlan,
    MarkHealthy,
    NewTarget,
    OpenIncident,
    PlanDone,
    PlanRefused,
    PlanStored,
    PlanSuperseded,
    RecoverySeen,
    ResolveIncident,
    StartVerifying,
    TakenOn,
    TakeOn,
    Tell,
    Transition,
    WindowOver,
    WorkloadGone,
)
from rollguard.model.notices import NoticeClass
from rollguard.model.records import LifecycleState, Outcome
from rollguard.notify.routing import ENDING
from tests.unit.decide.situations import CRASH_LOOP, verdict

S, K, V = LifecycleState, DecisionKind, VerdictKind


def decided(
    kind: DecisionKind,
    found: VerdictKind,
    *,
    would: bool = False,
    known: bool = False,
    was_blind: bool = False,
    unseen: bool = False,
) -> Decided:
    return Decided(
        was_blind=was_blind,
        unseen=unseen,
        decision=Decision(
            kind=kind,
            reason="14.8% > 10%",
            interlocks=(),
            verdict=verdict(kind=found),
            target=None,
            would=K.ROLL_BACK if would else None,
            known=known,
        ),
    )


INPUTS: dict[str, LifecycleInput] = {
    "healthy": decided(K.CONTINUE, V.HEALTHY),
    "continue": decided(K.CONTINUE, V.UNDECIDED),
    "continue, out of sight": decided(K.CONTINUE, V.UNDECIDED, unseen=True),
    "blind, out of sight": decided(K.HOLD, V.BLIND, unseen=True),
    "warn": decided(K.WARN, V.DEGRADED),
    "critical": decided(K.PAGE, V.DEGRADED),
    "warn, sight is back": decided(K.WARN, V.DEGRADED, was_blind=True),
    "critical, sight is back": decided(K.PAGE, V.DEGRADED, was_blind=True),
    "would": decided(K.PAGE, V.BAD, would=True),
    "page only": decided(K.PAGE, V.BAD),
    "hold": decided(K.HOLD, V.BAD),
    "hold, known": decided(K.HOLD, V.BAD, known=True),
    "blind": decided(K.HOLD, V.BLIND),
    "ask": decided(K.ASK, V.BAD),
    "roll back": decided(K.ROLL_BACK, V.BAD),
    "plan stored": PlanStored(),
    "plan refused": PlanRefused(reason="denied by admission"),
    "plan done": PlanDone(),
    "plan superseded": PlanSuperseded(reason="frozen"),
    "recovered": RecoverySeen(outcome=Outcome.RECOVERED, reason="0.2%"),
    "unconfirmed": RecoverySeen(outcome=Outcome.UNCONFIRMED, reason="no traffic"),
    "did not help": RecoverySeen(outcome=Outcome.DID_NOT_HELP, reason="still 14%"),
    "approved": ApprovalGiven(actor="ana", reason="go"),
    "rejected": ApprovalRefused(actor="ana", reason="known"),
    "timed out": ApprovalTimedOut(roll_back=False),
    "timed out, roll back": ApprovalTimedOut(roll_back=True),
    "taken on": TakenOn(actor="ana", reason="I look"),
    "new target": NewTarget(reason="revision 3"),
    "back": NewTarget(reason="revision 1 as 3", back=True),
    "window over": WindowOver(),
    "window over, healthy": WindowOver(healthy=True),
    "gone": WorkloadGone(),
    "order over": CutShort(reason="no plan was possible"),
}

W, A, P, X, Y, H, C = S.WATCHING, S.AWAITING_APPROVAL, S.PLANNED, S.ACTING, S.VERIFYING, S.HELD, S.CLOSED
FROM = (W, A, P, X, Y, H, C)
TABLE: dict[str, tuple[LifecycleState, ...]] = {
    # from                  watching, awaiting, planned, acting, verifying, held, closed
    "healthy": (W, W, P, X, Y, W, C),
    "continue": (W, W, P, X, Y, W, C),
    "continue, out of sight": (W, A, P, X, Y, H, C),
    "blind, out of sight": (H, H, P, X, Y, H, C),
    "warn": (W, A, P, X, Y, H, C),
    "critical": (W, A, P, X, Y, H, C),
    "warn, sight is back": (W, A, P, X, Y, W, C),
    "critical, sight is back": (W, A, P, X, Y, W, C),
    "would": (W, W, P, X, Y, W, C),
    "page only": (W, A, P, X, Y, H, C),
    "hold": (H, H, P, X, Y, H, C),
    "hold, known": (H, H, P, X, Y, H, C),
    "blind": (H, H, P, X, Y, H, C),
    "ask": (A, A, P, X, Y, A, C),
    "roll back": (P, P, P, X, Y, P, C),
    "plan stored": (X, X, X, X, Y, X, C),
    "plan refused": (W, A, H, H, Y, H, C),
    "plan done": (Y, Y, Y, Y, Y, Y, C),
    "plan superseded": (H, H, H, H, Y, H, C),
    "recovered": (W, A, P, X, C, H, C),
    "unconfirmed": (W, A, P, X, C, H, C),
    "did not help": (W, A, P, X, C, H, C),
    "approved": (P, P, P, X, Y, P, C),
    "rejected": (W, H, H, X, Y, H, C),
    "timed out": (W, H, P, X, Y, H, C),
    "timed out, roll back": (W, P, P, X, Y, H, C),
    "taken on": (W, A, P, X, Y, H, C),
    "new target": (C, C, C, X, C, C, C),
    "back": (C, C, C, X, C, C, C),
    "window over": (C, C, P, X, Y, C, C),
    "window over, healthy": (C, C, P, X, Y, C, C),
    "gone": (C, C, C, C, C, C, C),
    "order over": (C, C, P, X, Y, C, C),
}
PAIRS = list(product(FROM, INPUTS))


@dataclass(frozen=True)
class Told:
    """A notice without its words."""

    class_: NoticeClass
    topic: str


def told(transition: Transition) -> list[Told]:
    return [Told(e.class_, e.topic) for e in transition.effects if isinstance(e, Tell)]


def page(topic: str) -> list[Told]:
    return [Told(NoticeClass.PAGE, topic)]


def kinds(transition: Transition) -> set[type]:
    return {type(effect) for effect in transition.effects}


def outcome(transition: Transition) -> Outcome | None:
    return next((e.outcome for e in transition.effects if isinstance(e, Close)), None)


def test_every_kind_of_input_and_every_state_is_in_this_table() -> None:
    assert {type(input_) for input_ in INPUTS.values()} == set(get_args(LifecycleInput))
    assert set(FROM) == set(LifecycleState)
    assert TABLE.keys() == INPUTS.keys()


@pytest.mark.parametrize(("state", "name"), PAIRS, ids=str)
def test_each_pair_leads_where_the_table_says(state: LifecycleState, name: str) -> None:
    assert advance(state, INPUTS[name]).state is TABLE[name][FROM.index(state)]


@pytest.mark.parametrize(("state", "name"), PAIRS, ids=str)
def test_each_change_of_state_carries_its_effect(state: LifecycleState, name: str) -> None:
    transition = advance(state, INPUTS[name])
    entered = transition.state if transition.state is not state else None
    effects = kinds(transition)
    assert (Close in effects) == (entered is C)
    assert (MakePlan in effects) == (entered is P)
    assert (Act in effects) == (entered is X)
    assert (StartVerifying in effects) == (entered is Y)
    assert (AskApproval in effects) == (entered is A)
    unanswered = name in {"timed out", "timed out, roll back", "rejected"}
    assert (EndQuestion in effects) == (state is A and entered not in (None, C) and not unanswered)
    if entered is H and name != "rejected":
        assert any(t.class_ is NoticeClass.PAGE for t in told(transition))
    assert outcome(transition) is not Outcome.RECOVERED or name == "recovered"
    assert ResolveIncident not in effects or name == "recovered"


@pytest.mark.parametrize("name", INPUTS)
def test_closed_absorbs_everything(name: str) -> None:
    assert advance(C, INPUTS[name]) == Transition(state=C, effects=())


@given(st.lists(st.sampled_from(sorted(INPUTS)), max_size=30))
def test_once_acting_a_rollout_is_never_just_watched_again_without_a_hold_between(story: list[str]) -> None:
    state = W
    for name in story:
        earlier, state = state, advance(state, INPUTS[name]).state
        assert earlier not in {X, Y} or state not in {W, A, P}
        assert earlier is not C or state is C


def test_a_bad_release_is_planned_with_an_incident() -> None:
    transition = advance(W, INPUTS["roll back"])
    assert transition.effects == (
        OpenIncident(reason="14.8% > 10%"),
        MakePlan(actor="rollguard", reason="14.8% > 10%"),
    )


def test_a_hold_pages_and_opens_an_incident_but_blindness_only_pages() -> None:
    assert told(advance(W, INPUTS["hold"])) == page("hold")
    assert OpenIncident in kinds(advance(W, INPUTS["hold"]))
    assert told(advance(W, INPUTS["blind"])) == page("blind")
    assert OpenIncident not in kinds(advance(W, INPUTS["blind"]))


def test_a_hold_and_a_question_that_begin_again_are_told_again_and_blindness_that_flickers_is_not() -> None:
    begins = ((W, "hold"), (A, "hold"), (A, "blind"), (W, "ask"), (H, "ask"), (A, "continue"), (H, "continue"))
    for state, name in begins:
        assert [e.anew for e in advance(state, INPUTS[name]).effects if isinstance(e, Tell)] == [True]
    for state, name in ((H, "hold"), (W, "blind"), (H, "blind")):
        assert [e.anew for e in advance(state, INPUTS[name]).effects if isinstance(e, Tell)] == [False]


def test_a_blind_hold_that_turns_out_bad_is_told() -> None:
    assert told(advance(H, INPUTS["hold"])) == page("hold")


def test_a_hold_that_people_know_of_is_told_when_it_begins_and_not_while_it_lasts() -> None:
    assert told(advance(W, INPUTS["hold, known"])) == page("hold")
    assert advance(H, INPUTS["hold, known"]).effects == ()


@pytest.mark.parametrize("state", [W, A, P, X, H])
def test_a_superseded_plan_pages_in_every_state(state: LifecycleState) -> None:
    assert told(advance(state, INPUTS["plan superseded"])) == page("superseded")


def test_a_rollback_that_did_not_help_pages_and_leaves_the_incident_open() -> None:
    transition = advance(Y, INPUTS["did not help"])
    assert told(transition) == page("did-not-help")
    assert outcome(transition) is Outcome.DID_NOT_HELP


def test_without_traffic_the_rollback_is_unconfirmed_and_paged() -> None:
    transition = advance(Y, INPUTS["unconfirmed"])
    assert told(transition) == page("unconfirmed")
    assert outcome(transition) is Outcome.UNCONFIRMED


def test_recovery_resolves_the_incident() -> None:
    assert ResolveIncident in kinds(advance(Y, INPUTS["recovered"]))


def test_a_person_is_named_in_the_plan_that_they_approve_even_from_a_hold() -> None:
    for state in (W, A, H):
        assert MakePlan(actor="ana", reason="go") in advance(state, INPUTS["approved"]).effects


def test_observe_tells_what_would_have_been_done_and_goes_on_watching() -> None:
    transition = advance(W, INPUTS["would"])
    assert told(transition) == page("would-roll-back")
    assert MakePlan not in kinds(transition)


def test_a_healthy_revision_becomes_a_valid_target() -> None:
    assert MarkHealthy in kinds(advance(W, INPUTS["healthy"]))
    assert MarkHealthy not in kinds(advance(W, INPUTS["continue"]))


def test_the_end_of_the_window_says_how_it_ended() -> None:
    assert outcome(advance(W, INPUTS["window over"])) is Outcome.UNDECIDED
    assert outcome(advance(W, INPUTS["window over, healthy"])) is Outcome.HEALTHY
    assert outcome(advance(H, INPUTS["window over"])) is Outcome.HELD
    assert told(advance(H, INPUTS["window over"])) == page("held-to-the-end")


def test_a_deleted_workload_closes_quietly() -> None:
    for state in (W, A, P, X, Y, H):
        transition = advance(state, INPUTS["gone"])
        assert kinds(transition) == {Close}


def test_a_rollout_that_is_guarded_otherwise_from_here_on_ends_quietly() -> None:
    assert told(advance(W, CutShort(reason="its release set's rollout guards it", handed_over=True))) == []


def test_the_end_of_every_other_rollout_is_told_once_by_a_topic_that_goes_into_the_summary() -> None:
    for state in (W, A, P, X, Y, H):
        for name, input_ in INPUTS.items():
            transition = advance(state, input_)
            if Close in kinds(transition) and name != "gone":
                topics = [each.topic for each in told(transition) if each.topic in ENDING]
                assert len(topics) == 1, (state, name)


def test_a_new_target_after_the_restore_closes_as_rolled_back() -> None:
    assert outcome(advance(Y, INPUTS["new target"])) is Outcome.ROLLED_BACK
    assert outcome(advance(W, INPUTS["new target"])) is Outcome.SUPERSEDED


def test_a_version_that_is_put_back_by_hand_is_an_outcome_of_its_own_and_told_to_who_waits() -> None:
    assert outcome(advance(W, INPUTS["back"])) is Outcome.PUT_BACK
    assert outcome(advance(Y, INPUTS["back"])) is Outcome.ROLLED_BACK
    assert told(advance(W, INPUTS["back"])) == [Told(NoticeClass.INFO, "ended")]
    assert told(advance(H, INPUTS["back"])) == [Told(NoticeClass.INFO, "put-back")]


def test_a_hold_is_about_its_evidence_and_what_forbids_and_not_about_their_words() -> None:
    frozen = Standing(name="frozen", forbids=True, reason="by alice until tomorrow")
    clear = Standing(name="paused", forbids=False, reason="not paused")
    torn = Standing(name=FACTS_INCOMPLETE, forbids=True, reason="pods: 403")

    def about(*standings: Standing, reason: str = "pod api-x2k4p finds no node") -> str:
        decision = Decision(
            kind=DecisionKind.HOLD, reason=reason, interlocks=standings, verdict=verdict(CRASH_LOOP), target=None
        )
        (tell,) = (e for e in advance(H, Decided(decision=decision)).effects if isinstance(e, Tell))
        return tell.about

    assert about(frozen, clear) == about(frozen, reason="pod api-bq7lm finds no node") == "crash-loop rollback; frozen"
    assert about(frozen, torn) == about(frozen)
    assert about(torn) != about(frozen) != about()


@pytest.mark.parametrize("state", [W, A, H])
def test_who_looks_into_it_is_told_to_all_and_nothing_else_moves(state: LifecycleState) -> None:
    transition = advance(state, TakenOn(actor="ana", reason="I look"))
    assert transition.state is state
    assert kinds(transition) == {TakeOn, Tell}
    assert told(transition) == [Told(NoticeClass.INFO, "investigating")]


def test_only_of_a_question_it_is_said_that_its_time_does_not_run() -> None:
    said = {state: advance(state, TakenOn(actor="ana", reason="")).effects[-1] for state in (W, A)}
    assert [isinstance(tell, Tell) and "without a time limit" in tell.reason for tell in said.values()] == [False, True]


def test_what_is_under_way_is_not_taken_on() -> None:
    assert not any(advance(state, TakenOn(actor="ana", reason="")).effects for state in (P, X, Y, C))
