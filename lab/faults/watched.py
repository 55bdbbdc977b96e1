"""One unit under guard, with a proxy between its controllers and the API server and a receiver of its notices."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.api import read_kubeconfig
from lab.controller import Controller
from lab.faults.receiver import Receiver, receiving
from lab.proxy import Proxy, Script, proxying
from lab.world import Lab, LabError
from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes import Api, KubernetesRecords, load
from rollguard.model.action import Unknown
from rollguard.model.names import UnitName, WorkloadName
from rollguard.model.records import RolloutRecord, StoredUnit, UnitRecord

LEASE_S = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What stands around a guard."""

    proxy: Proxy
    receiver: Receiver
    records: KubernetesRecords


@asynccontextmanager
async def tools(lab: Lab, namespace: str, script: Script, installed: Path) -> AsyncIterator[Tools]:
    """The tools for the length of the block; the proxy acts under the guard's own account."""
    await lab.namespace(namespace)
    upstream = read_kubeconfig(installed)
    async with AsyncExitStack() as stack:
        between = proxying(
            upstream=upstream.server,
            ca_file=lab.plane.ca_file,
            token=upstream.token,
            workdir=lab.workdir,
            script=script,
            name=f"{namespace}-proxy",
        )
        api = Api(load(lab.kubeconfig), SystemClock())
        stack.push_async_callback(api.close)
        yield Tools(
            proxy=await stack.enter_async_context(between),
            receiver=await stack.enter_async_context(receiving()),
            records=KubernetesRecords(api, SystemClock(), random.Random(1), namespaces=(namespace,)),
        )


@dataclass(slots=True, kw_only=True)
class Watched:
    """One unit in a namespace of its own, in which its guard's Lease is as well."""

    lab: Lab
    namespace: str
    policy: Path
    installed: Path
    """The kubeconfig of the guard's ServiceAccount, straight to the API server."""
    tools: Tools
    workload: WorkloadName
    controllers: list[Controller] = field(default_factory=list)

    @property
    def script(self) -> Script:
        """What the proxy does."""
        return self.tools.proxy.script

    @property
    def unit_name(self) -> UnitName:
        """The unit's name."""
        return UnitName.of_workload(self.workload)

    def controller(self, *, proxied: bool = True, extra: tuple[str, ...] = ()) -> Controller:
        """Starts one more controller."""
        started = self.lab.controller(
            self.policy,
            kubeconfig=self.tools.proxy.kubeconfig if proxied else self.installed,
            name=f"{self.namespace}-{len(self.controllers) + 1}",
            namespace=self.namespace,
            extra=("--lease-seconds", str(LEASE_S), *extra),
        )
        self.controllers.append(started)
        return started

    async def unit(self) -> UnitRecord | None:
        """The unit's record now, None where it has none."""
        found = await self.tools.records.read_unit(self.unit_name)
        return found.record if isinstance(found, StoredUnit) else None

    async def rollouts(self) -> tuple[RolloutRecord, ...]:
        """All rollouts of the unit, the oldest first."""
        return await self.rollouts_of(self.workload.name)

    async def rollouts_of(self, name: str) -> tuple[RolloutRecord, ...]:
        """All rollouts of a workload of that name, the oldest first."""
        listed = await self.tools.records.list_rollouts(open_only=False)
        if isinstance(listed, Unknown):
            raise LabError(f"the rollouts cannot be listed: {listed.detail}")
        mine = (stored.record for stored in listed if stored.record.workload.name == name)
        return tuple(sorted(mine, key=lambda record: record.started))

    async def rollout(self) -> RolloutRecord | None:
        """The newest rollout."""
        found = await self.rollouts()
        return found[-1] if found else None

    async def until_closed(self, *, timeout_s: float = 90.0) -> RolloutRecord:
        """The newest rollout, once it is closed, its unit is free and all its notices have arrived or failed."""
        seen: list[RolloutRecord | None] = [None]

        async def closed() -> bool:
            seen[0] = await self.rollout()
            record, unit = seen[0], await self.unit()
            free = unit is not None and unit.current_rollout is None
            return record is not None and record.closed is not None and free and not pending(record)

        await self.lab.until(
            closed, what=f"the end of the rollout in {self.namespace}", timeout_s=timeout_s, seen=self.logs
        )
        if seen[0] is None:
            raise LabError("no rollout")
        return seen[0]

    def holder(self) -> Controller | None:
        """The controller that says that it leads, None while none does."""
        leading = [each for each in self.controllers if each.child.running() and _leads(each)]
        return leading[0] if len(leading) == 1 else None

    async def until_led(self, *, by: Controller | None = None) -> Controller:
        """The one controller that leads; `by`: once it is that one."""

        async def led() -> bool:
            holder = self.holder()
            return holder is not None and by in (None, holder)

        await self.lab.until(led, what=f"one leader in {self.namespace}", timeout_s=60.0, seen=self.logs)
        holder = self.holder()
        if holder is None:
            raise LabError("the leader has gone again")
        return holder

    async def lease(self) -> Any:
        """The Lease that the controllers share."""
        return await self.lab.api.get(f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases/rollguard")

    def logs(self) -> str:
        """The ends of the controllers' logs."""
        return "\n".join(f"--- {each.name}\n{each.child.tail()}" for each in self.controllers)

    @property
    def receiver(self) -> Receiver:
        """Where its notices arrive."""
        return self.tools.receiver

    async def end(self) -> None:
        """Kills its controllers."""
        for each in self.controllers:
            await each.kill()
            self.lab.controllers.remove(each)


def _leads(controller: Controller) -> bool:
    words = [
        r["event"] for r in controller.records() if r.get("event") in ("leading", "not-leading", "stopped", "started")
    ]
    return bool(words) and words[-1] == "leading"


def pending(record: RolloutRecord) -> list[str]:
    """The ids of the notices that are still to be sent."""
    return [notice.id for notice in record.notices if notice.state.value == "pending"]
