"""Differences between slot ends: the store's cumulative answers become whole, non-overlapping slots per pod.

A decrease, a reset, a missing end or anything that cannot be is a gap for that pod, never a number.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rollguard.model.metrics import (
    Answer,
    Answered,
    Buckets,
    Counts,
    Gap,
    GapCause,
    Gauge,
    Increase,
    MetricsAnswer,
    NoSnapshot,
    Reading,
    Sample,
    SeriesKey,
    Snapshot,
)
from rollguard.model.names import UnitName, WorkloadName
from rollguard.model.signals import Signal, SignalKind
from rollguard.model.time import Slot
from rollguard.observe.pods import PodIndex
from rollguard.signals import parts

YOUNG_FOR_LEAST = 15.0
"""Seconds after its readiness in which a pod need not be scraped yet (service discovery and the first scrape)."""
MOST_IN_A_SLOT = 1e9
"""A counter that grows by more requests of one pod in a slot lies, and exact tests of such numbers take seconds."""

Values = dict[tuple[str, str], float]


@dataclass(frozen=True, slots=True)
class _Ends:
    """What one pod's (or workload's) series said at both ends of the slot."""

    signal: Signal
    key: SeriesKey
    slot: Slot
    earlier: Reading | None
    later: Reading | None


def fold(signal: Signal, earlier: MetricsAnswer, later: MetricsAnswer, slot: Slot, pods: PodIndex) -> Answer:
    """The signal's samples in the slot, of all guarded workloads; a Gap where an end of the slot has no answer.

    A pod's slot counts only if it starts at or after the pod's readiness. `pod_gaps` names the pods that should have
    a sample and have none. Both are in order of the workload. Series without a pod are kept by workload, and a shared
    signal's series that belong to no known pod are summed (a gauge: its highest) for every workload of their namespace.
    """
    needed = (later,) if signal.kind is SignalKind.GAUGE else (earlier, later)
    for end in needed:
        if isinstance(end, NoSnapshot):
            return Gap(signal=signal.name, slot=slot, cause=end.cause, detail=end.detail)
    before = earlier.readings if isinstance(earlier, Snapshot) else ()
    after = later.readings if isinstance(later, Snapshot) else ()
    if not before and not after:
        return Gap(signal=signal.name, slot=slot, cause=GapCause.EMPTY, detail="no series at either end of the slot")
    samples: list[Sample] = []
    gaps: list[tuple[SeriesKey, GapCause]] = []
    for ends in _paired(signal, slot, before, after, pods):
        outcome = GapCause.UNATTRIBUTED if _nobodys(ends) else _difference(ends)
        if isinstance(outcome, GapCause):
            if not _excused(ends, outcome, pods):
                gaps.append((ends.key, outcome))
        elif outcome is not None and _counts(ends, pods):
            samples.append(outcome)
    return Answered(
        signal=signal.name,
        slot=slot,
        samples=tuple(sorted(samples, key=lambda sample: UnitName.of_workload(sample.key.workload))),
        pod_gaps=tuple(sorted(gaps, key=lambda gap: UnitName.of_workload(gap[0].workload))),
    )


def _paired(
    signal: Signal, slot: Slot, before: tuple[Reading, ...], after: tuple[Reading, ...], pods: PodIndex
) -> Iterator[_Ends]:
    """Each pod or workload that has, or should have, a sample: in a fixed order, whatever the answer's."""
    first, strays_first = _by_key(before, pods)
    second, strays_second = _by_key(after, pods)
    by_workload = any(key.pod is None for key in (*first, *second))
    if signal.shared and (strays_first or strays_second):
        yield from _for_everyone(signal, slot, strays_first, strays_second, pods)
    expected = (
        {SeriesKey(workload=workload, revision=None, pod=None) for workload in pods.workloads}
        if by_workload
        else {known.key for known in pods.pods.values()}
        if not signal.shared
        else set[SeriesKey]()
    )
    every = expected | set(first) | set(second)
    for key in sorted(every, key=lambda k: (k.workload, k.pod or "")):
        yield _Ends(signal, key, slot, first.get(key), second.get(key))


def _by_key(readings: tuple[Reading, ...], pods: PodIndex) -> tuple[dict[SeriesKey, Reading], list[Reading]]:
    found: dict[SeriesKey, Reading] = {}
    strays: list[Reading] = []
    workloads = {(workload.namespace, workload.name): workload for workload in pods.workloads}
    for reading in readings:
        known = pods.find(reading.namespace, reading.pod) if reading.pod else None
        workload = workloads.get((reading.namespace, reading.workload)) if reading.workload else None
        if known is not None:
            found[known.key] = reading
        elif workload is not None:
            found[SeriesKey(workload=workload, revision=None, pod=reading.pod or None)] = reading
        else:
            strays.append(reading)
    return found, strays


def _for_everyone(
    signal: Signal, slot: Slot, before: list[Reading], after: list[Reading], pods: PodIndex
) -> Iterator[_Ends]:
    for workload in sorted(pods.workloads):
        key = SeriesKey(workload=workload, revision=None, pod=None)
        yield _Ends(
            signal,
            key,
            slot,
            _merged(signal, workload, before),
            _merged(signal, workload, after),
        )


def _merged(signal: Signal, workload: WorkloadName, readings: list[Reading]) -> Reading | None:
    near = [reading for reading in readings if reading.namespace in {"", workload.namespace}]
    if not near:
        return None
    join: Callable[[float, float], float] = max if signal.kind is SignalKind.GAUGE else float.__add__
    values: Values = {}
    for reading in near:
        for part, class_, value in reading.values:
            old = values.get((part, class_))
            values[part, class_] = value if old is None else join(old, value)
    return Reading(
        namespace=workload.namespace,
        pod="",
        workload=workload.name,
        values=tuple((part, class_, value) for (part, class_), value in sorted(values.items())),
        newest=min(reading.newest for reading in near),
        resets=sum(reading.resets for reading in near),
    )


def _nobodys(ends: _Ends) -> bool:
    """Series of a pod whose revision is not known (any more): a gap for its arm."""
    return ends.key.pod is not None and ends.key.revision is None


def _counts(ends: _Ends, pods: PodIndex) -> bool:
    """The slot lies after the pod's readiness; series without a pod always count."""
    if ends.key.pod is None:
        return True
    known = pods.find(ends.key.workload.namespace, ends.key.pod)
    return known is not None and known.ready_since is not None and ends.slot.start >= known.ready_since


def _excused(ends: _Ends, cause: GapCause, pods: PodIndex) -> bool:
    """A pod that is gone, not ready in time, or ready so lately that no scrape need have reached it, owes no sample."""
    if ends.key.pod is None:
        return False
    known = pods.find(ends.key.workload.namespace, ends.key.pod)
    if known is None:
        return False
    if not known.present or known.ready_since is None or ends.slot.start < known.ready_since:
        return True
    if ends.signal.limit and ends.earlier is None and ends.later is None:
        return True
    young = max(2 * ends.slot.seconds, YOUNG_FOR_LEAST)
    return cause is GapCause.EMPTY and ends.slot.start < known.ready_since.plus(young)


def _difference(ends: _Ends) -> Sample | GapCause | None:
    """The sample, why there is none, or None for a gauge without a limit."""
    later, earlier = ends.later, ends.earlier
    if later is None:
        return GapCause.EMPTY
    if not all(math.isfinite(value) for end in (earlier, later) if end is not None for *_, value in end.values):
        return GapCause.UNEXPECTED
    if later.newest <= ends.slot.start:
        return GapCause.STALE
    if ends.signal.kind is SignalKind.GAUGE:
        return _gauge(ends, _values(later))
    if earlier is None:
        return GapCause.EMPTY
    if earlier.newest <= ends.slot.start.plus(-ends.slot.seconds):
        return GapCause.STALE
    if later.resets > 0:
        return GapCause.RESET
    first, second = _values(earlier), _values(later)
    if any(second.get(name, value) < value for name, value in first.items()):
        return GapCause.RESET
    if set(first) - set(second):
        return GapCause.RESET
    return _DIFFERENCES[ends.signal.kind](ends, first, second)


def _values(reading: Reading) -> Values:
    return {(part, class_): value for part, class_, value in reading.values}


def _gauge(ends: _Ends, values: Values) -> Sample | GapCause | None:
    value = values.get((parts.VALUE, ""))
    if value is None:
        return GapCause.EMPTY
    if ends.signal.limit:
        limit = values.get((parts.LIMIT, ""))
        if limit is None or limit <= 0:
            return None
        value /= limit
        if not math.isfinite(value):
            return GapCause.UNEXPECTED
    return Gauge(key=ends.key, slot=ends.slot, value=value)


def _ratio(ends: _Ends, first: Values, second: Values) -> Sample | GapCause:
    total_name, bad_name = (parts.TOTAL, ""), (parts.BAD, "")
    if total_name not in first or total_name not in second:
        return GapCause.EMPTY
    total = round(second[total_name] - first[total_name])
    # A series of bad requests appears with the first of them: until then there were none.
    bad = round(second.get(bad_name, 0.0) - first.get(bad_name, 0.0))
    if bad > total or total > MOST_IN_A_SLOT:
        return GapCause.UNEXPECTED
    return Counts(key=ends.key, slot=ends.slot, bad=bad, total=total)


def _histogram(ends: _Ends, first: Values, second: Values) -> Sample | GapCause:
    try:
        edges = sorted((float(class_), class_) for part, class_ in second if part == parts.BUCKET)
    except ValueError:
        return GapCause.UNEXPECTED
    if any(math.isnan(edge) for edge, _class in edges):
        return GapCause.UNEXPECTED
    if not edges or edges[-1][0] != float("inf") or (parts.BUCKET, edges[-1][1]) not in first:
        return GapCause.EMPTY
    counts = tuple(
        round(second[parts.BUCKET, class_] - first.get((parts.BUCKET, class_), 0.0)) for _edge, class_ in edges
    )
    if any(high < low for low, high in itertools.pairwise(counts)) or counts[-1] > MOST_IN_A_SLOT:
        return GapCause.UNEXPECTED
    return Buckets(key=ends.key, slot=ends.slot, edges=tuple(edge for edge, _class in edges), counts=counts)


def _rate(ends: _Ends, first: Values, second: Values) -> Sample | GapCause:
    name = (parts.COUNT, "")
    if name not in first or name not in second:
        return GapCause.EMPTY
    amount = second[name] - first[name]
    if amount > MOST_IN_A_SLOT:
        return GapCause.UNEXPECTED
    return Increase(key=ends.key, slot=ends.slot, amount=amount)


_DIFFERENCES: dict[SignalKind, Callable[[_Ends, Values, Values], Sample | GapCause]] = {
    SignalKind.RATIO: _ratio,
    SignalKind.HISTOGRAM: _histogram,
    SignalKind.RATE: _rate,
}
