"""A signal's present value and traffic, in words, from the samples of one slot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rollguard.model.metrics import Buckets, Counts, Gauge, Increase, Sample
from rollguard.model.signals import Signal
from rollguard.policy import durations
from rollguard.policy.amounts import amount, percent

SECONDS_PER_MINUTE = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What is seen of a workload now. `requests` is None for signals without traffic."""

    text: str
    requests: int | None = None


def present(signal: Signal, samples: Sequence[Sample], seconds: float) -> Present | None:
    """The value over all pods; None where there is no sample."""
    counts = [sample for sample in samples if isinstance(sample, Counts)]
    buckets = [sample for sample in samples if isinstance(sample, Buckets) and sample.counts]
    increases = [sample for sample in samples if isinstance(sample, Increase)]
    gauges = [sample.value for sample in samples if isinstance(sample, Gauge)]
    span = durations.format_(seconds)
    if counts:
        total, bad = sum(each.total for each in counts), sum(each.bad for each in counts)
        return Present(text=f"{_share(bad, total)} of {total:,} requests in {span}", requests=total)
    if buckets:
        return _times(signal, buckets, span)
    if increases:
        number = len(increases) if signal.per_pod else 1
        rate = sum(each.amount for each in increases) * SECONDS_PER_MINUTE / seconds / number
        return Present(text=amount(rate, "/min") + (" per pod" if signal.per_pod else ""))
    if gauges:
        return Present(text=f"{amount(max(gauges), '%' if signal.limit else '')} (highest of {len(gauges)})")
    return None


def edges(samples: Sequence[Sample]) -> frozenset[float]:
    """The bucket edges that all of the samples have."""
    found = [frozenset(sample.edges) for sample in samples if isinstance(sample, Buckets)]
    return frozenset.intersection(*found) if found else frozenset()


def _times(signal: Signal, buckets: list[Buckets], span: str) -> Present:
    total = sum(each.counts[-1] for each in buckets)
    text = f"{total:,} requests in {span}"
    bounds = [level.bound for level in signal.levels]
    if bounds:
        slow = sum(_above(each, min(bounds)) for each in buckets)
        text = (
            f"{_share(slow, total)} of {total:,} requests in {span} took longer than {durations.format_(min(bounds))}"
        )
    return Present(text=text, requests=total)


def _above(buckets: Buckets, bound: float) -> int:
    edge = next((i for i, value in enumerate(buckets.edges) if value >= bound), len(buckets.edges) - 1)
    return buckets.counts[-1] - buckets.counts[edge]


def _share(part: int, total: int) -> str:
    return percent(part / total) if total else "0%"
