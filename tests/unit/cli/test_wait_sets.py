"""`rollguard wait` for a release set: its rollouts tell, and what serves where nothing rolls out."""

from __future__ import annotations

from dataclasses import replace

from rollguard.cli.waiting import BAD, HEALTHY, OPEN, Answer, Goal, Wanted
from rollguard.cli.waiting_sets import SetSeen, answered_set
from rollguard.model.judgement import VerdictKind
from rollguard.model.records import LifecycleState, Outcome, RolloutRecord, UnitRecord
from rollguard.observe import good_side, passages
from tests.unit.cli.stories import NOW, ended, watched
from tests.unit.observe.building import LONG_AGO
from tests.unit.observe.sets import SET, facts_of, resting

GREEN = facts_of(live="green", ready={"backend-green": 2, "workers-green": 2})
CHANGED = passages(resting(), SET, GREEN, NOW)


def rolling(**changes: object) -> RolloutRecord:
    return replace(watched(**changes), unit=SET.unit, workload=SET.workload, passages=CHANGED)


def unit(current: RolloutRecord | None = None) -> UnitRecord:
    return replace(resting(), current_rollout=current.id if current is not None else None)


def answer(seen: UnitRecord, *rollouts: RolloutRecord, waited: float = 60) -> Answer:
    wanted = Wanted(goal=Goal.HEALTHY, image="", began=NOW.plus(-waited))
    return answered_set(wanted, SetSeen(unit=seen, rollouts=rollouts, now=NOW))


def test_an_open_rollout_is_waited_for_and_named_by_its_colour() -> None:
    open_ = rolling()
    found = answer(unit(open_), open_)
    assert (found.code, found.at_timeout, found.rollout) == (None, OPEN, open_)
    assert found.line.startswith("green is ")
    healthy = rolling(verdict=VerdictKind.HEALTHY)
    assert answer(unit(healthy), healthy).code == HEALTHY
    held = rolling(state=LifecycleState.HELD)
    assert (answer(unit(held), held).code, answer(unit(held), held).at_timeout) == (None, OPEN)


def test_a_set_that_was_switched_back_lately_is_bad() -> None:
    back = replace(ended(1, Outcome.RECOVERED), unit=SET.unit, passages=CHANGED, closed=NOW.plus(-60))
    found = answer(unit(), back)
    assert found.code == BAD
    assert found.line.startswith("green was rolled back")


def test_a_switch_that_the_guard_has_yet_to_see_is_not_answered_by_what_served_before() -> None:
    assert answer(unit(), waited=5).code is None
    good = tuple(each for live in resting().live if (each := good_side(live.side, facts_of(), LONG_AGO)) is not None)
    found = answer(replace(unit(), healthy=good), waited=16)
    assert found.code == HEALTHY
    assert found.line.startswith("no rollout: blue serves unchanged, judged healthy since")


def test_a_set_of_which_nothing_is_known_to_be_good_is_open() -> None:
    found = answer(unit(), waited=16)
    assert found.code == OPEN
    assert "neither judged nor adopted yet" in found.line
