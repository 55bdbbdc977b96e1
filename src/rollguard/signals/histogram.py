"""Histogram: requests by how long they took, from cumulative buckets."""

from __future__ import annotations

from rollguard.model.metrics import Expression
from rollguard.model.signals import Signal
from rollguard.policy.promql import Matcher, metric_of, narrowed
from rollguard.signals import parts
from rollguard.signals.grouping import Grouping
from rollguard.signals.measure import RANGE, Measure, Span
from rollguard.signals.scope import Scope

CLASS_LABEL = "le"
_SUFFIX = "_bucket"
# The last bucket counts every request: resets and times of the others are the same.
_ALL = Matcher(CLASS_LABEL, "=", "+Inf")


def expressions(signal: Signal, group: Grouping) -> tuple[Expression, ...]:
    """Cumulative requests by bucket edge."""
    return (
        group.total(parts.BUCKET, signal.buckets, CLASS_LABEL),
        group.resets(signal.buckets, _ALL),
        group.newest(signal.buckets, _ALL),
    )


def measured(signal: Signal, scope: Scope, span: Span) -> Measure:
    """The quantile, in seconds, from classic buckets, else from native histograms of the same name."""
    name = metric_of(signal.buckets)
    native = signal.buckets.replace(name, name.removesuffix(_SUFFIX), 1)
    all_ = narrowed(signal.buckets, (_ALL,))
    classic_requests, native_requests = (
        scope.by_workload("sum", f"increase({each}[{RANGE}])") for each in (all_, native)
    )
    requests = f"{classic_requests} or histogram_count({native_requests})"
    if span.quantile is None:
        return Measure(requests=requests)
    classic = scope.by_workload("sum", f"rate({signal.buckets}[{RANGE}])", CLASS_LABEL)
    newer = scope.by_workload("sum", f"rate({native}[{RANGE}])")
    # Without traffic a quantile is NaN: the comparison leaves it out.
    both = (f"histogram_quantile({span.quantile}, {each}) >= 0" for each in (classic, newer))
    return Measure(value=" or ".join(both), requests=requests)
