"""One service under guard, with a proxy between its controllers and the API server and a receiver of its notices."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import policies
from lab.faults.watched import Watched, tools
from lab.proxy import Script
from lab.world import Lab
from rollguard.model.names import WorkloadKind, WorkloadName

NAME = "translation"


@dataclass(slots=True, kw_only=True)
class Guarded(Watched):
    """The service `translation`."""

    async def release(self, tag: str) -> None:
        """Rolls the service out to another version."""
        await self.lab.release(self.namespace, NAME, tag)

    async def deployment(self) -> Any:
        """The Deployment now."""
        return await self.lab.deployment(self.namespace, NAME)

    async def until_adopted(self, *, timeout_s: float = 60.0) -> None:
        """Returns when the running version is a target to go back to, and its template is kept."""

        async def kept() -> bool:
            unit = await self.unit()
            return unit is not None and bool(unit.adopted and unit.adopted.saved) and unit.last_target is not None

        await self.lab.until(kept, what=f"the adoption of {self.unit_name}", timeout_s=timeout_s, seen=self.logs)


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
    async with tools(lab, namespace, script, installed) as around:
        document = policies.policy(
            namespace=namespace,
            prometheus=prometheus or lab.prometheus.url,
            workloads=[NAME, *others],
            notify={"webhooks": [{"name": "receiver", "url": around.receiver.url}]},
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
            tools=around,
            workload=WorkloadName(namespace, WorkloadKind.DEPLOYMENT, NAME),
        )
        await _running(lab, namespace, (NAME, *others), rps)
        try:
            yield here
        finally:
            await here.end()
            await lab.leave(namespace)
