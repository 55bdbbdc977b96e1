"""What a unit forgets as good, and counts, because it is undone: once that is so, or may be."""

from __future__ import annotations

from rollguard import undo
from rollguard.loop import surroundings, units
from rollguard.loop.context import Context
from rollguard.loop.transitions import unit_of
from rollguard.model.action import Plan
from rollguard.model.records import RolloutRecord, UnitRecord


async def condemn(context: Context, record: RolloutRecord, plan: Plan) -> str:
    """Its unit forgets what the plan undoes as good, and counts a rollback of the guard's own, once. Returns what is to
    be told of it.

    To be done before the step that undid it is marked, or before the plan is given up: a crash in between is made good
    by who reads the step afresh.
    """
    digests = undo.undone(plan, record)

    def undone(unit: UnitRecord) -> UnitRecord:
        for digest in digests:
            unit = units.with_undone(unit, digest, plan.created)
        return units.with_rollback(unit, plan.created) if plan.actor == surroundings.GUARD else unit

    unit = unit_of(context, record.unit)
    await context.store.change_unit(record.unit, undone)
    if not any(good.digest in digests for good in unit.good()):
        return ""
    what = f"revision {record.target_number}" if not record.passages else f"what {_left_colour(record)} runs"
    return f"{what} was good until now, and is not gone back to any more"


def _left_colour(record: RolloutRecord) -> str:
    return " and ".join(dict.fromkeys(passage.new.colour for passage in record.passages))
