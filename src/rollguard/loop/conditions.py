"""What is wrong with a unit now, in its record: that it cannot be judged, or cannot be seen."""

from __future__ import annotations

from collections import defaultdict

from rollguard.loop import units
from rollguard.loop.context import Context, Memory
from rollguard.model.facts import UnitFacts
from rollguard.model.records import UnitRecord
from rollguard.model.time import Instant
from rollguard.policy.amounts import counted

BLIND, ERROR, UNSEEN = "Blind", "Error", "Unseen"
UNSEEN_AFTER = 60.0
"""Seconds for which a watch may be away before people are told: an API server that restarts is no news."""


def see(context: Context, memory: Memory, facts: UnitFacts) -> None:
    """Remembers since when the unit is not seen completely, and what is missing."""
    memory.missing = facts.missing
    if facts.complete:
        memory.unseen = None
    elif memory.unseen is None:
        memory.unseen = context.now()


async def keep(context: Context, memory: Memory, facts: UnitFacts, *, blind: str) -> None:
    """Writes what begins and what ends; a look that came this far ends an error.

    While a unit is not seen completely nothing rolls back, and no rollout of it is even noticed. `everything.tell`
    pages that, once for all units that it concerns.
    """
    unit = context.store.unit(facts.unit)
    if unit is None:
        return
    long = _lasts(memory, context.now())
    unseen = f"not seen completely, so nothing is guarded here: {'; '.join(facts.missing)}" if long else ""

    def present(unit: UnitRecord) -> UnitRecord:
        seen = units.with_condition(units.with_condition(unit, ERROR, ""), BLIND, blind)
        return units.with_condition(seen, UNSEEN, unseen)

    if present(unit) != unit:
        await context.store.change_unit(unit.name, present)


def unseen(context: Context) -> dict[str, str]:
    """What hides units for long, and in words how many and why: one entry for each copy that is missing first."""
    hidden: defaultdict[str, list[Memory]] = defaultdict(list)
    for memory in context.units.values():
        if memory.unseen is not None:
            hidden[next(iter(memory.missing), "").partition(": ")[0]].append(memory)
    # Looks are spread over a tick: who has missed the same for a little less than the others is counted as well.
    return {
        cause: f"{counted(len(units), 'workload')} not seen completely, so nothing is guarded there:"
        f" {next(iter(units[0].missing), '')}"
        for cause, units in sorted(hidden.items())
        if any(_lasts(memory, context.now()) for memory in units)
    }


def _lasts(memory: Memory, now: Instant) -> bool:
    return memory.unseen is not None and now.since(memory.unseen) >= UNSEEN_AFTER
