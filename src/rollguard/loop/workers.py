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

    def __init__(self, count: int, clock: Clock) -> None:
        self._count = count
        self._clock = clock
        self._queue: asyncio.PriorityQueue[tuple[int, int, Priority, UnitName]] = asyncio.PriorityQueue()
        self._waiting: dict[tuple[Priority, UnitName], asyncio.Event] = {}
        self._timers: dict[tuple[Priority, UnitName], asyncio.Task[None]] = {}
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

    def later(self, seconds: float, priority: Priority, unit: UnitName) -> None:
        """Queues a job after so many seconds; one that waits already keeps its time."""
        if seconds <= 0:
            self.put(priority, unit)
        elif (priority, unit) not in self._timers:
            self._timers[priority, unit] = asyncio.create_task(self._alarm(seconds, priority, unit))

    async def run(self, work: Callable[[Priority, UnitName], Awaitable[None]]) -> None:
        """Works until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._count):
                    group.create_task(self._worker(work))
        finally:
            for timer in self._timers.values():
                timer.cancel()

    async def _worker(self, work: Callable[[Priority, UnitName], Awaitable[None]]) -> None:
        while True:
            _, _, priority, unit = await self._queue.get()
            # taken off before the work: what happens during it asks for another look
            done = self._waiting.pop((priority, unit))
            self._busy += 1
            try:
                if not self._finishing:
                    await work(priority, unit)
            finally:
                self._busy -= 1
                done.set()

    async def _alarm(self, seconds: float, priority: Priority, unit: UnitName) -> None:
        try:
            await self._clock.sleep_until(self._clock.mono().plus(seconds))
        finally:
            del self._timers[priority, unit]
        self.put(priority, unit)

    async def finish(self, deadline: Mono) -> None:
        """Begins nothing new, and returns when what is being done has ended or the deadline has passed."""
        self._finishing = True
        while self._busy and self._clock.mono() < deadline:
            await self._clock.sleep_until(self._clock.mono().plus(POLL))

    def clear(self) -> None:
        """Drops what is queued; whoever waits for it goes on."""
        while not self._queue.empty():
            self._queue.get_nowait()
        for done in self._waiting.values():
            done.set()
        self._waiting.clear()
