"""GuardedUnits and GuardedRollouts as the API server keeps them, with the rules that it holds by CEL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from rollguard.model.action import Absent, Plan, Step, StepState
from rollguard.model.names import RolloutId, UnitName
from rollguard.model.records import Exists, LifecycleState, RolloutRecord, Stale, StoredRollout, StoredUnit, UnitRecord
from rollguard.model.requests import Freeze, HumanRequest
from rollguard.sim.network import InvariantBroken

_ORDER = {StepState.PENDING: 0, StepState.TRYING: 1, StepState.DONE: 2, StepState.SKIPPED: 2, StepState.FAILED: 2}


class RecordStore:
    """All objects of the guard, each with a version that moves with every write."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._version = 0
        self.units: dict[UnitName, StoredUnit] = {}
        self.rollouts: dict[tuple[UnitName, RolloutId], StoredRollout] = {}
        self.broken: list[InvariantBroken] = []
        """What must never happen and did, also where the code under test passed over the exception."""
        self.frozen_since: dict[UnitName, float] = {}
        self.on_requests: list[Callable[[UnitName], None]] = []
        self.on_write: list[Callable[[str, float], None]] = []
        """Told of each write that a process (by name) hands to its port, and of the seconds that it may take."""
        self.on_rollout: list[Callable[[RolloutRecord | None, RolloutRecord], None]] = []

    def _next(self) -> str:
        self._version += 1
        return str(self._version)

    # --- what people write: spec ---

    def request(self, unit: UnitName, request: HumanRequest) -> bool:
        """Adds to `spec.requests`; False where there is no such unit."""
        return self._spec(unit, lambda record: replace(record, requests=(*record.requests, request)))

    def freeze(self, unit: UnitName, freeze: Freeze | None) -> bool:
        """Sets or lifts `spec.freeze`; False where there is no such unit."""
        if freeze is None:
            self.frozen_since.pop(unit, None)
        else:
            self.frozen_since.setdefault(unit, self._loop.time())
        return self._spec(unit, lambda record: replace(record, freeze=freeze))

    def _spec(self, unit: UnitName, change: Callable[[UnitRecord], UnitRecord]) -> bool:
        stored = self.units.get(unit)
        if stored is None:
            return False
        self.units[unit] = StoredUnit(record=change(stored.record), version=self._next())
        for listener in self.on_requests:
            listener(unit)
        return True

    # --- what the guard writes ---

    def send(self, process: str, timeout: float) -> None:
        """A write is about to leave."""
        try:
            for listener in self.on_write:
                listener(process, timeout)
        except InvariantBroken as error:
            self.broken.append(error)
            raise

    def create_unit(self, record: UnitRecord) -> StoredUnit | Exists:
        if record.name in self.units:
            return Exists()
        self.units[record.name] = StoredUnit(record=record, version=self._next())
        return self.units[record.name]

    def create_rollout(self, record: RolloutRecord) -> StoredRollout | Exists:
        key = (record.unit, record.id)
        if key in self.rollouts:
            return Exists()
        stored = StoredRollout(record=record, version=self._next())
        self.rollouts[key] = stored
        for listener in self.on_rollout:
            listener(None, record)
        return stored

    def replace_unit(self, stored: StoredUnit, record: UnitRecord) -> StoredUnit | Stale | Absent:
        found = self.units.get(stored.record.name)
        if found is None:
            return Absent()
        if found.version != stored.version:
            return Stale()
        kept = replace(record, requests=found.record.requests, freeze=found.record.freeze)
        self.units[record.name] = StoredUnit(record=kept, version=self._next())
        if kept.alerts != found.record.alerts:
            for listener in self.on_requests:
                listener(record.name)
        return self.units[record.name]

    def replace_rollout(self, stored: StoredRollout, record: RolloutRecord) -> StoredRollout | Stale | Absent:
        key = (stored.record.unit, stored.record.id)
        found = self.rollouts.get(key)
        if found is None:
            return Absent()
        if found.version != stored.version:
            return Stale()
        try:
            check_rollout(found.record, record)
        except InvariantBroken as error:
            self.broken.append(error)
            raise
        result = StoredRollout(record=record, version=self._next())
        self.rollouts[key] = result
        for listener in self.on_rollout:
            listener(found.record, record)
        return result

    def delete_rollout(self, stored: StoredRollout) -> None:
        self.rollouts.pop((stored.record.unit, stored.record.id), None)


def check_rollout(old: RolloutRecord, new: RolloutRecord) -> None:
    """The rules of the rollout's status. Raises InvariantBroken where the server would refuse the write."""
    if new.epoch < old.epoch:
        raise InvariantBroken(f"epoch falls from {old.epoch} to {new.epoch} in {old.id}")
    if (new.uid, new.target) != (old.uid, old.target):
        raise InvariantBroken(f"the uid or the target of {old.id} was changed")
    if old.closed is not None and new.closed != old.closed:
        raise InvariantBroken(f"{old.id} was opened again")
    if old.plan is None:
        return
    if new.plan is None:
        raise InvariantBroken(f"the plan {old.plan.id} of {old.id} was removed")
    if new.plan.epoch < old.plan.epoch:
        raise InvariantBroken(f"the epoch of the plan of {old.id} falls")
    if new.plan.id != old.plan.id:
        over = any(s.state is StepState.FAILED for s in old.plan.steps) or old.plan.done
        goes_on = new.plan.continues > old.plan.continues
        if old.state in (LifecycleState.PLANNED, LifecycleState.ACTING) and not (over or goes_on):
            raise InvariantBroken(f"the live plan {old.plan.id} of {old.id} was replaced by {new.plan.id}")
        return
    _check_plan(old.plan, new.plan)


def _check_plan(old: Plan, new: Plan) -> None:
    if _fixed(old) != _fixed(new):
        raise InvariantBroken(f"the plan {old.id} was changed")
    for before, after in zip(old.steps, new.steps, strict=True):
        backwards = _ORDER[after.state] < _ORDER[before.state]
        if backwards or (_ORDER[before.state] == 2 and after.state is not before.state):
            raise InvariantBroken(f"step {old.id}/{before.n} goes from {before.state} back to {after.state}")


def _fixed(plan: Plan) -> Plan:
    def fixed(step: Step) -> Step:
        return replace(step, state=StepState.PENDING, detail="", over_at=None, fruitless=None)

    return replace(plan, steps=tuple(fixed(step) for step in plan.steps))
