"""One examination of everything: gathers what `rollguard.doctor` looks at, for the command and for the controller."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, replace
from pathlib import Path

from rollguard import doctor
from rollguard.adapters import reach
from rollguard.adapters.kubernetes import Api, KubernetesRecords
from rollguard.adapters.kubernetes.store.orders import KubernetesOrders
from rollguard.adapters.kubernetes.survey import Account, survey
from rollguard.adapters.prometheus import PrometheusMetrics
from rollguard.adapters.prometheus.inspect import Door, MetricsInspector, StoreProblem
from rollguard.adapters.prometheus.soundings import Sounding
from rollguard.cli.store_door import opened_store
from rollguard.doctor import Check
from rollguard.doctor.facts import Facts, NamespaceSeen, Place, StoreSeen
from rollguard.doctor.selection import watched
from rollguard.model.action import Absent, Unknown
from rollguard.model.names import UnitName, WorkloadName
from rollguard.model.policy import Policy
from rollguard.model.records import EVERYTHING, StoredUnit, UnitRecord
from rollguard.ports import Clock
from rollguard.render.deployment import SECRETS_PATH

MOUNTED = Path(SECRETS_PATH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Examiner:
    """The `Doctor` port on real servers."""

    api: Api
    clock: Clock
    guard_namespace: str
    account: Account | None
    """Whose rights are looked at; None: those of who asks."""
    place: Place
    secrets: Path = MOUNTED
    """Where the Secret for notices is mounted."""

    async def examine(self, policy: Policy) -> tuple[Check, ...]:
        """Every check, as of now."""
        return doctor.examine(await self.facts(policy))

    async def facts(self, policy: Policy) -> Facts:
        """All that there is to look at. The store is asked after the cluster, which says for which workloads."""
        me = await self._me()
        cluster, units, channels, files = await asyncio.gather(
            survey(self.api, self.clock, policy, guard_namespace=self.guard_namespace, account=self.account, me=me),
            self._units(policy),
            reach.channels(policy),
            asyncio.to_thread(reach.files, policy, self.secrets),
        )
        store = await self._store(policy, cluster.namespaces)
        everything = await self._everything()
        return Facts(
            now=self.clock.now(),
            place=self.place,
            policy=policy,
            version=cluster.version,
            installed=cluster.installed,
            enforced=cluster.enforced,
            rights=cluster.rights,
            guard=cluster.guard,
            server_offset=cluster.offset,
            namespaces=cluster.namespaces,
            units=units,
            store=store,
            files=files,
            channels=channels,
            everything=everything,
        )

    async def _me(self) -> str:
        name = await KubernetesOrders(self.api, self.clock).whoami()
        return "who asks" if isinstance(name, Unknown) else name

    async def _units(self, policy: Policy) -> tuple[UnitRecord, ...] | Unknown:
        """Those of the watched namespaces, whatever namespace the caller's context names."""
        listed = await self._records(policy.namespaces()).list_units()
        return listed if isinstance(listed, Unknown) else tuple(stored.record for stored in listed)

    async def _everything(self) -> UnitRecord | Absent | Unknown:
        stored = await self._records((self.guard_namespace,)).read_unit(UnitName(self.guard_namespace, EVERYTHING))
        return stored.record if isinstance(stored, StoredUnit) else stored

    def _records(self, namespaces: tuple[str, ...]) -> KubernetesRecords:
        rng = random.Random()  # noqa: S311 (jitter of watches, of which there is none here)
        return KubernetesRecords(self.api, self.clock, rng, namespaces=namespaces)

    async def _store(self, policy: Policy, namespaces: tuple[NamespaceSeen, ...]) -> StoreSeen:
        """From the guard's place at its address, as the guard asks; from elsewhere on whatever way leads there."""
        chosen, inside = watched(policy, namespaces), reach.only_inside(policy.metrics.address)
        if self.place is Place.GUARD:
            inspector = MetricsInspector(policy.metrics, self.clock)
            try:
                return await self._sounding(policy, chosen, inspector, None)
            finally:
                await inspector.close()
        try:
            async with opened_store(self.api, self.clock, policy.metrics) as store:
                found = await self._sounding(policy, chosen, store.inspector, store.door)
                return replace(found, proxied=store.by_proxy)
        except StoreProblem as problem:
            return StoreSeen(problem=problem.reason, inside=inside, interval=None, offset=None, signals=())

    async def _sounding(
        self, policy: Policy, chosen: tuple[WorkloadName, ...], inspector: MetricsInspector, door: Door | None
    ) -> StoreSeen:
        metrics = PrometheusMetrics(policy.metrics, self.clock, door=door)
        try:
            sounding = Sounding(policy=policy, metrics=metrics, inspector=inspector, clock=self.clock, workloads=chosen)
            return await sounding.take(inside=reach.only_inside(policy.metrics.address))
        finally:
            await metrics.close()
