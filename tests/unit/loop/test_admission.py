"""Mutating admission: what it did to the good version already is no news, what it does anew is not written."""

from __future__ import annotations

import asyncio
from copy import deepcopy

from rollguard.model.records import LifecycleState, Outcome
from rollguard.sim.json_patch import JsonObject
from tests.unit.loop.stage import CRASHING, GOOD, Stage, play

SIDECAR: JsonObject = {"name": "mesh", "image": "registry.lab/mesh:v1"}


def injecting(raw: JsonObject) -> JsonObject:
    """A sidecar beside the containers, where there is none yet."""
    after = deepcopy(raw)
    spec = after["spec"]
    assert isinstance(spec, dict)
    containers = spec["containers"]
    assert isinstance(containers, list)
    if SIDECAR not in containers:
        containers.append(deepcopy(SIDECAR))
    return after


def test_a_sidecar_that_the_good_version_has_already_is_restored_with_it() -> None:
    async def story(stage: Stage) -> None:
        stage.world.admission = injecting
        stage.world.set_image(stage.api, GOOD)
        await asyncio.sleep(30)
        stage.world.backdate(stage.api, 2 * 86400.0)
        before = len(stage.api.replica_sets)
        stage.start()
        await stage.until(stage.adopted, within=300)
        stage.world.set_image(stage.api, CRASHING)
        await stage.until(lambda: bool(stage.rollouts()) and stage.rollout().closed is not None, within=400)
        assert stage.rollout().outcome in (Outcome.RECOVERED, Outcome.UNCONFIRMED)
        assert stage.image() == GOOD
        assert [name for name, _ in stage.api.template.images] == ["app", "mesh"]
        assert len(stage.api.replica_sets) == before + 1, "the old ReplicaSet is used again"

    play(story)


def test_a_webhook_that_came_since_makes_another_template_so_nothing_is_written_and_people_are_paged() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, CRASHING)
        stage.world.admission = injecting
        await stage.until(lambda: bool(stage.told("plan-refused")))
        assert "spec.containers[mesh] is added" in stage.told("plan-refused")[0]
        assert stage.rollout().state is LifecycleState.HELD
        assert stage.image() == CRASHING
        assert len(stage.rollouts()) == 1

    play(story)


def test_a_webhook_that_comes_between_dry_run_and_write_is_not_taken_for_a_persons_change() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        stage.world.on_send.append(lambda _: setattr(stage.world, "admission", injecting))
        stage.world.set_image(stage.api, CRASHING)
        await stage.until(lambda: bool(stage.told("superseded")))
        assert "changes the restored template: spec.containers[mesh] is added" in stage.told("superseded")[0]
        assert "newer change" not in stage.told("superseded")[0]
        assert len(stage.restorations()) == 1

    play(story)
