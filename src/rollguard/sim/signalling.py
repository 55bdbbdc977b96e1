"""A stream of names that wakes whoever waits: what is put twice before it is read comes once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

from rollguard.sim.process import Process

N = TypeVar("N")


class Names(Generic[N]):
    """Names in the order of their first mention since they were last read."""

    def __init__(self) -> None:
        self._waiting: dict[N, None] = {}
        self._ring = asyncio.Event()

    def put(self, name: N) -> None:
        """Wakes the reader with the name."""
        self._waiting[name] = None
        self._ring.set()

    async def stream(self, process: Process) -> AsyncIterator[N]:
        """Never ends; silent while the process is paused."""
        while True:
            await self._ring.wait()
            await process.stand()
            self._ring.clear()
            names, self._waiting = tuple(self._waiting), {}
            for name in names:
                yield name
