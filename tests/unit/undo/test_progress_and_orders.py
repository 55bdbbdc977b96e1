"""A rollback that gets stuck, and one that a person ordered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollguard import undo
from rollguard.model.action import Plan, Standing, Target
from rollguard.model.facts import Condition, Pod, Revision, Template, Workload
from rollguard.model.names import TemplateHash
from rollguard.model.requests import Freeze, HumanRequest, RequestKind
from rollguard.model.situation import Situation
from tests.unit.decide.situations import BAD_TEMPLATE, GOOD, NOW, OLDER, facts, situation, workload
from tests.unit.observe.building import container, pod
from tests.unit.undo.test_plan import TEMPLATE, planned

STUCK = Condition(type="Progressing", status="False", reason="ProgressDeadlineExceeded", message="timed out", since=NOW)
DOUBT = Standing(name="outage", forbids=True, reason="it is an outage", judging=True)
LIMIT = Standing(name="fleet budget", forbids=True, reason="the budget is spent")
ORDER = HumanRequest(id="r1", kind=RequestKind.ROLLBACK, actor="ana", at=NOW, reason="customers call")


def recorded(number: int, template: Template) -> Revision:
    return Revision(
        hash=TemplateHash(f"h{number}"),
        number=number,
        uid=f"rs-{number}",
        created=NOW,
        template=template,
        replicas=0,
        ready=0,
    )


def with_history() -> Situation:
    unknown = replace(TEMPLATE, digest="unknown", body='{"u":1}')
    revisions = (recorded(1, TEMPLATE), recorded(2, unknown), recorded(3, BAD_TEMPLATE))
    return replace(situation(), facts=facts(replace(workload(), revisions=revisions)))


def ordered(s: Situation, *standings: Standing, to: int | None = None, force: bool = False) -> Target | undo.Refused:
    return undo.manual(s, replace(ORDER, to_revision=to, force=force), standings, NOW)


def refusal(s: Situation, *standings: Standing, to: int | None = None, force: bool = False) -> str:
    answer = ordered(s, *standings, to=to, force=force)
    assert isinstance(answer, undo.Refused)
    return answer.reason


def restored(member: Workload) -> undo.Progress:
    plan = planned(situation())
    assert isinstance(plan, Plan)
    return undo.progress(plan, facts(member))


def test_a_rollback_that_the_cluster_gives_up_is_stalled() -> None:
    stuck = replace(workload(), template=TEMPLATE, desired=3, total=4, updated=2, available=1, conditions=(STUCK,))
    answer = restored(stuck)
    assert isinstance(answer, undo.Stalled)
    assert "ProgressDeadlineExceeded" in answer.detail
    assert restored(replace(stuck, total=3, updated=3, available=3)) == undo.Restored()


def test_a_rollback_that_somebody_replaced_or_deleted_is_stalled() -> None:
    newer = replace(workload(), template=replace(TEMPLATE, digest="newer"))
    assert isinstance(restored(newer), undo.Stalled)
    assert isinstance(restored(replace(newer, uid="uid-2")), undo.Stalled)


OLD_POD = pod("old", ready_since=NOW.plus(-50), created=NOW.plus(-60))
YOUNG = pod("young", ready_since=None, created=NOW.plus(-2))


@pytest.mark.parametrize(
    ("stays", "changed", "pods"),
    [
        (True, {"desired": 5, "total": 4, "available": 3}, (OLD_POD, YOUNG)),
        (True, {"desired": 2}, (OLD_POD, replace(OLD_POD, ready=False, ready_since=None, deleting=True))),
        (True, {"observed_generation": 6}, (OLD_POD,)),
        (True, {"desired": 0, "total": 0, "updated": 0, "available": 0}, ()),
        (False, {"total": 5, "updated": 4}, (OLD_POD,)),
        (False, {"template": replace(TEMPLATE, digest="newer")}, (OLD_POD,)),
        (False, {"uid": "uid-2"}, (OLD_POD,)),
        (False, {"available": 0}, (YOUNG,)),
        (False, {"available": 2}, (replace(OLD_POD, ready=False, ready_since=None),)),
        (False, {}, (OLD_POD, replace(YOUNG, containers=(container(restarts=1),)))),
    ],
    ids=[
        "grows",
        "shrinks",
        "scaled just now",
        "none",
        "old pods",
        "changed",
        "new",
        "serves not",
        "failed",
        "crashes",
    ],
)
def test_what_was_restored_stays_so_while_pods_come_and_go(
    stays: bool, changed: dict[str, object], pods: tuple[Pod, ...]
) -> None:
    plan = planned(situation())
    assert isinstance(plan, Plan)
    there = replace(workload(), template=TEMPLATE, desired=3, total=3, updated=3, available=3)
    if "total" in changed and "updated" not in changed:
        changed = {**changed, "updated": changed["total"]}
    seen = replace(facts(replace(there, **changed)), pods=pods)  # type: ignore[arg-type]
    assert undo.still_restored(plan, seen, NOW.plus(-10)) is stays


def test_facts_that_are_incomplete_do_not_show_that_it_stays_restored() -> None:
    plan = planned(situation())
    assert isinstance(plan, Plan)
    there = replace(workload(), template=TEMPLATE, desired=3, total=3, updated=3, available=3)
    assert not undo.still_restored(plan, replace(facts(there), complete=False), NOW)


def test_an_order_goes_to_the_last_healthy_revision_or_to_the_one_named() -> None:
    last = ordered(with_history())
    named = ordered(with_history(), to=1)
    assert isinstance(last, Target)
    assert isinstance(named, Target)
    assert (last.hash, last.judged) == (GOOD.hash, True)
    assert (named.number, named.judged) == (1, True)


def test_a_revision_that_was_never_good_needs_force() -> None:
    assert "--force" in refusal(with_history(), to=2)
    forced = ordered(with_history(), to=2, force=True)
    assert isinstance(forced, Target)
    assert (forced.number, forced.judged) == (2, False)


def test_a_revision_that_is_not_there_or_runs_already_is_refused_whatever_the_force() -> None:
    assert "1, 2, 3" in refusal(with_history(), to=9, force=True)
    assert "runs now" in refusal(with_history(), to=3, force=True)


def test_force_overrides_doubts_of_judgement_only() -> None:
    assert "it is an outage" in refusal(with_history(), DOUBT)
    assert isinstance(ordered(with_history(), DOUBT, force=True), Target)


def test_limits_on_the_guard_alone_do_not_bind_a_person() -> None:
    assert isinstance(ordered(with_history(), LIMIT, replace(DOUBT, forbids=False)), Target)


@pytest.mark.parametrize("force", [False, True])
def test_a_freeze_a_pause_and_incomplete_facts_bind_a_person_too(force: bool) -> None:
    s = with_history()
    freeze = Freeze(until=NOW.plus(1), actor="ben", reason="launch")
    assert "frozen" in refusal(replace(s, unit=replace(s.unit, freeze=freeze)), force=force)
    assert "frozen" in refusal(replace(s, around=replace(s.around, freeze_all=freeze)), force=force)
    thawed = replace(s, unit=replace(s.unit, freeze=replace(freeze, until=NOW)))
    assert isinstance(ordered(thawed, force=force), Target)
    assert "paused" in refusal(replace(s, facts=facts(replace(workload(), paused=True))), force=force)
    assert "incomplete" in refusal(replace(s, facts=replace(s.facts, complete=False)), force=force)
    assert "exist" in refusal(replace(s, facts=replace(s.facts, members=())), force=force)


def test_without_a_good_revision_an_order_must_name_one() -> None:
    s = with_history()
    assert "--to-revision" in refusal(replace(s, unit=replace(s.unit, healthy=())))
    assert isinstance(ordered(replace(s, unit=replace(s.unit, healthy=(OLDER,)))), Target)


def test_where_there_is_no_way_back_each_known_revision_says_why_it_is_none() -> None:
    s = with_history()
    undone = replace(s, unit=replace(s.unit, healthy=(), undone=((TEMPLATE.digest, NOW.plus(-60)),)))
    said = refusal(undone)
    assert said.startswith("there is no way back: no other revision was judged healthy or adopted; known: ")
    assert "revision 3 (registry.example.com/translation:v2) runs now" in said
    assert "revision 2 (registry.example.com/translation:v1) was never judged healthy, nor complete and" in said
    assert "revision 1 (registry.example.com/translation:v1) was undone at 2026-11-03T02:05:00Z" in said
    assert said.endswith("--to-revision N with --force goes to any of them")


def test_a_revision_that_is_no_way_back_is_refused_beside_those_that_are() -> None:
    said = refusal(with_history(), to=2)
    assert "revision 1 (registry.example.com/translation:v1) is a way back: judged healthy since" in said
    assert "revision 0, judged healthy since" in said
    assert "not in the history, and its template was not saved" in said


def test_what_only_has_other_settings_than_what_runs_is_named_as_such() -> None:
    s = with_history()
    settings = replace(TEMPLATE, digest="settings", images=BAD_TEMPLATE.images)
    member = replace(workload(), revisions=(recorded(2, settings), recorded(3, BAD_TEMPLATE)))
    said = refusal(replace(s, facts=facts(member), unit=replace(s.unit, healthy=())))
    assert "and has the images of what runs now" in said


def test_of_a_long_history_the_newest_are_named_and_the_others_counted() -> None:
    s = with_history()
    others = tuple(recorded(n, replace(TEMPLATE, digest=f"d{n}")) for n in range(1, 9))
    member = replace(workload(), revisions=(*others, recorded(9, BAD_TEMPLATE)))
    said = refusal(replace(s, facts=facts(member), unit=replace(s.unit, healthy=())))
    assert "revision 4 " in said
    assert "revision 3 " not in said
    assert "; 3 older ones;" in said
