"""Work that comes through a queue: the queue's own app, and what a worker's app does with its jobs.

The lab has no Redis: a container with `LAB_QUEUES` in its environment keeps queues in memory and speaks HTTP, and one
with `LAB_JOBS=SERVICE/QUEUE` works off that queue.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from lab.exposition import Family
from lab.http_client import Outcome
from lab.http_server import Request, Response, json_response
from lab.kubelet.histogram import Histogram

_IDLE_S = 0.2
Ask = Callable[[str], Awaitable[Outcome]]
"""One GET of a path of the Service that has the queue."""


@dataclass(slots=True)
class Queue:
    """Jobs by the time at which they were put in; those taken and not reported are under way, or lost."""

    waiting: deque[float] = field(default_factory=deque)
    pushed: int = 0
    taken: int = 0
    done: int = 0
    failed: int = 0


class Queues:
    """All queues of one container: `GET /queues/NAME/push`, `take` (204: there is none), `done` and `failed`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._queues: dict[str, Queue] = {}

    def handle(self, request: Request) -> Response | None:
        """The answer; None for a path that is none of a queue."""
        parts = request.path.strip("/").split("/")
        if parts[0] != "queues" or not 2 <= len(parts) <= 3:
            return None
        queue = self._queues.setdefault(parts[1], Queue())
        if len(parts) == 2:
            under_way = queue.taken - queue.done - queue.failed
            waiting = len(queue.waiting)
            counts = {"pushed": queue.pushed, "done": queue.done, "failed": queue.failed}
            return json_response({**counts, "waiting": waiting, "under_way": under_way})
        match parts[2]:
            case "push":
                queue.waiting.append(self._clock())
                queue.pushed += 1
            case "take":
                if not queue.waiting:
                    return Response(status=204)
                queue.waiting.popleft()
                queue.taken += 1
            case "done":
                queue.done += 1
            case "failed":
                queue.failed += 1
            case _:
                return None
        return Response(body=b"ok\n")

    def families(self) -> Iterable[Family]:
        """Depth, and the age of the oldest job that waits (0 without one)."""
        depth = Family("queue_depth", "gauge", "Jobs that wait.")
        oldest = Family("queue_oldest_job_seconds", "gauge", "Age of the oldest job that waits.")
        for name, queue in sorted(self._queues.items()):
            depth.add(len(queue.waiting), queue=name)
            oldest.add(round(self._clock() - queue.waiting[0], 3) if queue.waiting else 0, queue=name)
        return depth, oldest


class Jobs:
    """One job after another; `outcome` says whether the next one succeeds and how long it takes."""

    def __init__(self, queue: str, ask: Ask, outcome: Callable[[], tuple[bool, float]], log: Callable[[str], None]):
        self._queue = queue
        self._ask = ask
        self._outcome = outcome
        self._log = log
        self._stopping = False
        self._ended = asyncio.Event()
        self._completed = 0
        self._failed = 0
        self._durations = Histogram()

    async def run(self) -> None:
        """Works until it is told to stop; a job that was taken is finished first."""
        while not self._stopping:
            if (await self._ask(f"/queues/{self._queue}/take")).status != 200:
                await asyncio.sleep(_IDLE_S)
                continue
            succeeds, seconds = self._outcome()
            await asyncio.sleep(seconds)
            self._durations.observe(seconds)
            self._completed += 1
            self._failed += not succeeds
            if not succeeds:
                self._log(f"ERROR job of {self._queue} failed: unhandled exception in job handler")
            await self._ask(f"/queues/{self._queue}/{'done' if succeeds else 'failed'}")
        self._ended.set()

    def stop(self) -> None:
        """Takes no job any more."""
        self._stopping = True

    async def ended(self, deadline_s: float) -> bool:
        """Whether the job that was under way ended within the deadline."""
        try:
            await asyncio.wait_for(self._ended.wait(), deadline_s)
        except TimeoutError:
            return False
        return True

    def families(self) -> Iterable[Family]:
        """Jobs that have ended, those that ended badly, and their durations."""
        completed = Family("jobs_completed_total", "counter", "Jobs that have ended, well or badly.")
        completed.add(self._completed, queue=self._queue)
        failed = Family("jobs_failed_total", "counter", "Those that ended badly.")
        failed.add(self._failed, queue=self._queue)
        durations = Family("job_duration_seconds", "histogram", "Time that a job took.")
        self._durations.expose(durations, queue=self._queue)
        return completed, failed, durations
