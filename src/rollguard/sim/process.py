"""A process of the guard in the simulator: its clocks, and the ways in which it stops: paused or killed."""

from __future__ import annotations

import asyncio

from rollguard.model.time import Instant, Mono

EPOCH = 1_793_500_000.0
"""Wall time at the start of every simulation: 2026-11-01."""


class Process:
    """One running controller. A killed process does nothing more; a paused one does nothing until it goes on."""

    def __init__(self, name: str, *, mono_offset: float = 0.0, clock_error: float = 0.0) -> None:
        self.name = name
        self.mono_offset = mono_offset
        self.clock_error = clock_error
        self.alive = True
        self.ending = False
        """It was asked to stop by itself."""
        self.paused_until = 0.0
        self.partitioned_until = 0.0
        self._tasks: list[asyncio.Task[object]] = []

    def adopt(self, task: asyncio.Task[object]) -> None:
        """A task that dies with the process (tasks that it starts itself must be its children)."""
        self._tasks.append(task)

    def kill(self) -> None:
        """As SIGKILL: nothing that the process does from now on has any effect."""
        self.alive = False
        for task in self._tasks:
            task.cancel()

    def pause(self, seconds: float) -> None:
        """As SIGSTOP for so long: no port answers and no timer rings until then."""
        self.paused_until = max(self.paused_until, asyncio.get_running_loop().time() + seconds)

    def partition(self, seconds: float) -> None:
        """The API server cannot be reached for so long."""
        self.partitioned_until = max(self.partitioned_until, asyncio.get_running_loop().time() + seconds)

    @property
    def partitioned(self) -> bool:
        """Whether the API server is out of reach now."""
        return asyncio.get_running_loop().time() < self.partitioned_until

    async def stand(self) -> None:
        """Returns when the process may go on; raises CancelledError where it is dead."""
        if not self.alive:
            raise asyncio.CancelledError
        loop = asyncio.get_running_loop()
        while loop.time() < self.paused_until:
            await asyncio.sleep(self.paused_until - loop.time())
            if not self.alive:
                raise asyncio.CancelledError

    async def wait(self, seconds: float) -> None:
        """Waits, and is paused or dies meanwhile as the process is."""
        await asyncio.sleep(seconds)
        await self.stand()


class VirtualClock:
    """The Clock of one process; its wall clock may be wrong by `clock_error`, its monotonic one starts anywhere."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._loop = asyncio.get_running_loop()

    def now(self) -> Instant:
        """Virtual wall time as this process believes it."""
        return Instant(EPOCH + self._loop.time() + self._process.clock_error)

    def mono(self) -> Mono:
        """Virtual monotonic time of this process."""
        return Mono(self._loop.time() + self._process.mono_offset)

    async def sleep_until(self, when: Mono) -> None:
        """Returns at or after `when`, never while the process is paused."""
        await asyncio.sleep(max(0.0, when.seconds - self.mono().seconds))
        await self._process.stand()
