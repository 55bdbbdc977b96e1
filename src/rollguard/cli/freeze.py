"""`rollguard freeze` and `release`: a human's order that a workload, or all, be left alone until a time."""

from __future__ import annotations

import asyncio

from rollguard.cli import exits, lookup, output
from rollguard.cli.connect import Connection, Session, recorded, session, written
from rollguard.model.action import Absent
from rollguard.model.names import UnitName
from rollguard.model.records import EVERYTHING
from rollguard.model.requests import Freeze
from rollguard.policy import durations


def freeze(
    unit: str | None = None,
    name: str | None = None,
    /,
    *,
    all_: bool = False,
    for_: str = "2h",
    reason: str = "",
    connection: Connection | None = None,
    format_: output.Output = output.Format.TABLE,
) -> int:
    """Leave a workload, or all of them, alone until a time.

    Parameters
    ----------
    unit
        NAMESPACE WORKLOAD, NAMESPACE/WORKLOAD, or WORKLOAD with -n.
    name
        The workload, where its namespace stands before it.
    all_
        Everything that is guarded.
    for_
        How long, as 30m or 2h.
    reason
        Why; shown in status and in every notice.
    """
    seconds = durations.parse(for_)
    if seconds is None or seconds <= 0:
        raise exits.CommandError(f"--for {for_!r}: expected a duration such as 30m or 2h", exits.USAGE)
    text = lookup.spelled(unit, name) if unit else None
    return asyncio.run(_order(text, all_, seconds, reason, connection=connection, format_=format_))


def release(
    unit: str | None = None,
    name: str | None = None,
    /,
    *,
    all_: bool = False,
    connection: Connection | None = None,
    format_: output.Output = output.Format.TABLE,
) -> int:
    """Lift a freeze.

    Parameters
    ----------
    unit
        NAMESPACE WORKLOAD, NAMESPACE/WORKLOAD, or WORKLOAD with -n.
    name
        The workload, where its namespace stands before it.
    all_
        The freeze of everything (freezes of single workloads stay).
    """
    text = lookup.spelled(unit, name) if unit else None
    return asyncio.run(_order(text, all_, None, "", connection=connection, format_=format_))


async def _order(
    unit: str | None,
    all_: bool,
    seconds: float | None,
    reason: str,
    *,
    connection: Connection | None,
    format_: output.Format,
) -> int:
    if (unit is None) != all_:
        text = f"name one workload ({lookup.SPELLINGS}), or --all for everything"
        raise exits.CommandError(text, exits.USAGE)
    order = None
    async with session(lookup.scoped(connection, unit or "")) as opened:
        name = await named(unit, opened)
        if seconds is not None:
            actor = await opened.actor()
            until = opened.clock.now().plus(seconds)
            order = Freeze(until=until, actor=actor, reason=recorded(reason, actor))
        outcome = await opened.orders.freeze(name, order)
        if isinstance(outcome, Absent):
            raise await lookup.unguarded(opened, name)
        written(outcome, name)
    output.say(told(name, order, format_))
    return exits.OK


def told(name: UnitName, order: Freeze | None, format_: output.Format) -> str:
    """What was done: the unit is frozen, or released where there is no order."""
    if not format_.for_programs:
        state = "released" if order is None else f"frozen until {order.until.iso()} by {order.actor}"
        return f"{_what(name)} is {state}"
    if order is None:
        return output.document(output.as_object(unit=_what(name), frozen=False), format_)
    frozen = output.as_object(
        unit=_what(name), frozen=True, until=order.until.iso(), actor=order.actor, reason=order.reason
    )
    return output.document(frozen, format_)


async def named(unit: str | None, opened: Session) -> UnitName:
    """The unit that the argument names, a release set for any Deployment of it; without one, the object that stands
    for everything."""
    if unit is None:
        return UnitName(opened.guard_namespace, EVERYTHING)
    return (await lookup.meant(opened, unit)).unit


def _what(name: UnitName) -> str:
    return "everything" if name.object_name == EVERYTHING else str(name)
