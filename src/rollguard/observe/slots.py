"""Slots: closed, non-overlapping intervals of the store's time, aligned to multiples of their length."""

from __future__ import annotations

import math

from rollguard.model.time import Instant, Slot

_ROUNDING = 1e-6
"""Seconds by which a boundary may be missed in floating point and still be that boundary."""


def slot_at(number: int, seconds: float) -> Slot:
    """The slot of that number: equal numbers give equal instants, however they were reached."""
    return Slot(Instant(number * seconds), Instant((number + 1) * seconds))


def number_starting_at_or_after(instant: Instant, seconds: float) -> int:
    """The number of the first slot that starts at or after the instant."""
    return math.ceil((instant.seconds - _ROUNDING) / seconds)


def number_ending_at_or_before(instant: Instant, seconds: float) -> int:
    """The number of the last slot that ends at or before the instant."""
    return math.floor((instant.seconds + _ROUNDING) / seconds) - 1


def slot_ends(
    now: Instant, *, seconds: float, lateness: float, last: Instant | None, earliest: Instant
) -> tuple[Slot, ...]:
    """The slots to fold now, in order: closed (end + lateness <= now), after `last`, not before `earliest`.

    `now` is the store's time; `last` is the end of the slot folded last, None where none was. A slot is handed out once
    as long as `last` is kept: it never reopens.
    """
    from_ = earliest if last is None else max(last, earliest)
    first = number_starting_at_or_after(from_, seconds)
    final = number_ending_at_or_before(now.plus(-lateness), seconds)
    return tuple(slot_at(number, seconds) for number in range(first, final + 1))


def slots_ended(before: Instant, *, seconds: float, count: int) -> tuple[Slot, ...]:
    """The last `count` slots that ended at or before an instant, in order: the time before a rollout."""
    final = number_ending_at_or_before(before, seconds)
    return tuple(slot_at(number, seconds) for number in range(final - count + 1, final + 1))


def instants(slots: tuple[Slot, ...]) -> tuple[Instant, ...]:
    """Starts and ends of the slots, each once, in order: what the store is asked for."""
    return tuple(sorted({moment for slot in slots for moment in (slot.start, slot.end)}))
