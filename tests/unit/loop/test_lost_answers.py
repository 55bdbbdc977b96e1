"""A write took effect and its answer never came: what follows is as if it had."""

from __future__ import annotations

from rollguard.model.records import LifecycleState, Outcome
from rollguard.sim.faults import Fault
from tests.unit.loop.stage import CRASHING, Stage, play

WRITE = "records.replace_rollout"


def test_a_rollout_whose_closing_was_not_answered_is_settled_and_told_as_it_was() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, CRASHING)

        def back() -> bool:
            told = bool(stage.rollouts()) and any(
                e.text.startswith("The old version is back") for e in stage.rollout().timeline
            )
            return told and stage.all_sent()

        await stage.until(back)
        assert stage.rollout().state is LifecycleState.VERIFYING
        running.faults.focus = (WRITE, Fault.APPLIED_UNKNOWN, running.faults.visits[WRITE])
        await stage.until(lambda: stage.rollout().closed is not None)
        ending = stage.rollout().timeline
        assert running.faults.hits[WRITE, Fault.APPLIED_UNKNOWN] == 1

        def free() -> bool:
            unit = stage.unit()
            return unit is not None and unit.current_rollout is None

        await stage.until(free, within=10.0)
        await stage.until(stage.all_sent)
        assert stage.rollout().outcome is Outcome.RECOVERED
        assert stage.rollout().timeline == ending, "nothing is told of a rollout that is over"
        assert len(stage.rollouts()) == 1

    play(story)
