"""A page calls for a person: who takes note in time, and when others are told that nobody has."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollguard.lifecycle import findings, response
from rollguard.model.handling import Acknowledgement, Handling, Via
from rollguard.model.lifecycle import Tell
from rollguard.model.notices import Notice, NoticeClass
from rollguard.model.records import LifecycleState, Outcome, RolloutRecord
from rollguard.model.signals import LevelName
from rollguard.model.time import Instant
from tests.unit.records import ERRORS, START, rollout_record

WITHIN = 300.0
HELD = replace(rollout_record(), state=LifecycleState.HELD, closed=None, outcome=None, notices=())
ANA = Acknowledgement(actor="ana", at=START.plus(60))


def page(topic: str, class_: NoticeClass = NoticeClass.PAGE) -> Tell:
    return Tell(class_=class_, topic=topic, reason="15% > 10%")


def paged(record: RolloutRecord, topic: str = "hold", at: Instant = START) -> RolloutRecord:
    return response.told(record, page(topic), WITHIN, at)


def escalated(record: RolloutRecord, at: Instant) -> RolloutRecord:
    told = Notice(id="n", class_=NoticeClass.PAGE, topic=response.NOT_ACKNOWLEDGED, title="", text="", at=at)
    return replace(record, notices=(*record.notices, told))


def overdue(record: RolloutRecord, after: float = WITHIN) -> bool:
    return response.escalation(record, WITHIN, START.plus(after)) is not None


def test_a_page_that_nobody_acknowledges_in_time_is_told_to_others_and_names_its_time() -> None:
    record = paged(HELD)
    assert not overdue(record, WITHIN - 1)
    tell = response.escalation(record, WITHIN, START.plus(WITHIN))
    assert tell is not None
    assert (tell.class_, tell.topic) == (NoticeClass.PAGE, "not-acknowledged")
    assert tell.reason.startswith("nobody has acknowledged the page of 2026-11-03T02:00:00Z: ")


@pytest.mark.parametrize("via", Via)
def test_who_acknowledges_stops_the_timer_whichever_way_it_came(via: Via) -> None:
    assert not overdue(response.acknowledged(paged(HELD), replace(ANA, via=via)))


def test_who_was_first_stays() -> None:
    record = response.acknowledged(paged(HELD), ANA)
    assert response.acknowledged(record, replace(ANA, actor="ben", at=START.plus(90))).acknowledged == ANA


def test_the_first_page_calls_and_later_ones_move_nothing() -> None:
    record = paged(paged(HELD), "ask", START.plus(100))
    assert record.called == START
    known = response.acknowledged(record, ANA)
    assert paged(known, "superseded", START.plus(200)) == known


@pytest.mark.parametrize("topic", ["rolled-back", "switched-back"])
def test_a_page_that_only_says_what_was_done_calls_nobody(topic: str) -> None:
    assert paged(HELD, topic).called is None


def test_a_warning_calls_nobody() -> None:
    assert response.told(HELD, page("warning", NoticeClass.WARNING), WITHIN, START) == HELD


@pytest.mark.parametrize("topic", ["hold-over", "ask-withdrawn"])
def test_what_takes_the_question_back_takes_the_call_back_and_the_next_page_wants_a_new_answer(topic: str) -> None:
    record = response.acknowledged(paged(HELD), ANA)
    over = response.told(record, page(topic, NoticeClass.INFO), WITHIN, START.plus(100))
    assert not overdue(over, 10_000)
    anew = paged(over, at=START.plus(200))
    assert (anew.called, anew.acknowledged) == (START.plus(200), None)


def test_a_call_whose_time_ran_out_while_nothing_was_wrong_does_not_charge_the_next_page() -> None:
    fine = paged(replace(HELD, state=LifecycleState.WATCHING, findings=()), "critical")
    assert not overdue(fine, 1000)
    assert paged(fine, at=START.plus(1200)).called == START.plus(1200)


def test_a_call_that_was_escalated_goes_on() -> None:
    record = escalated(paged(HELD), START.plus(WITHIN))
    assert paged(record, "ask", START.plus(1200)).called == START
    assert overdue(record, 5000), "it is told again, at the policy's interval"


@pytest.mark.parametrize(("level", "needed"), [(LevelName.WARNING, False), (LevelName.CRITICAL, True)])
def test_while_it_only_watches_a_critical_value_is_what_a_person_is_for(level: LevelName, needed: bool) -> None:
    found = (replace(ERRORS, level=level),)
    record = replace(HELD, state=LifecycleState.WATCHING, findings=found)
    assert overdue(paged(record, "critical")) is needed


def test_who_has_taken_note_of_each_finding_has_answered() -> None:
    record = findings.acknowledged(paged(HELD), "error-rate", "", ANA)
    assert not overdue(record)
    more = replace(record, findings=(*record.findings, replace(ERRORS, signal="memory")))
    assert overdue(more)


def test_an_incident_that_a_person_has_resolved_waits_for_nobody() -> None:
    assert not overdue(replace(paged(HELD), incident_resolved=START.plus(10)))


@pytest.mark.parametrize(
    ("outcome", "left"),
    [
        (Outcome.DID_NOT_HELP, True),
        (Outcome.UNCONFIRMED, True),
        (Outcome.HELD, True),
        (Outcome.RECOVERED, False),
        (Outcome.SUPERSEDED, False),
        (Outcome.HEALTHY, False),
    ],
)
def test_of_a_rollout_that_is_over_others_are_told_once_where_it_leaves_something_to_do(
    outcome: Outcome, left: bool
) -> None:
    over = paged(replace(rollout_record(), outcome=outcome, closed=START.plus(5), notices=()))
    assert (overdue(over), response.waits(over)) == (left, left)
    told = escalated(over, START.plus(WITHIN))
    assert not overdue(told)
    assert not response.waits(told)


def test_who_looks_into_it_has_seen_it_and_stops_the_clock_of_the_question() -> None:
    asked = replace(paged(HELD), state=LifecycleState.AWAITING_APPROVAL, asked_until=START.plus(300))
    taken = response.taken_on(asked, ANA)
    assert (taken.acknowledged, taken.investigating, taken.asked_until) == (ANA, ANA, None)
    assert not overdue(taken, 10_000)
    over = response.told(taken, page("ask-withdrawn", NoticeClass.INFO), WITHIN, START.plus(400))
    assert not overdue(paged(over, "ask", START.plus(500)), 10_000)


def test_what_people_say_about_a_signal_is_kept_for_each_member_in_which_it_was_found() -> None:
    found = tuple(replace(ERRORS, member=member) for member in ("backend", "frontend"))
    record = findings.noted(replace(HELD, findings=found), "error-rate", "", "a bad index", ANA)
    assert [(each.member, each.note, each.noted) for each in record.handling] == [
        ("backend", "a bad index", ANA),
        ("frontend", "a bad index", ANA),
    ]
    one = findings.closed(record, "error-rate", "frontend", ANA)
    assert [each.closed for each in one.handling] == [None, ANA]
    assert one.handling[1].note == "a bad index"


def test_a_signal_whose_finding_is_over_can_still_be_documented() -> None:
    record = findings.noted(replace(HELD, findings=()), "error-rate", "", "it was the load test", ANA)
    assert record.handling == (Handling(signal="error-rate", note="it was the load test", noted=ANA),)
    assert findings.named(record) == ("error-rate",)


def test_to_close_a_finding_is_to_have_taken_note_and_a_long_note_is_cut_with_a_mark() -> None:
    record = findings.noted(findings.closed(HELD, "error-rate", "", ANA), "error-rate", "", "x" * 900, ANA)
    assert record.handling[0].acknowledged == ANA
    assert record.handling[0].note == "x" * 299 + "…"
    assert findings.noted(record, "error-rate", "", "", ANA) == record
