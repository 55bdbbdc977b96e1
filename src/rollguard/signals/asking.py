"""One signal definition -> the question to the metrics store, for all guarded workloads at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from rollguard.model.metrics import Expression, GapCause, MetricsAnswer, NoSnapshot, Question, Snapshot
from rollguard.model.names import WorkloadName
from rollguard.model.policy import MetricsStore, Policy
from rollguard.model.signals import Signal, SignalKind
from rollguard.model.time import Instant
from rollguard.signals import event, gauge, histogram, rate, ratio
from rollguard.signals.grouping import Grouping, chunks, filled, grouping
from rollguard.signals.measure import Measure, Span, ranged
from rollguard.signals.scope import Scope

LONGEST_EXPRESSION = 6000
"""Characters. Longer questions are cut by workloads."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of signal asks, and how rules and panels measure the same."""

    expressions: Callable[[Signal, Grouping], tuple[Expression, ...]]
    class_label: str
    measured: Callable[[Signal, Scope, Span], Measure]
    """What rules and panels show of it."""


KINDS = {
    SignalKind.RATIO: Kind(ratio.expressions, ratio.CLASS_LABEL, ratio.measured),
    SignalKind.HISTOGRAM: Kind(histogram.expressions, histogram.CLASS_LABEL, histogram.measured),
    SignalKind.RATE: Kind(rate.expressions, rate.CLASS_LABEL, rate.measured),
    SignalKind.GAUGE: Kind(gauge.expressions, gauge.CLASS_LABEL, gauge.measured),
    SignalKind.EVENT: Kind(event.expressions, event.CLASS_LABEL, event.measured),
}


def asked(policy: Policy) -> tuple[Signal, ...]:
    """The signals that the store is asked for: those of a kind that has series and that apply to some watch."""
    return tuple(
        signal
        for signal in policy.signals
        if signal.kind is not SignalKind.EVENT and any(watch.uses(signal.name) for watch in policy.watches)
    )


def question(
    signal: Signal,
    store: MetricsStore,
    *,
    workloads: tuple[WorkloadName, ...],
    instants: tuple[Instant, ...],
    slot_seconds: float,
) -> tuple[Question, ...]:
    """The questions of a signal: none for events or without workloads, one otherwise, several only where an expression
    would be longer than `LONGEST_EXPRESSION` characters (`joined` makes their answers one again)."""
    kind = KINDS[signal.kind]
    if not workloads or not instants or signal.kind is SignalKind.EVENT:
        return ()
    namespaces = tuple(sorted({workload.namespace for workload in workloads}))
    names = tuple(sorted({workload.name for workload in workloads}))
    expressions = kind.expressions(signal, grouping(signal, store, namespaces, slot_seconds))
    pieces = [names] if signal.shared else chunks(expressions, names, LONGEST_EXPRESSION)
    return tuple(
        Question(
            signal=signal.name,
            instants=instants,
            expressions=filled(expressions, piece),
            namespace_label=store.namespace_label,
            pod_label=store.pod_label,
            workload_label=store.workload_label,
            class_label=kind.class_label,
        )
        for piece in pieces
    )


def measured(signal: Signal, scope: Scope, span: Span) -> Measure:
    """The same signal for rules and panels: by workload, or by namespace where it is shared or the span is of all
    workloads together. Both expressions are empty for an event."""
    shaped = scope.together() if span.whole else scope
    if signal.shared:
        shaped = replace(scope, shared=True)
    return ranged(KINDS[signal.kind].measured(signal, shaped, span), span)


def joined(answers: tuple[tuple[MetricsAnswer, ...], ...]) -> tuple[MetricsAnswer, ...]:
    """The answers of a signal's several questions as those of one, instant by instant.

    One that is missing makes the whole missing: a partial answer is never passed on as a whole one. Only `EMPTY`
    adds nothing, for workloads without series must not blind the others; it stays where all are empty.
    """
    return tuple(_joined(parts) for parts in zip(*answers, strict=True))


def _joined(answers: tuple[MetricsAnswer, ...]) -> MetricsAnswer:
    snapshots = [answer for answer in answers if isinstance(answer, Snapshot)]
    missing = [answer for answer in answers if isinstance(answer, NoSnapshot)]
    failed = [answer for answer in missing if answer.cause is not GapCause.EMPTY]
    if failed:
        return failed[0]
    if not snapshots:
        return missing[0]
    readings = tuple(reading for snapshot in snapshots for reading in snapshot.readings)
    return Snapshot(signal=snapshots[0].signal, at=snapshots[0].at, readings=readings)
