from __future__ import annotations

from dataclasses import replace

import pytest

from rollguard.model.action import Plan, Target
from rollguard.model.facts import Condition, UnitFacts, Workload
from rollguard.model.names import RolloutId, TemplateHash, WorkloadKind, WorkloadName
from rollguard.model.policy import Timing
from rollguard.model.records import UnitRecord
from rollguard.model.time import Instant
from rollguard.observe import adoption, rollout_begun, rollout_id
from tests.unit.observe.building import (
    LONG_AGO,
    NAME,
    NEW,
    NEWER,
    NOW,
    OLD,
    UID,
    UNIT,
    container,
    facts,
    pod,
    revision,
    workload,
)
from tests.unit.records import rollout_record

SETTLED = UnitRecord(name=UNIT, workload=NAME, uid=UID, last_target=OLD)
FRESH = UnitRecord(name=UNIT, workload=NAME)
DONE = Condition(type="Progressing", status="True", reason="NewReplicaSetAvailable", message="", since=LONG_AGO)
GOING = replace(DONE, reason="ReplicaSetUpdated")
TWO = (revision(OLD, 1, replicas=2), revision(NEW, 2, replicas=1))


def test_a_new_template_is_a_rollout_from_the_last_target() -> None:
    begun = rollout_begun(SETTLED, facts(workload(*TWO, target=NEW)), NOW)
    assert begun is not None
    assert (begun.target, begun.target_number, begun.baseline, begun.baseline_number) == (NEW, 2, OLD, 1)
    assert begun.id == "translation-r2-new222-0a1b2c3d"
    assert (begun.since, begun.under_way) == (NOW, False)


def test_a_rollout_that_nobody_saw_begin_began_with_its_first_pod() -> None:
    born = NOW.plus(-40)
    pods = (pod("b", NEW, created=born.plus(3)), pod("a", NEW, created=born), pod("o", OLD, created=LONG_AGO))
    begun = rollout_begun(SETTLED, facts(workload(*TWO, target=NEW), pods=pods), NOW)
    assert begun is not None
    assert begun.since == born


def test_pods_of_an_earlier_rollout_of_the_same_template_do_not_date_the_new_one_back() -> None:
    pods = (pod("a", NEW, created=NOW.plus(-300)), pod("b", NEW, created=NOW.plus(-2)))
    again = facts(workload(revision(OLD, 3), revision(NEW, 4), target=NEW), pods=pods)
    begun = rollout_begun(SETTLED, again, NOW, replaced=NOW.plus(-10))
    assert begun is not None
    assert begun.since == NOW.plus(-2)


@pytest.mark.parametrize(
    "unchanged",
    [
        workload(revision(OLD, 1, replicas=9), target=OLD, desired=9, updated=2),
        workload(revision(OLD, 1), target=OLD, labels=(("team", "video"),)),
        workload(revision(OLD, 1), target=OLD, available=0),
        workload(revision(OLD, 1), target=OLD, generation=9, observed=9),
    ],
    ids=["scale", "label", "unavailable", "generation"],
)
def test_neither_scale_nor_status_nor_label_is_a_rollout(unchanged: Workload) -> None:
    assert rollout_begun(SETTLED, facts(unchanged), NOW) is None


def test_a_rollout_that_is_known_does_not_begin_again() -> None:
    known = replace(SETTLED, current_rollout=rollout_id(NAME, 2, NEW, UID))
    assert rollout_begun(known, facts(workload(*TWO, target=NEW)), NOW) is None


def test_the_same_bad_template_under_a_new_number_is_a_new_rollout() -> None:
    again = facts(workload(revision(OLD, 3), revision(NEW, 4), target=NEW))
    known = replace(SETTLED, current_rollout=rollout_id(NAME, 2, NEW, UID))
    begun = rollout_begun(known, again, NOW)
    assert begun is not None
    assert begun.id == "translation-r4-new222-0a1b2c3d"


def test_going_back_to_the_last_target_is_no_rollout() -> None:
    back = facts(workload(revision(NEW, 2), revision(OLD, 3), target=OLD))
    assert rollout_begun(replace(SETTLED, current_rollout=rollout_id(NAME, 2, NEW, UID)), back, NOW) is None


def test_our_own_undo_to_another_revision_is_no_rollout() -> None:
    record = rollout_record()
    assert record.plan is not None
    target = Target(hash=OLD, number=1, images=(), judged=True)
    ours = replace(record, plan=replace(record.plan, target=target))
    unit = replace(SETTLED, last_target=NEW)
    back = facts(workload(revision(NEWER, 2), revision(OLD, 3), target=OLD))
    assert rollout_begun(unit, back, NOW, current=ours) is None
    theirs = replace(record, plan=None)
    assert rollout_begun(unit, back, NOW, current=theirs) is not None


def test_a_plan_is_not_confused_with_the_bad_template_it_undoes() -> None:
    record = rollout_record()
    plan: Plan | None = record.plan
    assert plan is not None
    ours = replace(record, plan=replace(plan, target=replace(plan.target, hash=OLD)))
    again = facts(workload(revision(OLD, 3), revision(NEW, 4), target=NEW))
    assert rollout_begun(SETTLED, again, NOW, current=ours) is not None


def test_from_bad_to_bad_the_baseline_stays_the_last_settled_one() -> None:
    three = facts(workload(*TWO, revision(NEWER, 3), target=NEWER))
    known = replace(SETTLED, current_rollout=rollout_id(NAME, 2, NEW, UID))
    begun = rollout_begun(known, three, NOW)
    assert begun is not None
    assert (begun.target, begun.baseline) == (NEWER, OLD)


@pytest.mark.parametrize(
    "unsettled",
    [
        workload(*TWO, target=NEW, generation=3, observed=2),
        workload(revision(OLD, 1), target=NEW),
        workload(revision(NEW, 1), revision(OLD, 2), target=NEW),
    ],
    ids=["stale status", "no ReplicaSet yet", "old ReplicaSet not renumbered yet"],
)
def test_nothing_begins_before_the_controller_has_numbered_the_target(unsettled: Workload) -> None:
    assert rollout_begun(SETTLED, facts(unsettled), NOW) is None


def test_a_rollout_under_way_at_start_up_is_taken_up_from_the_revision_that_has_pods() -> None:
    born = NOW.plus(-90)
    under_way = facts(
        workload(revision(NEWER, 1), revision(OLD, 2, replicas=2), revision(NEW, 3, replicas=1), target=NEW, updated=1),
        pods=(pod("o", OLD), pod("n", NEW, created=born)),
    )
    begun = rollout_begun(FRESH, under_way, NOW)
    assert begun is not None
    assert (begun.baseline, begun.since, begun.under_way) == (OLD, born, True)


def test_one_taken_up_without_old_pods_comes_from_the_next_highest_number() -> None:
    three = (revision(NEWER, 1), revision(OLD, 2), revision(NEW, 3, replicas=2))
    going = facts(workload(*three, target=NEW, available=0, progressing=GOING))
    begun = rollout_begun(FRESH, going, NOW)
    assert begun is not None
    assert begun.baseline == OLD


def test_a_first_deployment_has_no_baseline() -> None:
    first = facts(workload(revision(NEW, 1), target=NEW, updated=0, available=0))
    begun = rollout_begun(FRESH, first, NOW)
    assert begun is not None
    assert begun.baseline is None


def test_a_complete_workload_that_is_scaled_at_start_up_is_no_rollout() -> None:
    scaled = facts(workload(revision(NEW, 2), target=NEW, desired=9, updated=2, progressing=DONE))
    assert rollout_begun(FRESH, scaled, NOW) is None


def test_another_workload_of_the_same_name_starts_anew() -> None:
    other = facts(workload(revision(NEW, 1), target=NEW, uid="ffff0000-1", progressing=DONE))
    assert rollout_begun(SETTLED, other, NOW) is None


def test_a_long_name_is_cut_so_that_the_id_names_an_object() -> None:
    long = WorkloadName("production", WorkloadKind.DEPLOYMENT, "x" * 253)
    id_: RolloutId = rollout_id(long, 12, TemplateHash("abcdef1234"), UID)
    assert len(id_) == 253
    assert id_.endswith("-r12-abcdef1234-0a1b2c3d")


# --- adoption ---

DAY = Timing()
ONE = workload(revision(OLD, 1), target=OLD, progressing=DONE)
WHOLE = facts(ONE, pods=(pod("a", OLD), pod("b", OLD)))


def adopted(seen: UnitFacts, *, unit: UnitRecord = SETTLED, now: Instant = NOW) -> TemplateHash | None:
    good = adoption(unit, seen, DAY, now)
    return good.hash if good else None


def test_what_stood_complete_for_a_day_by_the_clusters_time_is_adopted() -> None:
    assert adopted(WHOLE) == OLD
    assert adopted(WHOLE, now=LONG_AGO.plus(86399)) is None
    assert adopted(WHOLE, now=LONG_AGO.plus(86400)) == OLD


@pytest.mark.parametrize(
    "seen",
    [
        replace(WHOLE, complete=False),
        facts(replace(ONE, available=1), pods=WHOLE.pods),
        facts(replace(ONE, total=3), pods=WHOLE.pods),
        facts(replace(ONE, observed_generation=1), pods=WHOLE.pods),
        facts(replace(ONE, conditions=(GOING,)), pods=WHOLE.pods),
        facts(replace(ONE, conditions=(replace(DONE, since=NOW.plus(-60)),)), pods=WHOLE.pods),
        facts(workload(revision(OLD, 1, created=NOW.plus(-60)), target=OLD), pods=WHOLE.pods),
        facts(ONE, pods=(*WHOLE.pods, pod("c", NEW))),
    ],
    ids=["incomplete", "unavailable", "old replica", "stale", "going", "just done", "new", "old pod"],
)
def test_nothing_less_is_adopted(seen: UnitFacts) -> None:
    assert adopted(seen) is None


def test_a_crash_loop_within_the_day_forbids_adoption_and_one_before_it_does_not() -> None:
    def crashed(at: Instant, restarts: int = 2) -> UnitFacts:
        bad = container(restarts=restarts, exit_code=1, finished_at=at)
        return facts(ONE, pods=(pod("a", OLD, containers=(bad,)), pod("b", OLD)))

    assert adopted(crashed(NOW.plus(-3600))) is None
    assert adopted(crashed(NOW.plus(-3600), restarts=1)) == OLD
    assert adopted(crashed(NOW.plus(-90000))) == OLD


def test_a_replica_set_used_again_stands_only_as_long_as_its_pods() -> None:
    reused = workload(revision(NEW, 2, created=LONG_AGO.plus(10)), revision(OLD, 3), target=OLD, progressing=DONE)
    just_back = tuple(pod(name, OLD, ready_since=NOW.plus(-300)) for name in ("a", "b"))
    assert adopted(facts(reused, pods=just_back)) is None
    assert adopted(facts(reused, pods=WHOLE.pods)) == OLD


def test_the_day_begins_when_the_rollout_was_complete_and_not_when_it_first_made_progress() -> None:
    def completed(at: Instant) -> UnitFacts:
        progressing = Condition(
            type="Progressing",
            status="True",
            reason="NewReplicaSetAvailable",
            message="",
            since=LONG_AGO,
            updated=at,
        )
        return facts(workload(revision(OLD, 1), target=OLD, progressing=progressing), pods=WHOLE.pods)

    assert adopted(completed(NOW.plus(-3600))) is None
    assert adopted(completed(NOW.plus(-86400))) == OLD


def test_nothing_is_adopted_twice_or_under_guard() -> None:
    good = adoption(SETTLED, WHOLE, DAY, NOW)
    assert good is not None
    assert adopted(WHOLE, unit=replace(SETTLED, adopted=good)) is None
    assert adopted(WHOLE, unit=replace(SETTLED, current_rollout=RolloutId("x"))) is None
