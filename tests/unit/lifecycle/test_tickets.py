"""One ticket for each finding of a rollout: opened, updated and closed, and told no more often than there is news."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import pytest

from rollguard.lifecycle import findings, tickets
from rollguard.model.destinations import Tickets, WebhookChannel
from rollguard.model.handling import Acknowledgement, Ticket, TicketState
from rollguard.model.records import Outcome, RolloutRecord
from rollguard.model.signals import LevelName
from tests.unit.records import ERRORS, START, rollout_record

ANA = Acknowledgement(actor="ana", at=START.plus(60))
WARNED = replace(ERRORS, level=LevelName.WARNING, text="error-rate: 2% of 1,234 requests, bound 1%")
OPEN = replace(rollout_record(), findings=(WARNED,), outcome=None, closed=None)
WARNING, CRITICAL = frozenset({LevelName.WARNING}), frozenset({LevelName.CRITICAL, LevelName.ROLLBACK})


def refreshed(record: RolloutRecord, always: Collection[LevelName] = (), after: float = 0) -> RolloutRecord:
    return tickets.refreshed(record, always, START.plus(after))


def wanted(record: RolloutRecord, signal: str = "") -> RolloutRecord:
    return refreshed(tickets.wanted(record, signal, "", "ana", START))


def only(record: RolloutRecord) -> Ticket:
    (handling,) = record.handling
    assert handling.ticket is not None
    return handling.ticket


def test_without_a_word_of_a_person_or_the_policy_there_is_none() -> None:
    assert refreshed(OPEN) == OPEN
    assert refreshed(OPEN, CRITICAL) == OPEN


@pytest.mark.parametrize("signal", ["", "error-rate"])
def test_a_person_makes_one_of_the_named_finding_or_of_all(signal: str) -> None:
    ticket = only(wanted(OPEN, signal))
    assert ticket.id == "translation-r2-bbb-uid1/error-rate"
    assert (ticket.number, ticket.state, ticket.actor) == (1, TicketState.OPEN, "ana")
    assert (ticket.level, ticket.text) == (LevelName.WARNING, WARNED.text)


def test_wanted_again_it_is_the_same_and_nothing_is_told() -> None:
    record = wanted(OPEN)
    assert wanted(record) == record
    assert refreshed(record, WARNING, 500) == record


def test_where_the_policy_says_so_each_finding_of_the_level_becomes_one_by_itself() -> None:
    ticket = only(refreshed(OPEN, WARNING))
    assert (ticket.state, ticket.actor) == (TicketState.OPEN, "rollguard")
    channel = WebhookChannel(name="tickets", url="https://tickets.example.com")
    assert Tickets(channel=channel, always=(LevelName.CRITICAL,)).levels() == CRITICAL


def test_a_worse_level_is_news_and_a_value_that_moves_or_a_finding_that_goes_is_none() -> None:
    record = wanted(OPEN)
    moved = replace(record, findings=(replace(WARNED, value=0.03, text="error-rate: 3%"),))
    assert refreshed(moved) == moved
    gone = replace(record, findings=())
    assert refreshed(gone) == gone
    worse = refreshed(replace(record, findings=(ERRORS,)), after=90)
    ticket = only(worse)
    assert (ticket.number, ticket.state, ticket.level) == (2, TicketState.UPDATED, LevelName.ROLLBACK)
    assert (ticket.text, ticket.at) == (ERRORS.text, START.plus(90))
    better = replace(worse, findings=(WARNED,))
    assert refreshed(better) == better


def test_a_note_and_the_rollouts_end_are_news_and_a_closed_finding_is_the_last() -> None:
    noted = refreshed(findings.noted(wanted(OPEN), "error-rate", "", "a missing index", ANA))
    assert (only(noted).number, only(noted).note, only(noted).state) == (2, "a missing index", TicketState.UPDATED)
    over = refreshed(replace(noted, outcome=Outcome.HEALTHY, closed=START.plus(900)))
    assert (only(over).number, only(over).outcome) == (3, "healthy")
    closed = refreshed(findings.closed(over, "error-rate", "", ANA))
    assert (only(closed).number, only(closed).state) == (4, TicketState.CLOSED)
    after = replace(closed, findings=(ERRORS,))
    assert refreshed(after) == after


def test_news_before_it_was_told_the_first_time_are_in_its_first_message() -> None:
    record = tickets.wanted(findings.noted(OPEN, "error-rate", "", "seen before", ANA), "error-rate", "", "ana", START)
    ticket = only(refreshed(record))
    assert (ticket.number, ticket.state, ticket.note) == (1, TicketState.OPEN, "seen before")


def test_each_member_of_a_set_has_its_own_and_a_signal_that_is_not_found_has_one_too() -> None:
    found = tuple(replace(WARNED, member=member) for member in ("backend", "frontend"))
    record = refreshed(replace(OPEN, findings=found), WARNING)
    assert [each.ticket.id.split("/", 1)[1] for each in record.handling if each.ticket] == [
        "backend/error-rate",
        "frontend/error-rate",
    ]
    quiet = only(wanted(replace(OPEN, findings=()), "memory"))
    assert (quiet.id, quiet.level, quiet.text) == ("translation-r2-bbb-uid1/memory", None, "")
