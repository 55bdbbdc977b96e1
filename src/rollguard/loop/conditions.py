"""What is wrong with a unit now, in its record: that it cannot be judged, or cannot be seen."""

from __future__ import annotations

from rollguard.loop import changes
from rollguard.loop.context import Context, Memory
from rollguard.model.facts import UnitFacts
from rollguard.model.lifecycle import Tell
from rollguard.model.records import NoticeClass, UnitRecord

BLIND, ERROR, UNSEEN = "Blind", "Error", "Unseen"
UNSEEN_AFTER = 60.0
"""Seconds for which a watch may be away before people are told: an API server that restarts is no news."""


def see(context: Context, memory: Memory, facts: UnitFacts) -> None:
    """Remembers since when the unit is not seen completely."""
    if facts.complete:
        memory.unseen = None
    elif memory.unseen is None:
        memory.unseen = context.now()


async def keep(context: Context, memory: Memory, facts: UnitFacts, *, blind: str) -> None:
    """Writes what begins and what ends; a look that came this far ends an error.

    A unit that is not seen completely for long is paged once: until it is seen again nothing rolls back, and no rollout
    of it is even noticed.
    """
    unit = context.store.unit(facts.unit)
    if unit is None:
        return
    now, policy = context.now(), context.policy
    long = memory.unseen is not None and now.since(memory.unseen) >= UNSEEN_AFTER
    unseen = f"not seen completely, so nothing is guarded here: {'; '.join(facts.missing)}" if long else ""
    page = Tell(class_=NoticeClass.PAGE, topic="unseen", reason=unseen)

    def present(unit: UnitRecord) -> UnitRecord:
        begins = unseen and UNSEEN not in dict(unit.conditions)
        told = changes.told_unit(unit, page, policy=policy, now=now) if begins else unit
        told = changes.with_condition(changes.with_condition(told, ERROR, ""), BLIND, blind)
        return changes.with_condition(told, UNSEEN, unseen)

    if present(unit) != unit:
        await context.store.change_unit(unit.name, present)
