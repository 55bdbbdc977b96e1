"""The values of all parts of a question -> a snapshot, or the gap that their lack is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from rollguard.adapters.prometheus.answer import Labels, Values, finite
from rollguard.model.metrics import GapCause, MetricsAnswer, NoSnapshot, Question, Reading, Snapshot
from rollguard.model.time import Instant
from rollguard.signals import parts

_Cells = dict[Labels, float]
_Numbers = list[tuple[str, str, float]]


def snapshot(question: Question, at: Instant, found: Mapping[str, Values], *, stale_after: float) -> MetricsAnswer:
    """The snapshot of one instant. `found` has the values of every part of the question.

    A pod with a value that is no number, or with its newest sample `stale_after` seconds or more before the instant,
    has no reading; where that leaves none, the whole is a gap of that cause.
    """
    when = round(at.seconds * 1000)
    cells = {part: values.get(when, {}) for part, values in found.items()}
    newest = cells.pop(parts.NEWEST, {})
    resets = cells.pop(parts.RESETS, {})
    readings: list[Reading] = []
    causes: Counter[GapCause] = Counter()
    for owner, numbers in _by_owner(cells):
        cause, stamp, falls = None, newest.get(owner), resets.get(owner, 0.0)
        if not all(finite(number) for _part, _class, number in numbers) or not finite(falls):
            cause = GapCause.NOT_A_NUMBER
        elif stamp is None or not finite(stamp):
            cause = GapCause.UNEXPECTED
        elif at.seconds - stamp >= stale_after:
            cause = GapCause.STALE
        else:
            readings.append(_reading(owner, numbers, stamp, falls))
        if cause is not None:
            causes[cause] += 1
    if readings:
        return Snapshot(signal=question.signal, at=at, readings=tuple(readings))
    return _nothing(question.signal, at, causes, stale_after)


def _by_owner(cells: Mapping[str, _Cells]) -> Iterator[tuple[Labels, _Numbers]]:
    """Each pod (or workload) that has the subject of the question, with all its numbers, in order."""
    grouped: dict[Labels, _Numbers] = {}
    for subject in parts.SUBJECTS & cells.keys():
        for labels, number in cells[subject].items():
            class_ = labels[3]
            owner = (labels[0], labels[1], labels[2], "") if class_ else labels
            grouped.setdefault(owner, []).append((subject, class_, number))
    others = [(part, of_part) for part, of_part in cells.items() if part not in parts.SUBJECTS]
    for owner, numbers in sorted(grouped.items()):
        for part, of_part in others:
            if owner in of_part:
                numbers.append((part, "", of_part[owner]))
            elif part in parts.ABSENT_IS_ZERO:
                numbers.append((part, "", 0.0))
        yield owner, numbers


def _reading(owner: Labels, numbers: _Numbers, newest: float, resets: float) -> Reading:
    return Reading(
        namespace=owner[0],
        pod=owner[1],
        workload=owner[2],
        values=tuple(sorted(numbers)),
        newest=Instant(newest),
        resets=round(resets),
    )


def _nothing(signal: str, at: Instant, causes: Counter[GapCause], stale_after: float) -> NoSnapshot:
    if not causes:
        return NoSnapshot(signal=signal, at=at, cause=GapCause.EMPTY, detail="no series")
    cause, count = causes.most_common(1)[0]
    detail = {
        GapCause.NOT_A_NUMBER: f"NaN or infinite for all {count}",
        GapCause.STALE: f"no sample in the last {stale_after:g} s",
    }.get(cause, "parts of the answer are missing")
    return NoSnapshot(signal=signal, at=at, cause=cause, detail=detail)
