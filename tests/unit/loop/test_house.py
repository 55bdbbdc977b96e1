"""What nobody wakes the guard for: rollouts left over, and notices that an earlier term left unsent."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from rollguard.model.notices import Notice, NoticeClass
from rollguard.sim.faults import Fault
from tests.unit.loop.stage import Stage, play
from tests.unit.records import START, rollout_record

CREATION = "records.create_rollout"


def test_a_creation_that_takes_effect_late_leaves_no_second_open_rollout() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        await asyncio.sleep(100)
        running.faults.focus = (CREATION, Fault.APPLIED_LATE, 0)
        stage.world.set_image(stage.api, "registry.lab/api:v2")
        await stage.until(lambda: bool(running.faults.hits[CREATION, Fault.APPLIED_LATE]))
        stage.world.set_image(stage.api, "registry.lab/api:v3")
        await stage.until(lambda: len(stage.rollouts()) == 2, within=40.0)
        late = next(record for record in stage.rollouts() if record.target_number == 2)
        assert late.closed is None

        def over() -> bool:
            return all(record.closed is not None for record in stage.rollouts() if record.target_number == 2)

        await stage.until(over, within=35.0)
        await stage.until(stage.all_sent, within=10.0)
        assert [record.target_number for record in stage.rollouts() if record.closed is None] == [3]

    play(story)


def test_a_new_term_sends_at_once_what_an_earlier_one_left_unsent_in_closed_rollouts() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(lambda: running.guard.status().active)
        await asyncio.sleep(200)
        running.process.partition(20.0)
        await stage.until(lambda: not running.guard.status().active, within=20.0)
        unsent = Notice(id="n-1", class_=NoticeClass.PAGE, topic="hold", title="t", text="x", at=START)
        stage.world.records.create_rollout(replace(rollout_record(), notices=(unsent,)))
        await stage.until(lambda: running.guard.status().active, within=30.0)
        await stage.until(stage.all_sent, within=35.0)
        assert "n-1" in stage.inbox.distinct()

    play(story)
