"""The Notifier and Journal ports in memory."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from rollguard.model.names import RolloutId, UnitName
from rollguard.model.notices import Notice
from rollguard.model.policy import Policy
from rollguard.model.records import RolloutRecord, TimelineEntry
from rollguard.ports import Accepted, Notifier, Refused, Retry
from rollguard.sim.faults import Fault, FaultPlan
from rollguard.sim.process import Process


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A notice that reached the channel."""

    at: float
    notice: Notice
    rollout: RolloutId | None


class Inbox:
    """What really arrived at a channel, the same for all processes that send to it: in their order."""

    def __init__(self) -> None:
        self.arrived: list[Arrived] = []

    def distinct(self) -> set[str]:
        """Ids of the notices that arrived, at least once."""
        return {arrived.notice.id for arrived in self.arrived}


class SimNotifier:
    """One channel of one process."""

    def __init__(self, inbox: Inbox, process: Process, faults: FaultPlan, *, name: str = "simulated") -> None:
        self._inbox = inbox
        self._process = process
        self._faults = faults
        self._name = name

    @property
    def name(self) -> str:
        """The channel's name."""
        return self._name

    async def send(
        self, notice: Notice, rollout: RolloutRecord | None, *, timeout: float
    ) -> Accepted | Refused | Retry:
        """Accepted, unless a fault strikes."""
        await self._process.stand()
        fault = self._faults.strike("notifier.send")
        if fault is Fault.KILLED_BEFORE:
            self._process.kill()
            await self._process.stand()
        if fault is Fault.REFUSED:
            return Refused(detail="404 no such hook")
        if fault is Fault.RETRY:
            return Retry(after=1.0, detail="503 Service Unavailable")
        await self._process.wait(self._faults.random.uniform(0.005, 0.05))
        now = asyncio.get_running_loop().time()
        self._inbox.arrived.append(Arrived(at=now, notice=notice, rollout=rollout.id if rollout else None))
        if fault is Fault.KILLED_AFTER:
            self._process.kill()
        if fault is Fault.PAUSED_AFTER:
            self._process.pause(self._faults.random.uniform(1.0, 25.0))
        if fault is Fault.ACCEPTED_TIMED_OUT:
            await self._process.wait(timeout)
            return Retry(after=1.0, detail="timeout")
        await self._process.stand()
        return Accepted(detail="200")

    async def close(self) -> None:
        """There is nothing to end."""


class SimChannels:
    """Channels of one process, whatever the policy says, each in a place of its own."""

    def __init__(self, *notifiers: Notifier) -> None:
        self.notifiers = notifiers
        self.needed: tuple[tuple[str, str], ...] = ()

    def connect(self, policy: Policy) -> tuple[Notifier, ...]:  # noqa: ARG002
        """The same at each time."""
        return self.notifiers

    def place(self, channel: str, policy: Policy) -> str:  # noqa: ARG002
        """Its name."""
        return channel

    def needs(self, policy: Policy) -> tuple[tuple[str, str], ...]:  # noqa: ARG002
        """What a test has put there."""
        return self.needed


class SimJournal:
    """Keeps what is appended, once."""

    def __init__(self) -> None:
        self.lines: dict[tuple[UnitName, RolloutId | None, TimelineEntry], None] = {}
        self.away: str | None = None
        """Why its readers get nothing now; empty while they do, None where it has none."""

    def append(self, unit: UnitName, rollout: RolloutId | None, entry: TimelineEntry) -> None:
        """Idempotent by content."""
        self.lines[unit, rollout, entry] = None

    def problem(self) -> str | None:
        """What a test has put there."""
        return self.away
