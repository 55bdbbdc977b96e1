"""A signal as one number per workload, for rules and panels: over a range up to now, not slot by slot."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rollguard.model.signals import SignalAlert
from rollguard.policy import promql
from rollguard.policy.durations import format_

RANGE = "7919s"
"""Stands for the range while an expression is put together: what a panel writes there is no PromQL."""
CONTAINER = "container"
EXPORTED = "kube_"
"""How the names of kube-state-metrics' series begin. Two of its pods show everything twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """How a signal is measured."""

    over: str
    """The range: `5m`, or a dashboard's variable."""
    quantile: float | None = None
    """Of a histogram."""
    by_pod: bool = False
    """A gauge for each pod by itself, with the label `pod`."""
    whole: bool = False
    """All workloads of a namespace together."""

    @classmethod
    def of(cls, alert: SignalAlert, *, quantile: float | None = None) -> Span:
        """As an alert looks at it."""
        return cls(over=format_(alert.over), quantile=quantile, by_pod=alert.by_pod, whole=alert.whole)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """PromQL. Where nothing is known, where there is no traffic or no limit, it yields nothing, and never NaN."""

    value: str = ""
    """In the unit of the level's bound."""
    requests: str = ""
    """How many requests in the range; empty where the kind counts none."""


def ranged(measure: Measure, span: Span) -> Measure:
    """With the range in its place."""
    over = f"[{span.over}]"
    return replace(
        measure,
        value=measure.value.replace(f"[{RANGE}]", over),
        requests=measure.requests.replace(f"[{RANGE}]", over),
    )


def exported(expression: str) -> bool:
    """Whether all series of an expression are kube-state-metrics' own: one of two equal ones is enough."""
    return all(promql.metric_of(selector).startswith(EXPORTED) for selector in promql.selectors(expression))
