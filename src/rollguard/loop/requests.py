"""Entries of `spec.requests`: which are pending, and how who asked is told what became of it.

A request is marked as handled after its effect is in the cluster; an effect that is there already is not had again.
"""

from __future__ import annotations

from rollguard.loop import telling, timeline, units
from rollguard.loop.context import Context
from rollguard.loop.transitions import note
from rollguard.model.lifecycle import Tell
from rollguard.model.names import UnitName
from rollguard.model.records import LifecycleState, RolloutRecord, TimelineEntry, UnitRecord
from rollguard.model.requests import HumanRequest

OPEN_TO_PEOPLE = (LifecycleState.WATCHING, LifecycleState.AWAITING_APPROVAL, LifecycleState.HELD)
"""While nothing is under way: people may order, and look into it."""


def pending(unit: UnitRecord) -> tuple[HumanRequest, ...]:
    """The requests that were not handled yet, the oldest first."""
    return tuple(sorted((r for r in unit.requests if r.id not in unit.handled_requests), key=lambda r: (r.at, r.id)))


async def mark_handled(context: Context, unit: UnitName, request: HumanRequest) -> None:
    """Never again."""
    await context.store.change_unit(unit, lambda u: units.handled(u, request.id))


async def tell_back(
    context: Context, unit: UnitRecord, tell: Tell, line: TimelineEntry, record: RolloutRecord | None
) -> None:
    """Who asked for something is told what became of it; once, as the line of the story is there once."""
    now = context.now()

    def told(present: RolloutRecord) -> RolloutRecord:
        noted = timeline.with_entries(present, (line,))
        if noted == present:
            return present
        return telling.told(noted, tell, unit=unit, policy=context.policies.of(present), now=now)

    if record is not None:
        await note(context, record, told)
    else:
        await context.store.change_unit(unit.name, lambda u: telling.told_unit(u, tell, policy=context.policy, now=now))


def human(request: HumanRequest, text: str) -> TimelineEntry:
    """A line of the story whose actor is the person; the time is that of the request, so that it is told once."""
    return TimelineEntry(at=timeline.to_milliseconds(request.at), kind="human", text=text, actor=request.actor)
