"""A guard that does not lead says why, once: one that waits in silence looks like one that guards."""

from __future__ import annotations

import asyncio

from tests.unit.loop.stage import Stage, play


def test_a_guard_without_an_answer_of_the_api_server_says_so_once() -> None:
    async def story(stage: Stage) -> None:
        guard = stage.prepare("guard-0")
        guard.process.partition(60.0)
        guard.begin()
        await asyncio.sleep(30.0)
        assert len(guard.events("waiting")) == 1
        status = guard.guard.status()
        assert (status.leading, status.standby) == (False, False)
        assert status.waiting == guard.events("waiting")[0]["detail"] != ""

    play(story)


def test_a_follower_stands_by_and_names_the_leader() -> None:
    async def story(stage: Stage) -> None:
        stage.start("guard-0")
        await asyncio.sleep(10.0)
        follower = stage.start("guard-1")
        await asyncio.sleep(10.0)
        status = follower.guard.status()
        assert status.standby
        assert "guard-0" in status.waiting

    play(story)
