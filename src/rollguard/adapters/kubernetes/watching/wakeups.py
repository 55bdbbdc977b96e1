"""Units that something happened to: each waits once, however often it is named before it is taken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from rollguard.model.names import UnitName


class Wakeups(AsyncIterator[UnitName]):
    """An endless iterator. Unlike a generator it survives the cancellation of a waiting `anext`."""

    def __init__(self) -> None:
        self._pending: dict[UnitName, None] = {}
        self._some = asyncio.Event()

    def add(self, unit: UnitName) -> None:
        """Something happened to this unit."""
        self._pending[unit] = None
        self._some.set()

    def __aiter__(self) -> Wakeups:
        return self

    async def __anext__(self) -> UnitName:
        await self._some.wait()
        unit = next(iter(self._pending))
        del self._pending[unit]
        if not self._pending:
            self._some.clear()
        return unit
