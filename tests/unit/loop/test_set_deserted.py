"""A live colour whose Deployment is deleted: nobody serves, and nothing that was released fails by itself."""

from __future__ import annotations

import asyncio

from rollguard.model.action import StepKind
from rollguard.model.notices import NoticeClass
from rollguard.model.policy import Mode
from rollguard.model.records import LifecycleState, Outcome, RolloutRecord
from tests.unit.loop.colours import SET, UNIT, Colours, play_set, set_policy
from tests.unit.loop.stage import Stage

GOOD = "registry.lab/api:v2"
ALL = tuple(member.name for member in SET.members)


def of_set(stage: Stage) -> RolloutRecord:
    """The set's newest rollout."""
    return [record for record in stage.rollouts() if record.unit == UNIT][-1]


def pages(stage: Stage) -> list[str]:
    """What people were paged for in it."""
    return [notice.text for notice in of_set(stage).notices if notice.class_ is NoticeClass.PAGE]


async def switched(stage: Stage, colours: Colours) -> None:
    """Green is good, serves, and the set's rollout is under guard."""
    stage.start()
    await stage.until(colours.adopted)
    colours.release(GOOD, *ALL)
    await stage.until(lambda: colours.ready(*ALL))
    colours.switch("backend", "frontend")
    await stage.until(lambda: any(r.unit == UNIT and len(r.passages) == 3 for r in stage.rollouts()))


def delete(stage: Stage, colours: Colours, *names: str) -> None:
    """As `kubectl delete deployment`."""
    for name in names:
        stage.world.delete(colours.deployments[name])


def test_a_set_whose_live_colour_is_deleted_goes_back_to_what_served_before() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        await switched(stage, colours)
        delete(stage, colours, "backend-green")
        took = await stage.until(lambda: colours.live("backend") == colours.live("frontend") == "blue", within=60)
        assert took < 15
        record = of_set(stage)
        assert "backend: live-colour: backend-green was deleted: backend-service selects green" in record.why
        assert record.plan is not None
        assert [s.member for s in record.plan.steps if s.kind is StepKind.SCALE_DOWN] == ["frontend", "workers"]
        await stage.until(lambda: of_set(stage).closed is not None)
        assert of_set(stage).outcome is Outcome.RECOVERED, of_set(stage).why

    play_set(story)


def test_all_of_a_live_colour_deleted_while_it_is_selected_is_no_end_of_the_set() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        await switched(stage, colours)
        delete(stage, colours, *(f"{name}-green" for name in ALL))
        await stage.until(lambda: colours.live("backend") == colours.live("frontend") == "blue", within=60)

    play_set(story)


def test_it_is_held_and_paged_where_the_old_colour_is_not_what_it_was() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        await switched(stage, colours)
        stage.world.set_image(colours.deployments["backend-blue"], "registry.lab/api:v3")
        delete(stage, colours, "backend-green")
        await stage.until(lambda: bool(pages(stage)), within=60)
        assert of_set(stage).state is LifecycleState.HELD
        assert "backend-green was deleted: backend-service selects green, and nobody serves it" in pages(stage)[0]
        assert "somebody put the next version into blue" in pages(stage)[0]
        await asyncio.sleep(30)
        assert (colours.live("backend"), len(pages(stage))) == ("green", 1)

    play_set(story)


def test_in_mode_observe_it_is_paged_with_what_would_have_been_done() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        await switched(stage, colours)
        delete(stage, colours, "backend-green")
        await stage.until(lambda: bool(pages(stage)), within=60)
        assert "would have rolled back, because backend: live-colour" in pages(stage)[0]
        assert colours.live("backend") == "green"

    play_set(story, policy=set_policy(Mode.OBSERVE))


def test_what_is_deleted_with_its_services_was_taken_away_on_purpose() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        await switched(stage, colours)
        delete(stage, colours, *(f"{name}-green" for name in ALL))
        delete(stage, colours, "workers-blue")
        for service in colours.services.values():
            stage.world.services.delete(service)
        await stage.until(lambda: of_set(stage).closed is not None, within=60)
        assert of_set(stage).outcome is Outcome.GONE
        assert pages(stage) == []

    play_set(story)


def test_workers_without_a_deployment_are_paged_and_do_not_take_the_others_back() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        await switched(stage, colours)
        stage.world.scale(colours.deployments["workers-blue"], 0, actor="alice")
        await stage.until(lambda: not colours.deployments["workers-blue"].pods())
        delete(stage, colours, "workers-green")
        await stage.until(lambda: bool(pages(stage)), within=60)
        assert "workers: live-colour: workers-green was deleted: nobody works" in pages(stage)[0]
        await asyncio.sleep(30)
        assert (colours.live("backend"), of_set(stage).plan) == ("green", None)
        # that their signals have no answer any more is no news
        assert len(pages(stage)) == 1 and of_set(stage).state is LifecycleState.WATCHING

    play_set(story)
