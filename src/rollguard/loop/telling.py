"""Notices in the outboxes of the records: what is told, what is known already, and what is kept back."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace

from rollguard.lifecycle import findings, recurring, response
from rollguard.loop.timeline import with_entries
from rollguard.model.lifecycle import (
    Tell,
)
from rollguard.model.notices import Notice, NoticeState
from rollguard.model.policy import Policy
from rollguard.model.records import RolloutRecord, TimelineEntry, UnitRecord
from rollguard.model.time import Instant
from rollguard.notify.words import Words, words
from rollguard.record import thinned

NOTICES = 24
ONE_STATE = ("blind",)
"""Topics that are one state whatever its cause is at the moment: another cause is no news."""


def told(record: RolloutRecord, tell: Tell, *, unit: UnitRecord, policy: Policy, now: Instant) -> RolloutRecord:
    """The record with the notice in its outbox; the same topic and reason again only at the policy's interval.

    What it is about is the reason, not its words: a value that moves or another pod is not news, and to be blind is one
    state whatever hides the values now. What a person has acknowledged is not repeated at all. What begins anew is told
    anew, but a hold that comes and goes: see `recurring`.
    """
    if recurring.kept_back(record, tell, policy.timing.repeat_notice, now):
        return replace(record, over_untold=tell.reason)
    anew = tell.anew and not recurring.stands(record, tell)
    if recurring.corrects(tell):
        record = replace(record, over_untold="")
    return _with_told(record, replace(tell, anew=anew), unit=unit, policy=policy, now=now)


def with_over_told(record: RolloutRecord, *, unit: UnitRecord, policy: Policy, now: Instant) -> RolloutRecord:
    """The record with the notice that a hold is over, where that was kept back and is due now."""
    tell = recurring.over(record, policy.timing.repeat_notice, now)
    if tell is None:
        return record
    return _with_told(replace(record, over_untold=""), tell, unit=unit, policy=policy, now=now)


def _with_told(record: RolloutRecord, tell: Tell, *, unit: UnitRecord, policy: Policy, now: Instant) -> RolloutRecord:
    key = _key(tell)
    mine = [n for n in record.notices if n.topic == tell.topic]
    same = [n for n in mine if n.id.rsplit(".", 1)[0] == f"{record.id}.{tell.topic}.{key}"]
    known = bool(same) and not tell.anew
    if known and (now.since(same[-1].at) < policy.timing.repeat_notice or seen(record, same[-1].at)):
        return record
    record = response.told(record, tell, policy.timing.respond_within, now)
    number = 1 + max((int(n.id.rsplit(".", 1)[1]) for n in same), default=0)
    text = words(tell, record, unit, policy, now)
    notice = _notice(f"{record.id}.{tell.topic}.{key}.{number}", tell, text, unit=unit, now=now)
    entry = TimelineEntry(at=now, kind="notice", text=text.title)
    return with_entries(replace(record, notices=thinned((*record.notices, notice), NOTICES)), (entry,))


def seen(record: RolloutRecord, told: Instant) -> bool:
    """Whether a person has taken note of what was told then, or of every finding since."""
    return response.seen_since(record, told) or findings.all_seen(record, told)


def told_unit(unit: UnitRecord, tell: Tell, *, policy: Policy, now: Instant) -> UnitRecord:
    """As `told`, for a notice that belongs to no rollout."""
    key = _key(tell)
    prefix = f"{unit.name.namespace}.{unit.name.object_name}.{tell.topic}.{key}"
    same = [n for n in unit.notices if n.id.rsplit(".", 1)[0] == prefix]
    id_ = f"{prefix}.{int(now.seconds)}"
    known = bool(same) and not tell.anew
    if any(n.id == id_ for n in same) or (known and now.since(same[-1].at) < policy.timing.repeat_notice):
        return unit
    notice = _notice(id_, tell, words(tell, None, unit, policy, now), unit=unit, now=now)
    return replace(unit, notices=thinned((*unit.notices, notice), NOTICES))


def _notice(id_: str, tell: Tell, text: Words, *, unit: UnitRecord, now: Instant) -> Notice:
    return Notice(
        id=id_, class_=tell.class_, topic=tell.topic, title=text.title, text=text.text, at=now, team=unit.team
    )


def _key(tell: Tell) -> str:
    text = "" if tell.topic in ONE_STATE else tell.about or re.sub(r"\d+(\.\d+)?", "#", tell.reason)
    return hashlib.sha256(f"{tell.class_.value}/{text}".encode()).hexdigest()[:8]


def with_notice(notices: tuple[Notice, ...], changed: Notice) -> tuple[Notice, ...]:
    """The outbox with that notice in its new state; a notice that has arrived or failed stays so."""
    return tuple(changed if n.id == changed.id and n.state is NoticeState.PENDING else n for n in notices)
