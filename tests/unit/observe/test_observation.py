from __future__ import annotations

from rollguard.model.judgement import Rollout
from rollguard.model.metrics import Answer, Answered, Counts, Gap, GapCause, SeriesKey
from rollguard.model.names import RolloutId, WorkloadKind, WorkloadName
from rollguard.model.policy import MetricsStore, StoreAccess
from rollguard.observe import observation, slot_at
from tests.unit.observe.building import NAME, NEW, OLD, UNIT, seen

OTHER = WorkloadName("production", WorkloadKind.DEPLOYMENT, "lip-sync")


def store(pod_label: str = "pod") -> MetricsStore:
    return MetricsStore(
        address="http://127.0.0.1:9090",
        namespace_label="namespace",
        pod_label=pod_label,
        workload_label="deployment",
        match="",
        auth=StoreAccess(),
        scrape_interval=15,
    )


def answer(number: int, *workloads: WorkloadName) -> Answered:
    slot = slot_at(number, 15.0)
    keys = [SeriesKey(workload=w, revision=NEW, pod=f"{w.name}-1") for w in workloads]
    return Answered(
        signal="error-rate",
        slot=slot,
        samples=tuple(Counts(key=key, slot=slot, bad=0, total=1) for key in keys),
        pod_gaps=tuple((key, GapCause.RESET) for key in keys),
    )


ROLLOUT = Rollout(
    id=RolloutId("r"),
    unit=UNIT,
    started=slot_at(10, 15.0).start.plus(4),
    target=NEW,
    target_number=2,
    baseline=OLD,
)


def test_nothing_from_before_the_rollout_is_among_its_answers() -> None:
    every: tuple[Answer, ...] = tuple(answer(n, NAME) for n in range(14, 6, -1))
    seen_now = observation(ROLLOUT.started, ROLLOUT, seen(), answers=every, before=every, store=store())
    assert [a.slot.start.seconds / 15 for a in seen_now.answers] == [11, 12, 13, 14]
    assert [a.slot.start.seconds / 15 for a in seen_now.before] == [7, 8, 9]


def test_other_workloads_samples_and_gaps_are_left_out_and_whole_gaps_stay() -> None:
    lost = Gap(signal="error-rate", slot=slot_at(12, 15.0), cause=GapCause.TIMEOUT, detail="")
    both = observation(
        ROLLOUT.started, ROLLOUT, seen(), answers=(answer(11, OTHER, NAME), lost), before=(), store=store()
    )
    first, second = both.answers
    assert isinstance(first, Answered)
    assert {s.key.workload for s in first.samples} == {key.workload for key, _ in first.pod_gaps} == {NAME}
    assert second == lost


def test_arms_are_apart_only_where_series_carry_a_pod() -> None:
    by_pod = observation(ROLLOUT.started, ROLLOUT, seen(), answers=(), before=(), store=store())
    assert (by_pod.arms.new, by_pod.arms.reference, by_pod.arms.apart) == (NEW, OLD, True)
    by_workload = observation(ROLLOUT.started, ROLLOUT, seen(), answers=(), before=(), store=store(""))
    assert (by_workload.arms.reference, by_workload.arms.apart) == (None, False)
