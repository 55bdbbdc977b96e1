"""Rate: how much a counter grows per minute, summed over the arm's pods."""

from __future__ import annotations

from rollguard.judge.exact import more_events_by_chance
from rollguard.judge.kinds.kind import Kind, Totals
from rollguard.judge.pooled import Pooled
from rollguard.model.metrics import Increase, Sample
from rollguard.model.signals import Level


def sums(levels: tuple[Level, ...], samples: tuple[Sample, ...], seconds: float) -> Totals:
    """The slot's minutes, and the growth of the counters of all pods."""
    amount = sum(sample.amount for sample in samples if isinstance(sample, Increase))
    return seconds / 60.0, (amount,) * len(levels)


def bound(level: Level) -> float:
    """The level's events per minute."""
    return level.bound


def rates(new: Pooled, reference: Pooled) -> float:
    """The exact conditional test of two Poisson rates per pod, one-sided."""
    exposure = new.pod_slots + reference.pod_slots
    return more_events_by_chance(
        events=round(new.bad),
        all_events=round(new.bad) + round(reference.bad),
        share=new.pod_slots / exposure if exposure else 1.0,
    )


KIND = Kind(sums=sums, bound=bound, not_better_by_chance=rates, requests=False, unit="/min", burst_counts=True)
