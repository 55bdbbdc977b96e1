"""Durations in buckets, as Prometheus counts them."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from lab.exposition import Family, number

EDGES_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(slots=True)
class Histogram:
    """How many durations fell between the edges."""

    buckets: list[int] = field(default_factory=lambda: [0] * (len(EDGES_S) + 1))
    total: float = 0.0

    def observe(self, seconds: float) -> None:
        """Counts one."""
        self.buckets[bisect_left(EDGES_S, seconds)] += 1
        self.total += seconds

    def expose(self, family: Family, **labels: str) -> None:
        """Adds its samples to the family."""
        cumulative = 0
        for edge, count in zip((*EDGES_S, float("inf")), self.buckets, strict=True):
            cumulative += count
            family.add(cumulative, suffix="_bucket", **labels, le=number(edge))
        family.add(round(self.total, 9), suffix="_sum", **labels)
        family.add(cumulative, suffix="_count", **labels)
