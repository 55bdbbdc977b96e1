"""A fixed number of workers and a queue with priorities: rollbacks, then woken units, then the units of a tick."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import IntEnum

from rollguard.model.names import UnitName
from rollguard.model.time import Mono
from rollguard.ports import Clock

POLL = 0.05


class Priority(IntEnum):
    """What goes first."""

    ACT = 0
    WAKE = 1
    TICK = 2


class Workers:
    """Runs jobs for units. A unit waits at most once for each kind of job, so that a flood of events is one look."""

    def __init__(self, count: int, work: Callable[[Priority, UnitName], Awaitable[None]]) -> None:
        self._count = count
        self._work = work
        self._queue: asyncio.PriorityQueue[tuple[int, int, Priority, UnitName]] = asyncio.PriorityQueue()
        self._waiting: dict[tuple[Priority, UnitName], asyncio.Event] = {}
        self._sequence = 0
        self._busy = 0
        self._finishing = False

    def put(self, priority: Priority, unit: UnitName) -> asyncio.Event:
        """Queues a job; the event is set when it has ended."""
        key = (priority, unit)
        waiting = self._waiting.get(key)
        if waiting is not None:
            return waiting
        done = asyncio.Event()
        self._waiting[key] = done
        self._sequence += 1
        self._queue.put_nowait((int(priority), self._sequence, priority, unit))
        return done

    async def run(self) -> None:
        """Works until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._count):
                group.create_task(self._worker())

    async def _worker(self) -> None:
        while True:
            _, _, priority, unit = await self._queue.get()
            # taken off before the work: what happens during it asks for another look
            done = self._waiting.pop((priority, unit))
            self._busy += 1
            try:
                if not self._finishing:
                    await self._work(priority, unit)
            finally:
                self._busy -= 1
                done.set()

    async def finish(self, clock: Clock, deadline: Mono) -> None:
        """Begins nothing new, and returns when what is being done has ended or the deadline has passed."""
        self._finishing = True
        while self._busy and clock.mono() < deadline:
            await clock.sleep_until(clock.mono().plus(POLL))

    async def drain(self) -> None:
        """Does everything that is queued, in this task: for one look without `run`."""
        while not self._queue.empty():
            _, _, priority, unit = self._queue.get_nowait()
            done = self._waiting.pop((priority, unit))
            try:
                await self._work(priority, unit)
            finally:
                done.set()

    def clear(self) -> None:
        """Drops what is queued; whoever waits for it goes on."""
        while not self._queue.empty():
            self._queue.get_nowait()
        for done in self._waiting.values():
            done.set()
        self._waiting.clear()
