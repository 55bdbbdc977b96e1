"""A release set that goes back: what refuses, freezes, expires or breaks off half way, and what people are told."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from rollguard.loop.sets import stopped_half
from rollguard.model.action import Plan, StepKind, StepState
from rollguard.model.policy import Policy
from rollguard.model.records import LifecycleState, Outcome, RolloutRecord
from rollguard.model.requests import Freeze, HumanRequest, RequestKind
from rollguard.sim.objects import at
from rollguard.sim.services import Adjusted
from rollguard.sim.world import Changed, Sent
from tests.unit.loop.colours import SET, UNIT, Colours, play_set, set_policy
from tests.unit.loop.stage import Running, Stage

GOOD = "registry.lab/api:v2"
FAILING = "registry.lab/api:v2-errors-40pct"
ALL = tuple(member.name for member in SET.members)
BEFORE = "registry.lab/api:v1"


def of_set(stage: Stage) -> RolloutRecord:
    """The set's newest rollout."""
    return [record for record in stage.rollouts() if record.unit == UNIT][-1]


def plan_of(stage: Stage) -> Plan:
    """Its plan."""
    plan = of_set(stage).plan
    assert plan is not None
    return plan


def texts(stage: Stage, kind: str) -> list[str]:
    """The lines of its story of that kind."""
    return [line.text for line in of_set(stage).timeline if line.kind == kind]


def blue_again(colours: Colours) -> bool:
    """Whether both Services select blue."""
    return colours.live("backend") == colours.live("frontend") == "blue"


def green_gone(colours: Colours) -> bool:
    """Whether nothing is asked of green any more."""
    return all(colours.deployments[f"{name}-green"].replicas == 0 for name in ALL)


async def bad_release(stage: Stage, colours: Colours, *, idle: int = 3) -> Running:
    """Green is released to all, fails in the backend, and serves; blue has so many pods."""
    guard = stage.start()
    await stage.until(colours.adopted)
    colours.release(FAILING, "backend")
    colours.release(GOOD, "frontend", "workers")
    await stage.until(lambda: colours.ready(*ALL))
    colours.switch("backend", "frontend")
    for name in ALL:
        stage.world.scale(colours.deployments[f"{name}-blue"], idle, actor="alice")
    return guard


def once(stage: Stage, service: str, act: Callable[[], None]) -> None:
    """Does that once the guard has switched the Service."""
    done: list[Adjusted] = []

    def seen(change: Adjusted) -> None:
        if change.ref.name == service and change.receipt and not done:
            done.append(change)
            act()

    stage.world.on_adjust.append(seen)


def order(stage: Stage, **fields: str | bool) -> None:
    """Alice orders the set back."""
    entry = HumanRequest(
        id="r1", kind=RequestKind.ROLLBACK, actor="alice", at=at(stage.world.loop.time()), reason="customers call"
    )
    assert stage.world.records.request(UNIT, replace(entry, **fields))  # type: ignore[arg-type]


def freeze(stage: Stage) -> None:
    """Bob freezes the set."""
    until = at(stage.world.loop.time() + 3600)
    assert stage.world.records.freeze(UNIT, Freeze(until=until, actor="bob", reason="launch"))


def test_every_step_is_told_in_words_and_counts_as_one_rollback() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        await bad_release(stage, colours, idle=1)
        await stage.until(lambda: blue_again(colours) and green_gone(colours), within=300)
        await stage.until(lambda: bool(stage.told("rolled-back")))
        steps = texts(stage, "step")
        for said in (
            "Step 1 (scale backend-blue up to 3) trying",
            "Step 4 (switch backend-service to blue) done: 3 endpoints serve; the receipt is there",
            "Step 6 (scale backend-green down to 0) done: it had 3",
            "Step 9 (scale backend-blue back to 1) skipped: the old colour serves, and keeps its pods",
            "Blue serves again",
        ):
            assert said in steps, steps
        assert f"Plan {of_set(stage).id}.1: switch back to blue, epoch 1" in texts(stage, "plan")
        story_of = [line.kind for line in of_set(stage).timeline]
        assert story_of.index("evidence") < story_of.index("step")
        unit = colours.unit()
        assert unit is not None
        assert len(unit.automatic_rollbacks) == 1
        bad = {passage.new.digest for passage in of_set(stage).passages}
        assert {digest for digest, _ in unit.undone} == bad
        assert stage.told("switched-back")[0].startswith(
            "blue serves again: every Service is switched and served; green keeps its pods for"
        )
        assert len(stage.told("switched-back")) == 1
        assert stage.told("rolled-back")[0].startswith("blue serves again; whether it helps is being watched")

    play_set(story)


def test_a_member_that_refuses_half_way_is_paged_once_and_pushed_forward_when_it_clears() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        refused = stage.world.services.refused
        once(stage, "backend-service", lambda: refused.update({"frontend-service": "quota of switches"}))
        await bad_release(stage, colours)
        await stage.until(lambda: bool(stage.told("half-back")), within=300)
        await asyncio.sleep(30)
        assert (colours.live("backend"), colours.live("frontend")) == ("blue", "green")
        assert len(stage.told("half-back")) == 1
        assert stage.told("half-back")[0].startswith(
            "half back: backend-service serves blue, frontend-service still green, because the API server refused to"
            " switch frontend-service to blue (403): quota of switches"
        )
        refused.clear()
        await stage.until(lambda: blue_again(colours) and green_gone(colours))
        await stage.until(lambda: of_set(stage).closed is not None)
        assert of_set(stage).outcome is Outcome.RECOVERED

    play_set(story)


def test_an_expired_half_state_is_followed_by_a_plan_for_the_rest_and_is_still_one_rollback() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        refused = stage.world.services.refused
        once(stage, "backend-service", lambda: refused.update({"frontend-service": "quota of switches"}))
        await bad_release(stage, colours)
        await stage.until(lambda: bool(texts_if(stage, "goes on where")), within=300)
        assert plan_of(stage).id == f"{of_set(stage).id}.2"
        refused.clear()
        await stage.until(lambda: blue_again(colours) and green_gone(colours))
        unit = colours.unit()
        assert unit is not None
        assert len(unit.automatic_rollbacks) == 1

    play_set(story)


def texts_if(stage: Stage, part: str) -> list[str]:
    """Lines of steps with that in them, where there is a rollout."""
    lines = [line.text for record in stage.rollouts() if record.unit == UNIT for line in record.timeline]
    return [text for text in lines if part in text]


def test_where_the_dry_run_is_refused_for_one_nothing_is_done_to_any() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        stage.world.services.refused["frontend-service"] = "admission says no"
        await bad_release(stage, colours, idle=1)
        await stage.until(lambda: bool(stage.told("plan-refused")), within=300)
        said = stage.told("plan-refused")[0]
        assert "would refuse to switch frontend-service to blue (403): admission says no" in said
        assert (colours.live("backend"), colours.deployments["backend-blue"].replicas) == ("green", 1)
        assert of_set(stage).plan is None

    play_set(story)


def refusing(stage: Stage, colours: Colours, words: str) -> list[int]:
    """The backend's Service is refused as soon as its blue is scaled up for a plan; how often."""
    asked: list[int] = []

    def refuse(change: Changed) -> None:
        if change.workload == colours.deployments["backend-blue"].name and change.receipt and not asked:
            stage.world.services.refused["backend-service"] = words

    def count(sent: Sent) -> None:
        if sent.ref.kind == "Service":
            asked.append(1)

    stage.world.on_change.append(refuse)
    stage.world.on_send.append(count)
    return asked


@pytest.mark.parametrize(
    ("words", "tens"),
    [("admission says no", 1), ('services "backend-service" is forbidden: User "rollguard" cannot patch', 6)],
)
def test_a_first_switch_that_is_refused_for_good_ends_the_plan_and_takes_back_what_was_raised(
    words: str, tens: int
) -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        asked = refusing(stage, colours, words)
        await bad_release(stage, colours, idle=1)
        await stage.until(lambda: bool(stage.told("superseded")), within=400)
        said = stage.told("superseded")
        assert f"the API server refused to switch backend-service to blue (403): {words}, for {tens}" in said[0]
        assert "have it allowed, then roll back again, or fix green forward" in said[0]
        tries = len(asked)
        assert [colours.deployments[f"{name}-blue"].replicas for name in ALL] == [1, 1, 1]
        assert (colours.live("backend"), colours.live("frontend")) == ("green", "green")
        await asyncio.sleep(60)
        assert of_set(stage).state is LifecycleState.HELD
        assert (len(asked), len(stage.told("superseded")), stage.told("half-back")) == (tries, 1, [])
        unit = colours.unit()
        assert unit is not None
        assert (unit.automatic_rollbacks, unit.undone) == ((), ()), "nothing was undone"
        stage.world.services.refused.clear()
        order(stage)
        await stage.until(lambda: blue_again(colours) and green_gone(colours))
        unit = colours.unit()
        assert unit is not None
        assert {digest for digest, _ in unit.undone} == {p.new.digest for p in of_set(stage).passages}

    policy = set_policy()
    play_set(story, policy=replace(policy, timing=replace(policy.timing, plan_expiry=300.0, close=900.0)))


def test_refusals_with_a_wait_for_the_old_colour_between_them_are_not_one_that_lasts() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        asked = refusing(stage, colours, "admission says no")
        await bad_release(stage, colours, idle=1)
        await stage.until(lambda: bool(asked), within=400)
        blue = colours.deployments["backend-blue"]
        for _ in range(300):
            for pod in (pod for pod in blue.pods() if pod.ready):
                stage.world.kubelet.crash(pod, 1)
            await asyncio.sleep(0.05)
        tries = len(asked)
        await stage.until(lambda: len(asked) > tries)
        await asyncio.sleep(8)
        assert of_set(stage).state is LifecycleState.ACTING
        await stage.until(lambda: bool(stage.told("superseded")))
        # two waits of 5 s, and what the calls between them took: 10.5 s, more or less
        assert re.search(r"\(403\): admission says no, for 1[01] s", stage.told("superseded")[0])

    play_set(story, policy=patient())


def standing(stage: Stage, name: str) -> str:
    """What that interlock said at the last look that was kept."""
    look = of_set(stage).last_look
    assert look is not None
    return next(each.reason for each in look.standings if each.name == name)


def patient() -> Policy:
    """The set's policy with a window that a plan which was refused leaves time in."""
    policy = set_policy()
    return replace(policy, timing=replace(policy.timing, plan_expiry=300.0, automatic=900.0, close=1800.0))


def test_a_refused_rollback_is_tried_again_after_some_minutes_and_goes_through_once_it_is_allowed() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        refusing(stage, colours, "admission says no")
        await bad_release(stage, colours, idle=1)
        await stage.until(lambda: bool(stage.told("superseded")), within=400)
        await asyncio.sleep(250)
        tries = [text for text in texts(stage, "plan") if text.startswith("No plan: the API server would refuse to")]
        assert len(tries) == 2
        assert (len(stage.told("superseded")), len(stage.told("plan-refused"))) == (1, 1)
        assert [colours.deployments[f"{name}-blue"].replicas for name in ALL] == [1, 1, 1]
        stage.world.services.refused.clear()
        await stage.until(lambda: blue_again(colours) and green_gone(colours), within=200)
        await stage.until(lambda: of_set_closed(stage), within=200)
        assert of_set(stage).outcome is Outcome.RECOVERED
        unit = colours.unit()
        assert unit is not None
        assert len(unit.automatic_rollbacks) == 1

    play_set(story, policy=patient())


def test_what_is_refused_only_when_it_is_done_is_tried_as_often_as_the_policy_allows_rollbacks() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        refused = stage.world.services.refused

        def only_then(change: Changed) -> None:
            if change.workload == colours.deployments["backend-blue"].name and change.receipt:
                refused.clear()
                if change.replicas_after > change.replicas_before:
                    refused["backend-service"] = "admission says no"

        stage.world.on_change.append(only_then)
        await bad_release(stage, colours, idle=1)
        await stage.until(lambda: bool(stage.told("superseded")), within=400)
        await asyncio.sleep(500)
        assert plan_of(stage).id == f"{of_set(stage).id}.2"
        assert of_set(stage).state is LifecycleState.HELD
        assert "was already made for this rollout" in standing(stage, "one rollback of a rollout")
        assert len(stage.told("superseded")) == 1
        assert [colours.deployments[f"{name}-blue"].replicas for name in ALL] == [1, 1, 1]

    play_set(story, policy=patient())


def test_workers_alone_whose_end_is_refused_are_not_half_back_and_are_tried_again() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        stage.start()
        await stage.until(colours.adopted)
        green = colours.deployments["workers-green"]

        def refuse(sent: Sent) -> None:
            if sent.ref.name == green.name.name:
                stage.world.refused[green.name] = "admission says no"

        stage.world.on_send.append(refuse)
        colours.release(FAILING, "workers")
        await stage.until(lambda: colours.ready("workers"))
        stage.world.scale(colours.deployments["workers-blue"], 0, actor="alice")
        await stage.until(lambda: bool(stage.told("superseded")), within=400)
        assert (
            "the API server refused to scale workers-green down to 0 (403): admission says no, for 1"
            in (stage.told("superseded")[0])
        )
        assert not stopped_half(of_set(stage)), "nothing was ended"
        stage.world.on_send.remove(refuse)
        stage.world.refused.clear()
        await stage.until(lambda: green.replicas == 0, within=200)
        await stage.until(lambda: of_set_closed(stage), within=200)
        assert of_set(stage).outcome is Outcome.RECOVERED

    play_set(story, policy=patient())


def test_a_first_switch_whose_answer_was_lost_counts_as_tried_however_often_it_is_refused_then() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        asked = refusing(stage, colours, "admission says no")
        guard = await bad_release(stage, colours, idle=1)
        await stage.until(lambda: bool(asked), within=300)
        guard.process.kill()
        stage.start("guard-1")
        await stage.until(lambda: bool(stage.told("half-back")), within=300)
        assert stage.told("half-back")[0].startswith(
            "nothing is switched: backend-service still green, frontend-service still green, because the API server"
        )
        await asyncio.sleep(60)
        assert of_set(stage).state is LifecycleState.ACTING
        stage.world.services.refused.clear()
        await stage.until(lambda: blue_again(colours) and green_gone(colours))

    play_set(story)


def test_an_image_that_is_gone_is_found_before_the_first_switch_and_what_was_raised_is_taken_back() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        await bad_release(stage, colours, idle=1)
        stage.world.kubelet.broken_registry = "not-found"
        await stage.until(lambda: bool(stage.told("superseded")), within=300)
        said = stage.told("superseded")[0]
        assert "1 of 3 pods of backend-blue are ready" in said
        assert "the others say: app: " in said
        assert "manifest unknown" in said
        assert "describe pods" in said
        assert (colours.live("backend"), colours.live("frontend")) == ("green", "green")
        assert [colours.deployments[f"{name}-blue"].replicas for name in ALL] == [1, 1, 1]
        assert of_set(stage).state is LifecycleState.HELD
        assert {s.state for s in plan_of(stage).steps if s.kind is StepKind.SWITCH} == {StepState.SKIPPED}
        unit = colours.unit()
        assert unit is not None
        assert unit.automatic_rollbacks == ()

    play_set(story)


def test_a_tool_that_sets_the_minimum_back_ends_in_a_hold_with_the_reason() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        scaler = stage.world.scaling.create(colours.deployments["backend-blue"], 1, 10, per_pod=20.0)
        await bad_release(stage, colours, idle=1)
        stage.world.kubelet.broken_registry = "not-found"
        await stage.until(lambda: scaler.minimum == 3, within=300)
        stage.world.scaling.set_minimum(scaler, 1, actor="keda")
        stage.world.kubelet.broken_registry = ""
        await stage.until(lambda: bool(stage.told("superseded")))
        assert (
            "something set the minReplicas of backend-blue back to 1 after it was raised to 3"
            in (stage.told("superseded")[0])
        )
        assert colours.live("backend") == "green"
        assert scaler.minimum == 1

    play_set(story)


def test_a_minimum_is_raised_for_the_rollback_and_is_afterwards_what_it_was() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        scaler = stage.world.scaling.create(colours.deployments["backend-blue"], 1, 10, per_pod=20.0)
        raised: list[int] = []
        once(stage, "backend-service", lambda: raised.append(scaler.minimum))
        await bad_release(stage, colours, idle=1)
        await stage.until(lambda: of_set_closed(stage), within=400)
        assert of_set(stage).outcome is Outcome.RECOVERED
        assert (raised, scaler.minimum) == ([3], 1)

    play_set(story)


def of_set_closed(stage: Stage) -> bool:
    """Whether the set had a rollout, which is over."""
    return any(record.unit == UNIT and record.closed is not None for record in stage.rollouts())


def test_a_freeze_half_way_stops_it_there_and_is_paged_with_the_state() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        once(stage, "backend-service", lambda: freeze(stage))
        await bad_release(stage, colours)
        await stage.until(lambda: bool(stage.told("superseded")), within=300)
        assert (
            "half back: backend-service serves blue, frontend-service still green, because frozen: by bob"
            in (stage.told("superseded")[0])
        )
        await asyncio.sleep(60)
        assert (colours.live("backend"), colours.live("frontend")) == ("blue", "green")
        assert of_set(stage).state is LifecycleState.HELD
        assert {passage.member for passage in of_set(stage).passages} == set(ALL)
        assert stage.told("hold-over") == []
        assert len(stage.told("superseded")) >= 3, "it is told again while it rests half back"
        colours.switch("frontend", to="blue")
        stage.world.scale(colours.deployments["workers-green"], 0, actor="alice")
        await stage.until(lambda: of_set(stage).closed is not None)
        assert "the guard had begun it, and stopped before its end" in of_set(stage).why

    often = set_policy()
    play_set(story, policy=replace(often, timing=replace(often.timing, repeat_notice=20.0)))


def test_a_person_who_switches_to_green_again_half_way_is_not_overruled() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        once(stage, "frontend-service", lambda: colours.switch("backend"))
        await bad_release(stage, colours)
        await stage.until(lambda: bool(stage.told("superseded")), within=300)
        assert "half back: backend-service green again, frontend-service serves blue" in stage.told("superseded")[0]
        await asyncio.sleep(60)
        assert colours.live("backend") == "green"
        assert colours.deployments["backend-green"].replicas == 3
        assert of_set(stage).state is LifecycleState.HELD
        assert len(stage.told("superseded")) == 1
        order(stage)
        await stage.until(lambda: blue_again(colours) and green_gone(colours))

    play_set(story)


def test_a_leader_that_dies_half_way_is_followed_by_one_that_finishes() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        dead: list[Running] = []

        def die() -> None:
            dead.pop().process.kill()

        once(stage, "backend-service", die)
        dead.append(await bad_release(stage, colours))
        await stage.until(lambda: colours.live("backend") == "blue", within=300)
        stage.start("guard-1")
        await stage.until(lambda: blue_again(colours) and green_gone(colours))
        receipts = [change.receipt for change in stage.world.changes if change.actor.startswith("guard")]
        assert len(receipts) == len(set(receipts))
        unit = colours.unit()
        assert unit is not None
        assert len(unit.automatic_rollbacks) == 1

    play_set(story)


def test_one_member_goes_back_alone_by_order_with_a_warning() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        stage.start()
        await stage.until(colours.adopted)
        colours.release(GOOD, *ALL)
        await stage.until(lambda: colours.ready(*ALL))
        colours.switch("backend", "frontend")
        await stage.until(lambda: any(record.unit == UNIT for record in stage.rollouts()))
        order(stage, only="frontend")
        await stage.until(lambda: bool(stage.told("rolled-back")))
        assert "Warning: only frontend went back, as ordered" in stage.told("rolled-back")[0]
        assert (colours.live("backend"), colours.live("frontend")) == ("green", "blue")
        assert colours.deployments["workers-green"].replicas == 3

    play_set(story, policy=set_policy())
