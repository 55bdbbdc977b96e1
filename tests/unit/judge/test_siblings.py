from __future__ import annotations

from dataclasses import replace

import pytest

from rollguard.judge import Recovery, breaches, recovered
from rollguard.model.metrics import Answer, Answered, Counts, SeriesKey
from rollguard.model.names import TemplateHash, WorkloadKind, WorkloadName
from rollguard.observe import slot_at
from tests.unit.judge.building import CRASH, ERRORS, FIRST, SECONDS, STARTED, run
from tests.unit.observe.building import NAME, NEW, OLD

OTHER = WorkloadName("production", WorkloadKind.DEPLOYMENT, "lip-sync")
BAD, FINE = (15, 100), (0, 100)


def of(workload: WorkloadName, *slots: tuple[int, int], revision: TemplateHash = OLD) -> list[Answer]:
    found: list[Answer] = []
    for i, (bad, total) in enumerate(slots):
        slot = slot_at(FIRST + i, SECONDS)
        key = SeriesKey(workload=workload, revision=revision, pod=f"{workload.name}-1")
        sample = Counts(key=key, slot=slot, bad=bad, total=total)
        found.append(Answered(signal="error-rate", slot=slot, samples=(sample,)))
    return found


def test_a_sibling_breaches_what_all_its_pods_together_are_past() -> None:
    assert breaches(tuple(of(OTHER, *[BAD] * 20)), (ERRORS, CRASH), OTHER) == ("error-rate",)
    assert breaches(tuple(of(OTHER, *[BAD] * 20)), (ERRORS,), NAME) == ()
    assert breaches(tuple(of(OTHER, *[(7, 100)] * 20)), (ERRORS,), OTHER) == ()
    assert breaches((), (ERRORS,), OTHER) == ()


def test_a_sibling_that_an_outage_reached_a_little_later_counts_as_well() -> None:
    assert breaches(tuple(of(OTHER, *[FINE] * 13, *[BAD] * 7)), (ERRORS,), OTHER) == ("error-rate",)
    assert breaches(tuple(of(OTHER, *[(0, 0)] * 19, (3, 3))), (ERRORS,), OTHER) == ()


def test_a_sibling_that_an_outage_has_just_left_counts_for_as_long_as_it_is_in_the_levels_window() -> None:
    assert breaches(tuple(of(OTHER, *[BAD] * 20, *[FINE] * 13)), (ERRORS,), OTHER) == ("error-rate",)
    assert breaches(tuple(of(OTHER, *[BAD] * 20, *[FINE] * 18)), (ERRORS,), OTHER) == ()


def restored(*slots: tuple[int, int], revision: TemplateHash = OLD, since: int = FIRST) -> Recovery:
    return recovered(
        tuple(of(NAME, *slots, revision=revision)),
        (ERRORS, CRASH),
        NAME,
        OLD,
        since=slot_at(since, SECONDS).start,
        seconds=120.0,
    ).recovery


@pytest.mark.parametrize(
    ("slots", "answer"),
    [
        ([FINE] * 8, Recovery.YES),
        ([(1, 100)] * 8, Recovery.YES),
        ([(2, 100)] * 8, Recovery.NO),
        ([FINE] * 5 + [(5, 100)] * 3, Recovery.NO),
        ([FINE] * 7, Recovery.NO_TRAFFIC),
        ([(0, 2)] * 8, Recovery.NO_TRAFFIC),
        ([(0, 0)] * 8, Recovery.NO_TRAFFIC),
        ([], Recovery.NO_TRAFFIC),
        ([BAD] * 8 + [FINE] * 8, Recovery.YES),
    ],
    ids=["fine", "at warning", "past warning", "a late third", "too short", "few", "none", "no data", "once bad"],
)
def test_recovered_means_inside_the_warning_bound_for_the_whole_time(
    slots: list[tuple[int, int]], answer: Recovery
) -> None:
    assert restored(*slots) is answer


def test_only_the_restored_revision_and_the_time_since_count() -> None:
    assert restored(*[FINE] * 8, revision=NEW) is Recovery.NO_TRAFFIC
    assert restored(*[FINE] * 8, since=FIRST + 1) is Recovery.NO_TRAFFIC


def test_gaps_are_no_evidence_that_the_rollback_did_not_help() -> None:
    looked = recovered(tuple(run([None] * 8)), (ERRORS,), NAME, OLD, since=STARTED, seconds=120.0)
    assert looked.recovery is Recovery.NO_TRAFFIC
    assert looked.detail == "error-rate: 0 of 8 slots complete so far"


def test_what_only_an_event_had_breached_has_nothing_to_measure() -> None:
    assert recovered((), (CRASH,), NAME, OLD, since=STARTED, seconds=120.0).recovery is Recovery.YES
    assert recovered((), (replace(ERRORS, levels=()),), NAME, OLD, since=STARTED, seconds=1.0).recovery is Recovery.YES
