from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollguard.model.judgement import VerdictKind
from rollguard.model.metrics import Answered, Buckets, Counts, GapCause, Gauge, Increase, Sample, SeriesKey
from rollguard.model.signals import Level, LevelName, SignalKind
from rollguard.model.time import Instant
from rollguard.observe import slot_at
from tests.unit.judge.building import (
    ERRORS,
    FIRST,
    FIVE_MINUTES,
    ONLY_ROLLBACK,
    ROLLBACK,
    SECONDS,
    STARTED,
    Case,
    counted,
    key,
    lost,
    pod_lost,
    reading,
    run,
)
from tests.unit.observe.building import NEW, OLD, signal

BAD, FINE = (15, 100), (0, 100)


def test_fifteen_percent_for_five_minutes_is_bad_and_a_slot_less_is_not() -> None:
    case = Case()
    assert case.see(run([BAD] * (FIVE_MINUTES - 1), [FINE] * 19)).kind is VerdictKind.DEGRADED
    assert case.see([counted(FIRST + 19, BAD, FINE)]).kind is VerdictKind.BAD


def test_the_text_has_value_traffic_duration_bound_arm_and_reference() -> None:
    verdict = Case().see(run([(16, 108)] * 20, [(1, 500)] * 20))
    assert verdict.why == (
        "errors: 14.8% of 2,160 requests over 5m, bound 10%, on the new pods; old pods beside them 0.2%"
    ).replace("errors", "error-rate")
    (finding,) = verdict.findings
    assert (finding.since, finding.slots, finding.bad, finding.total) == (STARTED, 20, 320.0, 2160.0)
    assert (finding.arm, finding.unit, finding.reference.source) == ("new pods", "%", "old pods beside it")


def test_since_stays_the_first_windows_start_while_the_level_is_reached() -> None:
    case = Case()
    case.see(run([BAD] * 20))
    verdict = case.see(run([BAD] * 10, at=FIRST + 20))
    assert verdict.findings[0].since == STARTED


def test_a_value_on_its_bound_is_not_past_it() -> None:
    assert Case((ONLY_ROLLBACK,)).see(run([(10, 100)] * 20)).findings == ()
    assert Case((ONLY_ROLLBACK,)).see(run([(11, 100)] * 20)).kind is VerdictKind.BAD


def test_a_burst_in_one_third_is_not_for_five_minutes() -> None:
    burst = [FINE] * 7 + [(100, 100)] * 6 + [FINE] * 7
    assert Case((ONLY_ROLLBACK,)).see(run(burst)).kind is not VerdictKind.BAD


def test_low_traffic_counts_pooled_over_the_window() -> None:
    # One request a slot, now and then a bad one: single slots tell nothing.
    trickle = [(1, 2), (0, 2), (0, 2), (1, 2)] * 5
    assert Case((ONLY_ROLLBACK,)).see(run(trickle)).kind is VerdictKind.BAD
    assert Case((ONLY_ROLLBACK,)).see(run([(0, 1), (1, 1)] * 9 + [(0, 0)] * 2)).kind is not VerdictKind.BAD


@pytest.mark.parametrize(
    ("gaps", "kind"),
    [
        ((5, 12), VerdictKind.BAD),
        ((5, 9, 12), VerdictKind.UNDECIDED),
        ((18,), VerdictKind.UNDECIDED),
        ((19,), VerdictKind.UNDECIDED),
    ],
    ids=["a tenth", "more than a tenth", "the last but one", "the last"],
)
def test_gaps_are_left_out_up_to_a_tenth_and_never_at_the_end(gaps: tuple[int, ...], kind: VerdictKind) -> None:
    slots = run([None if i in gaps else BAD for i in range(20)])
    assert Case((ONLY_ROLLBACK,)).see(slots).kind is kind


@pytest.mark.parametrize(
    ("slots", "lacks"),
    [
        ([BAD] * 12, "12 of the window's 20 slots have passed"),
        ([None if i in (5, 9, 12) else BAD for i in range(20)], "3 of 20 slots are missing (a tenth may be, and"),
        ([None if i == 19 else BAD for i in range(20)], "1 of 20 slots are missing (a tenth may be, and none of the"),
        ([(0, 1), (1, 1)] * 9 + [(0, 0)] * 2, "18 requests, 20 are needed"),
        ([FINE] * 7 + [(100, 100)] * 6 + [FINE] * 7, "it is not past its bound in each third of the window"),
        ([FINE] * 20, ""),
        ([BAD] * 20, ""),
    ],
    ids=["young", "gaps", "the last", "traffic", "burst", "fine", "reached"],
)
def test_a_level_past_its_bound_says_why_it_is_not_reached(slots: list[tuple[int, int] | None], lacks: str) -> None:
    seen = reading(Case((ONLY_ROLLBACK,)).see(run(slots)), LevelName.ROLLBACK)
    assert seen.lacks.startswith(lacks)
    assert bool(seen.lacks) == bool(lacks)
    assert seen.seconds == 300
    assert seen.since == (STARTED if seen.reached else None)


def test_gaps_are_not_counted_as_good() -> None:
    verdict = Case((ONLY_ROLLBACK,)).see(run([None if i in (3, 4) else (11, 100) for i in range(20)]))
    assert verdict.findings[0].value == pytest.approx(0.11)
    assert (verdict.findings[0].slots, verdict.readings[0].gaps) == (18, 2)


def test_old_pods_are_never_charged_to_the_new() -> None:
    assert Case((ONLY_ROLLBACK,)).see(run([FINE] * 20, [(90, 100)] * 20)).findings == ()


def test_a_slot_before_the_new_pods_are_ready_is_no_evidence_and_no_gap() -> None:
    nobody = [counted(FIRST + i, None, FINE) for i in range(20)]
    verdict = Case().see(nobody)
    assert (verdict.kind, verdict.gaps) == (VerdictKind.UNDECIDED, ())
    assert Case((ONLY_ROLLBACK,)).see([*nobody[:3], *run([BAD] * 17, at=FIRST + 3)]).kind is VerdictKind.UNDECIDED


def test_a_pod_of_unknown_revision_is_a_gap_for_its_arm() -> None:
    stranger = SeriesKey(workload=key(NEW).workload, revision=None, pod="x")
    slots = run([BAD] * 18) + [
        Answered(
            signal="error-rate",
            slot=slot_at(FIRST + i, SECONDS),
            samples=counted(FIRST + i, BAD).samples,
            pod_gaps=((stranger, GapCause.UNATTRIBUTED),),
        )
        for i in (18, 19)
    ]
    verdict = Case((ONLY_ROLLBACK,)).see(slots)
    assert (verdict.kind, verdict.gaps[0].cause) == (VerdictKind.BLIND, "not attributed")


def test_one_pod_in_twenty_without_a_sample_does_not_hide_the_others() -> None:
    def wide(number: int) -> Answered:
        slot = slot_at(number, SECONDS)
        samples = tuple(Counts(key=key(NEW, f"n{i}"), slot=slot, bad=15, total=100) for i in range(19))
        return Answered(signal="error-rate", slot=slot, samples=samples, pod_gaps=((key(NEW, "n19"), GapCause.RESET),))

    assert Case((ONLY_ROLLBACK,)).see([wide(FIRST + i) for i in range(20)]).kind is VerdictKind.BAD


# --- the other kinds ---


P95 = Level(name=LevelName.ROLLBACK, bound=5.0, seconds=300.0, quantile=0.95)
LATENCY = signal(SignalKind.HISTOGRAM, P95, name="latency")


def slow(number: int, above: int, edges: tuple[float, ...] = (0.5, 5.0, float("inf"))) -> Answered:
    slot = slot_at(number, SECONDS)
    counts = tuple(100 if edge == float("inf") else 100 - above for edge in edges)
    sample = Buckets(key=key(NEW), slot=slot, edges=edges, counts=counts)
    return Answered(signal="latency", slot=slot, samples=(sample,))


def test_a_quantile_is_judged_as_the_share_above_its_edge() -> None:
    assert Case((LATENCY,)).see([slow(FIRST + i, 5) for i in range(20)]).kind is VerdictKind.UNDECIDED
    verdict = Case((LATENCY,)).see([slow(FIRST + i, 6) for i in range(20)])
    assert verdict.kind is VerdictKind.BAD
    assert verdict.why == (
        "latency: 6% of 2,000 requests took longer than 5s over 5m, bound 5% (P95 > 5s), on the new pods"
    )


def test_a_histogram_without_an_edge_at_the_bound_cannot_tell() -> None:
    verdict = Case((LATENCY,)).see([slow(FIRST + i, 100, (0.5, 2.5, float("inf"))) for i in range(20)])
    assert (verdict.kind, verdict.readings[0].value) == (VerdictKind.UNDECIDED, None)


DB = signal(
    SignalKind.RATE,
    Level(name=LevelName.CRITICAL, bound=0.0, seconds=300.0),
    Level(name=LevelName.ROLLBACK, bound=10.0, seconds=60.0),
    name="database-errors",
    required=False,
    minimum_traffic=0,
)


def grown(number: int, new: list[float], old: Sequence[float] = ()) -> Answered:
    slot = slot_at(number, SECONDS)
    samples: list[Sample] = [
        Increase(key=key(hash_, f"{hash_}-{i}"), slot=slot, amount=amount)
        for hash_, amounts in ((NEW, new), (OLD, [*old]))
        for i, amount in enumerate(amounts)
    ]
    return Answered(signal="database-errors", slot=slot, samples=tuple(samples))


def test_a_rate_is_the_sum_over_the_new_pods_per_minute() -> None:
    verdict = Case((DB,)).see([grown(FIRST + i, [1, 2], [0, 0]) for i in range(4)])
    assert verdict.kind is VerdictKind.BAD
    assert verdict.findings[0].value == pytest.approx(12.0)
    assert "database-errors: 12/min over 1m, bound 10/min, on the new pods; old pods beside them 0/min" in verdict.why


def test_the_reference_of_a_rate_is_taken_for_as_many_pods() -> None:
    # Nine old pods lose 4.5 connections a slot between them: each as much as the one new pod's half.
    verdict = Case((DB,)).see([grown(FIRST + i, [0.5], [0.5] * 9) for i in range(4)])
    assert reading(verdict, LevelName.ROLLBACK).reference.value == pytest.approx(2.0)
    assert reading(verdict, LevelName.ROLLBACK).reference.not_worse


def test_a_rate_is_not_compared_with_old_pods_that_nobody_asks_any_more() -> None:
    slots = [grown(FIRST + i, [3.0], [0.0]) for i in range(4)]
    before = [grown(FIRST - 8 + i, [], [3.0]) for i in range(8)]
    asked, idle = Case((DB,)).see(slots, before=before), Case((DB,), idle=True).see(slots, before=before)
    assert reading(asked, LevelName.ROLLBACK).reference.source == "old pods beside it"
    assert reading(idle, LevelName.ROLLBACK).reference.source == "before the rollout"
    assert reading(idle, LevelName.ROLLBACK).reference.value == pytest.approx(12.0)
    assert reading(Case((DB,), idle=True).see(slots), LevelName.ROLLBACK).reference.source == "none"


def test_a_rate_per_pod_is_the_mean_over_the_new_pods_and_needs_no_scaling_of_its_reference() -> None:
    per_pod = replace(DB, per_pod=True)
    verdict = Case((per_pod,)).see([grown(FIRST + i, [1, 2, 3], [1] * 9) for i in range(4)])
    level = reading(verdict, LevelName.ROLLBACK)
    assert level.value == pytest.approx(8.0)
    assert level.unit == "/min per pod"
    assert level.reference.value == pytest.approx(4.0)
    assert not level.reached


def test_any_at_all_needs_no_share_in_each_third() -> None:
    once = [grown(FIRST + i, [1.0 if i == 9 else 0.0]) for i in range(20)]
    assert Case((DB,)).see(once).kind is VerdictKind.DEGRADED


MEMORY = signal(
    SignalKind.GAUGE,
    Level(name=LevelName.CRITICAL, bound=0.9, seconds=60.0),
    name="memory",
    required=False,
    limit="x",
)


def used(number: int, *values: float) -> Answered:
    slot = slot_at(number, SECONDS)
    samples = tuple(Gauge(key=key(NEW, f"n{i}"), slot=slot, value=value) for i, value in enumerate(values))
    return Answered(signal="memory", slot=slot, samples=samples)


def test_one_full_pod_among_ten_is_full() -> None:
    verdict = Case((MEMORY,)).see([used(FIRST + i, *[0.2] * 9, 0.97) for i in range(4)])
    assert verdict.why == "memory: 97% (highest pod) over 1m, bound 90%, on the new pods"


def test_either_of_two_levels_of_a_name_is_enough() -> None:
    p50 = Level(name=LevelName.ROLLBACK, bound=0.5, seconds=300.0, quantile=0.5)
    both = signal(SignalKind.HISTOGRAM, P95, p50, name="latency")
    verdict = Case((both,)).see([slow(FIRST + i, 20) for i in range(20)])
    assert [finding.bound for finding in verdict.findings] == [0.05]


# --- properties ---

arm = st.tuples(st.integers(0, 30), st.integers(0, 100)).map(lambda t: (min(t), max(t)))


@given(slots=st.lists(st.one_of(st.none(), st.just(0)), min_size=1, max_size=60), final=st.booleans())
def test_gaps_and_silence_alone_are_never_bad_or_healthy(slots: list[int | None], final: bool) -> None:
    case = Case()
    now: Instant | None = STARTED.plus(4000) if final else None
    verdict = case.see(run([None if s is None else (0, 0) for s in slots]), now=now)
    assert verdict.kind in {VerdictKind.UNDECIDED, VerdictKind.BLIND}
    assert verdict.findings == ()


@given(slots=st.lists(st.one_of(st.none(), arm), min_size=20, max_size=40))
def test_more_gaps_never_make_it_bad(slots: list[tuple[int, int] | None]) -> None:
    holes = [None if i % 5 == 0 else slot for i, slot in enumerate(slots)]
    assert Case((ONLY_ROLLBACK,)).see(run(holes)).kind is not VerdictKind.BAD


@given(slots=st.lists(st.integers(0, 1).map(lambda n: (n, n)), min_size=20, max_size=20))
def test_too_little_traffic_never_reaches_a_level(slots: list[tuple[int, int]]) -> None:
    verdict = Case((ONLY_ROLLBACK,)).see(run(slots))
    assert (verdict.kind is VerdictKind.BAD) == (sum(total for _bad, total in slots) >= 20)


@given(third=st.integers(0, 2), bad=st.integers(11, 100))
def test_a_burst_in_any_one_third_never_reaches(third: int, bad: int) -> None:
    parts = [[FINE] * 7, [FINE] * 6, [FINE] * 7]
    parts[third] = [(bad, 100)] * len(parts[third])
    assert Case((ONLY_ROLLBACK,)).see(run([s for part in parts for s in part])).findings == ()


@settings(max_examples=50)
@given(slots=st.lists(st.one_of(st.none(), arm), min_size=1, max_size=25), seed=st.randoms(use_true_random=False))
def test_the_order_of_the_answers_does_not_matter(slots, seed) -> None:  # type: ignore[no-untyped-def]
    answers = run(slots)
    shuffled = list(answers)
    seed.shuffle(shuffled)
    assert Case().see(shuffled) == Case().see(answers)


@settings(max_examples=50)
@given(slots=st.lists(st.one_of(st.none(), arm), min_size=1, max_size=25), cut=st.integers(0, 25))
def test_no_slot_is_counted_twice(slots: list[tuple[int, int] | None], cut: int) -> None:
    answers = run(slots)
    whole, repeated = Case(), Case()
    once = whole.see(answers)
    repeated.see(answers[:cut])
    repeated.see(answers[: cut + 3])
    assert repeated.see(answers) == once
    assert repeated.state == whole.state


def test_a_slot_that_was_forgotten_does_not_come_back() -> None:
    case = Case((ERRORS,))
    case.see(run([FINE] * 60))
    before = case.state.signals
    case.see(run([BAD] * 20), now=STARTED.plus(901))
    assert case.state.signals == before


def test_a_first_answer_is_kept_when_another_comes_for_its_slot() -> None:
    case = Case((ONLY_ROLLBACK,))
    case.see(run([FINE] * 20))
    assert case.see(run([BAD] * 20)).findings == ()
    assert reading(case.see([lost(FIRST + 19)]), ROLLBACK.name).gaps == 0
    assert reading(case.see([pod_lost(FIRST + 19, GapCause.RESET)]), ROLLBACK.name).gaps == 0
