"""How one question covers all guarded workloads: the labels it groups by, and the matchers that narrow it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rollguard.model.metrics import Expression
from rollguard.model.names import WorkloadName
from rollguard.model.policy import MetricsStore, Signal
from rollguard.policy.promql import Matcher, narrowed
from rollguard.signals import parts

_REGEX_SIGNS = re.compile(r"([\\.+*?()|\[\]{}^$])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """Shared by all expressions of one question."""

    by: tuple[str, ...]
    matchers: tuple[Matcher, ...]
    match: str
    counting_seconds: float
    """Range in which counter resets are counted: the slot and one scrape before it, for the pair that straddles
    the slot's start."""

    def narrow(self, promql: str, *more: Matcher) -> str:
        """The expression over the guarded workloads' series only."""
        return narrowed(promql, (*more, *self.matchers), self.match)

    def total(self, part: str, selector: str, *labels: str) -> Expression:
        """The sum by pod (and the extra labels) of a selector's values."""
        return Expression(part=part, promql=f"sum by ({self.labels(*labels)}) ({self.narrow(selector)})")

    def resets(self, selector: str, *more: Matcher) -> Expression:
        """How often the counters were reset in the slot."""
        milliseconds = round(self.counting_seconds * 1000)
        span = f"{milliseconds}ms" if milliseconds % 1000 else f"{milliseconds // 1000}s"
        counted = f"resets({self.narrow(selector, *more)}[{span}])"
        return Expression(part=parts.RESETS, promql=f"sum by ({self.labels()}) ({counted})")

    def newest(self, selector: str, *more: Matcher) -> Expression:
        """When the newest sample was scraped."""
        stamped = f"timestamp({self.narrow(selector, *more)})"
        return Expression(part=parts.NEWEST, promql=f"max by ({self.labels()}) ({stamped})")

    def labels(self, *more: str) -> str:
        """The labels to group by, as PromQL writes them."""
        return ", ".join((*self.by, *more))


def grouping(signal: Signal, store: MetricsStore, workloads: tuple[WorkloadName, ...], slot_seconds: float) -> Grouping:
    """The grouping of a signal's question for these workloads; a shared signal has no filter by workload."""
    return Grouping(
        by=(store.namespace_label, store.pod_label or store.workload_label),
        matchers=() if signal.shared else _matchers(store, workloads),
        match=store.match,
        counting_seconds=slot_seconds + store.scrape_interval,
    )


def _matchers(store: MetricsStore, workloads: tuple[WorkloadName, ...]) -> tuple[Matcher, ...]:
    namespaces = sorted({workload.namespace for workload in workloads})
    names = "|".join(_quoted(name) for name in sorted({workload.name for workload in workloads}))
    namespace = (
        Matcher(store.namespace_label, "=", namespaces[0])
        if len(namespaces) == 1
        else Matcher(store.namespace_label, "=~", "|".join(_quoted(name) for name in namespaces))
    )
    if store.pod_label:
        # Narrows the answer only: which revision a pod belongs to is known by its owner, never by its name.
        return (namespace, Matcher(store.pod_label, "=~", f"({names})-.*"))
    return (namespace, Matcher(store.workload_label, "=~", names))


def _quoted(name: str) -> str:
    return _REGEX_SIGNS.sub(r"\\\1", name)
