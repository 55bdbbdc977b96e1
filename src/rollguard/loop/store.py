"""The GuardedUnits and the open GuardedRollouts as last read or written, and the only way to change them.

A change is a function of the record: it is applied to what we know, written by compare-and-swap, and applied again to
the object as it is where somebody else was faster or the answer was lost. Writes of one object never overlap.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from rollguard.lifecycle import response
from rollguard.loop.leader import Gate
from rollguard.loop.settings import Log, Settings
from rollguard.model.action import Absent, Unknown
from rollguard.model.names import RolloutId, UnitName
from rollguard.model.notices import NoticeState
from rollguard.model.records import Exists, RolloutRecord, Stale, StoredRollout, StoredUnit, UnitRecord
from rollguard.ports import Records

TRIES = 6


class Unavailable(Exception):
    """The records cannot be read or written now: look again later, nothing was decided."""


class Vanished(Exception):
    """The object was deleted under us."""


class Store:
    """All known records. Lost with the process, rebuilt by `load`."""

    def __init__(self, records: Records, gate: Gate, settings: Settings, log: Log) -> None:
        self._records = records
        self._gate = gate
        self._timeout = settings.request_timeout
        self._log = log
        self._units: dict[UnitName, StoredUnit] = {}
        self._rollouts: dict[RolloutId, StoredRollout] = {}
        self._current: dict[UnitName, RolloutId] = {}
        self._strays: dict[UnitName, tuple[RolloutId, ...]] = {}
        self.generation = 0
        """Moves whenever everything is forgotten."""
        self.unanswered = 0
        """Creations of rollouts that nobody answered: they may take effect later."""
        self._locks: dict[UnitName | RolloutId, asyncio.Lock] = {}

    @property
    def units(self) -> tuple[UnitRecord, ...]:
        """Every known unit."""
        return tuple(stored.record for stored in self._units.values())

    @property
    def rollouts(self) -> tuple[RolloutRecord, ...]:
        """Every open rollout, and the closed ones whose notices are under way or whose page nobody has acknowledged
        yet."""
        return tuple(stored.record for stored in self._rollouts.values())

    def unit(self, name: UnitName) -> UnitRecord | None:
        """The unit's record, None where it has none yet."""
        stored = self._units.get(name)
        return stored.record if stored is not None else None

    def rollout(self, name: UnitName) -> RolloutRecord | None:
        """The unit's rollout under guard."""
        id_ = self._current.get(name)
        return self._rollouts[id_].record if id_ is not None else None

    def known(self, id_: RolloutId) -> RolloutRecord | None:
        """That rollout, where it is open or its notices are still under way."""
        stored = self._rollouts.get(id_)
        return stored.record if stored is not None else None

    def clear(self) -> None:
        """Forgets everything: we do not lead (any more)."""
        self.generation += 1
        self._units.clear()
        self._rollouts.clear()
        self._current.clear()
        self._strays.clear()
        self._locks.clear()

    def cover(self, namespaces: frozenset[str]) -> tuple[str, ...]:
        """Whose records are read from now on; which of them there is no right to read."""
        return self._records.cover(namespaces)

    async def load(self) -> bool:
        """Reads all units and open rollouts afresh; False where the server does not answer.

        Open rollouts that are not their unit's current one are known, but not current (see `strays`).
        """
        units = await self._records.list_units()
        rollouts = await self._records.list_rollouts(open_only=True)
        if isinstance(units, Unknown) or isinstance(rollouts, Unknown):
            return False
        self.clear()
        self._units = {s.record.name: s for s in units}
        for stored in rollouts:
            record = stored.record
            self._rollouts[record.id] = stored
            owner = self.unit(record.unit)
            if owner is not None and owner.current_rollout == record.id:
                self._current[record.unit] = record.id
            else:
                self._strays[record.unit] = (*self._strays.get(record.unit, ()), record.id)
        return True

    def strays(self, unit: UnitName) -> tuple[RolloutRecord, ...]:
        """Open rollouts of the unit that are not its current one.

        A process died between two writes, or a creation took effect long after it was sent.
        """
        strays = (id_ for id_ in self._strays.get(unit, ()) if id_ != self._current.get(unit))
        known = (self._rollouts.get(id_) for id_ in strays)
        return tuple(s.record for s in known if s is not None and s.record.closed is None)

    def no_strays(self, unit: UnitName) -> None:
        """They have been seen to."""
        self._strays.pop(unit, None)

    async def refresh_units(self) -> bool:
        """Reads all units again: people may have written into them. False where the server does not answer.

        What was read or written since the list was asked for is newer than the list, and stays.
        """
        before = dict(self._units)
        units = await self._records.list_units()
        if isinstance(units, Unknown):
            return False
        listed = {s.record.name: s for s in units}
        for name in before.keys() | listed.keys() | self._units.keys():
            if self._units.get(name) is not before.get(name):
                continue
            if name in listed:
                self._units[name] = listed[name]
            else:
                del self._units[name]
        return True

    async def refresh_unit(self, name: UnitName) -> UnitRecord | None:
        """The unit by a fresh read, None where it does not exist; raises Unavailable without an answer."""
        found = await self._records.read_unit(name)
        if isinstance(found, Unknown):
            raise Unavailable(f"unit {name}: {found.detail}")
        if isinstance(found, Absent):
            self._units.pop(name, None)
            return None
        self._units[name] = found
        return found.record

    async def fetch_rollout(self, unit: UnitName, id_: RolloutId) -> RolloutRecord | None:
        """That rollout of the unit by a fresh read, open or closed, known from now on; None where it does not exist.

        A name is no right: who may write into one unit need not have a say in another's. Raises Unavailable without an
        answer.
        """
        known = self._rollouts.get(id_)
        if known is not None and known.record.unit != unit:
            return None
        found = await self._records.read_rollout(unit, id_)
        if isinstance(found, Unknown):
            raise Unavailable(f"rollout {id_}: {found.detail}")
        if isinstance(found, Absent):
            self._forget(id_)
            return None
        if found.record.unit != unit:
            return None
        self._rollouts[id_] = found
        return found.record

    def make_current(self, record: RolloutRecord) -> None:
        """From now on this known rollout is its unit's current one."""
        self._current[record.unit] = record.id

    def retire(self, unit: UnitName) -> None:
        """The unit has no rollout under guard any more; a closed one stays known while its notices are under way."""
        self._current.pop(unit, None)
        self.forget_settled()

    def forget_settled(self) -> None:
        """Drops closed rollouts whose notices have all arrived or failed, and that wait for nobody."""
        current = set(self._current.values())
        for id_, stored in list(self._rollouts.items()):
            record = stored.record
            if record.closed is not None and id_ not in current and not _under_way(record):
                self._forget(id_)

    def _forget(self, id_: RolloutId) -> None:
        self._rollouts.pop(id_, None)
        self._locks.pop(id_, None)
        for unit, current in list(self._current.items()):
            if current == id_:
                del self._current[unit]

    async def create_unit(self, record: UnitRecord) -> UnitRecord:
        """The unit's record, created now or known; raises Unavailable."""
        self._gate.check(self._timeout)
        outcome = await self._records.create_unit(record)
        if isinstance(outcome, StoredUnit):
            self._units[record.name] = outcome
            return outcome.record
        found = await self.refresh_unit(record.name)
        if found is None:
            raise Unavailable(f"unit {record.name} could not be created")
        return found

    async def create_rollout(self, record: RolloutRecord) -> RolloutRecord:
        """The rollout, created now or known (open or closed); raises Unavailable."""
        self._gate.check(self._timeout)
        outcome = await self._records.create_rollout(record)
        self.unanswered += isinstance(outcome, Unknown)
        if isinstance(outcome, Exists | Unknown):
            found = await self.fetch_rollout(record.unit, record.id)
            if found is None:
                raise Unavailable(f"rollout {record.id} could not be created")
            return found
        self._rollouts[record.id] = outcome
        return outcome.record

    async def change_unit(self, name: UnitName, change: Callable[[UnitRecord], UnitRecord]) -> UnitRecord:
        """The record after the change, which is in the cluster then; no write where it changes nothing."""
        async with self._locks.setdefault(name, asyncio.Lock()):
            for _ in range(TRIES):
                stored = self._units.get(name)
                if stored is None:
                    raise Vanished(f"unit {name}")
                wanted = change(stored.record)
                if wanted == stored.record:
                    return wanted
                self._gate.check(self._timeout)
                outcome = await self._records.replace_unit(stored, wanted)
                if isinstance(outcome, StoredUnit):
                    self._units[name] = outcome
                    return outcome.record
                if await self.refresh_unit(name) is None:
                    raise Vanished(f"unit {name}")
            raise Unavailable(f"unit {name}: changed by others or unanswered {TRIES} times")

    async def change_rollout(self, id_: RolloutId, change: Callable[[RolloutRecord], RolloutRecord]) -> RolloutRecord:
        """As `change_unit`, for a known rollout. Every write carries at least our epoch."""
        async with self._locks.setdefault(id_, asyncio.Lock()):
            for _ in range(TRIES):
                stored = self._rollouts.get(id_)
                if stored is None:
                    raise Vanished(f"rollout {id_}")
                wanted = change(stored.record)
                if wanted == stored.record:
                    return wanted
                self._gate.check(self._timeout)
                wanted = replace(wanted, epoch=max(wanted.epoch, self._gate.epoch))
                outcome = await self._records.replace_rollout(stored, wanted)
                if isinstance(outcome, StoredRollout):
                    self._rollouts[id_] = outcome
                    return outcome.record
                if await self.fetch_rollout(stored.record.unit, id_) is None:
                    raise Vanished(f"rollout {id_}")
                if isinstance(outcome, Stale):
                    self._log("record-changed-by-others", {"rollout": id_})
            raise Unavailable(f"rollout {id_}: changed by others or unanswered {TRIES} times")

    async def survey(self, keep: int) -> bool:
        """One look at all rollouts: strays are found, closed ones with something to tell become known again, old ones
        are deleted.

        Kept are the last `keep` closed ones of each unit and all open incidents. False where the server does not
        answer.
        """
        everything = await self._records.list_rollouts(open_only=False)
        if isinstance(everything, Unknown):
            return False
        closed: dict[UnitName, list[StoredRollout]] = {}
        for stored in everything:
            record = stored.record
            if record.closed is None:
                self._found_open(stored)
                continue
            if _under_way(record):
                self._rollouts.setdefault(record.id, stored)
            elif not record.incident or record.incident_resolved is not None:
                closed.setdefault(record.unit, []).append(stored)
        for of_unit in closed.values():
            of_unit.sort(key=lambda s: s.record.started, reverse=True)
            for stored in of_unit[keep:]:
                self._gate.check(self._timeout)
                await self._records.delete_rollout(stored)
        return True

    def _found_open(self, stored: StoredRollout) -> None:
        """An open rollout that was not known is its unit's stray, unless the unit says that it is its current one."""
        record = stored.record
        owner = self.unit(record.unit)
        if record.id in self._rollouts or (owner is not None and owner.current_rollout == record.id):
            return
        self._rollouts[record.id] = stored
        self._strays[record.unit] = (*self._strays.get(record.unit, ()), record.id)


def _under_way(record: RolloutRecord) -> bool:
    """Whether there is something to be told of a closed rollout, now or later."""
    return any(notice.state is NoticeState.PENDING for notice in record.notices) or response.waits(record)
