"""One service under guard, with a proxy between its controllers and the API server and a receiver of its notices."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab import policies
from lab.api import read_kubeconfig
from lab.controller import Controller
from lab.faults.receiver import Receiver, receiving
from lab.proxy import Proxy, Script, proxying
from lab.world import Lab, LabError, deployment_path
from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes import Api, KubernetesRecords, load
from rollguard.model.action import Unknown
from rollguard.model.names import UnitName, WorkloadKind, WorkloadName
from rollguard.model.records import RolloutRecord, StoredUnit, UnitRecord

NAME = "translation"
LEASE_S = 5


@dataclass(slots=True, kw_only=True)
class Guarded:
    """The service `translation` in a namespace of its own, in which its guard's Lease is as well."""

    lab: Lab
    namespace: str
    policy: Path
    installed: Path
    """The kubeconfig of the guard's ServiceAccount, straight to the API server."""
    proxy: Proxy
    receiver: Receiver
    records: KubernetesRecords
    controllers: list[Controller] = field(default_factory=list)

    @property
    def script(self) -> Script:
        """What the proxy does."""
        return self.proxy.script

    @property
    def unit_name(self) -> UnitName:
        """The service's unit."""
        return UnitName.of_workload(WorkloadName(self.namespace, WorkloadKind.DEPLOYMENT, NAME))

    def controller(self, *, proxied: bool = True, extra: tuple[str, ...] = ()) -> Controller:
        """Starts one more controller."""
        started = self.lab.controller(
            self.policy,
            kubeconfig=self.proxy.kubeconfig if proxied else self.installed,
            name=f"{self.namespace}-{len(self.controllers) + 1}",
            namespace=self.namespace,
            extra=("--lease-seconds", str(LEASE_S), *extra),
        )
        self.controllers.append(started)
        return started

    async def release(self, tag: str) -> None:
        """Rolls the service out to another version."""
        await self.lab.release(self.namespace, NAME, tag)

    async def deployment(self) -> Any:
        """The Deployment now."""
        return await self.lab.deployment(self.namespace, NAME)

    async def unit(self) -> UnitRecord | None:
        """The unit's record now, None where it has none."""
        found = await self.records.read_unit(self.unit_name)
        return found.record if isinstance(found, StoredUnit) else None

    async def rollouts(self) -> tuple[RolloutRecord, ...]:
        """All rollouts of the service, the oldest first."""
        return await self.rollouts_of(NAME)

    async def rollouts_of(self, name: str) -> tuple[RolloutRecord, ...]:
        """All rollouts of a service, the oldest first."""
        listed = await self.records.list_rollouts(open_only=False)
        if isinstance(listed, Unknown):
            raise LabError(f"the rollouts cannot be listed: {listed.detail}")
        mine = (stored.record for stored in listed if stored.record.workload.name == name)
        return tuple(sorted(mine, key=lambda record: record.started))

    async def rollout(self) -> RolloutRecord | None:
        """The newest rollout."""
        found = await self.rollouts()
        return found[-1] if found else None

    async def until_adopted(self, *, timeout_s: float = 60.0) -> None:
        """Returns when the running version is a target to go back to, and its template is kept."""

        async def kept() -> bool:
            unit = await self.unit()
            return unit is not None and bool(unit.adopted and unit.adopted.saved) and unit.last_target is not None

        await self.lab.until(kept, what=f"the adoption of {self.unit_name}", timeout_s=timeout_s, seen=self.logs)

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


async def _leave(here: Guarded, names: tuple[str, ...]) -> None:
    """Takes the services' load off the lab: their traffic, their pods."""
    for name in names:
        await here.lab.traffic(here.namespace, name, 0)
        await here.lab.api.delete(deployment_path(here.namespace, name))


def _leads(controller: Controller) -> bool:
    words = [
        r["event"] for r in controller.records() if r.get("event") in ("leading", "not-leading", "stopped", "started")
    ]
    return bool(words) and words[-1] == "leading"


def pending(record: RolloutRecord) -> list[str]:
    """The ids of the notices that are still to be sent."""
    return [notice.id for notice in record.notices if notice.state.value == "pending"]


def _narrow(spec: dict[str, Any], signals: tuple[str, ...], selectors: Mapping[str, Mapping[str, str]]) -> None:
    """Lets every watch have these signals alone, with the series that the story wants."""
    for watch in spec["watch"]:
        watch["signals"] = list(signals)
    for name, changed in selectors.items():
        spec["signals"][name].update(changed)


async def _running(lab: Lab, namespace: str, names: tuple[str, ...], rps: float) -> None:
    """Makes these services, and returns when they run."""
    for name in names:
        await lab.deploy(namespace, name, tag="v1", rps=rps)
    for name in names:
        await lab.until_rolled_out(namespace, name)


def _between(lab: Lab, installed: Path, script: Script, *, name: str) -> AbstractAsyncContextManager[Proxy]:
    """A proxy before the API server, under the guard's own account."""
    upstream = read_kubeconfig(installed)
    return proxying(
        upstream=upstream.server,
        ca_file=lab.plane.ca_file,
        token=upstream.token,
        workdir=lab.workdir,
        script=script,
        name=name,
    )


@asynccontextmanager
async def guarded(
    lab: Lab,
    namespace: str,
    *,
    script: Script,
    installed: Path,
    signals: tuple[str, ...] = ("image-pull", "crash-loop"),
    prometheus: str = "",
    rps: float = 0,
    others: tuple[str, ...] = (),
    selectors: Mapping[str, Mapping[str, str]] | None = None,
    **spec: Any,
) -> AsyncIterator[Guarded]:
    """The service's version v1, running; its controllers are killed at the end of the block.

    `others` run and are guarded beside it; `selectors` gives signals other series; `spec` replaces whole keys of the
    policy.
    """
    async with AsyncExitStack() as stack:
        await lab.namespace(namespace)
        receiver = await stack.enter_async_context(receiving())
        proxy = await stack.enter_async_context(_between(lab, installed, script, name=f"{namespace}-proxy"))
        api = Api(load(lab.kubeconfig), SystemClock())
        stack.push_async_callback(api.close)
        document = policies.policy(
            namespace=namespace,
            prometheus=prometheus or lab.prometheus.url,
            workloads=[NAME, *others],
            notify={"webhooks": [{"name": "receiver", "url": receiver.url}]},
            **spec,
        )
        _narrow(document["spec"], signals, selectors or {})
        policy = policies.write(lab.workdir / f"{namespace}.json", document)
        await lab.grant(policy, namespace=namespace)
        here = Guarded(
            lab=lab,
            namespace=namespace,
            policy=policy,
            installed=installed,
            proxy=proxy,
            receiver=receiver,
            records=KubernetesRecords(api, SystemClock(), random.Random(1), namespaces=(namespace,)),
        )
        await _running(lab, namespace, (NAME, *others), rps)
        try:
            yield here
        finally:
            for each in here.controllers:
                await each.kill()
                lab.controllers.remove(each)
            await _leave(here, (NAME, *others))
