"""Workers take jobs from a queue over real sockets, count them, and finish the one they have before they go."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from lab.kubelet.jobs import Jobs
from tests.unit.lab.parts import Clock, Served, served, until
from tests.unit.lab.test_exposition import value


def working(app: Served, queue: Served) -> Jobs:
    """The app takes jobs of the queue `dubbing`."""
    app.app.work_off("dubbing", lambda path: queue.pool.get(path, 5.0))
    assert app.app.jobs is not None
    return app.app.jobs


async def push(queue: Served, count: int) -> None:
    for _ in range(count):
        assert (await queue.pool.get("/queues/dubbing/push", 5.0)).status == 200


async def counts(queue: Served) -> Any:
    return json.loads((await queue.pool.get("/queues/dubbing", 5.0)).body)


async def test_every_job_is_done_once_and_the_series_tell_it() -> None:
    async with served("v1") as queue, served("v1-noerrors") as one, served("v1-errors-100pct") as other:
        queue.app.keep_queues()
        await push(queue, 8)
        assert value(queue.app.exposition(), "queue_depth", queue="dubbing") == 8
        jobs = [working(app, queue) for app in (one, other)]
        tasks = [asyncio.create_task(each.run()) for each in jobs]
        seen: list[Any] = [None]
        for _ in range(200):
            seen[0] = await counts(queue)
            if seen[0]["done"] + seen[0]["failed"] == 8:
                break
            await asyncio.sleep(0.02)
        assert seen[0]["waiting"] == seen[0]["under_way"] == 0, seen
        assert seen[0]["done"] > 0 and seen[0]["failed"] > 0
        assert value(one.app.exposition(), "jobs_completed_total", queue="dubbing") == seen[0]["done"]
        for name in ("jobs_failed_total", "jobs_completed_total"):
            assert value(other.app.exposition(), name, queue="dubbing") == seen[0]["failed"]
        assert value(one.app.exposition(), "job_duration_seconds_count", queue="dubbing") == seen[0]["done"]
        for each in jobs:
            each.stop()
        await asyncio.gather(*tasks)


async def test_a_job_that_waits_grows_old() -> None:
    clock = Clock()
    async with served("v1", clock=clock) as queue:
        queue.app.keep_queues()
        await push(queue, 1)
        clock.now += 30
        assert value(queue.app.exposition(), "queue_oldest_job_seconds", queue="dubbing") == 30


async def test_a_worker_that_is_told_to_stop_finishes_its_job_and_takes_no_other() -> None:
    async with served("v1") as queue, served("v1-noerrors-slow-300ms-100pct") as app:
        queue.app.keep_queues()
        await push(queue, 5)
        jobs = working(app, queue)
        task = asyncio.create_task(jobs.run())
        await until(lambda: value(queue.app.exposition(), "queue_depth", queue="dubbing") == 4)
        jobs.stop()
        assert await jobs.ended(5.0)
        await task
        assert await counts(queue) == {"pushed": 5, "done": 1, "failed": 0, "waiting": 4, "under_way": 0}
