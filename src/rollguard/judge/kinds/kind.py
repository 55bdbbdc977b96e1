"""What a kind of signal has to bring."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rollguard.judge.pooled import Pooled
from rollguard.model.metrics import Sample
from rollguard.model.signals import Level

Totals = tuple[float, tuple[float | None, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """The four things that differ between kinds; a level is reached where `bad / total > bound`."""

    sums: Callable[[tuple[Level, ...], tuple[Sample, ...], float], Totals]
    """(levels, samples of one arm and slot, seconds) -> total and the bad of each level."""
    bound: Callable[[Level], float]
    not_better_by_chance: Callable[[Pooled, Pooled], float]
    """(new, reference) -> probability that an arm no worse than the reference looks as bad as the new one."""
    requests: bool
    """`total` counts requests, so that a minimum of traffic means something."""
    unit: str
    burst_counts: bool = False
    """A bound of 0 is passed by any single event: then the thirds need not each hold one."""

    def any_at_all(self, level: Level) -> bool:
        """The level asks only whether there was one at all."""
        return self.burst_counts and level.bound <= 0


def like_for_like(new: Pooled, reference: Pooled, *, per_pod: bool) -> Pooled:
    """The reference for as many pods as the new arm has, where the value is a sum over pods."""
    if not per_pod or not reference.pod_slots or not reference.slots or not new.slots:
        return reference
    factor = (new.pod_slots / new.slots) / (reference.pod_slots / reference.slots)
    return Pooled(
        bad=reference.bad * factor,
        total=reference.total,
        pod_slots=reference.pod_slots,
        slots=reference.slots,
        past=reference.past,
    )
