"""Records in a state that the guard never writes: it says so, and guards on."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from rollguard.model.records import LifecycleState, RolloutRecord
from tests.unit.loop.stage import Stage, play


@pytest.mark.parametrize(
    ("state", "topic"), [(LifecycleState.ACTING, "plan-refused"), (LifecycleState.VERIFYING, "unconfirmed")], ids=str
)
def test_a_rollout_in_the_middle_of_a_rollback_without_a_plan_is_given_up_and_paged(
    state: LifecycleState, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(stage: Stage) -> None:
        first = stage.start()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, "registry.lab/api:v2")
        await stage.until(lambda: bool(stage.rollouts()))
        await first.kill()
        (key, stored) = next(reversed(stage.world.records.rollouts.items()))
        broken = replace(stored.record, state=state)
        stage.world.records.rollouts[key] = replace(stored, record=broken)
        second = stage.prepare("guard-1")
        reads = 0
        known = second.guard._context.store.rollout

        def counted(*args: object) -> RolloutRecord | None:
            nonlocal reads
            reads += 1
            assert reads < 10_000, "the event loop stands still"
            return known(*args)  # type: ignore[arg-type]

        monkeypatch.setattr(second.guard._context.store, "rollout", counted)
        second.begin()
        await stage.until(lambda: bool(stage.told(topic)), within=60)
        assert stage.rollout().state is not state
        ticks = second.guard.status().ticks
        await asyncio.sleep(20)
        assert second.guard.status().ticks > ticks

    play(story)
