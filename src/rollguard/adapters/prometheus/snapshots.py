"""The values of all parts of a question -> a snapshot, or the gap that their lack is."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from rollguard.adapters.prometheus.answer import Values, finite
from rollguard.model.metrics import GapCause, MetricsAnswer, NoSnapshot, Question, Reading, Snapshot
from rollguard.model.time import Instant
from rollguard.signals import parts

_Owner = tuple[str, str, str]


def snapshot(question: Question, at: Instant, found: Mapping[str, Values], *, stale_after: float) -> MetricsAnswer:
    """The snapshot of one instant. `found` has the values of every part of the question.

    A pod with a value that is no number, or with its newest sample `stale_after` seconds or more before the instant,
    has no reading; where that leaves none, the whole is a gap of that cause.
    """
    when = round(at.seconds * 1000)
    by_owner: defaultdict[_Owner, dict[tuple[str, str], float]] = defaultdict(dict)
    for part, values in found.items():
        for (namespace, pod, workload, class_), number in values.get(when, {}).items():
            by_owner[namespace, pod, workload][part, class_] = number
    readings: list[Reading] = []
    causes: Counter[GapCause] = Counter()
    for owner, numbers in sorted(by_owner.items()):
        if not any(part in parts.SUBJECTS for part, _ in numbers):
            continue
        reading = _reading(owner, numbers, {*found}, at, stale_after)
        if isinstance(reading, Reading):
            readings.append(reading)
        else:
            causes[reading] += 1
    if readings:
        return Snapshot(signal=question.signal, at=at, readings=tuple(readings))
    if not causes:
        return NoSnapshot(signal=question.signal, at=at, cause=GapCause.EMPTY, detail="no series")
    cause, count = causes.most_common(1)[0]
    detail = {
        GapCause.NOT_A_NUMBER: f"NaN or infinite for {count} of {count}",
        GapCause.STALE: f"no sample in the last {stale_after:g} s",
    }.get(cause, "parts of the answer are missing")
    return NoSnapshot(signal=question.signal, at=at, cause=cause, detail=detail)


def _reading(
    owner: _Owner, numbers: dict[tuple[str, str], float], asked: set[str], at: Instant, stale_after: float
) -> Reading | GapCause:
    if not all(finite(number) for number in numbers.values()):
        return GapCause.NOT_A_NUMBER
    newest = numbers.pop((parts.NEWEST, ""), None)
    if newest is None:
        return GapCause.UNEXPECTED
    if at.seconds - newest >= stale_after:
        return GapCause.STALE
    resets = numbers.pop((parts.RESETS, ""), 0.0)
    if parts.BAD in asked:
        numbers.setdefault((parts.BAD, ""), 0.0)
    return Reading(
        namespace=owner[0],
        pod=owner[1],
        workload=owner[2],
        values=tuple((part, class_, number) for (part, class_), number in sorted(numbers.items())),
        newest=Instant(newest),
        resets=round(resets),
    )
