"""Gauge: in each slot the highest value of the arm's pods (one full pod among ten is full); over slots their mean."""

from __future__ import annotations

from rollguard.judge.exact import more_bad_by_chance
from rollguard.judge.kinds.kind import Kind, Totals
from rollguard.judge.pooled import Pooled
from rollguard.model.metrics import Gauge, Sample
from rollguard.model.signals import Level


def sums(levels: tuple[Level, ...], samples: tuple[Sample, ...], _seconds: float) -> Totals:
    """One slot, and the worst pod's value in it."""
    values = [sample.value for sample in samples if isinstance(sample, Gauge)]
    return 1.0, (max(values) if values else None,) * len(levels)


def bound(level: Level) -> float:
    """The level's value."""
    return level.bound


def slots_past(new: Pooled, reference: Pooled) -> float:
    """Fisher's exact test of the slots past the bound, one-sided: values themselves have no known distribution."""
    return more_bad_by_chance(
        bad=new.past, total=new.slots, reference_bad=reference.past, reference_total=reference.slots
    )


KIND = Kind(sums=sums, bound=bound, not_better_by_chance=slots_past, requests=False, unit="")
