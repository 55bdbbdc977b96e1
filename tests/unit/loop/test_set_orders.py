"""Orders for a release set at odd moments: before its switch is under guard, and while it is live on two colours."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from rollguard.model.judgement import VerdictKind
from rollguard.model.policy import Policy
from rollguard.model.records import LifecycleState, Outcome, RolloutRecord
from rollguard.model.requests import HumanRequest, RequestKind
from rollguard.sim.objects import at
from tests.unit.loop.colours import SET, UNIT, Colours, play_set, set_policy
from tests.unit.loop.stage import Stage

GOOD = "registry.lab/api:v2"
ALL = tuple(member.name for member in SET.members)


def of_set(stage: Stage) -> list[RolloutRecord]:
    """The set's rollouts."""
    return [record for record in stage.rollouts() if record.unit == UNIT]


def order(stage: Stage, number: int, *, force: bool = False, only: str = "") -> None:
    """Alice orders the set back."""
    entry = HumanRequest(
        id=f"r{number}",
        kind=RequestKind.ROLLBACK,
        actor="alice",
        at=at(stage.world.loop.time()),
        reason="customers call",
        force=force,
        only=only,
    )
    assert stage.world.records.request(UNIT, entry)


def lives(colours: Colours) -> list[str]:
    """What the Services select."""
    return [colours.live("backend"), colours.live("frontend")]


async def ready(stage: Stage, colours: Colours, *members: str) -> None:
    """Blue is adopted, and green of the members is ready beside it."""
    await stage.until(colours.adopted)
    colours.release(GOOD, *members)
    await stage.until(lambda: colours.ready(*members))


def slow_to_recover() -> Policy:
    """The set's policy, under which the verification of a rollback takes ten minutes."""
    policy = set_policy()
    timing = replace(policy.timing, recovery_for=600.0, recovery_within=900.0, automatic=1800.0, close=3600.0)
    return replace(policy, timing=timing)


def test_an_order_takes_back_all_that_was_switched_while_no_controller_lived() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        guard = stage.start()
        await ready(stage, colours, *ALL)
        await guard.kill()
        colours.switch("backend", "frontend")
        order(stage, 1)
        stage.start("guard-1")
        await stage.until(lambda: lives(colours) == ["blue", "blue"])
        await stage.until(lambda: all(colours.deployments[f"{name}-green"].replicas == 0 for name in ALL))
        assert len(of_set(stage)) == 1

    play_set(story)


def test_a_forced_order_right_after_a_switch_never_goes_to_the_colour_that_was_just_switched_to() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        guard = stage.start()
        await ready(stage, colours, "backend", "frontend")
        await guard.kill()
        colours.switch("backend", "frontend")
        order(stage, 1, force=True)
        stage.start("guard-1")
        await stage.until(lambda: lives(colours) == ["blue", "blue"])
        await asyncio.sleep(60)
        assert lives(colours) == ["blue", "blue"]
        assert [colours.deployments[f"{name}-blue"].replicas for name in ("backend", "frontend")] == [3, 3]

    play_set(story)


def test_after_one_member_went_back_alone_the_next_order_takes_the_others_after_it() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        stage.start()
        await ready(stage, colours, *ALL)
        colours.switch("backend", "frontend")
        await stage.until(lambda: bool(of_set(stage)) and len(of_set(stage)[-1].passages) == 3)
        order(stage, 1, only="backend")
        await stage.until(lambda: of_set(stage)[-1].closed is not None, within=300)
        assert lives(colours) == ["blue", "green"]
        await stage.until(colours.at_rest)
        order(stage, 2)
        await stage.until(lambda: lives(colours) == ["blue", "blue"])
        await stage.until(lambda: colours.deployments["workers-green"].replicas == 0)
        assert colours.deployments["backend-blue"].replicas == 3
        assert [p.member for p in of_set(stage)[-1].passages] == ["frontend", "workers"]

    play_set(story)


def test_an_order_for_a_set_on_two_colours_that_are_both_good_is_refused_with_what_to_say_instead() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        stage.start()
        await ready(stage, colours, "backend")
        colours.release("registry.lab/api:v1", "frontend", "workers")
        colours.switch("backend")
        await stage.until(lambda: bool(of_set(stage)) and of_set(stage)[-1].closed is not None, within=300)
        assert of_set(stage)[-1].verdict is VerdictKind.HEALTHY
        await stage.until(colours.at_rest)
        stage.world.scale(colours.deployments["frontend-green"], 3, actor="alice")
        await asyncio.sleep(20)
        order(stage, 1)
        await stage.until(lambda: bool(stage.told("order-refused")))
        assert "--only takes one of them back" in stage.told("order-refused")[0]
        order(stage, 2, only="backend")
        await stage.until(lambda: lives(colours) == ["blue", "blue"])
        await stage.until(lambda: of_set(stage)[-1].closed is not None, within=300)
        assert of_set(stage)[-1].outcome is not Outcome.HELD

    play_set(story)


def test_what_stays_when_one_member_went_back_alone_is_guarded_on() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        stage.start()
        await ready(stage, colours, "frontend")
        colours.release("registry.lab/api:v2-errors-40pct", "backend")
        await stage.until(lambda: colours.ready("backend"))
        colours.switch("backend", "frontend")
        await stage.until(lambda: bool(of_set(stage)) and len(of_set(stage)[-1].passages) == 2)
        order(stage, 1, only="frontend")
        await stage.until(lambda: of_set(stage)[0].closed is not None, within=300)
        assert of_set(stage)[0].outcome is Outcome.RECOVERED
        assert "backend" not in of_set(stage)[0].why, "it was not restored"
        await stage.until(lambda: lives(colours) == ["blue", "blue"], within=120)
        assert [p.member for p in of_set(stage)[1].passages] == ["backend"]

    play_set(story)


def test_what_stays_and_is_bad_is_taken_back_before_the_verification_of_the_one_is_over() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        stage.start()
        await ready(stage, colours, "frontend")
        colours.release("registry.lab/api:v2-errors-40pct-after-40s", "backend")
        await stage.until(lambda: colours.ready("backend"))
        colours.switch("backend", "frontend")
        await stage.until(lambda: bool(of_set(stage)) and len(of_set(stage)[-1].passages) == 2)
        order(stage, 1, only="frontend")
        await stage.until(lambda: of_set(stage)[0].state is LifecycleState.VERIFYING)
        await stage.until(lambda: lives(colours) == ["blue", "blue"], within=300)
        first, second = of_set(stage)
        assert first.outcome is Outcome.ROLLED_BACK
        assert first.closed is not None
        assert first.closed.since(first.verify_since or first.started) < 300
        assert "what stayed when the others went back is bad" in stage.told("verification-cut-short")[0]
        assert [p.member for p in second.passages] == ["backend"]
        assert 0 < second.started.since(first.started) < 10, "it is judged since its switch"
        assert "before the rollout" in second.why

    play_set(story, policy=slow_to_recover())


def test_an_order_for_what_stays_is_refused_while_the_one_that_went_back_alone_is_verified() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        stage.start()
        await ready(stage, colours, "backend", "frontend")
        colours.switch("backend", "frontend")
        await stage.until(lambda: bool(of_set(stage)) and len(of_set(stage)[-1].passages) == 2)
        order(stage, 1, only="frontend")
        await stage.until(lambda: of_set(stage)[0].state is LifecycleState.VERIFYING)
        order(stage, 2)
        await stage.until(lambda: bool(stage.told("order-refused")))
        assert "frontend goes back at this moment, without backend: order that" in stage.told("order-refused")[0]
        order(stage, 3, only="frontend")
        await stage.until(lambda: any("one is under way already" in e.text for e in of_set(stage)[0].timeline))
        assert len(stage.told("order-refused")) == 1, "what goes back already is not refused"
        assert lives(colours) == ["green", "blue"]

    play_set(story, policy=slow_to_recover())


def test_a_release_after_that_of_what_stayed_begins_when_it_is_switched() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        stage.start()
        await ready(stage, colours, "backend", "frontend")
        colours.switch("backend", "frontend")
        await stage.until(lambda: bool(of_set(stage)) and len(of_set(stage)[-1].passages) == 2)
        order(stage, 1, only="frontend")
        await stage.until(lambda: len(of_set(stage)) == 2, within=300)
        assert [p.member for p in of_set(stage)[1].passages] == ["backend"]
        await asyncio.sleep(5)
        switched = stage.world.loop.time()
        colours.release("registry.lab/api:v3", "backend")
        await stage.until(lambda: len(of_set(stage)) == 3)
        assert of_set(stage)[2].started >= at(switched), "it began before its version was there"

    play_set(story)
