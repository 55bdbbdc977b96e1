"""What the guard says of a release set: which colour is live, and what its rollout brought."""

from __future__ import annotations

from rollguard.loop import UnitStatus
from rollguard.model.judgement import Phase
from tests.simulation import policies
from tests.unit.loop.stage import GOOD, Running, Stage, play
from tests.unit.sets import PLATFORM, with_set


def deploy_platform(stage: Stage) -> None:
    """Both colours of the backend behind its Service, blue live; the workers in blue alone."""
    for member, colour in (("backend", "blue"), ("backend", "green"), ("workers", "blue")):
        labels = (("app", member), ("version", colour))
        stage.world.deploy(f"{member}-{colour}", GOOD, rps=0.0, pod_labels=labels)
    stage.world.services.create("backend-service", {"app": "backend", "version": "blue"}, rps=30.0)


def platform(running: Running) -> UnitStatus:
    """What is said of the set."""
    return next(each for each in running.guard.status().units if each.unit == PLATFORM.unit)


def test_the_live_colours_and_the_phase_follow_a_switch_and_both_colours_have_an_event() -> None:
    async def story(stage: Stage) -> None:
        deploy_platform(stage)
        await stage.warm_up()
        running = stage.start()
        await stage.until(stage.adopted)
        await stage.until(lambda: bool(platform(running).live))
        before = platform(running)
        assert before.live == (("backend", "blue"), ("workers", "blue"))
        assert (before.rollout, before.phase, before.brought) == (None, None, ())
        service = stage.world.services.all["production", "backend-service"]
        stage.world.services.select(service, "version", "green")
        await stage.until(lambda: platform(running).rollout is not None)
        switched = platform(running)
        assert switched.live == (("backend", "green"), ("workers", "blue"))
        assert (switched.phase, switched.brought) == (Phase.STARTUP, ("backend-green",))
        await stage.until(lambda: len(stage.world.emitted) == 2)
        told = [(each.workload.name, each.uid, each.reason) for each in stage.world.emitted]
        uids = {each.name.name: each.uid for each in stage.world.deployments.values()}
        assert told == [(name, uids[name], "RolloutGuarded") for name in ("backend-green", "backend-blue")]

    play(story, policy=with_set(policies.policy()))


def test_a_rollout_of_a_deployment_has_a_phase_and_brings_that_deployment() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, "registry.lab/api:v2")
        await stage.until(lambda: bool(stage.rollouts()))
        (unit,) = running.guard.status().units
        assert (unit.phase, unit.brought, unit.live) == (Phase.STARTUP, ("api",), ())

    play(story)
