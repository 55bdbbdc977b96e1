"""Histogram: requests by how long they took, from cumulative buckets."""

from __future__ import annotations

from rollguard.model.metrics import Expression
from rollguard.model.policy import Signal
from rollguard.policy.promql import Matcher
from rollguard.signals import parts
from rollguard.signals.grouping import Grouping

CLASS_LABEL = "le"
# The last bucket counts every request: resets and times of the others are the same.
_ALL = Matcher(CLASS_LABEL, "=", "+Inf")


def expressions(signal: Signal, group: Grouping) -> tuple[Expression, ...]:
    """Cumulative requests by bucket edge."""
    return (
        group.total(parts.BUCKET, signal.buckets, CLASS_LABEL),
        group.resets(signal.buckets, _ALL),
        group.newest(signal.buckets, _ALL),
    )
