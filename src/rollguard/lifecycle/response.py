"""How people answer a rollout's pages: a page calls for a person, who takes note in time, or somebody else is told.

A rollout calls once: whoever has taken note of its first page has taken note of those that follow, until nothing is
asked of people any more and it calls anew.
"""

from __future__ import annotations

from dataclasses import replace

from rollguard.lifecycle import findings
from rollguard.model.handling import Acknowledgement
from rollguard.model.lifecycle import Tell
from rollguard.model.notices import NoticeClass
from rollguard.model.records import LifecycleState, Outcome, RolloutRecord
from rollguard.model.signals import LevelName
from rollguard.model.time import Instant

NOT_ACKNOWLEDGED = "not-acknowledged"
"""The topic of the page that nobody has taken note of the one before."""
CALLS_NOBODY = frozenset({"rolled-back", "switched-back", NOT_ACKNOWLEDGED})
"""Topics of pages that only say what was done."""
ENDS_THE_CALL = frozenset({"hold-over", "ask-withdrawn"})
LEFT_TO_PEOPLE = (Outcome.HELD, Outcome.DID_NOT_HELP, Outcome.UNCONFIRMED)
"""Outcomes that leave a person something to do."""


def told(record: RolloutRecord, tell: Tell, within: float, now: Instant) -> RolloutRecord:
    """The record as the notice leaves it: a page may call for a person, and another notice take the call back.

    A call whose time ran out while nothing was asked of people any more is over: the next page calls anew.
    """
    if tell.topic in ENDS_THE_CALL:
        return replace(record, called=None)
    if tell.class_ is not NoticeClass.PAGE or tell.topic in CALLS_NOBODY:
        return record
    since = record.called
    if since is not None and (now < since.plus(within) or is_acknowledged(record) or _escalated(record)):
        return record
    # who looks into it need not say again that it was seen
    return replace(record, called=now, acknowledged=record.acknowledged if record.investigating is not None else None)


def acknowledged(record: RolloutRecord, by: Acknowledgement) -> RolloutRecord:
    """The record that this person has taken note of; who was first for the present call stays."""
    return record if is_acknowledged(record) else replace(record, acknowledged=by)


def taken_on(record: RolloutRecord, by: Acknowledgement) -> RolloutRecord:
    """The record that this person looks into: no time limit runs, until somebody approves or rejects."""
    return replace(acknowledged(record, by), investigating=by, asked_until=None)


def is_acknowledged(record: RolloutRecord) -> bool:
    """Whether a person has taken note of the present call."""
    return record.called is not None and record.acknowledged is not None


def seen_since(record: RolloutRecord, moment: Instant) -> bool:
    """Whether a person has taken note of what was told then, or of the call that it belongs to."""
    last = record.acknowledged
    return is_acknowledged(record) or (last is not None and last.at >= moment)


def calls(record: RolloutRecord) -> bool:
    """Whether it waits for a person to take note."""
    if record.called is None or record.acknowledged is not None or findings.all_seen(record, record.called):
        return False
    if record.incident_resolved is not None and record.incident_resolved >= record.called:
        return False
    if record.closed is not None:
        return record.outcome in LEFT_TO_PEOPLE
    if record.state is LifecycleState.WATCHING:
        return any(finding.level is not LevelName.WARNING for finding in record.findings)
    return True


def waits(record: RolloutRecord) -> bool:
    """Whether a rollout that is over still has to be told to others where nobody takes note; that is told once."""
    return record.closed is not None and not _escalated(record) and calls(record)


def escalation(record: RolloutRecord, within: float, now: Instant) -> Tell | None:
    """The page that nobody has taken note within those seconds; None where somebody has, or there is time yet."""
    since = record.called
    if since is None or now < since.plus(within) or not calls(record):
        return None
    if record.closed is not None and _escalated(record):
        return None
    reason = f"nobody has acknowledged the page of {since.iso_second()}: {record.why}"
    return Tell(class_=NoticeClass.PAGE, topic=NOT_ACKNOWLEDGED, reason=reason, about=since.iso())


def _escalated(record: RolloutRecord) -> bool:
    """Whether others were told of the present call."""
    since = record.called
    return since is not None and any(n.topic == NOT_ACKNOWLEDGED and n.at >= since for n in record.notices)
