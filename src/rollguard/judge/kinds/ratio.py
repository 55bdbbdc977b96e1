"""Ratio: bad requests of all requests."""

from __future__ import annotations

from rollguard.judge.exact import more_bad_by_chance
from rollguard.judge.kinds.kind import Kind, Totals
from rollguard.judge.pooled import Pooled
from rollguard.model.metrics import Counts, Sample
from rollguard.model.signals import Level


def sums(levels: tuple[Level, ...], samples: tuple[Sample, ...], _seconds: float) -> Totals:
    """All requests, and the bad ones (the same for each level)."""
    counts = [sample for sample in samples if isinstance(sample, Counts)]
    bad = float(sum(sample.bad for sample in counts))
    return float(sum(sample.total for sample in counts)), (bad,) * len(levels)


def bound(level: Level) -> float:
    """The level's fraction."""
    return level.bound


def fisher(new: Pooled, reference: Pooled) -> float:
    """Fisher's exact test of the two arms' requests, one-sided."""
    return more_bad_by_chance(
        bad=round(new.bad),
        total=round(new.total),
        reference_bad=round(reference.bad),
        reference_total=round(reference.total),
    )


KIND = Kind(sums=sums, bound=bound, not_better_by_chance=fisher, requests=True, unit="%")
