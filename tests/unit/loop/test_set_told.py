"""Release sets: that a rollout began is told once, by the colour's own watch before the switch or by the set."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from rollguard.model.notices import NoticeClass
from rollguard.model.policy import Policy
from tests.unit.loop.colours import UNIT, Colours, play_set, set_policy
from tests.unit.loop.stage import CRASHING, Stage
from tests.unit.loop.test_sets import FAILING, GOOD, of_set

BEGAN = "rollout-began"


def joining(seconds: float) -> Policy:
    policy = set_policy()
    return replace(policy, timing=replace(policy.timing, join_within=seconds))


def of_own(stage: Stage, name: str) -> list[str]:
    """The topics of the notices about that Deployment's own rollouts."""
    return [n.topic for r in stage.rollouts() if r.unit != UNIT and r.workload.name == name for n in r.notices]


async def backend_switched(stage: Stage, colours: Colours) -> None:
    stage.start()
    await stage.until(colours.adopted)
    colours.release(GOOD, "backend")
    await stage.until(lambda: colours.ready("backend"))
    colours.switch("backend")
    await stage.until(lambda: bool(of_set(stage)))


def test_a_version_in_an_idle_colour_is_told_before_the_switch_and_the_switch_once() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        await backend_switched(stage, colours)
        assert of_own(stage, "backend-green") == [BEGAN]
        assert [n.topic for n in of_set(stage)[0].notices] == [BEGAN]

    play_set(story)


def test_what_is_put_into_that_colour_within_the_join_window_is_told_by_the_set_alone() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        await backend_switched(stage, colours)
        colours.release(GOOD, "frontend")
        await stage.until(lambda: colours.ready("frontend"))
        await stage.until(lambda: any(r.workload.name == "frontend-green" for r in stage.rollouts()))
        colours.switch("frontend")
        await stage.until(lambda: len(of_set(stage)[0].passages) == 2)
        await stage.until(stage.all_sent)
        assert of_own(stage, "frontend-green") == []
        assert sorted(stage.told(BEGAN)) == sorted(n.text for r in stage.rollouts() for n in r.notices)
        assert len(stage.told(BEGAN)) == 2, "of backend-green before the switch, and of the set"

    play_set(story, policy=joining(60.0))


def test_after_the_join_window_it_is_told_by_its_own_watch() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        await backend_switched(stage, colours)
        await asyncio.sleep(6)
        colours.release(GOOD, "frontend")
        await stage.until(lambda: of_own(stage, "frontend-green") == [BEGAN])

    play_set(story, policy=joining(5.0))


def test_its_trouble_is_told_all_the_same() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        await backend_switched(stage, colours)
        colours.release(CRASHING, "frontend")
        await stage.until(lambda: bool(of_own(stage, "frontend-green")), within=120)
        assert [n.class_ for r in stage.rollouts() if r.workload.name == "frontend-green" for n in r.notices] == [
            NoticeClass.PAGE
        ]
        assert BEGAN not in of_own(stage, "frontend-green")

    play_set(story, policy=joining(60.0))


def test_a_fix_that_is_put_there_while_the_set_goes_back_is_told() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        stage.start()
        await stage.until(colours.adopted)
        colours.release(FAILING, "backend")
        await stage.until(lambda: colours.ready("backend"))
        colours.switch("backend")
        await stage.until(lambda: colours.live("backend") == "blue" and bool(of_set(stage)), within=200)
        assert of_set(stage)[0].closed is None
        colours.release(GOOD, "frontend")
        await stage.until(lambda: of_own(stage, "frontend-green") == [BEGAN])

    play_set(story, policy=joining(600.0))
