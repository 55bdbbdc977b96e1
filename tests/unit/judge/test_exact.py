from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollguard.judge.exact import more_bad_by_chance, more_events_by_chance

SMALL = st.integers(min_value=0, max_value=40)


@given(total=SMALL, reference_total=SMALL, data=st.data())
def test_fishers_tail_agrees_with_counting_all_ways(total: int, reference_total: int, data: st.DataObject) -> None:
    bad = data.draw(st.integers(0, total))
    reference_bad = data.draw(st.integers(0, reference_total))
    every_bad = bad + reference_bad
    ways = sum(
        math.comb(total, x) * math.comb(reference_total, every_bad - x) for x in range(bad, min(total, every_bad) + 1)
    )
    exact = Fraction(ways, math.comb(total + reference_total, every_bad))
    found = more_bad_by_chance(bad=bad, total=total, reference_bad=reference_bad, reference_total=reference_total)
    assert found == pytest.approx(float(exact), abs=1e-11)


@given(all_events=SMALL, share=st.fractions(min_value=0, max_value=1, max_denominator=20), data=st.data())
def test_the_binomial_tail_agrees_with_counting_all_ways(all_events: int, share: Fraction, data: st.DataObject) -> None:
    events = data.draw(st.integers(0, all_events))
    exact = sum(
        math.comb(all_events, x) * share**x * (1 - share) ** (all_events - x) for x in range(events, all_events + 1)
    )
    found = more_events_by_chance(events=events, all_events=all_events, share=float(share))
    assert found == pytest.approx(float(exact), abs=1e-11)


def test_large_counts_are_exact_and_quick() -> None:
    # 10% of a million against 9.99%: far from certain either way, and no term over- or underflows.
    chance = more_bad_by_chance(bad=100_000, total=1_000_000, reference_bad=99_900, reference_total=1_000_000)
    assert chance == pytest.approx(0.4073, abs=0.002)
    assert more_bad_by_chance(bad=150_000, total=1_000_000, reference_bad=2_000, reference_total=1_000_000) == 0.0


def test_a_small_tail_keeps_its_size() -> None:
    # All 30 bad ones among 30 of 60: one way of comb(60, 30).
    found = more_bad_by_chance(bad=30, total=30, reference_bad=0, reference_total=30)
    assert found == pytest.approx(1 / math.comb(60, 30), rel=1e-9)
