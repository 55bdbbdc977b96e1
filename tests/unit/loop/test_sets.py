"""Release sets in the loop: what opens their rollout, who belongs to it, what ends it."""

from __future__ import annotations

import asyncio

from rollguard.model.names import UnitName
from rollguard.model.notices import NoticeClass
from rollguard.model.policy import Mode
from rollguard.model.records import LifecycleState, Outcome, RolloutRecord
from rollguard.model.requests import Freeze
from rollguard.sim.objects import at
from rollguard.sim.services import Adjusted
from tests.unit.loop.colours import SET, UNIT, Colours, play_set, set_policy
from tests.unit.loop.stage import Stage

GOOD = "registry.lab/api:v2"
FAILING = "registry.lab/api:v2-errors-40pct"
ALL = tuple(member.name for member in SET.members)


async def released(stage: Stage, colours: Colours, image: str, *members: str) -> None:
    """Adopted blue, and green with the image, ready beside it."""
    stage.start()
    await stage.until(colours.adopted)
    colours.release(image, *members)
    await stage.until(lambda: colours.ready(*members))


def of_set(stage: Stage) -> list[RolloutRecord]:
    """The set's rollouts."""
    return [record for record in stage.rollouts() if record.unit == UNIT]


def test_a_switch_opens_one_rollout_of_all_members_that_are_switched_with_it() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        await released(stage, colours, GOOD, *ALL)
        colours.switch("backend")
        await stage.until(lambda: bool(of_set(stage)))
        colours.switch("frontend")
        await stage.until(lambda: len(of_set(stage)[-1].passages) == 3)
        assert len(of_set(stage)) == 1
        moved = [(p.member, p.old.colour, p.new.colour, p.needed) for p in of_set(stage)[0].passages]
        assert moved == [(name, "blue", "green", 3) for name in ALL]

    play_set(story, policy=set_policy(Mode.OBSERVE))


def test_a_healthy_switch_makes_the_new_colour_the_live_one_and_a_way_back() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        await released(stage, colours, GOOD, *ALL)
        colours.switch("backend", "frontend")
        await stage.until(lambda: bool(of_set(stage)) and of_set(stage)[-1].closed is not None, within=300)
        last = of_set(stage)[-1]
        assert last.outcome is Outcome.HEALTHY, last.why
        await stage.until(colours.at_rest)
        unit = colours.unit()
        assert unit is not None
        assert [(live.member, live.side.colour) for live in unit.live] == [(name, "green") for name in ALL]
        assert sorted(good.workload for good in unit.healthy) == sorted(f"{name}-green" for name in ALL)

    play_set(story)


def test_a_bad_switch_is_told_with_the_member_that_fails() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        await released(stage, colours, FAILING, "backend")
        colours.release(GOOD, "frontend", "workers")
        await stage.until(lambda: colours.ready(*ALL))
        colours.switch("backend", "frontend")
        await stage.until(lambda: bool(of_set(stage)) and bool(of_set(stage)[-1].would()), within=200)
        would = of_set(stage)[-1].would()[0]
        assert "backend: error-rate" in would.reason
        assert of_set(stage)[-1].findings[0].member == "backend"

    play_set(story, policy=set_policy(Mode.OBSERVE))


def test_switching_back_by_hand_ends_the_rollout_and_opens_no_other() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        await released(stage, colours, GOOD, "backend", "frontend")
        colours.switch("backend", "frontend")
        await stage.until(lambda: bool(of_set(stage)))
        colours.switch("backend", "frontend", to="blue")
        await stage.until(lambda: of_set(stage)[-1].closed is not None)
        assert of_set(stage)[-1].outcome is Outcome.PUT_BACK
        await stage.until(lambda: stage.world.loop.time() > 250, within=300)
        assert len(of_set(stage)) == 1

    play_set(story)


def test_people_who_switch_back_change_the_workers_over_when_they_like() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        await released(stage, colours, GOOD, *ALL)
        colours.switch("backend", "frontend")
        blue, green = (colours.deployments[f"workers-{colour}"] for colour in ("blue", "green"))
        stage.world.scale(blue, 0, actor="alice")
        await stage.until(lambda: bool(of_set(stage)) and len(of_set(stage)[-1].passages) == 3)
        colours.switch("backend", "frontend", to="blue")
        await stage.until(lambda: [p.member for p in of_set(stage)[-1].passages] == ["workers"])
        stage.world.scale(blue, 3, actor="alice")
        await stage.until(lambda: colours.ready("workers", colour="blue"))
        assert of_set(stage)[-1].closed is None, "green workers are at work"
        stage.world.scale(green, 0, actor="alice")
        await stage.until(lambda: of_set(stage)[-1].closed is not None)
        assert of_set(stage)[-1].outcome is Outcome.PUT_BACK
        await stage.until(lambda: stage.world.loop.time() > 250, within=300)
        assert len(of_set(stage)) == 1

    play_set(story)


def test_a_preloaded_blue_is_no_way_back() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        await released(stage, colours, FAILING, "backend")
        colours.switch("backend")
        await stage.until(lambda: bool(of_set(stage)))
        stage.world.set_image(colours.deployments["backend-blue"], "registry.lab/api:v3")
        await stage.until(lambda: of_set(stage)[-1].state is LifecycleState.HELD, within=200)
        assert "backend-blue has another template than when it served" in of_set(stage)[-1].why

    play_set(story)


def test_a_bad_switch_is_undone_for_the_whole_set_and_recovers() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        await released(stage, colours, FAILING, "backend")
        colours.release(GOOD, "frontend", "workers")
        await stage.until(lambda: colours.ready(*ALL))
        colours.switch("backend", "frontend")
        await stage.until(lambda: colours.live("backend") == colours.live("frontend") == "blue", within=200)
        await stage.until(lambda: all(colours.deployments[f"{name}-green"].replicas == 0 for name in ALL))
        await stage.until(lambda: of_set(stage)[-1].closed is not None, within=200)
        last = of_set(stage)[-1]
        assert last.outcome is Outcome.RECOVERED, last.why
        await stage.until(colours.at_rest)
        unit = colours.unit()
        assert unit is not None
        assert {live.side.colour for live in unit.live} == {"blue"}
        assert len(of_set(stage)) == 1

    play_set(story)


def test_a_set_that_rests_half_back_is_held_until_people_bring_it_to_an_end() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        world = stage.world

        def freeze(change: Adjusted) -> None:
            if change.actor not in {"alice", "frank"} and change.ref.kind == "Service":
                until = at(world.loop.time() + 1000)
                world.records.freeze(UNIT, Freeze(until=until, actor="frank", reason="hands off"))

        world.on_adjust.append(freeze)
        await released(stage, colours, FAILING, "backend")
        colours.release(GOOD, "frontend")
        await stage.until(lambda: colours.ready("backend", "frontend"))
        colours.switch("backend", "frontend")
        await stage.until(lambda: bool(of_set(stage)) and of_set(stage)[-1].state is LifecycleState.HELD, within=200)
        assert sorted((colours.live("backend"), colours.live("frontend"))) == ["blue", "green"]
        world.records.freeze(UNIT, None)
        await asyncio.sleep(40)
        held = of_set(stage)[-1]
        assert held.state is LifecycleState.HELD
        assert [passage.member for passage in held.passages] == ["backend", "frontend"]
        pages = [notice for notice in held.notices if notice.class_ is NoticeClass.PAGE]
        assert "half back: " in pages[-1].text
        assert "by hand" not in " ".join(entry.text for entry in held.timeline)
        colours.switch("backend", "frontend", to="blue")
        await stage.until(lambda: of_set(stage)[-1].closed is not None)
        assert "the guard had begun it, and stopped before its end" in of_set(stage)[-1].why

    play_set(story)


def test_workers_that_crash_are_not_taken_for_switched_back() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        stage.start()
        await stage.until(colours.adopted)
        colours.release("registry.lab/api:v2-crash-after-4s", "workers")
        await stage.until(lambda: bool(of_set(stage)))
        await stage.until(lambda: colours.deployments["workers-green"].replicas == 0, within=100)
        assert len(of_set(stage)) == 1

    play_set(story)


def test_a_member_that_joins_late_is_compared_with_its_own_time_before() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        await released(stage, colours, FAILING, "frontend")
        colours.release(GOOD, "backend")
        await stage.until(lambda: colours.ready("backend", "frontend"))
        colours.switch("backend")
        await asyncio.sleep(15)
        colours.switch("frontend")
        await stage.until(lambda: colours.live("frontend") == "blue", within=100)
        assert colours.live("backend") == "blue"

    play_set(story)


def test_while_a_set_is_half_back_its_record_says_so_and_no_longer() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        def deny(change: Adjusted) -> None:
            if change.receipt:
                stage.world.services.refused["frontend-service"] = "no changes on Fridays"

        await released(stage, colours, FAILING, "backend")
        colours.release(GOOD, "frontend")
        await stage.until(lambda: colours.ready("backend", "frontend"))
        stage.world.on_adjust.append(deny)
        colours.switch("backend", "frontend")
        half = "half back: backend-service serves blue, frontend-service still green, because "
        await stage.until(lambda: bool(of_set(stage)) and of_set(stage)[-1].why.startswith(half), within=200)
        assert "no changes on Fridays" in of_set(stage)[-1].why
        stage.world.services.refused.clear()
        stage.world.on_adjust.remove(deny)
        await stage.until(lambda: colours.live("frontend") == "blue", within=200)
        await stage.until(lambda: of_set(stage)[-1].state is LifecycleState.VERIFYING, within=200)
        plan = of_set(stage)[-1].plan
        assert plan is not None
        assert of_set(stage)[-1].why == plan.reason

    play_set(story)


def test_a_colour_is_watched_by_itself_until_it_is_switched_to() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        await released(stage, colours, GOOD, "backend")
        alone = UnitName.of_workload(colours.deployments["backend-green"].name)
        await stage.until(lambda: any(record.unit == alone for record in stage.rollouts()))
        [watched] = [record for record in stage.rollouts() if record.unit == alone]
        assert (watched.mode, watched.closed) == (Mode.OBSERVE, None)
        colours.switch("backend")
        await stage.until(lambda: bool(of_set(stage)))
        await stage.until(lambda: stage.rollouts()[0].closed is not None)
        assert [record.why for record in stage.rollouts() if record.unit == alone] == [
            f"{of_set(stage)[0].id} of its release set guards it from here on"
        ]

    play_set(story)


def test_trouble_on_the_idle_colour_is_told_before_the_switch_and_moves_nothing() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        stage.start()
        await stage.until(colours.adopted)
        colours.release("registry.lab/api:v2-crash", "backend")
        await stage.until(lambda: bool(stage.told("critical")))
        assert "crash-loop" in stage.told("critical")[0]
        assert "backend-green does not serve in dubbing: nothing is moved" in stage.told("critical")[0]
        assert (colours.live("backend"), colours.deployments["backend-green"].replicas) == ("blue", 3)
        assert of_set(stage) == []

    play_set(story)


async def crash_workers(stage: Stage, colours: Colours, colour: str) -> None:
    """All workers of that colour end at once, and are ready again a moment later."""
    deployment = colours.deployments[f"workers-{colour}"]
    for pod in deployment.pods():
        stage.world.kubelet.crash(pod, 1)
    await stage.until(lambda: not any(pod.ready for pod in deployment.pods()))
    await stage.until(lambda: colours.ready("workers", colour=colour))
    await asyncio.sleep(5)


def test_workers_of_both_colours_of_which_one_crashes_for_a_moment_open_no_rollout() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        await released(stage, colours, GOOD, "workers")
        await stage.until(lambda: bool(of_set(stage)) and of_set(stage)[-1].closed is not None, within=300)
        await stage.until(colours.at_rest)
        await crash_workers(stage, colours, "green")
        await crash_workers(stage, colours, "blue")
        assert len(of_set(stage)) == 1
        assert colours.at_rest()

    play_set(story)
