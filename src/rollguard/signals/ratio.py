"""Ratio: bad requests of all requests."""

from __future__ import annotations

from rollguard.model.metrics import Expression
from rollguard.model.signals import Signal
from rollguard.signals import parts
from rollguard.signals.grouping import Grouping
from rollguard.signals.measure import RANGE, Measure, Span
from rollguard.signals.scope import Scope

CLASS_LABEL = ""


def expressions(signal: Signal, group: Grouping) -> tuple[Expression, ...]:
    """Cumulative bad and total requests."""
    return (
        group.total(parts.BAD, signal.bad),
        group.total(parts.TOTAL, signal.total),
        group.resets(signal.total),
        group.newest(signal.total),
    )


def measured(signal: Signal, scope: Scope, _span: Span) -> Measure:
    """The share of bad requests. A counter of bad ones often appears with the first: until then there were none."""
    bad, total = (scope.by_workload("sum", f"rate({each}[{RANGE}])") for each in (signal.bad, signal.total))
    return Measure(
        value=f"({bad} or {total} * 0) / ({total} > 0)",
        requests=scope.by_workload("sum", f"increase({signal.total}[{RANGE}])"),
    )
