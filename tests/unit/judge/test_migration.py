"""A migration that failed for the rollout, and the proof that the old version serves on what a migration left."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollguard.model.facts import MigrationRun
from rollguard.model.judgement import Attribution, Verdict, VerdictKind
from rollguard.model.metrics import Answer
from rollguard.model.policy import Migration
from rollguard.model.signals import EventRule
from rollguard.model.time import Instant
from rollguard.observe import slot_at
from tests.unit.judge.building import CRASH, ERRORS, FIRST, SECONDS, STARTED, Case, counted, lost

FAILED_RULE = replace(CRASH, name="migration-failed", rule=EventRule.MIGRATION_FAILED)
RULE = Migration(patterns=("prisma-migrate-*",))
FAILED = MigrationRun(
    kind="Job",
    name="prisma-migrate-abc",
    uid="1",
    started=STARTED.plus(-600),
    finished=STARTED.plus(-30),
    failed=True,
)


def after(*runs: MigrationRun) -> Verdict:
    return Case((FAILED_RULE,), migration=RULE).see(migrations=runs)


def test_a_migration_that_failed_for_the_rollout_is_told_and_is_not_the_releases() -> None:
    verdict = after(FAILED)
    (finding,) = verdict.findings
    assert verdict.kind is VerdictKind.BAD
    assert finding.attribution is Attribution.MIGRATION
    ended = STARTED.plus(-30).iso()
    assert finding.text.startswith(f"migration-failed: the migration Job prisma-migrate-abc failed at {ended}, bound 0")
    assert finding.text.endswith("the database is not touched")


@pytest.mark.parametrize(
    "runs",
    [
        (),
        (replace(FAILED, failed=False),),
        (replace(FAILED, started=STARTED.plus(-601)),),
        (FAILED, replace(FAILED, uid="2", started=STARTED, finished=STARTED.plus(5), failed=False)),
    ],
    ids=["none", "one that went well", "one long before", "one that a later run made good"],
)
def test_nothing_else_is_a_failed_migration_of_the_rollout(runs: tuple[MigrationRun, ...]) -> None:
    assert not after(*runs).findings


def test_a_failure_that_an_earlier_rollout_was_judged_by_is_not_the_next_ones() -> None:
    case = Case((FAILED_RULE,), migration=RULE, charged=(FAILED.uid,))
    assert not case.see(migrations=(FAILED,)).findings
    assert case.see(migrations=(FAILED, replace(FAILED, uid="2"))).findings


@pytest.mark.parametrize(
    ("failed", "later"),
    [
        ("migrate-users-x2k4p", "migrate-users-zzfgt"),
        ("migrate-users-v2", "migrate-users-v2.1"),
        ("migrate-7", "migrate-8"),
    ],
)
def test_a_later_run_of_the_same_migration_makes_a_failure_good(failed: str, later: str) -> None:
    good = replace(FAILED, uid="2", name=later, started=STARTED, finished=STARTED.plus(5), failed=False)
    assert not after(replace(FAILED, name=failed), good).findings


@pytest.mark.parametrize("later", ["prisma-migrate-orders", "prisma-migrate-orders-x2k4p", "prisma-migrate-7"])
def test_a_run_of_another_migration_makes_no_failure_good(later: str) -> None:
    good = replace(FAILED, uid="2", name=later, started=STARTED, finished=STARTED.plus(5), failed=False)
    assert after(replace(FAILED, name="prisma-migrate-users"), good).findings


def test_a_policy_without_migrations_has_no_failed_ones() -> None:
    assert not Case((FAILED_RULE,)).see(migrations=(FAILED,)).findings


def test_a_failure_is_not_made_good_by_a_run_that_has_not_ended() -> None:
    assert after(FAILED, replace(FAILED, uid="2", started=STARTED, finished=None, failed=False)).findings


FINE, BROKEN = (0, 100), (20, 100)


def slots(*old: tuple[int, int] | None, at: int = FIRST) -> list[Answer]:
    """Slots of which only the old pods' (bad, total) differ."""
    return [counted(at + i, (0, 100), arm) for i, arm in enumerate(old)]


def start(number: int) -> Instant:
    return slot_at(number, SECONDS).start


def proven(*, before: list[Answer] | None = None, answers: list[Answer] | None = None, rule: bool = True) -> Verdict:
    return Case((ERRORS,), migration=RULE if rule else None).see(answers or [], before=before or [])


def test_old_pods_that_serve_two_slots_beside_the_new_ones_prove_it_from_the_first_of_them() -> None:
    assert proven(answers=slots(FINE, FINE, FINE)).proven == start(FIRST + 1)
    assert proven(answers=slots(FINE)).proven is None


def test_slots_before_the_rollout_prove_it_as_well() -> None:
    assert proven(before=slots(FINE, FINE, at=FIRST - 4)).proven == start(FIRST - 4)
    assert proven(before=slots(FINE, at=FIRST - 1), answers=slots(FINE)).proven == start(FIRST - 1)


@pytest.mark.parametrize(
    "answers",
    [
        slots(BROKEN, BROKEN),
        slots(None, None, None),
        slots((0, 9), (0, 9)),
        [*slots(FINE), lost(FIRST + 1)],
    ],
    ids=["it fails", "no old pod", "too little traffic", "a gap"],
)
def test_what_shows_no_healthy_service_proves_nothing(answers: list[Answer]) -> None:
    assert proven(answers=answers).proven is None


def test_traffic_of_earlier_slots_counts_where_two_have_too_little() -> None:
    assert proven(answers=slots((0, 9), (0, 9), (0, 9))).proven == start(FIRST)


def test_what_is_proven_stays_proven_though_the_old_version_fails_later() -> None:
    case = Case((ERRORS,), migration=RULE)
    case.see(slots(FINE, FINE))
    assert case.see(slots(BROKEN, BROKEN, at=FIRST + 2)).proven == start(FIRST)


def test_a_signal_that_is_not_required_proves_nothing_and_hinders_nothing() -> None:
    loose = replace(ERRORS, required=False)
    assert Case((loose,), migration=RULE).see(slots(FINE, FINE)).proven is None
    both = Case((ERRORS, replace(ERRORS, name="other", required=True)), migration=RULE)
    assert both.see(slots(FINE, FINE)).proven is None


def test_without_migrations_in_the_policy_nothing_is_looked_for() -> None:
    assert proven(answers=slots(FINE, FINE), rule=False).proven is None
