from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollguard.model.metrics import Answered, Buckets, Counts, Gap, GapCause, Gauge, Increase, NoSnapshot
from rollguard.model.names import UnitName, WorkloadKind, WorkloadName
from rollguard.model.signals import Signal, SignalKind
from rollguard.observe import PodIndex, fold, of_unit
from tests.unit.observe.building import (
    LONG_AGO,
    NAME,
    NEW,
    NOW,
    OLD,
    SLOT,
    ends,
    index,
    pod,
    reading,
    seen,
    signal,
    snapshot,
)

Values = dict[str, dict[tuple[str, str], float]]
T, B = ("total", ""), ("bad", "")
RATIO = signal()


def folded(first: Values, second: Values, pods: PodIndex | None = None, sig: Signal = RATIO) -> Answered:
    earlier, later = ends(SLOT, first, second)
    answer = fold(sig, earlier, later, SLOT, pods or index(pod("a")))
    assert isinstance(answer, Answered)
    return answer


def causes(answer: Answered) -> dict[str | None, GapCause]:
    return {key.pod: cause for key, cause in answer.pod_gaps}


def test_a_slot_holds_the_difference_of_its_ends() -> None:
    (sample,) = folded({"a": {T: 100, B: 3}}, {"a": {T: 160, B: 9}}).samples
    assert isinstance(sample, Counts)
    assert (sample.bad, sample.total, sample.key.pod, sample.key.revision) == (6, 60, "a", NEW)


def test_bad_requests_that_were_never_seen_before_count_from_zero() -> None:
    (sample,) = folded({"a": {T: 100}}, {"a": {T: 160, B: 9}}).samples
    assert isinstance(sample, Counts)
    assert sample.bad == 9


@pytest.mark.parametrize(
    ("first", "second", "cause"),
    [
        ({"a": {T: 100, B: 3}}, {"a": {T: 90, B: 3}}, GapCause.RESET),
        ({"a": {T: 100, B: 3}}, {"a": {T: 160, B: 1}}, GapCause.RESET),
        ({"a": {T: 100, B: 3}}, {"a": {T: 160}}, GapCause.RESET),
        ({"a": {T: 100, B: 3}}, {}, GapCause.EMPTY),
        ({}, {"a": {T: 100, B: 3}}, GapCause.EMPTY),
        ({"a": {T: 100, B: 3}}, {"a": {T: 101, B: 9}}, GapCause.UNEXPECTED),
    ],
)
def test_what_cannot_be_a_difference_is_a_gap_of_that_pod(first: Values, second: Values, cause: GapCause) -> None:
    answer = folded(first, second)
    assert answer.samples == ()
    assert causes(answer) == {"a": cause}


def test_a_reset_that_the_store_counted_is_a_gap_even_where_the_counter_grew() -> None:
    earlier = snapshot(SLOT.start, reading("a", {T: 10}, newest=SLOT.start))
    later = snapshot(SLOT.end, reading("a", {T: 500}, newest=SLOT.end, resets=1))
    answer = fold(RATIO, earlier, later, SLOT, index(pod("a")))
    assert isinstance(answer, Answered)
    assert causes(answer) == {"a": GapCause.RESET}


def test_no_new_sample_within_the_slot_is_stale_not_zero() -> None:
    earlier = snapshot(SLOT.start, reading("a", {T: 10}, newest=SLOT.start.plus(-3)))
    later = snapshot(SLOT.end, reading("a", {T: 10}, newest=SLOT.start.plus(-3)))
    answer = fold(RATIO, earlier, later, SLOT, index(pod("a")))
    assert isinstance(answer, Answered)
    assert causes(answer) == {"a": GapCause.STALE}


def test_a_difference_over_more_than_one_slot_is_not_charged_to_the_last() -> None:
    earlier = snapshot(SLOT.start, reading("a", {T: 10}, newest=SLOT.start.plus(-40)))
    later = snapshot(SLOT.end, reading("a", {T: 900}, newest=SLOT.end))
    answer = fold(RATIO, earlier, later, SLOT, index(pod("a")))
    assert isinstance(answer, Answered)
    assert causes(answer) == {"a": GapCause.STALE}


@pytest.mark.parametrize("which", [0, 1])
def test_an_end_without_an_answer_is_a_gap_with_its_cause(which: int) -> None:
    both = list(ends(SLOT, {"a": {T: 1}}, {"a": {T: 2}}))
    lost = NoSnapshot(signal="error-rate", at=both[which].at, cause=GapCause.TIMEOUT, detail="12 s")
    answers = [lost if i == which else both[i] for i in (0, 1)]
    gap = fold(RATIO, answers[0], answers[1], SLOT, index(pod("a")))
    assert isinstance(gap, Gap)
    assert (gap.cause, gap.detail) == (GapCause.TIMEOUT, "12 s")


def test_no_series_at_all_is_a_gap_not_no_errors() -> None:
    gap = fold(RATIO, snapshot(SLOT.start), snapshot(SLOT.end), SLOT, index(pod("a")))
    assert isinstance(gap, Gap)
    assert gap.cause is GapCause.EMPTY


def test_a_slot_that_starts_before_the_pods_readiness_does_not_count() -> None:
    late = index(pod("a", ready_since=SLOT.start.plus(1)))
    answer = folded({"a": {T: 1}}, {"a": {T: 50}}, late)
    assert (answer.samples, answer.pod_gaps) == ((), ())


def test_a_pod_ready_so_lately_that_no_scrape_reached_it_owes_nothing() -> None:
    young = index(pod("a", ready_since=SLOT.start.plus(-5)))
    answer = folded({"b": {T: 1}}, {"b": {T: 2}}, young)
    assert answer.pod_gaps == ()
    grown = index(pod("a", ready_since=SLOT.start.plus(-31)))
    assert causes(folded({"b": {T: 1}}, {"b": {T: 2}}, grown)) == {"a": GapCause.EMPTY}


def test_a_pod_keeps_its_first_readiness_when_it_turns_unready() -> None:
    later = index(pod("a")).updated([seen(pod("a", ready_since=None))], [], NOW.plus(15))
    found = later.find("production", "a")
    assert found is not None
    assert found.ready_since == LONG_AGO


def test_a_gone_pod_owes_nothing_but_its_last_slots_still_count() -> None:
    here = index(pod("a"), pod("b"))
    gone = here.updated([seen()], [], NOW.plus(15))
    answer = folded({"a": {T: 5}, "b": {T: 5}}, {"a": {T: 9}}, gone)
    assert [s.key.pod for s in answer.samples] == ["a"]
    assert answer.pod_gaps == ()


def test_incomplete_facts_prove_no_pod_gone() -> None:
    later = index(pod("a")).updated([seen(complete=False)], [], NOW.plus(15))
    answer = folded({"b": {T: 5}}, {"b": {T: 5}}, later)
    assert causes(answer) == {"a": GapCause.EMPTY}


def test_a_pod_of_unknown_revision_is_unattributed() -> None:
    answer = folded({"a": {T: 5}}, {"a": {T: 9}}, index(pod("a", revision=None)))
    assert answer.samples == ()
    assert causes(answer) == {"a": GapCause.UNATTRIBUTED}


def test_a_pod_is_never_attributed_by_the_prefix_of_its_name() -> None:
    answer = folded({"translation-new222-x": {T: 5}, "a": {T: 1}}, {"translation-new222-x": {T: 9}, "a": {T: 1}})
    assert [s.key.pod for s in answer.samples] == ["a"]


def test_series_without_a_pod_are_kept_by_workload() -> None:
    earlier = snapshot(SLOT.start, reading("", {T: 5}, newest=SLOT.start, workload="translation"))
    later = snapshot(SLOT.end, reading("", {T: 25, B: 2}, newest=SLOT.end, workload="translation"))
    answer = fold(RATIO, earlier, later, SLOT, index(pod("a")))
    assert isinstance(answer, Answered)
    (sample,) = answer.samples
    assert isinstance(sample, Counts)
    assert (sample.key.workload, sample.key.pod, sample.total, sample.bad) == (NAME, None, 20, 2)
    assert answer.pod_gaps == ()


def test_a_shared_series_of_nobodys_pod_is_everyones_in_its_namespace() -> None:
    shared = signal(SignalKind.GAUGE, shared=True, name="connections")
    value = ("value", "")
    later = snapshot(
        SLOT.end,
        reading("pg-exporter-1", {value: 0.7}, newest=SLOT.end),
        reading("pg-exporter-2", {value: 0.9}, newest=SLOT.end),
        reading("pg-exporter-3", {value: 5.0}, newest=SLOT.end, namespace="elsewhere"),
    )
    answer = fold(shared, later, later, SLOT, index(pod("a")))
    assert isinstance(answer, Answered)
    (sample,) = answer.samples
    assert isinstance(sample, Gauge)
    assert (sample.key.workload, sample.key.pod, sample.value) == (NAME, None, 0.9)


def test_a_pod_without_a_limit_has_no_such_gauge() -> None:
    memory = signal(SignalKind.GAUGE, limit="limits", name="memory")
    value, limit = ("value", ""), ("limit", "")
    answer = folded({}, {"a": {value: 50, limit: 100}, "b": {value: 50}}, index(pod("a"), pod("b"), pod("c")), memory)
    assert [(s.key.pod, s.value) for s in answer.samples if isinstance(s, Gauge)] == [("a", 0.5)]
    assert answer.pod_gaps == ()


def test_buckets_come_in_order_and_a_new_edge_counts_from_zero() -> None:
    latency = signal(SignalKind.HISTOGRAM)
    le = [("bucket", "+Inf"), ("bucket", "0.5"), ("bucket", "5")]
    answer = folded({"a": {le[0]: 10, le[1]: 0}}, {"a": {le[0]: 30, le[1]: 8, le[2]: 15}}, sig=latency)
    (sample,) = answer.samples
    assert isinstance(sample, Buckets)
    assert (sample.edges, sample.counts) == ((0.5, 5.0, float("inf")), (8, 15, 20))


def test_buckets_that_do_not_grow_with_their_edge_are_a_gap() -> None:
    latency = signal(SignalKind.HISTOGRAM)
    le = [("bucket", "+Inf"), ("bucket", "0.5"), ("bucket", "5")]
    answer = folded({"a": {le[0]: 10, le[1]: 10, le[2]: 10}}, {"a": {le[0]: 30, le[1]: 28, le[2]: 20}}, sig=latency)
    assert causes(answer) == {"a": GapCause.UNEXPECTED}


@pytest.mark.parametrize("le", ["abc", "", "nan", "1.2.3"])
def test_a_bucket_whose_edge_is_no_number_is_a_gap_of_that_pod(le: str) -> None:
    sound = {("bucket", "+Inf"): 10.0}
    odd = {**sound, ("bucket", le): 4.0}
    pods, latency = index(pod("a"), pod("b")), signal(SignalKind.HISTOGRAM)
    answer = folded({"a": odd, "b": sound}, {"a": odd, "b": sound}, pods, latency)
    assert causes(answer) == {"a": GapCause.UNEXPECTED}
    assert [sample.key.pod for sample in answer.samples] == ["b"]


@pytest.mark.parametrize(
    ("kind", "part"),
    [(SignalKind.RATIO, T), (SignalKind.HISTOGRAM, ("bucket", "+Inf")), (SignalKind.RATE, ("count", ""))],
)
@pytest.mark.parametrize("grown", [1e12, float("inf"), float("nan")])
def test_a_counter_that_cannot_be_true_is_a_gap(kind: SignalKind, part: tuple[str, str], grown: float) -> None:
    answer = folded({"a": {part: 10.0}}, {"a": {part: grown}}, sig=signal(kind))
    assert answer.samples == ()
    assert causes(answer) == {"a": GapCause.UNEXPECTED}


def test_a_counters_growth_is_an_increase() -> None:
    answer = folded({"a": {("count", ""): 4}}, {"a": {("count", ""): 7}}, sig=signal(SignalKind.RATE))
    assert [s.amount for s in answer.samples if isinstance(s, Increase)] == [3]


def test_pods_of_the_same_name_in_two_namespaces_are_two() -> None:
    other = WorkloadName("staging", WorkloadKind.DEPLOYMENT, "translation")
    both = index(pod("a"), pod("a", OLD, workload=other))
    earlier = snapshot(
        SLOT.start,
        reading("a", {T: 1}, newest=SLOT.start),
        reading("a", {T: 1}, newest=SLOT.start, namespace="staging"),
    )
    later = snapshot(
        SLOT.end, reading("a", {T: 4}, newest=SLOT.end), reading("a", {T: 9}, newest=SLOT.end, namespace="staging")
    )
    answer = fold(RATIO, earlier, later, SLOT, both)
    assert isinstance(answer, Answered)
    totals = {s.key.workload.namespace: s.total for s in answer.samples if isinstance(s, Counts)}
    assert totals == {"production": 3, "staging": 8}


def test_each_unit_finds_its_own_samples_and_gaps_among_many() -> None:
    names = [WorkloadName("production", WorkloadKind.DEPLOYMENT, name) for name in ("b", "ab", "a", "b-c", "bb")]
    pods = [pod(f"{name.name}-{i}", workload=name) for name in names for i in range(3)]
    first = {p.name: {T: 1.0} for p in pods if not p.name.endswith("2")}
    answer = folded(first, first, index(*pods))
    for name in names:
        own = of_unit(answer, UnitName.of_workload(name))
        assert isinstance(own, Answered)
        assert [s.key.pod for s in own.samples] == [f"{name.name}-0", f"{name.name}-1"]
        assert causes(own) == {f"{name.name}-2": GapCause.EMPTY}


@given(values=st.lists(st.integers(min_value=0, max_value=10**9), min_size=2, max_size=12))
def test_slots_of_a_counter_that_never_falls_add_up_to_its_growth(values: list[int]) -> None:
    climbing = sorted(values)
    total = 0
    for first, second in itertools.pairwise(climbing):
        answer = folded({"a": {T: first}, "b": {T: 0}}, {"a": {T: second}, "b": {T: 0}})
        total += sum(s.total for s in answer.samples if isinstance(s, Counts) and s.key.pod == "a")
    assert total == climbing[-1] - climbing[0]
