"""The Records port of one process over the simulated API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import TypeVar

from rollguard.model.action import Absent, Unknown
from rollguard.model.names import RolloutId, UnitName
from rollguard.model.records import Exists, RolloutRecord, Stale, StoredRollout, StoredUnit, UnitRecord
from rollguard.sim.faults import FaultPlan
from rollguard.sim.network import InvariantBroken, Later, Lost, call
from rollguard.sim.process import Process
from rollguard.sim.signalling import Names
from rollguard.sim.store import RecordStore

R = TypeVar("R")
_TIMEOUT = 3.0


class SimRecords:
    """Compare-and-swap on the store; an answer that is lost is Unknown, also of a write that took effect."""

    def __init__(self, store: RecordStore, process: Process, faults: FaultPlan, *, leads: bool = True) -> None:
        """What any replica writes, which does not lead, are alerts alone."""
        self._leads = leads
        self._store = store
        self._process = process
        self._faults = faults
        self._requested: Names[UnitName] = Names()
        store.on_requests.append(self._hear)

    def _hear(self, unit: UnitName) -> None:
        asyncio.get_running_loop().call_later(self._faults.random.uniform(0.005, 0.05), self._requested.put, unit)

    async def _call(self, point: str, effect: Callable[[], R]) -> R | Unknown:
        outcome = await call(f"records.{point}", self._process, self._faults, _TIMEOUT, effect)
        if isinstance(outcome, Lost):
            return Unknown(detail=outcome.detail)
        if isinstance(outcome, Later):
            return Unknown(detail="429 Too Many Requests")
        return outcome

    async def _write(self, point: str, effect: Callable[[], R]) -> R | Unknown:
        if self._leads:
            self._store.send(self._process.name, _TIMEOUT)
        return await self._call(point, effect)

    def cover(self, namespaces: frozenset[str]) -> tuple[str, ...]:  # noqa: ARG002
        """There is one namespace, and it can be read."""
        return ()

    async def list_units(self) -> tuple[StoredUnit, ...] | Unknown:
        return await self._call("list_units", lambda: tuple(self._store.units.values()))

    async def list_rollouts(self, *, open_only: bool) -> tuple[StoredRollout, ...] | Unknown:
        def listed() -> tuple[StoredRollout, ...]:
            found = self._store.rollouts.values()
            return tuple(stored for stored in found if not open_only or stored.record.closed is None)

        return await self._call("list_rollouts", listed)

    async def read_unit(self, name: UnitName) -> StoredUnit | Absent | Unknown:
        return await self._call("read_unit", lambda: self._store.units.get(name, Absent()))

    async def read_rollout(self, unit: UnitName, id_: RolloutId) -> StoredRollout | Absent | Unknown:
        return await self._call("read_rollout", lambda: self._store.rollouts.get((unit, id_), Absent()))

    async def create_unit(self, record: UnitRecord) -> StoredUnit | Exists | Unknown:
        return await self._write("create_unit", lambda: self._store.create_unit(record))

    async def create_rollout(self, record: RolloutRecord) -> StoredRollout | Exists | Unknown:
        return await self._write("create_rollout", lambda: self._store.create_rollout(record))

    async def replace_unit(self, stored: StoredUnit, record: UnitRecord) -> StoredUnit | Stale | Absent | Unknown:
        if not self._leads and replace(record, alerts=stored.record.alerts) != stored.record:
            raise InvariantBroken(f"{self._process.name} does not lead and writes more than alerts into {record.name}")
        return await self._write("replace_unit", lambda: self._store.replace_unit(stored, record))

    async def replace_rollout(
        self, stored: StoredRollout, record: RolloutRecord
    ) -> StoredRollout | Stale | Absent | Unknown:
        return await self._write("replace_rollout", lambda: self._store.replace_rollout(stored, record))

    async def delete_rollout(self, stored: StoredRollout) -> Unknown | None:
        return await self._write("delete_rollout", lambda: self._store.delete_rollout(stored))

    def requests(self) -> AsyncIterator[UnitName]:
        """Units whose `spec` or alerts changed."""
        return self._requested.stream(self._process)
