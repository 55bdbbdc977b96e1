from __future__ import annotations

from dataclasses import replace

import pytest

from rollguard.model.judgement import VerdictKind
from rollguard.model.metrics import Answer, GapCause
from rollguard.model.signals import Level, LevelName
from tests.unit.judge.building import (
    CRASH,
    CRITICAL,
    ERRORS,
    FIRST,
    ONLY_ROLLBACK,
    STARTED,
    TIMING,
    WARNING,
    Case,
    counted,
    lost,
    pod_lost,
    reading,
    run,
)
from tests.unit.observe.building import container, pod, signal

BAD, FINE = (15, 100), (0, 100)
AUTOMATIC = 40
"""Slots of the automatic part: 10 minutes."""
OVER = STARTED.plus(TIMING.automatic + TIMING.lateness)


def test_healthy_needs_the_whole_automatic_part() -> None:
    case = Case()
    early = case.see(run([FINE] * (AUTOMATIC - 1)), now=STARTED.plus(595))
    assert (early.kind, early.why) == (
        VerdictKind.UNDECIDED,
        f"nothing is reached; the automatic part lasts until {STARTED.plus(TIMING.automatic).iso_second()}",
    )
    assert case.see(now=OVER).why == "error-rate: the last slots of the automatic part are not answered yet"
    assert case.see([counted(FIRST + AUTOMATIC - 1, FINE)], now=OVER).kind is VerdictKind.HEALTHY


@pytest.mark.parametrize(("gaps", "kind"), [(2, VerdictKind.HEALTHY), (3, VerdictKind.UNDECIDED)])
def test_healthy_needs_the_required_signal_in_95_percent_of_the_slots(gaps: int, kind: VerdictKind) -> None:
    slots = [None if i in range(10, 10 + 2 * gaps, 2) else FINE for i in range(AUTOMATIC)]
    assert Case().see(run(slots), now=OVER).kind is kind


def test_slots_before_the_first_ready_pod_are_left_out_up_to_the_startup_phase() -> None:
    def ready_after(slots: int) -> VerdictKind:
        waiting: list[Answer] = [counted(FIRST + i, None, FINE) for i in range(slots)]
        return Case().see([*waiting, *run([FINE] * (AUTOMATIC - slots), at=FIRST + slots)], now=OVER).kind

    assert ready_after(8) is VerdictKind.HEALTHY
    assert ready_after(20) is VerdictKind.UNDECIDED


def test_healthy_needs_the_whole_rollout_and_waits_for_it() -> None:
    case = Case()
    early = case.see(run([FINE] * AUTOMATIC), now=OVER, available=1)
    assert (early.kind, early.why) == (
        VerdictKind.UNDECIDED,
        "the rollout is not complete: 1 of 2 updated pods are available",
    )
    assert case.see(now=OVER.plus(15)).kind is VerdictKind.HEALTHY


def test_healthy_needs_traffic() -> None:
    verdict = Case().see(run([(0, 0)] * AUTOMATIC), now=OVER)
    assert (verdict.kind, verdict.why) == (VerdictKind.UNDECIDED, "error-rate: 0 requests seen, 20 are needed")


def test_what_was_reached_once_in_the_automatic_part_is_not_healthy_later() -> None:
    warned = [(2, 100)] * 20 + [FINE] * 20
    verdict = Case().see(run(warned), now=OVER)
    assert verdict.kind is VerdictKind.UNDECIDED
    assert verdict.why == "a level or an event rule was reached in the automatic part"


def test_without_a_required_signal_nothing_shows_it_healthy() -> None:
    optional = signal(name="error-rate", required=False)
    assert Case((optional,)).see(run([FINE] * AUTOMATIC), now=OVER).kind is VerdictKind.UNDECIDED


def test_healthy_stays_after_the_automatic_part() -> None:
    case = Case()
    case.see(run([FINE] * AUTOMATIC), now=OVER)
    later = run([FINE] * 100, at=FIRST + AUTOMATIC)
    assert case.see(later).kind is VerdictKind.HEALTHY
    assert case.see(run([BAD] * 20, at=FIRST + AUTOMATIC + 100)).kind is VerdictKind.BAD


@pytest.mark.parametrize(("level", "value"), [(WARNING, (2, 100)), (CRITICAL, (7, 100))], ids=["warning", "critical"])
def test_a_milder_level_is_degraded(level: Level, value: tuple[int, int]) -> None:
    verdict = Case().see(run([value] * 20))
    assert verdict.kind is VerdictKind.DEGRADED
    assert [finding.level for finding in verdict.findings] == [level.name]


def test_two_slots_without_an_answer_are_blind_and_one_is_not() -> None:
    case = Case()
    assert case.see([*run([FINE] * 5), lost(FIRST + 5)]).kind is VerdictKind.UNDECIDED
    verdict = case.see([lost(FIRST + 6)])
    assert verdict.kind is VerdictKind.BLIND
    assert verdict.why == "error-rate: no complete answer in the last 2 slots (timeout: no answer)"
    assert verdict.gaps[0].in_a_row == 2
    assert case.see([counted(FIRST + 7, FINE)]).kind is VerdictKind.UNDECIDED


@pytest.mark.parametrize("cause", [GapCause.EMPTY, GapCause.RESET, GapCause.STALE])
def test_pods_without_samples_are_blind_as_well(cause: GapCause) -> None:
    verdict = Case().see([pod_lost(FIRST + i, cause) for i in range(2)])
    assert (verdict.kind, verdict.gaps[0].cause) == (VerdictKind.BLIND, cause.value)


def test_only_required_signals_blind() -> None:
    optional = signal(name="error-rate", required=False)
    verdict = Case((optional,)).see([lost(FIRST), lost(FIRST + 1)])
    assert (verdict.kind, verdict.gaps[0].required) == (VerdictKind.UNDECIDED, False)


def test_answers_that_stop_coming_are_gaps_once_overdue() -> None:
    case = Case()
    case.see(run([BAD] * 20))
    patience = TIMING.lateness + 2 * TIMING.tick + TIMING.clock_offset_max
    soon, late = STARTED.plus(300 + 14 + patience), STARTED.plus(300 + 30 + patience)
    assert case.see(now=soon).kind is VerdictKind.BAD
    verdict = case.see(now=late)
    assert (verdict.kind, verdict.gaps[0].cause) == (VerdictKind.BLIND, "not asked in time")


def test_before_the_first_answer_nothing_is_overdue() -> None:
    assert Case().see(now=STARTED.plus(3600)).kind is VerdictKind.UNDECIDED


def test_an_event_acts_while_the_store_is_blind() -> None:
    crashing = pod("n", containers=(container(restarts=2, exit_code=1, finished_at=STARTED.plus(9)),))
    verdict = Case((ERRORS, CRASH)).see([lost(FIRST), lost(FIRST + 1)], pods=(crashing,))
    assert (verdict.kind, verdict.findings[0].signal) == (VerdictKind.BAD, "crash-loop")
    assert verdict.gaps[0].in_a_row == 2


def test_bad_from_one_signal_is_not_hidden_by_another_that_is_blind() -> None:
    other = signal(name="latency-like")
    blind = [lost(FIRST + i, signal="latency-like") for i in range(20)]
    assert Case((ONLY_ROLLBACK, other)).see([*run([BAD] * 20), *blind]).kind is VerdictKind.BAD


def test_a_first_deployment_is_judged_all_the_same() -> None:
    verdict = Case((ONLY_ROLLBACK,), baseline=None).see(run([BAD] * 20))
    assert (verdict.kind, verdict.findings[0].reference.source) == (VerdictKind.BAD, "none")


# --- the reference ---


def before(*slots: tuple[int, int] | None) -> list[Answer]:
    return [counted(FIRST - len(slots) + i, None, slot) for i, slot in enumerate(slots)]


def test_old_pods_that_are_as_bad_are_said_to_be() -> None:
    reference = Case((ONLY_ROLLBACK,)).see(run([BAD] * 20, [(16, 100)] * 20)).findings[0].reference
    assert (reference.source, reference.value) == ("old pods beside it", 0.16)
    assert (reference.past_bound, reference.not_worse) == (True, True)


def test_a_hotfix_is_better_than_what_it_replaces() -> None:
    reference = Case((ONLY_ROLLBACK,)).see(run([BAD] * 20, [(40, 100)] * 20)).findings[0].reference
    assert (reference.past_bound, reference.not_worse) == (True, True)


def test_without_old_pods_the_time_before_is_the_reference() -> None:
    verdict = Case((ONLY_ROLLBACK,)).see(run([BAD] * 20), before=before(*[(1, 100)] * 20))
    reference = verdict.findings[0].reference
    assert (reference.source, reference.value) == ("before the rollout", 0.01)
    assert (reference.past_bound, reference.not_worse) == (False, False)
    assert verdict.why.endswith("on the new pods; before the rollout 1%")


def test_where_a_bad_release_came_between_the_good_one_s_own_last_slots_are_the_time_before() -> None:
    good = before(*[(1, 100)] * 20, *[None] * 15)
    reference = Case((ONLY_ROLLBACK,)).see(run([BAD] * 20), before=good).findings[0].reference
    assert (reference.source, reference.value) == ("before the rollout", 0.01)


def test_the_time_before_is_remembered_though_it_comes_once() -> None:
    case = Case((ONLY_ROLLBACK,))
    case.see(before=before(*[(40, 100)] * 20))
    reference = case.see(run([BAD] * 20)).findings[0].reference
    assert (reference.source, reference.past_bound) == ("before the rollout", True)


def test_a_bound_passed_before_the_rollout_is_said_beside_old_pods_that_are_fine_now() -> None:
    verdict = Case((ONLY_ROLLBACK,)).see(run([BAD] * 20, [FINE] * 20), before=before(*[(40, 100)] * 20))
    reference = verdict.findings[0].reference
    assert (reference.source, reference.past_bound, reference.not_worse) == ("old pods beside it", True, False)


def test_chance_at_low_traffic_is_not_worse_than_a_service_that_lives_with_errors() -> None:
    # 5% before; 8 of 60 by chance now: past 10%, but no more than chance can do at this traffic.
    now = [(1, 3), (0, 3), (0, 3), (1, 3), (0, 3)] * 4
    past = [(1, 10), (0, 10)] * 20
    reference = Case((ONLY_ROLLBACK,)).see(run(now), before=before(*past)).findings[0].reference
    assert (reference.past_bound, reference.not_worse) == (False, True)


def test_old_pods_with_hardly_any_traffic_left_give_way_to_the_time_before() -> None:
    few = [(0, 1)] * 20
    verdict = Case((ONLY_ROLLBACK,)).see(run([BAD] * 20, few), before=before(*[(0, 100)] * 20))
    reference = verdict.findings[0].reference
    assert (reference.source, reference.not_worse) == ("before the rollout", False)


def test_a_reference_below_the_minimum_of_traffic_is_none() -> None:
    verdict = Case((ONLY_ROLLBACK,)).see(run([BAD] * 20), before=before(*[(0, 0)] * 19, (0, 19)))
    assert verdict.findings[0].reference.source == "none"


def test_half_a_window_of_old_pods_is_needed_beside_the_new() -> None:
    old: list[tuple[int, int] | None] = [FINE] * 9 + [None] * 11
    answers = [counted(FIRST + i, BAD, old[i]) for i in range(20)]
    assert Case((ONLY_ROLLBACK,)).see(answers).findings[0].reference.source == "none"


def test_a_shared_signal_that_hurts_both_arms_is_compared_with_the_time_before() -> None:
    shared = replace(ONLY_ROLLBACK, shared=True)
    verdict = Case((shared,)).see(run([BAD] * 20, [BAD] * 20), before=before(*[(0, 100)] * 20))
    (finding,) = verdict.findings
    assert (finding.shared, finding.arm, finding.reference.source) == (True, "all pods", "before the rollout")
    assert (finding.reference.past_bound, finding.reference.not_worse) == (False, False)


def test_a_shared_signal_that_hurts_the_new_pods_alone_is_theirs() -> None:
    shared = replace(ONLY_ROLLBACK, shared=True)
    (finding,) = Case((shared,)).see(run([BAD] * 20, [FINE] * 20)).findings
    assert (finding.shared, finding.arm) == (False, "new pods")


def test_readings_show_levels_that_are_not_reached() -> None:
    verdict = Case().see(run([(1, 100)] * 5))
    seen = reading(verdict, LevelName.ROLLBACK)
    assert (seen.reached, seen.value, seen.slots, seen.gaps, seen.traffic) == (False, 0.01, 5, 15, 500.0)
