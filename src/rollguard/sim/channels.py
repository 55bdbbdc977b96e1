"""The Notifier and Journal ports in memory."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum

from rollguard.model.names import RolloutId, UnitName
from rollguard.model.notices import Notice
from rollguard.model.policy import Policy
from rollguard.model.records import RolloutRecord, TimelineEntry
from rollguard.ports import Accepted, NotConfigured, Notifier, Refused, Retry
from rollguard.sim.faults import Fault, FaultPlan
from rollguard.sim.process import Process


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A notice that reached the channel."""

    at: float
    notice: Notice
    rollout: RolloutId | None


class Down(StrEnum):
    """How a channel is out of order."""

    SILENT = "no answer, and nothing arrives"
    BUSY = "asks to come again"
    REFUSING = "refuses everything"
    UNCONFIGURED = "its secret is not there"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A time in which a channel takes nothing, by virtual seconds."""

    start: float
    end: float
    how: Down
    after: float = 1.0
    """Seconds after which a busy one wants to be asked again."""


@dataclass(slots=True, kw_only=True)
class Try:
    """One sending to a channel, and what has come of it so far."""

    at: float
    process: str
    notice: Notice
    rollout: RolloutRecord | None
    arrived: float | None = None
    answer: Accepted | Refused | Retry | NotConfigured | None = None
    """What the sender was told; None where it heard nothing: it had died, or did not wait so long."""


class Inbox:
    """What really arrived at a channel, the same for all processes that send to it: in their order."""

    def __init__(self) -> None:
        self.arrived: list[Arrived] = []
        self.tries: list[Try] = []
        self.outages: list[Outage] = []

    def outage(self, now: float) -> Outage | None:
        """The one of that moment."""
        return next((outage for outage in self.outages if outage.start <= now < outage.end), None)

    def distinct(self) -> set[str]:
        """Ids of the notices that arrived, at least once."""
        return {arrived.notice.id for arrived in self.arrived}


class SimNotifier:
    """One channel of one process."""

    def __init__(
        self,
        inbox: Inbox,
        process: Process,
        faults: FaultPlan,
        *,
        name: str = "simulated",
        point: str = "notifier.send",
    ) -> None:
        """`point` is under what its faults are counted."""
        self._inbox = inbox
        self._process = process
        self._faults = faults
        self._name = name
        self._point = point

    @property
    def name(self) -> str:
        """The channel's name."""
        return self._name

    async def send(
        self, notice: Notice, rollout: RolloutRecord | None, *, timeout: float
    ) -> Accepted | Refused | Retry | NotConfigured:
        """Accepted, unless the channel is down or a fault strikes."""
        await self._process.stand()
        now = asyncio.get_running_loop().time()
        tried = Try(at=now, process=self._process.name, notice=notice, rollout=rollout)
        self._inbox.tries.append(tried)
        outage = self._inbox.outage(now)
        tried.answer = await (self._down(outage, timeout) if outage is not None else self._take(tried, timeout))
        return tried.answer

    async def _down(self, outage: Outage, timeout: float) -> Refused | Retry | NotConfigured:
        """What a channel that is out of order answers."""
        match outage.how:
            case Down.SILENT:
                await self._process.wait(timeout)
                return Retry(after=1.0, detail="timeout")
            case Down.BUSY:
                await self._process.wait(self._faults.random.uniform(0.005, 0.05))
                return Retry(after=outage.after, detail="429 Too Many Requests")
            case Down.REFUSING:
                await self._process.wait(self._faults.random.uniform(0.005, 0.05))
                return Refused(detail="403 Forbidden")
            case Down.UNCONFIGURED:
                return NotConfigured(detail="no secret")

    async def _take(self, tried: Try, timeout: float) -> Accepted | Refused | Retry | NotConfigured:
        fault = self._faults.strike(self._point)
        if fault is Fault.KILLED_BEFORE:
            self._process.kill()
            await self._process.stand()
        if fault is Fault.REFUSED:
            return Refused(detail="404 no such hook")
        if fault is Fault.RETRY:
            return Retry(after=1.0, detail="503 Service Unavailable")
        if fault is Fault.NOT_CONFIGURED:
            return NotConfigured(detail="no secret")
        await self._process.wait(self._faults.random.uniform(0.005, 0.05))
        tried.arrived = now = asyncio.get_running_loop().time()
        id_ = tried.rollout.id if tried.rollout else None
        self._inbox.arrived.append(Arrived(at=now, notice=tried.notice, rollout=id_))
        if fault is Fault.KILLED_AFTER:
            self._process.kill()
        if fault is Fault.PAUSED_AFTER:
            self._process.pause(self._faults.random.uniform(1.0, 25.0))
        if fault is Fault.SLOW:
            await self._process.wait(timeout * 0.9)
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
