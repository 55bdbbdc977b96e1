"""Clocks: judging by a clock that is off is judging the wrong time."""

from __future__ import annotations

from collections.abc import Iterator

from rollguard.doctor.check import Check, Topic
from rollguard.doctor.facts import Facts, Place
from rollguard.policy import durations

CLOCK = Topic(
    group="clocks",
    name="clock",
    about="The clocks of the API server and of the metrics store agree with the one here, within `timing.clockOffset`",
    remedy="set the clocks by NTP, or raise `spec.timing.clockOffset` where the difference is known and harmless",
)
TOPICS = (CLOCK,)


def checks(facts: Facts) -> Iterator[Check]:
    """Both."""
    yield _clock(facts, "API server", facts.server_offset)
    yield _clock(facts, "metrics store", facts.store.offset)


def _clock(facts: Facts, whose: str, offset: float | None) -> Check:
    if offset is None:
        return CLOCK.unknown(whose, "it gave no time", "see that it answers at all")
    bound = facts.policy.timing.clock_offset_max
    found = f"{abs(offset):.1f} s {'ahead of' if offset >= 0 else 'behind'} {facts.place}"
    if abs(offset) <= bound:
        return CLOCK.ok(whose, found)
    told = f"{found}, more than {durations.format_(bound)}: every rollback is held"
    if facts.place is Place.GUARD:
        return CLOCK.failed(whose, told)
    return CLOCK.failed(whose, f"{found}, more than {durations.format_(bound)}: the guard holds where it sees the same")
