"""The machine's clocks."""

from __future__ import annotations

import asyncio
import time

from rollguard.model.time import Instant, Mono


class SystemClock:
    """Real time, for every run that is not simulated."""

    def now(self) -> Instant:
        """Wall time of this machine."""
        return Instant(time.time())

    def mono(self) -> Mono:
        """Monotonic time of this process."""
        return Mono(time.monotonic())

    async def sleep_until(self, when: Mono) -> None:
        """Returns at or after `when`; at once where it has passed."""
        await asyncio.sleep(max(0.0, when.since(self.mono())))
