"""The policy's source and the policies kept in the cluster, in the simulator."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from rollguard.model.action import Unknown
from rollguard.model.policy import Policy
from rollguard.model.records import PolicyStatus
from rollguard.ports import PolicyLost, PolicyReading
from rollguard.sim.faults import FaultPlan
from rollguard.sim.network import Later, Lost, call
from rollguard.sim.process import Process
from rollguard.sim.store import RecordStore

R = TypeVar("R")


class SimPolicySource:
    """What people wrote last, and what the guard says of it; all processes share it."""

    def __init__(self, policy: Policy) -> None:
        self._reading = PolicyReading(policy=policy, generation=1)
        self.reported: list[PolicyStatus] = []

    def write(self, policy: Policy | None, *mistakes: str) -> None:
        """People write another policy, or one with mistakes."""
        self._reading = PolicyReading(policy=policy, mistakes=mistakes, generation=self._reading.generation + 1)

    def latest(self) -> PolicyReading:
        """As it was written last."""
        return self._reading

    async def report(self, status: PolicyStatus, *, timeout: float) -> Unknown | None:  # noqa: ARG002
        """Notes it."""
        self.reported.append(status)
        return None


class SimKeptPolicies:
    """The kept policies as one process reaches them: its pauses, its death and its partitions are as for the records.

    Their own requests are struck by no other fault.
    """

    def __init__(self, kept: dict[str, Policy], store: RecordStore, process: Process) -> None:
        self._kept = kept
        self._store = store
        self._process = process
        self._faults = FaultPlan.none()

    async def _call(self, effect: Callable[[], R], timeout: float) -> R | Unknown:
        outcome = await call("records.read_unit", self._process, self._faults, timeout, effect)
        return Unknown(detail="no answer") if isinstance(outcome, Lost | Later) else outcome

    async def keep(self, policy: Policy, *, timeout: float) -> Unknown | None:
        """Kept once, and the newest."""
        self._store.send(self._process.name, timeout)

        def kept() -> None:
            self._kept[policy.digest] = self._kept.pop(policy.digest, policy)

        return await self._call(kept, timeout)

    async def newest(self, *, timeout: float) -> Policy | Unknown | None:
        """The one that was kept last."""
        return await self._call(lambda: next(reversed(self._kept.values()), None), timeout)

    async def load(self, digest: str, *, timeout: float) -> Policy | PolicyLost | Unknown:
        """The policy of that digest."""
        return await self._call(lambda: self._kept.get(digest) or PolicyLost(detail="it was deleted"), timeout)

    async def digests(self, *, timeout: float) -> tuple[str, ...] | Unknown:
        """Of all that are kept."""
        return await self._call(lambda: tuple(sorted(self._kept)), timeout)

    async def drop(self, digest: str, *, timeout: float) -> Unknown | None:
        """It is gone."""
        self._store.send(self._process.name, timeout)
        outcome = await self._call(lambda: self._kept.pop(digest, None), timeout)
        return outcome if isinstance(outcome, Unknown) else None
