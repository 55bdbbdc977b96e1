from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from rollguard.model.time import Instant
from rollguard.observe import instants, slot_at, slot_ends, slots_ended


def test_a_slot_closes_at_its_end_plus_the_lateness_and_not_before() -> None:
    def closed(now: float) -> int:
        return len(slot_ends(Instant(now), seconds=15, lateness=20, last=Instant(30), earliest=Instant(0)))

    assert closed(64.9) == 0
    assert closed(65.0) == 1


def test_slots_lie_on_multiples_of_their_length() -> None:
    slots = slot_ends(Instant(100), seconds=15, lateness=5, last=None, earliest=Instant(31))
    assert [(s.start.seconds, s.end.seconds) for s in slots] == [(45, 60), (60, 75), (75, 90)]


def test_the_time_before_a_rollout_ends_with_it() -> None:
    slots = slots_ended(Instant(100), seconds=15, count=2)
    assert [(s.start.seconds, s.end.seconds) for s in slots] == [(60, 75), (75, 90)]


def test_neighbours_share_an_instant() -> None:
    assert [i.seconds for i in instants((slot_at(2, 15.0), slot_at(3, 15.0)))] == [30, 45, 60]


@given(
    seconds=st.sampled_from([0.1, 0.5, 1.0, 2.5, 15.0, 30.0]),
    steps=st.lists(st.floats(min_value=0.01, max_value=100), min_size=1, max_size=20),
)
def test_each_slot_is_handed_out_exactly_once_whatever_the_ticks(seconds: float, steps: list[float]) -> None:
    now = Instant(50_000.0)
    start = now
    last: Instant | None = None
    numbers: list[float] = []
    for step in steps:
        now = now.plus(step)
        slots = slot_ends(now, seconds=seconds, lateness=2 * seconds, last=last, earliest=start)
        numbers += [round(slot.end.seconds / seconds) for slot in slots]
        assert all(slot.end.plus(2 * seconds).seconds <= now.seconds + 1e-5 for slot in slots)
        last = slots[-1].end if slots else last
    assert all(after == before + 1 for before, after in itertools.pairwise(numbers))
