"""What of a slot belongs to one rollout: its unit's samples, after its start or before it, and the two arms."""

from __future__ import annotations

from rollguard.model.facts import UnitFacts
from rollguard.model.judgement import Arms, Observation, Rollout
from rollguard.model.metrics import Answer, Answered, SeriesKey
from rollguard.model.names import UnitName
from rollguard.model.policy import MetricsStore
from rollguard.model.time import Instant


def observation(
    now: Instant,
    rollout: Rollout,
    facts: UnitFacts,
    *,
    answers: tuple[Answer, ...],
    before: tuple[Answer, ...],
    store: MetricsStore,
) -> Observation:
    """All that the judge may look at: nothing from before the rollout stands among its answers.

    A slot that straddles the start is in neither part. The reference is the baseline wherever the series can tell the
    arms apart, also when its last pod is gone: its slots are still coming in.
    """
    apart = bool(store.pod_label)
    after = tuple(_of_unit(answer, rollout.unit) for answer in answers if answer.slot.start >= rollout.started)
    earlier = tuple(_of_unit(answer, rollout.unit) for answer in before if answer.slot.end <= rollout.started)
    return Observation(
        now=now,
        rollout=rollout,
        arms=Arms(new=rollout.target, reference=rollout.baseline if apart else None, apart=apart),
        facts=facts,
        answers=tuple(sorted(after, key=_in_time)),
        before=tuple(sorted(earlier, key=_in_time)),
    )


def _in_time(answer: Answer) -> tuple[Instant, str]:
    return answer.slot.end, answer.signal


def _of_unit(answer: Answer, unit: UnitName) -> Answer:
    if not isinstance(answer, Answered):
        return answer
    return Answered(
        signal=answer.signal,
        slot=answer.slot,
        samples=tuple(sample for sample in answer.samples if _owns(unit, sample.key)),
        pod_gaps=tuple((key, cause) for key, cause in answer.pod_gaps if _owns(unit, key)),
    )


def _owns(unit: UnitName, key: SeriesKey) -> bool:
    return UnitName.of_workload(key.workload) == unit
