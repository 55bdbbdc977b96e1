"""The Lease as the API server keeps it, and how one process holds it: by its own monotonic clock alone."""

from __future__ import annotations

import random
from dataclasses import dataclass

from rollguard.model.time import Mono
from rollguard.ports import Held, NotHeld
from rollguard.sim.faults import FaultPlan
from rollguard.sim.network import Later, Lost, call
from rollguard.sim.process import Process, VirtualClock

LEASE_SECONDS = 15.0
ACT_SECONDS = 10.0
_TIMEOUT = 1.5


@dataclass(slots=True, kw_only=True)
class Lease:
    """One object; `version` moves with each write."""

    holder: str = ""
    epoch: int = 0
    version: int = 0

    def delete(self) -> None:
        """As `kubectl delete lease`: whoever comes next starts counting from nothing."""
        self.holder, self.epoch, self.version = "", 0, self.version + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """The Lease as this process read it last."""

    holder: str
    epoch: int
    version: int


class SimLeadership:
    """One contender. Renewal and takeover are compare-and-swap writes."""

    def __init__(self, lease: Lease, process: Process, faults: FaultPlan, rng: random.Random) -> None:
        self._lease = lease
        self._process = process
        self._faults = faults
        self._clock = VirtualClock(process)
        self.identity = f"{process.name}-{rng.getrandbits(24):06x}"
        self._seen: _Seen | None = None
        self._seen_since = self._clock.mono()
        self.until: Mono | None = None
        """When we must stop acting, by our own clock; None where the Lease is not ours."""
        self.epoch = 0

    async def renew(self, *, open_epochs: tuple[int, ...]) -> Held | NotHeld:
        """Renews or takes over; a renewal without an answer leaves us what the last one gave."""
        if self.until is None or self._seen is None:
            other = await self.look()
            if other is not None:
                return other
        assert self._seen is not None
        return await self._write(self._clock.mono(), self._seen, open_epochs)

    async def look(self) -> NotHeld | None:
        """Who else holds it, or that nobody answers; None where it is ours or may be taken."""
        read = await call("leadership.read", self._process, self._faults, _TIMEOUT, self._read)
        if isinstance(read, Lost | Later):
            return NotHeld(holder="", detail="no answer from the API server")
        if self._seen is None or (read.holder, read.version) != (self._seen.holder, self._seen.version):
            self._seen_since = self._clock.mono()
        self._seen = read
        unchanged = self._clock.mono().since(self._seen_since)
        if read.holder not in ("", self.identity) and unchanged < LEASE_SECONDS:
            self.until = None
            return NotHeld(holder=read.holder, detail="another process holds the Lease")
        return None

    def left(self) -> float:
        """Seconds that we may still act, by our own clock; 0 or less where we may not."""
        return self.until.since(self._clock.mono()) if self.until is not None else 0.0

    async def release(self) -> None:
        """Gives the Lease back, if it is still ours."""
        self.until = None
        await call("leadership.release", self._process, self._faults, _TIMEOUT, self._give_back)

    async def _write(self, started: Mono, seen: _Seen, open_epochs: tuple[int, ...]) -> Held | NotHeld:
        epoch = self.epoch if self.until is not None else 1 + max((seen.epoch, *open_epochs))
        outcome = await call(
            "leadership.write", self._process, self._faults, _TIMEOUT, lambda: self._replace(seen, epoch)
        )
        if isinstance(outcome, Lost | Later):
            return self._still(seen.holder)
        if outcome is None:
            # by another process, or by our own write whose answer was lost: the next renewal reads who holds it
            self._seen = None
            return self._still("")
        self._seen, self.epoch = outcome, epoch
        self.until = started.plus(ACT_SECONDS)
        return self._still(self.identity)

    def _still(self, holder: str) -> Held | NotHeld:
        """What the last successful renewal gives, by now."""
        if self.until is not None and self._clock.mono() < self.until:
            return Held(until=self.until, epoch=self.epoch)
        self.until = None
        return NotHeld(holder=holder, detail="no answer from the API server in time")

    def _read(self) -> _Seen:
        return _Seen(holder=self._lease.holder, epoch=self._lease.epoch, version=self._lease.version)

    def _replace(self, seen: _Seen, epoch: int) -> _Seen | None:
        if self._lease.version != seen.version:
            return None
        self._lease.version += 1
        self._lease.holder, self._lease.epoch = self.identity, epoch
        return self._read()

    def _give_back(self) -> None:
        if self._lease.holder == self.identity:
            self._lease.holder = ""
            self._lease.version += 1
