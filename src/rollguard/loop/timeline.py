"""The timeline of a rollout: lines are added once, and the oldest of the middle give way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from rollguard.model.records import RolloutRecord, TimelineEntry
from rollguard.model.time import Instant

ENTRIES = 60
FIRST_ENTRIES = 20


def to_milliseconds(now: Instant) -> Instant:
    """The instant as it reads after a round through a record: whole milliseconds."""
    return Instant(round(now.seconds, 3))


def with_entries(record: RolloutRecord, entries: Iterable[TimelineEntry]) -> RolloutRecord:
    """The record with these lines of its story; one that is there already is not told twice."""
    timeline = list(record.timeline)
    for entry in entries:
        if not any(_same_entry(entry, known) for known in timeline):
            timeline.append(entry)
    if len(timeline) == len(record.timeline):
        return record
    if len(timeline) > ENTRIES:
        timeline = timeline[:FIRST_ENTRIES] + timeline[FIRST_ENTRIES - ENTRIES :]
    return replace(record, timeline=tuple(timeline))


def _same_entry(one: TimelineEntry, other: TimelineEntry) -> bool:
    return one.kind == other.kind and one.text == other.text and abs(one.at.since(other.at)) < 0.002
