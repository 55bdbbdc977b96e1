"""What a ticket's message says, for people and as the documented body."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rollguard.loop.ticketing import ticketed
from rollguard.model.destinations import Tickets, WebhookChannel
from rollguard.model.handling import Ticket, TicketState
from rollguard.model.notices import Notice, NoticeClass
from rollguard.model.signals import LevelName
from rollguard.notify import ticket_payload
from rollguard.notify.tickets import reason
from tests.unit.judge.building import policy
from tests.unit.records import ERRORS, START, rollout_record, unit_record

TICKET = Ticket(
    id="translation-r2-bbb-uid1/error-rate",
    number=1,
    state=TicketState.OPEN,
    signal="error-rate",
    actor="ana",
    at=START,
    text=ERRORS.text,
    level=LevelName.ROLLBACK,
)


def notice(ticket: Ticket | None) -> Notice:
    return Notice(id="n-1", class_=NoticeClass.INFO, topic="ticket", title="t", text="x", at=START, ticket=ticket)


def test_the_first_says_who_wants_it_and_a_later_one_what_is_new() -> None:
    assert reason(TICKET) == f"error-rate wants a ticket, says ana; {ERRORS.text}"
    later = replace(TICKET, number=3, state=TicketState.UPDATED, member="backend", note="an index", outcome="recovered")
    assert reason(later) == (
        f"backend error-rate has news; {ERRORS.text}; note: an index; the rollout ended: recovered"
    )


def test_the_body_is_the_documented_one_and_says_what_was_so_then() -> None:
    body = json.loads(ticket_payload(notice(TICKET), rollout_record()))
    rollout = body.pop("rollout")
    assert body == {
        "version": "1",
        "kind": "ticket",
        "id": "translation-r2-bbb-uid1/error-rate",
        "number": 1,
        "state": "open",
        "title": "t",
        "text": "x",
        "at": "2026-11-03T02:00:00.000Z",
        "actor": "ana",
        "finding": {
            "member": None,
            "signal": "error-rate",
            "level": "rollback",
            "text": ERRORS.text,
            "note": None,
        },
        "outcome": None,
    }
    assert (rollout["id"], rollout["workload"]) == ("translation-r2-bbb-uid1", "translation")
    assert "rollout" not in json.loads(ticket_payload(notice(TICKET), None))


def test_a_notice_about_no_ticket_has_no_such_body() -> None:
    with pytest.raises(ValueError, match="n-1 is about no ticket"):
        ticket_payload(notice(None), None)


def test_a_ticket_is_a_notice_of_its_own_with_one_id_for_each_message_and_none_without_an_address() -> None:
    tickets = Tickets(
        channel=WebhookChannel(name="tickets", url="https://tickets.example.com"), always=(LevelName.CRITICAL,)
    )
    with_address = replace(policy(), tickets=tickets)
    bare = replace(rollout_record(), notices=(), timeline=())
    assert ticketed(bare, unit=unit_record(), policy=policy(), now=START) == bare
    record = ticketed(bare, unit=unit_record(), policy=with_address, now=START)
    (told,) = record.notices
    assert told.ticket == record.handling[0].ticket
    assert told.title == "Ticket: production/translation on lab, error-rate (open)"
    assert (told.class_, told.topic) == (NoticeClass.INFO, "ticket")
    assert told.id.startswith("translation-r2-bbb-uid1.ticket.")
    assert told.id.endswith(".1")
    assert ticketed(record, unit=unit_record(), policy=with_address, now=START.plus(5)) == record
