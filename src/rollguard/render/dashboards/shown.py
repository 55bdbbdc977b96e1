"""A signal of the policy as panels: the same expression as the rules', the policy's bounds as lines."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rollguard.model.signals import Level, LevelName, Signal, SignalKind
from rollguard.policy.promql import Matcher, metric_of, selectors
from rollguard.render.dashboards.panel import Line, Panel, PanelKind, Query
from rollguard.render.dashboards.view import RATE_INTERVAL, WORKLOADS, View
from rollguard.render.places import Of, key_of, percent
from rollguard.signals import Scope, Span, measured

COLOURS = {LevelName.WARNING: "yellow", LevelName.CRITICAL: "orange", LevelName.ROLLBACK: "red"}
QUANTILE = 0.95
"""What is shown of a histogram without levels."""
_SHORT = frozenset({"api", "cpu", "db", "gpu", "http", "io"})
SECONDS_OF_RANGE = "($__rate_interval_ms / 1000)"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ask:
    """How a panel asks: of what scope, by which label, and how the answer is narrowed."""

    scope: Scope
    legend: str
    where: str
    of: Of
    view: View | None = None
    """Narrows the answer to the chosen Deployments."""

    def query(self, promql: str) -> Query:
        return Query(promql=self.view.chosen(f"({promql})") if self.view else promql, legend=self.legend)


def by_workload(view: View, *signals: Signal) -> tuple[Panel, ...]:
    """The signals' panels, in each one line for every chosen Deployment; none of an event."""
    return _panels(_of_workloads(view), signals)


def altogether(view: View, *signals: Signal) -> tuple[Panel, ...]:
    """The signals' panels over the whole namespace, and of a shared one over all there is; none of an event."""
    return tuple(panel for signal in signals for panel in _panels(_of_all(view, signal), (signal,)))


def requests_by_workload(view: View, *signals: Signal) -> tuple[Panel, ...]:
    """How many requests the signals are measured by, each of the same series once, by Deployment."""
    return tuple(_requests(_of_workloads(view), signal) for signal in _counting(signals))


def requests_altogether(view: View, *signals: Signal) -> tuple[Panel, ...]:
    """The same over the whole namespace."""
    return tuple(_requests(_of_all(view, signal), signal) for signal in _counting(signals))


def _of_workloads(view: View) -> _Ask:
    store = view.policy.metrics
    # A pod's name only narrows: a longer Deployment's may begin with the same letters.
    by_pod = Matcher(store.pod_label, "=~", "($workload)-.*")
    narrow = by_pod if store.pod_label else replace(WORKLOADS, label=store.workload_label)
    scope = replace(view.scope, matchers=(*view.scope.matchers, narrow))
    return _Ask(scope=scope, legend="{{deployment}}", where="Of each chosen Deployment.", of=Of.WORKLOAD, view=view)


def _of_all(view: View, signal: Signal) -> _Ask:
    if signal.shared:
        where = "It belongs to no Deployment alone: of the whole store, in whatever namespace it is scraped."
        return _Ask(scope=view.scope, legend="{{namespace}}", where=where, of=Of.ALL)
    where = "Of all Deployments of the namespace together."
    return _Ask(scope=view.scope.together(), legend="{{namespace}}", where=where, of=Of.ALL)


def _panels(ask: _Ask, signals: tuple[Signal, ...]) -> tuple[Panel, ...]:
    made = []
    for signal in signals:
        for quantile in _quantiles(signal):
            value = measured(signal, ask.scope, Span(over=RATE_INTERVAL, quantile=quantile)).value
            if value:
                made.append(_panel(ask, signal, quantile, value))
    return tuple(made)


def _panel(ask: _Ask, signal: Signal, quantile: float | None, value: str) -> Panel:
    levels = tuple(level for level in signal.levels if level.quantile == quantile)
    named = percent(quantile)
    return Panel(
        key=key_of(signal, ask.of, quantile),
        title=f"{_words(signal)}{f', {named}' if named else ''}",
        description=" ".join(each for each in (_about(signal, named), ask.where, _bounds(levels)) if each),
        kind=PanelKind.TIME_SERIES,
        unit=unit(signal),
        queries=(ask.query(value),),
        lines=_lines(levels),
        signal=signal.name,
    )


def _requests(ask: _Ask, signal: Signal) -> Panel:
    counted = measured(signal, ask.scope, Span(over=RATE_INTERVAL)).requests
    return Panel(
        key=f"{ask.of} requests of {signal.name}",
        title=f"{_series(signal)} per second",
        description=f"All that the signal `{signal.name}` counts, good or bad. {ask.where}",
        kind=PanelKind.TIME_SERIES,
        unit="cps",
        queries=(ask.query(f"({counted}) / {SECONDS_OF_RANGE}"),),
    )


def _counting(signals: tuple[Signal, ...]) -> tuple[Signal, ...]:
    """Those that count requests; of several that count by the same series the first."""
    kinds = (SignalKind.RATIO, SignalKind.HISTOGRAM)
    found: dict[str, Signal] = {}
    for signal in sorted((each for each in signals if each.kind in kinds), key=lambda each: kinds.index(each.kind)):
        found.setdefault(_subject(signal), signal)
    return tuple(found.values())


def _subject(signal: Signal) -> str:
    """`http_request_duration_seconds_bucket` and `http_requests_total` count the same: told by the first word."""
    return _series(signal).split("_")[0]


def _series(signal: Signal) -> str:
    text = signal.total or signal.buckets or signal.counter or signal.gauge
    return metric_of(selectors(text)[0])


def _quantiles(signal: Signal) -> tuple[float | None, ...]:
    if signal.kind is not SignalKind.HISTOGRAM:
        return (None,)
    return tuple(sorted({level.quantile for level in signal.levels if level.quantile})) or (QUANTILE,)


def _lines(levels: tuple[Level, ...]) -> tuple[Line, ...]:
    """One at each bound, in the colour of the worst that begins there."""
    bounds = {level.bound: COLOURS[level.name] for level in levels}
    return tuple(Line(bound=bound, colour=colour) for bound, colour in sorted(bounds.items()))


def unit(signal: Signal) -> str:
    """Grafana's name of the unit that the signal's bounds are in."""
    if signal.kind is SignalKind.RATIO or signal.limit:
        return "percentunit"
    if signal.kind is SignalKind.HISTOGRAM:
        return "s"
    if signal.kind is SignalKind.RATE:
        return "cpm"
    endings = {"_seconds": "s", "_bytes": "bytes", "_ratio": "percentunit"}
    return next((found for ending, found in endings.items() if _series(signal).endswith(ending)), "short")


def _words(signal: Signal) -> str:
    words = (word.upper() if word in _SHORT else word for word in signal.name.split("-"))
    text = " ".join(words)
    return text[0].upper() + text[1:]


def _about(signal: Signal, named: str) -> str:
    if signal.kind is SignalKind.RATIO:
        return f"The share of `{signal.bad}` in `{signal.total}`."
    if signal.kind is SignalKind.HISTOGRAM:
        return f"{named} of `{signal.buckets}`."
    if signal.kind is SignalKind.RATE:
        return f"`{signal.counter}` per minute{', averaged over the pods' if signal.per_pod else ''}."
    highest = "The highest share of its limit" if signal.limit else "The highest value"
    return f"{highest} of `{signal.gauge}`."


def _bounds(levels: tuple[Level, ...]) -> str:
    """In the order of the policy: what each bound means."""
    told = "; ".join(f"{level.name.value} {level.text}" for level in levels)
    return f"The policy's levels: {told}." if told else ""
