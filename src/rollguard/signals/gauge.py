"""Gauge: a value now, or its share of a limit."""

from __future__ import annotations

from rollguard.model.metrics import Expression
from rollguard.model.signals import Signal
from rollguard.policy.promql import selectors
from rollguard.signals import parts
from rollguard.signals.grouping import Grouping
from rollguard.signals.measure import CONTAINER, Measure, Span, exported
from rollguard.signals.scope import POD, Scope

CLASS_LABEL = ""
_TARGET = "instance"
"""Of a shared signal each server is by itself: a full one is not hidden by an empty one beside it."""


def expressions(signal: Signal, group: Grouping) -> tuple[Expression, ...]:
    """The highest value of a pod. With a limit `value` is the highest *share* among the pod's containers, each divided
    by its own limit (the highest value over the highest limit would hide a full small container beside a big one),
    and `limit` is 1 where there is one: a container without a limit, or with the 0 that stands for none, has no share.
    """
    newest = group.newest(selectors(signal.gauge)[0])
    labels = group.labels()
    value = group.narrow(signal.gauge)
    if not signal.limit:
        return (Expression(part=parts.VALUE, promql=f"max by ({labels}) ({value})"), newest)
    each = group.labels(*_divided(signal))
    limit = f"(sum by ({each}) ({group.narrow(signal.limit)}) > 0)"
    share = f"max by ({labels}) (sum by ({each}) ({value}) / on ({each}) {limit})"
    return (
        Expression(part=parts.VALUE, promql=share),
        Expression(part=parts.LIMIT, promql=f"max by ({labels}) ({limit} > bool 0)"),
        newest,
    )


def measured(signal: Signal, scope: Scope, span: Span) -> Measure:
    """The highest value, or share of its limit, among the containers of a workload, or of each pod."""
    labels = (POD,) if span.by_pod else ()
    if not signal.limit:
        return Measure(value=scope.by_workload("max", signal.gauge, *labels))
    each = (POD, *_divided(signal))
    value, limit = (
        scope.by_workload("max" if exported(promql) else "sum", promql, *each)
        for promql in (signal.gauge, signal.limit)
    )
    share = f"{value} / on ({', '.join(scope.own(*each))}) ({limit} > 0)"
    return Measure(value=f"max by ({', '.join(scope.own(*labels))}) ({share})")


def _divided(signal: Signal) -> tuple[str, ...]:
    """The labels, beside the pod, of what has a limit of its own."""
    return (CONTAINER, _TARGET) if signal.shared else (CONTAINER,)
