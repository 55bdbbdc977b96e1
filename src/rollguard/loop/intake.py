"""Alerts that come in: any replica writes them into their units' records, by compare-and-swap, before it says so.

They are the one part of a record that others than the leader write. The leader hears of them by its watch, and judges.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Mapping
from enum import StrEnum
from weakref import WeakValueDictionary

from rollguard import record
from rollguard.loop.settings import Log
from rollguard.model.action import Absent, Unknown
from rollguard.model.alerting import ROLLBACK, Delivered
from rollguard.model.names import UnitName, WorkloadKind, WorkloadName
from rollguard.model.policy import Policy
from rollguard.model.records import StoredUnit, UnitRecord
from rollguard.policy.promql import allows
from rollguard.ports import Records

TRIES = 6
AT_ONCE = 8
"""Records that are read and written at the same time."""
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?", re.ASCII)


class Came(StrEnum):
    """What became of an alert of a delivery."""

    RECORDED = "recorded"
    KNOWN = "known before"
    UNMEANT = "without the label rollguard_action: rollback"
    FOREIGN = "of another cluster"
    STRANGE = "of a workload that is not guarded"
    CROWDED = "no room beside newer ones"
    LOST = "not written"


class Intake:
    """`counted` says what became of all that came to this process."""

    def __init__(self, records: Records, policy: Callable[[], Policy], log: Log) -> None:
        self._records = records
        self._policy = policy
        self._log = log
        self._locks: WeakValueDictionary[UnitName, asyncio.Lock] = WeakValueDictionary()
        self._room = asyncio.Semaphore(AT_ONCE)
        self.counted: Counter[Came] = Counter()

    async def take(self, delivered: tuple[Delivered, ...]) -> tuple[Came, ...]:
        """What became of each alert, in their order. Whatever is RECORDED or KNOWN is in the cluster by then."""
        policy = self._policy()
        units: dict[UnitName, list[Delivered]] = {}
        came: dict[int, Came] = {}
        for each in delivered:
            place = place_of(each, policy)
            if isinstance(place, Came):
                came[each.number] = place
            else:
                units.setdefault(place, []).append(each)
        for found in await self._record_all(units):
            came |= found
        self.counted.update(came.values())
        return tuple(came[each.number] for each in delivered)

    async def _record_all(self, units: Mapping[UnitName, list[Delivered]]) -> list[Mapping[int, Came]]:
        """First what is at rest, then what rolls out: what all suffer from must not look like one release's doing."""
        stored = await asyncio.gather(*(self._read(unit) for unit in units))
        read = tuple(zip(units.items(), stored, strict=True))
        came: list[Mapping[int, Came]] = []
        for turn in (False, True):
            mine = [(unit, alerts, found) for (unit, alerts), found in read if _rolls_out(found) is turn]
            came += await asyncio.gather(*(self._record(*each) for each in mine))
        return came

    async def _read(self, unit: UnitName) -> StoredUnit | Absent | Unknown:
        async with self._room:
            return await self._records.read_unit(unit)

    async def _record(
        self, unit: UnitName, delivered: list[Delivered], stored: StoredUnit | Absent | Unknown
    ) -> Mapping[int, Came]:
        """Writes them where that changes anything; what was read before may be old by then, and is read again."""
        lock = self._locks.setdefault(unit, asyncio.Lock())
        async with lock:
            for _ in range(TRIES):
                if isinstance(stored, Absent):
                    return _all(delivered, Came.STRANGE)
                if isinstance(stored, Unknown):
                    break
                wanted = record.with_alerts(stored.record, (each.alert for each in delivered))
                if wanted == stored.record:
                    return _each(delivered, stored.record, wanted)
                async with self._room:
                    outcome = await self._records.replace_unit(stored, wanted)
                if isinstance(outcome, StoredUnit):
                    return _each(delivered, stored.record, wanted)
                # Stale, or nobody knows: it is read again, and what is there by then changes nothing
                stored = await self._read(unit)
        self._log("alerts-not-written", {"unit": str(unit), "alerts": len(delivered)})
        return _all(delivered, Came.LOST)


def place_of(delivered: Delivered, policy: Policy) -> UnitName | Came:
    """The unit whose record the alert belongs into: of a colour that of its release set; or why there is none."""
    labels = dict(delivered.labels)
    if labels.get(ROLLBACK[0]) != ROLLBACK[1]:
        return Came.UNMEANT
    cluster = policy.metrics.cluster_label
    if cluster and cluster in labels and not allows(policy.metrics.match, cluster, labels[cluster]):
        return Came.FOREIGN
    namespace, name = labels.get("namespace", ""), delivered.alert.deployment
    if namespace not in policy.namespaces() or not _NAME.fullmatch(name):
        return Came.STRANGE
    for each in policy.release_sets():
        if each.namespace == namespace and each.member_of(name) is not None:
            return each.unit
    return UnitName.of_workload(WorkloadName(namespace, WorkloadKind.DEPLOYMENT, name))


def _rolls_out(stored: StoredUnit | Absent | Unknown) -> bool:
    return isinstance(stored, StoredUnit) and stored.record.current_rollout is not None


def _all(delivered: list[Delivered], came: Came) -> Mapping[int, Came]:
    return {each.number: came for each in delivered}


def _each(delivered: list[Delivered], before: UnitRecord, after: UnitRecord) -> Mapping[int, Came]:
    known = {record.key_of(alert): alert.ended for alert in before.alerts}
    kept = {record.key_of(alert): alert.ended for alert in after.alerts}
    last = record.last_ends(after.alerts)

    def came(each: Delivered) -> Came:
        key = record.key_of(each.alert)
        if key in kept:
            return Came.KNOWN if key in known and known[key] == kept[key] else Came.RECORDED
        if each.alert.ended is None and not record.is_over(each.alert, last):
            return Came.CROWDED
        return Came.KNOWN

    return {each.number: came(each) for each in delivered}
