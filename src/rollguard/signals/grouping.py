"""How one question covers all guarded workloads: the labels it groups by, and the matchers that narrow it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rollguard.model.metrics import Expression
from rollguard.model.policy import MetricsStore
from rollguard.model.signals import Signal
from rollguard.policy.promql import Matcher, narrowed
from rollguard.signals import parts
from rollguard.signals.measure import CONTAINER, exported
from rollguard.signals.scope import POD

NAMES = "<workloads>"
"""Stands for the workloads' names in an expression: a long expression is parsed and checked once, without them."""
_REGEX_SIGNS = re.compile(r"([\\.+*?()|\[\]{}^$])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """Shared by all expressions of one question."""

    by: tuple[str, ...]
    apart: tuple[str, ...]
    """Beside those: the labels that tell a container's series from another's."""
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
        each = self._once(selector, self.narrow(selector), *labels)
        return Expression(part=part, promql=f"sum by ({self.labels(*labels)}) ({each})")

    def resets(self, selector: str, *more: Matcher) -> Expression:
        """How often the counters were reset in the slot."""
        milliseconds = round(self.counting_seconds * 1000)
        span = f"{milliseconds}ms" if milliseconds % 1000 else f"{milliseconds // 1000}s"
        counted = self._once(selector, f"resets({self.narrow(selector, *more)}[{span}])")
        return Expression(part=parts.RESETS, promql=f"sum by ({self.labels()}) ({counted})")

    def _once(self, selector: str, promql: str, *labels: str) -> str:
        """The values of a selector's series; of kube-state-metrics', which two of its pods show twice, each once."""
        if not exported(selector):
            return promql
        return f"max by ({self.labels(*self.apart, *labels)}) ({promql})"

    def newest(self, selector: str, *more: Matcher) -> Expression:
        """When the newest sample was scraped."""
        stamped = f"timestamp({self.narrow(selector, *more)})"
        return Expression(part=parts.NEWEST, promql=f"max by ({self.labels()}) ({stamped})")

    def labels(self, *more: str) -> str:
        """The labels to group by, as PromQL writes them."""
        return ", ".join((*self.by, *more))


def grouping(signal: Signal, store: MetricsStore, namespaces: tuple[str, ...], slot_seconds: float) -> Grouping:
    """The grouping of a signal's question, with `NAMES` where the workloads' names belong; a shared signal has no
    filter by workload."""
    return Grouping(
        by=(store.namespace_label, store.pod_label or store.workload_label),
        # The store's pods may carry no name, kube-state-metrics' series always do.
        apart=(CONTAINER,) if store.pod_label else (POD, CONTAINER),
        matchers=() if signal.shared else _matchers(store, namespaces),
        match=store.match,
        counting_seconds=slot_seconds + store.scrape_interval,
    )


def filled(expressions: tuple[Expression, ...], names: tuple[str, ...]) -> tuple[Expression, ...]:
    """The expressions with the names in their place."""
    text = _alternatives(names)
    return tuple(
        Expression(part=expression.part, promql=expression.promql.replace(NAMES, text)) for expression in expressions
    )


def chunks(expressions: tuple[Expression, ...], names: tuple[str, ...], longest: int) -> Iterator[tuple[str, ...]]:
    """The names in as few pieces as keep each filled expression at most so long; one name at least in each."""
    room = min(
        (longest - len(expression.promql)) // expression.promql.count(NAMES) + len(NAMES)
        for expression in expressions
        if NAMES in expression.promql
    )
    piece: list[str] = []
    used = 0
    for name in names:
        length = len(_alternatives((name,))) + 1
        if piece and used + length > room:
            yield tuple(piece)
            piece, used = [], 0
        piece.append(name)
        used += length
    yield tuple(piece)


def _alternatives(names: tuple[str, ...]) -> str:
    # twice: for the regular expression, and for the string that holds it
    return "|".join(_quoted(name) for name in names).replace("\\", "\\\\")


def _matchers(store: MetricsStore, namespaces: tuple[str, ...]) -> tuple[Matcher, ...]:
    namespace = (
        Matcher(store.namespace_label, "=", namespaces[0])
        if len(namespaces) == 1
        else Matcher(store.namespace_label, "=~", "|".join(_quoted(name) for name in namespaces))
    )
    if store.pod_label:
        # Narrows the answer only: which revision a pod belongs to is known by its owner, never by its name.
        return (namespace, Matcher(store.pod_label, "=~", f"({NAMES})-.*"))
    return (namespace, Matcher(store.workload_label, "=~", NAMES))


def _quoted(name: str) -> str:
    return _REGEX_SIGNS.sub(r"\\\1", name)
