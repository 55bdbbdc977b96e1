"""The controller examines its surroundings at its start and from time to time. It never keeps it from guarding."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from functools import partial

from rollguard.doctor import Check, State
from rollguard.loop import everything, units
from rollguard.loop.context import Context
from rollguard.loop.leader import LeadershipLost
from rollguard.loop.store import Unavailable, Vanished
from rollguard.model.records import UnitRecord
from rollguard.model.time import Mono
from rollguard.ports import Doctor

EVERY = 3600.0
AGAIN = 300.0
"""Seconds until it looks again where something failed, or the cluster did not answer: what is mended should not stand
in `status` for an hour."""
WRITE_EVERY = 5.0
"""Seconds: units come and go, a write may fail, and who leads changes. Where nothing changed, nothing is written."""
CONDITION = "Doctor"
"""Begins the types of the conditions that come from here."""


class Checkup:
    """Writes what failed as conditions: on the unit that it concerns, else on the GuardedUnit of everything."""

    def __init__(self, context: Context, doctor: Doctor) -> None:
        self._context = context
        self._doctor = doctor
        self._failed: tuple[Check, ...] = ()
        self._looked: Mono | None = None
        self._soon = False
        self._policy = ""
        """Digest of the policy that was looked at: a changed one is looked at at once."""

    def failures(self) -> tuple[tuple[str, int], ...]:
        """How many checks of each name failed at the last look, sorted."""
        return tuple(sorted(Counter(check.name for check in self._failed).items()))

    async def keep(self, active: asyncio.Event) -> None:
        """Goes on until cancelled. It looks also while we do not lead, for what it logs may be why; it writes only
        while we do."""
        clock = self._context.clock
        while True:
            if self._due():
                await self.look()
            if active.is_set():
                await self.write()
            await clock.sleep_until(clock.mono().plus(WRITE_EVERY))

    def _due(self) -> bool:
        if self._looked is None or self._policy != self._context.policy.digest:
            return True
        return self._context.clock.mono().since(self._looked) >= (AGAIN if self._soon else EVERY)

    async def look(self) -> None:
        """One examination; what failed is logged."""
        self._looked, self._soon = self._context.clock.mono(), True
        self._policy = self._context.policy.digest
        checks = await self._doctor.examine(self._context.policy)
        self._failed = tuple(check for check in checks if check.state is State.FAILED)
        self._soon = bool(self._failed) or any(c.name == "version" and c.state is State.UNKNOWN for c in checks)
        for check in self._failed:
            fields = {"check": check.name, "subject": check.subject, "found": check.found, "do": check.what_to_do}
            self._context.log("doctor-failed", fields)
        counts = Counter(check.state for check in checks)
        self._context.log("doctor", {state.value: counts[state] for state in State})

    async def write(self) -> None:
        """Brings the conditions of all known units up to the last look."""
        store = self._context.store
        try:
            if any(check.unit is None for check in self._failed):
                await everything.create(self._context)
            for unit in store.units:
                concerned = None if unit.name == everything.name_of_all(self._context) else unit.name
                mine = tuple(check for check in self._failed if check.unit == concerned)
                if with_checks(unit, mine) != unit:
                    await store.change_unit(unit.name, partial(with_checks, failed=mine))
        except (Unavailable, Vanished, LeadershipLost) as unwritten:
            self._context.log("doctor-not-written", {"detail": str(unwritten)})


def with_checks(unit: UnitRecord, failed: tuple[Check, ...]) -> UnitRecord:
    """The unit with exactly these checks as its conditions of doctor's: `DoctorPaused` for the check `paused`."""
    others = tuple(entry for entry in unit.conditions if not entry[0].startswith(CONDITION))
    told: dict[str, list[str]] = {}
    for check in failed:
        type_ = CONDITION + "".join(word.capitalize() for word in check.name.split("-"))
        told.setdefault(type_, []).append(f"{check.subject}: {check.found}")
    mine = tuple((type_, "; ".join(texts)[: units.CONDITION]) for type_, texts in told.items())
    return replace(unit, conditions=(*others, *mine))
