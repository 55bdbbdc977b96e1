from __future__ import annotations

from dataclasses import replace

from rollguard.model.facts import UnitFacts
from rollguard.model.policy import Timing
from rollguard.model.records import Passage, RolloutRecord
from rollguard.observe import (
    at_rest,
    deserted,
    joined,
    left_behind,
    member_facts,
    passages,
    serving,
    switch_begun,
    ways_back,
)
from rollguard.observe.sets import RELEASE
from tests.unit.observe.building import NOW
from tests.unit.observe.sets import FRESH, SET, colours, facts_of, hash_of, named, resting, service, side
from tests.unit.records import rollout_record

GREEN = {"backend-green": 2, "workers-green": 1}


def moved(found: tuple[Passage, ...]) -> list[tuple[str, str, str]]:
    return [(passage.member, passage.old.colour, passage.new.colour) for passage in found]


def rollout(*found: Passage) -> RolloutRecord:
    return replace(rollout_record(), started=NOW, passages=found)


def test_the_live_colour_is_the_one_that_the_service_selects() -> None:
    seen = {each.member: each.side for each in serving(SET, facts_of(live="green"), ())}
    assert seen["backend"] is not None
    assert (seen["backend"].colour, seen["backend"].workload) == ("green", named("backend-green"))


def test_a_selector_of_a_third_value_or_none_is_no_colour_and_says_so() -> None:
    for value, words in (("purple", "selects version=purple"), ("", "selects nothing for version")):
        facts = facts_of()
        third = replace(facts, services=(service(value),))
        [backend, _workers] = serving(SET, third, ())
        assert backend.side is None
        assert words in backend.why
    [backend, _workers] = serving(SET, replace(facts_of(), services=()), ())
    assert "there is no Service backend-service" in backend.why


def test_workers_are_live_on_the_colour_that_has_ready_pods() -> None:
    assert colours(at_rest(FRESH, SET, facts_of())) == {"backend": "blue", "workers": "blue"}
    only_green = facts_of(live="green", ready={"workers-blue": 0, "workers-green": 1, "backend-green": 2})
    assert colours(at_rest(FRESH, SET, only_green)) == {"backend": "green", "workers": "green"}


def test_workers_of_both_colours_are_on_that_of_the_services_where_nothing_is_known() -> None:
    assert colours(at_rest(FRESH, SET, facts_of(live="green", ready=GREEN)))["workers"] == "green"


def test_a_switched_selector_and_the_first_ready_worker_are_members_that_changed() -> None:
    unit = resting()
    assert passages(unit, SET, facts_of(), NOW) == ()
    assert moved(passages(unit, SET, facts_of(ready=GREEN), NOW)) == [("workers", "blue", "green")]
    both = passages(unit, SET, facts_of(live="green", ready=GREEN), NOW)
    assert moved(both) == [("backend", "blue", "green"), ("workers", "blue", "green")]
    assert [passage.needed for passage in both] == [2, 2]


def test_workers_that_were_at_work_beside_the_live_ones_are_no_news() -> None:
    unit = replace(FRESH, live=at_rest(FRESH, SET, facts_of(ready={"workers-green": 1})))
    assert passages(unit, SET, facts_of(ready={"workers-green": 1}), NOW) == ()
    newer = facts_of(side("workers-green", "2"), ready={"workers-green": 1})
    assert moved(passages(unit, SET, newer, NOW)) == [("workers", "blue", "green")]


def test_live_workers_that_are_not_ready_for_a_moment_stay_live_until_nobody_wants_them() -> None:
    unit = replace(FRESH, live=at_rest(FRESH, SET, facts_of(ready={"workers-green": 1})))
    moment = facts_of(ready={"workers-blue": 0, "workers-green": 1})
    assert passages(unit, SET, moment, NOW) == ()
    assert colours(at_rest(unit, SET, moment)) == {"backend": "blue", "workers": "blue"}
    ended = facts_of(side("workers-blue", replicas=0), ready={"workers-blue": 0, "workers-green": 1})
    assert moved(passages(unit, SET, ended, NOW)) == [("workers", "blue", "green")]
    assert moved(passages(unit, SET, without(moment, "workers-blue"), NOW)) == [("workers", "blue", "green")]


def test_workers_beside_that_are_not_ready_for_a_moment_are_no_news_afterwards() -> None:
    both = facts_of(ready={"workers-green": 1})
    unit = replace(FRESH, live=at_rest(FRESH, SET, both))
    moment = replace(unit, live=at_rest(unit, SET, facts_of()))
    assert passages(moment, SET, both, NOW) == ()
    ended = replace(unit, live=at_rest(unit, SET, facts_of(side("workers-green", replicas=0))))
    assert moved(passages(ended, SET, both, NOW)) == [("workers", "blue", "green")]


def test_another_template_on_the_live_colour_is_no_switch() -> None:
    assert passages(resting(), SET, facts_of(side("backend-blue", "2")), NOW) == ()


def test_a_colour_whose_status_is_behind_its_spec_is_waited_for() -> None:
    behind = replace(side("backend-green"), generation=9, observed_generation=8)
    assert passages(resting(), SET, facts_of(behind, live="green"), NOW) == ()


def test_the_rollout_is_named_by_the_set_the_count_of_switches_and_the_service() -> None:
    unit = replace(resting(), switches=6)
    facts = facts_of(live="green")
    begun = switch_begun(unit, SET, passages(unit, SET, facts, NOW), facts, NOW)
    assert begun.id == "dubbing-s7-5e5e5e5e"


def test_members_join_within_the_window_and_later_only_by_the_same_release_id() -> None:
    unit, timing = resting(), Timing(join_within=120)
    first = passages(unit, SET, facts_of(live="green"), NOW)
    facts = facts_of(live="green", ready=GREEN)
    both = passages(unit, SET, facts, NOW)
    assert joined(rollout(*first), both, facts, timing, NOW.plus(120))
    assert not joined(rollout(*first), both, facts, timing, NOW.plus(121))
    release = ((RELEASE, "2026-11-27"),)
    marked = facts_of(
        replace(side("backend-green"), annotations=release),
        replace(side("workers-green"), annotations=release),
        live="green",
        ready=GREEN,
    )
    assert joined(rollout(*first), both, marked, timing, NOW.plus(600))


def test_a_member_is_seen_as_one_workload_with_the_pods_of_both_sides() -> None:
    facts = facts_of(live="green", ready=GREEN)
    [backend, _workers] = passages(resting(), SET, facts, NOW)
    alone = member_facts(facts, backend)
    [workload] = alone.members
    assert workload.name == named("backend-green")
    assert {revision.hash for revision in workload.revisions} == {hash_of("backend-blue"), hash_of("backend-green")}
    assert {pod.workload.name for pod in alone.pods} == {"backend-blue", "backend-green"}


def test_pods_of_an_earlier_version_of_a_colour_belong_to_neither_side() -> None:
    facts = facts_of(side("backend-green", "2"), live="green", ready=GREEN)
    [backend, _workers] = passages(resting(), SET, facts, NOW)
    stale = replace(facts.pods[0], name="stale", workload=named("backend-green"), revision=hash_of("backend-green"))
    alone = member_facts(replace(facts, pods=(*facts.pods, stale)), backend)
    assert "stale" not in {pod.name for pod in alone.pods}


def test_an_order_without_a_rollout_goes_to_the_colour_beside_the_live_one() -> None:
    assert moved(ways_back(resting(), SET, facts_of(), NOW)) == [
        ("backend", "green", "blue"),
        ("workers", "green", "blue"),
    ]
    gone = replace(facts_of(), members=tuple(m for m in facts_of().members if m.name.name != "backend-green"))
    assert moved(ways_back(resting(), SET, gone, NOW)) == [("workers", "green", "blue")]


def test_a_live_colour_is_deserted_once_its_deployment_and_its_endpoints_are_gone() -> None:
    moved = passages(resting(), SET, seen(), NOW)
    for name, member in (("backend-green", moved[0]), ("workers-green", moved[1])):
        serving = without(seen(), name)
        assert left_behind(SET, member, serving)
        assert not deserted(SET, member, serving), "its pods are still there"
        nobody = tuple(replace(each, endpoints=()) for each in serving.services)
        gone = replace(serving, services=nobody, pods=())
        assert deserted(SET, member, gone)
        assert not left_behind(SET, member, seen())


def test_what_is_deleted_with_its_service_or_with_both_colours_is_not_left_behind() -> None:
    moved = passages(resting(), SET, seen(), NOW)
    assert not left_behind(SET, moved[0], replace(without(seen(), "backend-green"), services=()))
    assert not left_behind(SET, moved[0], replace(without(seen(), "backend-green"), services=(service("blue"),)))
    assert not left_behind(SET, moved[1], without(without(seen(), "workers-green"), "workers-blue"))


def seen() -> UnitFacts:
    """Both members on green."""
    green = {"backend-green": 2, "workers-green": 1}
    return facts_of(side("backend-green", "2"), side("workers-green", "2"), live="green", ready=green)


def without(facts: UnitFacts, name: str) -> UnitFacts:
    """The facts without that Deployment; its pods are still there."""
    return replace(facts, members=tuple(member for member in facts.members if member.name.name != name))
