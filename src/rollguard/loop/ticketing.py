"""Puts the messages about tickets into the outbox, in the write that makes them due: each once."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from rollguard.lifecycle import tickets
from rollguard.loop import telling, timeline
from rollguard.model.handling import Ticket
from rollguard.model.lifecycle import Tell
from rollguard.model.notices import Notice, NoticeClass
from rollguard.model.policy import Policy
from rollguard.model.records import RolloutRecord, TimelineEntry, UnitRecord
from rollguard.model.time import Instant
from rollguard.notify.tickets import TOPIC, reason
from rollguard.notify.words import words
from rollguard.record import thinned


def ticketed(record: RolloutRecord, *, unit: UnitRecord, policy: Policy, now: Instant) -> RolloutRecord:
    """The record with a message for each ticket that says something else by now; the same where there is none, or where
    the policy names no address for tickets."""
    if policy.tickets is None:
        return record
    updated = tickets.refreshed(record, policy.tickets.levels(), now)
    told = {each.ticket for each in record.handling}
    fresh = [each.ticket for each in updated.handling if each.ticket is not None and each.ticket not in told]
    for ticket in fresh:
        notice = _notice(updated, ticket, unit=unit, policy=policy, now=now)
        line = TimelineEntry(at=now, kind="notice", text=notice.title)
        kept = thinned((*updated.notices, notice), telling.NOTICES)
        updated = timeline.with_entries(replace(updated, notices=kept), (line,))
    return updated


def _notice(record: RolloutRecord, ticket: Ticket, *, unit: UnitRecord, policy: Policy, now: Instant) -> Notice:
    said = words(Tell(class_=NoticeClass.INFO, topic=TOPIC, reason=reason(ticket)), record, unit, policy, now)
    key = hashlib.sha256(ticket.id.encode()).hexdigest()[:8]
    return Notice(
        id=f"{record.id}.{TOPIC}.{key}.{ticket.number}",
        class_=NoticeClass.INFO,
        topic=TOPIC,
        title=f"{said.title}, {f'{ticket.member} ' if ticket.member else ''}{ticket.signal} ({ticket.state.value})",
        text=said.text,
        at=now,
        team=unit.team,
        ticket=ticket,
    )
