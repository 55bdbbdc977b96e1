"""What a way back that ends half way leaves: it is named, remembered as it is, and taken up by the next order."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from rollguard.model.records import Outcome
from tests.unit.loop.colours import UNIT, Colours, play_set
from tests.unit.loop.stage import Running, Stage
from tests.unit.loop.test_set_undo import bad_release, blue_again, freeze, of_set, of_set_closed, once, order


def without_the_set(stage: Stage) -> None:
    """The policy guards something else from now on."""
    watch = replace(stage.policy.watches[0], release_set=None, workloads=("other",))
    stage.write_policy(replace(stage.policy, digest="sha256:changed", watches=(watch,)))


def test_a_policy_that_drops_the_set_half_way_is_paged_with_what_serves_and_what_is_left_raised() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        stage.world.scaling.create(colours.deployments["backend-blue"], 1, 10, per_pod=20.0)
        once(stage, "backend-service", lambda: stage.world.services.refused.update({"frontend-service": "quota"}))
        await bad_release(stage, colours, idle=1)
        await stage.until(lambda: bool(stage.told("half-back")), within=300)
        without_the_set(stage)
        await stage.until(lambda: bool(stage.told("superseded")))
        assert (
            "half back: backend-service serves blue, frontend-service still green, the minimum of backend-blue is not"
            " yet 1 again, because production/dubbing is not guarded any more" in stage.told("superseded")[0]
        )

    play_set(story)


def test_a_leader_that_finds_the_set_dropped_reads_what_the_one_before_has_switched() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        dead: list[Running] = []

        def die() -> None:
            dead.pop().process.kill()
            without_the_set(stage)

        once(stage, "backend-service", die)
        dead.append(await bad_release(stage, colours))
        await stage.until(lambda: colours.live("backend") == "blue", within=300)
        stage.start("guard-1")
        await stage.until(lambda: bool(stage.told("superseded")))
        assert "half back: backend-service serves blue, frontend-service still green" in stage.told("superseded")[0]

    play_set(story)


def test_a_set_that_rests_half_back_when_its_window_ends_is_told_as_that_and_opens_no_other_rollout() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        once(stage, "backend-service", lambda: freeze(stage))
        await bad_release(stage, colours)
        await stage.until(lambda: of_set_closed(stage), within=400)
        assert of_set(stage).outcome is Outcome.HELD
        await stage.until(lambda: bool(stage.told("held-to-the-end")))
        assert (
            "half back: backend-service serves blue, frontend-service still green" in (stage.told("held-to-the-end")[0])
        )
        await asyncio.sleep(30)
        assert len([record for record in stage.rollouts() if record.unit == UNIT]) == 1
        unit = colours.unit()
        assert unit is not None
        assert [live.side.colour for live in unit.live] == ["blue", "green", "green"]

    play_set(story)


def test_a_minimum_that_a_stopped_plan_left_raised_is_set_back_by_the_order_after_it() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        scaler = stage.world.scaling.create(colours.deployments["backend-blue"], 1, 10, per_pod=20.0)
        once(stage, "backend-service", lambda: freeze(stage))
        await bad_release(stage, colours, idle=1)
        await stage.until(lambda: bool(stage.told("superseded")), within=300)
        assert "the minimum of backend-blue is not yet 1 again" in stage.told("superseded")[0]
        assert scaler.minimum == 3
        assert stage.world.records.freeze(UNIT, None)
        order(stage)
        await stage.until(lambda: of_set_closed(stage), within=300)
        assert blue_again(colours)
        assert of_set(stage).outcome is Outcome.RECOVERED
        assert scaler.minimum == 1

    play_set(story)


def test_a_minimum_that_somebody_sets_after_it_was_left_raised_is_theirs() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        scaler = stage.world.scaling.create(colours.deployments["backend-blue"], 1, 10, per_pod=20.0)
        once(stage, "backend-service", lambda: freeze(stage))
        await bad_release(stage, colours, idle=1)
        await stage.until(lambda: bool(stage.told("superseded")), within=300)
        stage.world.scaling.set_minimum(scaler, 4, actor="alice")
        assert stage.world.records.freeze(UNIT, None)
        order(stage)
        await stage.until(lambda: of_set_closed(stage), within=300)
        assert of_set(stage).outcome is Outcome.RECOVERED
        assert scaler.minimum == 4

    play_set(story)


def test_a_freeze_after_the_last_switch_names_what_of_the_bad_colour_still_runs() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        once(stage, "frontend-service", lambda: freeze(stage))
        await bad_release(stage, colours)
        await stage.until(lambda: bool(stage.told("superseded")), within=300)
        said = stage.told("superseded")[0]
        assert "frontend-service serves blue, backend-green is not yet at 0, frontend-green is not yet at 0" in said
        assert "workers-green is not yet at 0" in said

    play_set(story)


def test_an_old_colour_that_somebody_ends_as_it_is_switched_to_is_paged_at_once_by_name() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        blue = colours.deployments["frontend-blue"]
        once(stage, "frontend-service", lambda: stage.world.scale(blue, 0, actor="alice"))
        await bad_release(stage, colours)
        await stage.until(lambda: colours.live("frontend") == "blue", within=300)
        await stage.until(lambda: bool(stage.told("half-back")), within=20)
        assert "frontend-blue has 0 replicas and none is ready: it serves nobody" in stage.told("half-back")[0]
        stage.world.scale(blue, 3, actor="alice")
        await stage.until(lambda: of_set_closed(stage), within=300)
        assert of_set(stage).outcome is Outcome.RECOVERED

    play_set(story)
