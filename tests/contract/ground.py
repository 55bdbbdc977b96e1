"""Where a promise is tried out: the ports under test, and the hands of a human who changes things beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rollguard.model.names import UnitName, WorkloadKind, WorkloadName
from rollguard.model.requests import HumanRequest
from rollguard.ports import Clock, Cluster, Leadership, Records


class Human(Protocol):
    """What people and other controllers do, past the ports."""

    async def deploy(self, name: str, tag: str) -> None: ...

    async def set_tag(self, name: str, tag: str) -> None: ...

    async def scale(self, name: str, replicas: int) -> None: ...

    async def replicas(self, name: str) -> int: ...

    async def serve(self, name: str, selector: dict[str, str]) -> None: ...

    async def select(self, name: str, key: str, value: str) -> None: ...

    async def autoscale(self, deployment: str, *, minimum: int, maximum: int) -> None:
        """An autoscaler of the Deployment's name."""
        ...

    async def set_minimum(self, autoscaler: str, minimum: int) -> None: ...

    async def request(self, unit: UnitName, request: HumanRequest) -> None: ...

    async def delete_lease(self) -> None: ...

    async def delete(self, name: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """One namespace with the ports that look at it."""

    namespace: str
    cluster: Cluster
    records: Records
    clock: Clock
    human: Human
    contender: Callable[[str], Leadership]
    lease_seconds: float

    def workload(self, name: str) -> WorkloadName:
        """The Deployment of that name here."""
        return WorkloadName(self.namespace, WorkloadKind.DEPLOYMENT, name)

    def unit(self, name: str) -> UnitName:
        """The unit that guards it."""
        return UnitName.of_workload(self.workload(name))

    async def sleep(self, seconds: float) -> None:
        """Lets time pass on the ports' clock."""
        await self.clock.sleep_until(self.clock.mono().plus(seconds))

    async def until(self, probe: Callable[[], bool], what: str, *, seconds: float = 20.0) -> None:
        """Polls until the probe says yes; fails with what was waited for."""
        end = self.clock.mono().plus(seconds)
        while not probe():
            assert self.clock.mono() < end, f"{what} did not come within {seconds:g} s"
            await self.sleep(0.05)
