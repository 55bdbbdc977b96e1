"""Tickets: one for each finding of a rollout for which it is wanted, told anew when what it says is not so any more.

What it says: the worst level that was found, what people noted, how the rollout ended, that the finding was closed. A
value that moves, or a finding that comes and goes, is no news.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import partial

from rollguard.lifecycle import findings
from rollguard.model.handling import Handling, Ticket, TicketState
from rollguard.model.judgement import Finding
from rollguard.model.names import RolloutId
from rollguard.model.records import RolloutRecord
from rollguard.model.signals import LevelName
from rollguard.model.time import Instant

TEXT = 300
"""Characters of the finding's sentence."""
GUARD = "rollguard"
_WORST_LAST = (None, LevelName.WARNING, LevelName.CRITICAL, LevelName.ROLLBACK)


def wanted(record: RolloutRecord, signal: str, member: str, actor: str, now: Instant) -> RolloutRecord:
    """The record of which that person wants a ticket for the signal's findings (empty: for every finding).

    One that there is already stays the same.
    """
    signals = (signal,) if signal else tuple(dict.fromkeys(found.signal for found in record.findings))
    for one in signals:
        record = findings.changed(record, one, member, partial(_wanted, record.id, actor, now))
    return record


def refreshed(record: RolloutRecord, always: Collection[LevelName], now: Instant) -> RolloutRecord:
    """The record with each ticket as it has to be told now, and one for each finding of the levels that always get one.

    A ticket that is told already as it is stays as it is.
    """
    for found in record.findings:
        if found.level in always:
            record = findings.changed(record, found.signal, found.member, partial(_wanted, record.id, GUARD, now))
    told = tuple(_present(record, each, now) for each in record.handling)
    return replace(record, handling=told) if told != record.handling else record


def _wanted(rollout: RolloutId, actor: str, now: Instant, known: Handling) -> Handling:
    """With a ticket that was not told yet, where there is none."""
    if known.ticket is not None:
        return known
    path = (str(rollout), *((known.member,) if known.member else ()), known.signal)
    fresh = Ticket(
        id="/".join(path),
        number=0,
        state=TicketState.OPEN,
        signal=known.signal,
        member=known.member,
        actor=actor,
        at=now,
    )
    return replace(known, ticket=fresh)


def _present(record: RolloutRecord, handling: Handling, now: Instant) -> Handling:
    old = handling.ticket
    if old is None or old.state is TicketState.CLOSED:
        return handling
    found = next((f for f in record.findings if (f.member, f.signal) == (handling.member, handling.signal)), None)
    level, text = _worst(old, found)
    new = replace(
        old,
        level=level,
        text=text,
        note=handling.note,
        outcome=record.outcome.value if record.outcome is not None else "",
        state=TicketState.CLOSED if handling.closed is not None else old.state,
    )
    if new == old and old.number:
        return handling
    state = new.state if new.state is TicketState.CLOSED or not old.number else TicketState.UPDATED
    return replace(handling, ticket=replace(new, number=old.number + 1, state=state, at=now))


def _worst(old: Ticket, found: Finding | None) -> tuple[LevelName | None, str]:
    """The worst level so far, with the sentence that said it."""
    if found is None or _WORST_LAST.index(found.level) <= _WORST_LAST.index(old.level):
        return old.level, old.text
    return found.level, found.text if len(found.text) <= TEXT else found.text[: TEXT - 1] + "…"
