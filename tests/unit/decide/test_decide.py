"""What is done about each verdict, by mode, and what the reason says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollguard import decide
from rollguard.model.action import DecisionKind
from rollguard.model.judgement import Attribution, Finding, Verdict, VerdictKind
from rollguard.model.policy import Mode
from rollguard.model.requests import Freeze, HumanRequest, RequestKind
from rollguard.model.signals import LevelName
from rollguard.model.situation import Situation
from tests.unit.decide.situations import BEFORE, CRASH_LOOP, GOOD, NOW, at, gap, situation, verdict
from tests.unit.records import ERRORS


def in_mode(mode: Mode) -> Situation:
    return replace(situation(), mode=mode)


def test_a_bad_release_goes_back_to_the_last_healthy_revision() -> None:
    decision = decide.decide(situation(), verdict(), NOW)
    assert decision.kind is DecisionKind.ROLL_BACK
    assert decision.reason == ERRORS.text
    assert decision.target is not None
    assert (decision.target.number, decision.target.judged) == (1, True)
    assert not any(standing.forbids for standing in decision.interlocks)


def test_an_adopted_target_is_said_to_be_unjudged() -> None:
    s = situation()
    decision = decide.decide(replace(s, unit=replace(s.unit, healthy=(), adopted=GOOD)), verdict(), NOW)
    assert decision.target is not None
    assert not decision.target.judged


@pytest.mark.parametrize(
    ("kind", "findings", "expected"),
    [
        (VerdictKind.HEALTHY, (), DecisionKind.CONTINUE),
        (VerdictKind.UNDECIDED, (), DecisionKind.CONTINUE),
        (VerdictKind.BLIND, (), DecisionKind.HOLD),
        (VerdictKind.DEGRADED, (replace(ERRORS, level=LevelName.WARNING),), DecisionKind.WARN),
        (VerdictKind.DEGRADED, (replace(ERRORS, level=LevelName.CRITICAL),), DecisionKind.PAGE),
    ],
)
@pytest.mark.parametrize("mode", list(Mode))
def test_nothing_but_a_bad_verdict_is_acted_upon(
    kind: VerdictKind, findings: tuple[Finding, ...], expected: DecisionKind, mode: Mode
) -> None:
    seen = Verdict(kind=kind, as_of=NOW, findings=findings, gaps=(), readings=(), why="why it is so")
    decision = decide.decide(in_mode(mode), seen, NOW)
    assert decision.kind is expected
    assert not decision.would
    assert decision.reason == (ERRORS.text if findings else "why it is so")


def test_observe_says_what_would_have_been_done_and_does_nothing() -> None:
    decision = decide.decide(in_mode(Mode.OBSERVE), verdict(), NOW)
    assert decision.kind is DecisionKind.PAGE
    assert decision.would is DecisionKind.ROLL_BACK
    assert decision.reason == f"would have rolled back, because {ERRORS.text}"


def test_observe_says_that_it_would_have_asked_after_the_automatic_part() -> None:
    decision = decide.decide(in_mode(Mode.OBSERVE), verdict(), at(1900))
    assert decision.would is DecisionKind.ASK
    assert decision.reason.startswith(f"would have asked for approval, because {ERRORS.text}; but 32 min after")


def test_approve_asks() -> None:
    assert decide.decide(in_mode(Mode.APPROVE), verdict(), NOW).kind is DecisionKind.ASK


@pytest.mark.parametrize("mode", list(Mode))
def test_a_forbidden_release_is_held_in_every_mode(mode: Mode) -> None:
    not_worse = replace(ERRORS, reference=replace(ERRORS.reference, not_worse=True))
    assert decide.decide(in_mode(mode), verdict(not_worse), NOW).kind is DecisionKind.HOLD


def test_a_clean_finding_carries_the_decision_although_another_is_forbidden() -> None:
    past_before = replace(ERRORS, signal="latency", reference=replace(BEFORE, past_bound=True), text="latency: slow")
    decision = decide.decide(situation(), verdict(past_before, ERRORS), NOW)
    assert decision.kind is DecisionKind.ROLL_BACK
    assert ERRORS.text in decision.reason
    assert "latency: slow" not in decision.reason
    assert "left aside" in decision.reason
    assert "latency" in decision.reason


def test_two_findings_each_forbidden_for_its_own_reason_are_held_with_both_reasons() -> None:
    past_before = replace(ERRORS, reference=replace(ERRORS.reference, past_bound=True))
    node = replace(CRASH_LOOP, attribution=Attribution.NODE)
    decision = decide.decide(situation(), verdict(past_before, node), NOW)
    assert decision.kind is DecisionKind.HOLD
    assert {s.name for s in decision.interlocks if s.forbids} == {"past its bound before", "outage"}


def test_events_still_act_while_the_store_is_blind() -> None:
    blind = verdict(ERRORS, CRASH_LOOP, gaps=(gap(),))
    decision = decide.decide(situation(), blind, NOW)
    assert decision.kind is DecisionKind.ROLL_BACK
    assert CRASH_LOOP.text in decision.reason


def test_a_bad_verdict_without_evidence_is_never_acted_upon() -> None:
    seen = replace(verdict(), findings=(replace(ERRORS, level=LevelName.CRITICAL),))
    assert decide.decide(situation(), seen, NOW).kind is DecisionKind.HOLD


def test_a_hold_weighs_more_than_a_question() -> None:
    s = situation()
    frozen = replace(s, unit=replace(s.unit, freeze=Freeze(until=at(4000), actor="ana", reason="launch")))
    assert decide.decide(frozen, verdict(), at(1900)).kind is DecisionKind.HOLD


def test_it_is_decided_again_when_a_freeze_ends() -> None:
    s = situation()
    frozen = replace(s, unit=replace(s.unit, freeze=Freeze(until=NOW.plus(90), actor="ana", reason="launch")))
    assert decide.decide(frozen, verdict(), NOW).wake_at == NOW.plus(90)
    assert decide.decide(s, verdict(), NOW).wake_at == at(1800)
    assert decide.decide(s, verdict(), at(8000)).wake_at is None


@pytest.mark.parametrize("kind", [VerdictKind.BAD, VerdictKind.DEGRADED])
def test_every_reason_contains_the_value_and_the_bound(kind: VerdictKind) -> None:
    for mode in Mode:
        reason = decide.decide(in_mode(mode), verdict(kind=kind), NOW).reason
        assert "14.8%" in reason
        assert "bound 10%" in reason


def test_a_hold_for_what_people_said_is_no_news_and_any_other_is() -> None:
    s = situation()
    rejected = HumanRequest(id="r1", kind=RequestKind.REJECT, actor="ana", at=NOW, reason="known", rollout=s.rollout.id)
    assert decide.decide(replace(s, unit=replace(s.unit, requests=(rejected,))), verdict(), NOW).known
    assert not decide.decide(replace(s, unit=replace(s.unit, healthy=())), verdict(), NOW).known
    assert not decide.decide(s, verdict(), NOW).known
