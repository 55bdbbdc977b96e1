"""Histogram: the share of requests above the level's edge. `P95 > 5s` is `over 5% above 5s`, exact at an edge."""

from __future__ import annotations

from rollguard.judge.kinds.kind import Kind, Totals
from rollguard.judge.kinds.ratio import fisher
from rollguard.model.metrics import Buckets, Sample
from rollguard.model.signals import Level


def sums(levels: tuple[Level, ...], samples: tuple[Sample, ...], _seconds: float) -> Totals:
    """All requests, and for each level those above its edge."""
    buckets = [sample for sample in samples if isinstance(sample, Buckets)]
    total = float(sum(sample.counts[-1] for sample in buckets if sample.counts))
    return total, tuple(_above(buckets, level) for level in levels)


def _above(buckets: list[Buckets], level: Level) -> float | None:
    """Requests surely above the bound: above the first edge that is not below it. None where a histogram has none."""
    above = 0
    for sample in buckets:
        edge = next((i for i, e in enumerate(sample.edges) if e >= level.bound and e != float("inf")), None)
        if edge is None:
            return None
        above += sample.counts[-1] - sample.counts[edge]
    return float(above)


def bound(level: Level) -> float:
    """The share of requests that may be slower: 5% for P95. Raises ValueError for a level without a quantile."""
    if level.quantile is None:
        raise ValueError(f"level {level.text or level.name} of a histogram has no quantile, such as P95")
    return round(1.0 - level.quantile, 12)


KIND = Kind(sums=sums, bound=bound, not_better_by_chance=fisher, requests=True, unit="%")
