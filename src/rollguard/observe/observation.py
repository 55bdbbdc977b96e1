"""What of a slot belongs to one rollout: its unit's samples, after its start or before it, and the two arms."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import TypeVar

from rollguard.model.alerting import ReceivedAlert
from rollguard.model.facts import UnitFacts
from rollguard.model.judgement import Arms, Observation, Rollout
from rollguard.model.metrics import Answer, Answered
from rollguard.model.names import UnitName
from rollguard.model.policy import MetricsStore
from rollguard.model.time import Instant

T = TypeVar("T")


def observation(
    now: Instant,
    rollout: Rollout,
    facts: UnitFacts,
    *,
    answers: tuple[Answer, ...],
    before: tuple[Answer, ...],
    store: MetricsStore,
    units: tuple[UnitName, ...] = (),
    idle: bool = False,
    alerts: tuple[ReceivedAlert, ...] = (),
    muted: Instant | None = None,
) -> Observation:
    """All that the judge may look at: nothing from before the rollout stands among its answers.

    Samples are those of the workloads that `units` guard, sorted; of the rollout's unit where there are none. `idle`
    says that what served before is not asked any more, though its pods run.

    A slot that straddles the start is in neither part. The reference is the baseline wherever the series can tell the
    arms apart, also when its last pod is gone: its slots are still coming in.
    """
    apart = bool(store.pod_label)
    mine = units or (rollout.unit,)
    after = tuple(of_units(answer, mine) for answer in answers if answer.slot.start >= rollout.started)
    earlier = tuple(of_units(answer, mine) for answer in before if answer.slot.end <= rollout.started)
    return Observation(
        now=now,
        rollout=rollout,
        arms=Arms(new=rollout.target, reference=rollout.baseline if apart else None, apart=apart, idle=idle),
        facts=facts,
        answers=tuple(sorted(after, key=_in_time)),
        before=tuple(sorted(earlier, key=_in_time)),
        alerts=alerts,
        muted=muted,
    )


def _in_time(answer: Answer) -> tuple[float, str]:
    return answer.slot.end.seconds, answer.signal


def of_units(answer: Answer, units: tuple[UnitName, ...]) -> Answer:
    """The answer with the samples and gaps of these units, in their order; a whole gap is every unit's."""
    if len(units) == 1 or not isinstance(answer, Answered):
        return of_unit(answer, units[0])
    parts = [part for part in (of_unit(answer, unit) for unit in units) if isinstance(part, Answered)]
    return Answered(
        signal=answer.signal,
        slot=answer.slot,
        samples=tuple(sample for part in parts for sample in part.samples),
        pod_gaps=tuple(gap for part in parts for gap in part.pod_gaps),
    )


def of_unit(answer: Answer, unit: UnitName) -> Answer:
    """The answer with the unit's samples and gaps alone; a whole gap is every unit's.

    Relies on the order by workload that `fold` gives: at 100,000 pods a scan for each unit would not end in a tick.
    """
    if not isinstance(answer, Answered):
        return answer
    samples = _own(answer.samples, unit, lambda sample: UnitName.of_workload(sample.key.workload))
    gaps = _own(answer.pod_gaps, unit, lambda gap: UnitName.of_workload(gap[0].workload))
    if samples is answer.samples and gaps is answer.pod_gaps:
        return answer
    return Answered(signal=answer.signal, slot=answer.slot, samples=samples, pod_gaps=gaps)


def _own(items: tuple[T, ...], unit: UnitName, owner: Callable[[T], UnitName]) -> tuple[T, ...]:
    """The unit's own; the very same tuple where all of them are, as in an answer that was narrowed before."""
    if not items or owner(items[0]) == unit == owner(items[-1]):
        return items
    return items[bisect_left(items, unit, key=owner) : bisect_right(items, unit, key=owner)]
