"""What is gone back to, and when no plan is made."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollguard import undo
from rollguard.model.action import Plan, Target
from rollguard.model.facts import Template
from rollguard.model.names import TemplateHash
from rollguard.model.situation import Situation
from tests.unit.decide.situations import BAD_TEMPLATE, GOOD, NOW, OLDER, facts, situation, workload
from tests.unit.records import OLD_IMAGES

TEMPLATE = Template(body='{"good":1}', digest="good-digest", bare_digest="good-bare", images=OLD_IMAGES)


def planned(s: Situation, template: Template = TEMPLATE) -> Plan | undo.Refused:
    target = Target(hash=GOOD.hash, number=1, images=OLD_IMAGES, judged=True)
    return undo.plan(s, target, template, id="p.1", epoch=4, reason="14.8% > 10%", actor="rollguard", now=NOW)


def reason(s: Situation, template: Template = TEMPLATE) -> str:
    answer = planned(s, template)
    assert isinstance(answer, undo.Refused)
    return answer.reason


def with_member(**changes: object) -> Situation:
    return replace(situation(), facts=facts(replace(workload(), **changes)))  # type: ignore[arg-type]


def test_the_last_revision_judged_healthy_is_the_target() -> None:
    target = situation().target()
    assert target is not None
    assert (target.hash, target.judged) == (GOOD.hash, True)


def test_from_bad_to_bad_the_target_is_still_the_last_healthy_one() -> None:
    s = situation()
    bad_again = replace(s, rollout=replace(s.rollout, target_digest="bad-2"), facts=facts())
    target = bad_again.target()
    assert target is not None
    assert target.hash == GOOD.hash


def test_the_target_is_never_what_runs_now() -> None:
    reverted = with_member(template=replace(BAD_TEMPLATE, digest="good-digest"))
    target = reverted.target()
    assert target is not None
    assert target.hash == OLDER.hash


def test_an_adopted_revision_is_taken_where_none_was_judged() -> None:
    s = situation()
    target = replace(s, unit=replace(s.unit, healthy=(), adopted=GOOD)).target()
    assert target is not None
    assert (target.hash, target.judged) == (GOOD.hash, False)
    assert replace(s, unit=replace(s.unit, healthy=())).target() is None


def test_what_was_adopted_after_the_last_judged_one_goes_before_it() -> None:
    s = replace(situation(), rollout=replace(situation().rollout, baseline=None))
    adopted = replace(GOOD, hash=TemplateHash("adopted"), digest="adopted-digest", since=GOOD.since.plus(86400))
    later = replace(s, unit=replace(s.unit, adopted=adopted)).target()
    earlier = replace(s, unit=replace(s.unit, adopted=replace(adopted, since=OLDER.since.plus(-1)))).target()
    assert later is not None
    assert (later.hash, later.judged) == (adopted.hash, False)
    assert earlier is not None
    assert earlier.hash == GOOD.hash


def test_what_was_adopted_before_the_present_adopted_one_is_still_a_way_back() -> None:
    s = situation()
    running = replace(GOOD, hash=TemplateHash("bbb"), digest="bad-digest", since=GOOD.since.plus(86400))
    target = replace(s, unit=replace(s.unit, healthy=(), adopted=running, adopted_before=(OLDER, GOOD))).target()
    assert target is not None
    assert (target.hash, target.judged) == (GOOD.hash, False)


def test_what_ran_before_the_rollout_goes_first_where_it_is_good() -> None:
    s = situation()
    before = replace(s, rollout=replace(s.rollout, baseline=OLDER.hash)).target()
    assert before is not None
    assert before.hash == OLDER.hash


def test_a_plan_replaces_the_bad_template_by_the_good_one_within_its_time() -> None:
    plan = planned(situation())
    assert isinstance(plan, Plan)
    step = plan.steps[0]
    assert (step.n, step.precondition, step.goal, step.body) == (1, "bad-digest", "good-digest", '{"good":1}')
    assert (step.target.name, step.target.uid) == ("translation", "uid-1")
    assert step.revision == situation().rollout.target_number == 2
    assert (plan.created, plan.expires, plan.epoch) == (NOW, NOW.plus(900), 4)


def test_no_plan_is_made_for_a_workload_that_is_not_in_a_state_for_it() -> None:
    s = situation()
    assert "paused" in reason(with_member(paused=True))
    assert "already has" in reason(with_member(template=TEMPLATE))
    assert "changed since" in reason(with_member(template=replace(BAD_TEMPLATE, digest="newer")))
    assert "deleted" in reason(with_member(uid="uid-2"))
    assert "does not exist" in reason(replace(s, facts=replace(s.facts, members=())))
    assert "pods" in reason(replace(s, facts=replace(s.facts, complete=False, missing=("pods",))))


def test_a_template_that_is_not_the_one_judged_is_refused() -> None:
    assert "not that of revision 1" in reason(situation(), replace(TEMPLATE, digest="tampered"))


@pytest.mark.parametrize("replicas", [0, 3])
def test_restored_means_every_pod_is_of_the_old_revision_and_available(replicas: int) -> None:
    plan = planned(situation())
    assert isinstance(plan, Plan)
    there = replace(
        workload(), template=TEMPLATE, desired=replicas, total=replicas, updated=replicas, available=replicas
    )
    assert undo.progress(plan, facts(there)) == undo.Restored()


def test_a_rollback_is_still_rolling_until_nothing_is_missing() -> None:
    plan = planned(situation())
    assert isinstance(plan, Plan)
    there = replace(workload(), template=TEMPLATE, desired=3, total=3, updated=3, available=3)
    assert isinstance(undo.progress(plan, facts(workload())), undo.StillRolling)
    for lacking in (
        replace(there, observed_generation=6),
        replace(there, updated=2),
        replace(there, total=4),
        replace(there, available=2),
    ):
        assert isinstance(undo.progress(plan, facts(lacking)), undo.StillRolling)
    assert isinstance(undo.progress(plan, replace(facts(there), complete=False)), undo.StillRolling)
