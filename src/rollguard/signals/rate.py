"""Rate: how fast a counter grows, per minute."""

from __future__ import annotations

from rollguard.model.metrics import Expression
from rollguard.model.signals import Signal
from rollguard.signals import parts
from rollguard.signals.grouping import Grouping
from rollguard.signals.measure import CONTAINER, RANGE, Measure, Span, exported
from rollguard.signals.scope import POD, Scope

CLASS_LABEL = ""


def expressions(signal: Signal, group: Grouping) -> tuple[Expression, ...]:
    """The cumulative counter."""
    return (
        group.total(parts.COUNT, signal.counter),
        group.resets(signal.counter),
        group.newest(signal.counter),
    )


def measured(signal: Signal, scope: Scope, _span: Span) -> Measure:
    """How often per minute; per pod where the signal is."""
    series = f"rate({signal.counter}[{RANGE}])"
    labels = (POD,) if signal.per_pod else ()
    if exported(signal.counter):
        each = scope.by_workload("max", series, POD, CONTAINER)
        summed = f"sum by ({', '.join(scope.own(*labels))}) ({each})"
    else:
        summed = scope.by_workload("sum", series, *labels)
    if signal.per_pod:
        summed = f"avg by ({', '.join(scope.own())}) ({summed})"
    return Measure(value=f"60 * {summed}")
