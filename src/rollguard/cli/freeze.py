"""`rollguard freeze` and `release`: a human's order that a workload, or all, be left alone until a time."""

from __future__ import annotations

import asyncio

from rollguard.cli import exits, output
from rollguard.cli.connect import Connection, Session, session, written
from rollguard.model.names import UnitName, WorkloadKind, WorkloadName
from rollguard.model.records import EVERYTHING, Freeze
from rollguard.policy import durations


def freeze(
    unit: str | None = None,
    /,
    *,
    all_: bool = False,
    for_: str = "2h",
    reason: str = "",
    connection: Connection | None = None,
) -> int:
    """Leave a workload (NAMESPACE/NAME, or NAME with -n) or all of them alone until a time.

    Parameters
    ----------
    unit
        NAMESPACE/NAME of the workload.
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
    return asyncio.run(_order(unit, all_, seconds, reason, connection or Connection()))


def release(unit: str | None = None, /, *, all_: bool = False, connection: Connection | None = None) -> int:
    """Lift a freeze.

    Parameters
    ----------
    unit
        NAMESPACE/NAME of the workload.
    all_
        The freeze of everything (freezes of single workloads stay).
    """
    return asyncio.run(_order(unit, all_, None, "", connection or Connection()))


async def _order(unit: str | None, all_: bool, seconds: float | None, reason: str, connection: Connection) -> int:
    if (unit is None) != all_:
        raise exits.CommandError("name one workload as NAMESPACE/NAME, or --all for everything", exits.USAGE)
    async with session(connection) as opened:
        name = named(unit, opened)
        if seconds is None:
            written(await opened.orders.freeze(name, None), name)
            output.say(f"{_what(name)} is released")
            return exits.OK
        order = Freeze(until=opened.clock.now().plus(seconds), actor=await opened.actor(), reason=reason)
        written(await opened.orders.freeze(name, order), name)
    output.say(f"{_what(name)} is frozen until {order.until.iso()} by {order.actor}")
    return exits.OK


def named(unit: str | None, opened: Session) -> UnitName:
    """The unit that the argument names; without one, the object that stands for everything."""
    if unit is None:
        return UnitName(opened.guard_namespace, EVERYTHING)
    namespace, slash, name = unit.rpartition("/")
    if not slash:
        namespace = opened.namespace
    if not name or not namespace or "/" in namespace:
        raise exits.CommandError(f"{unit!r}: expected NAMESPACE/NAME, or NAME with -n NAMESPACE", exits.USAGE)
    return UnitName.of_workload(WorkloadName(namespace, WorkloadKind.DEPLOYMENT, name))


def _what(name: UnitName) -> str:
    return "everything" if name.object_name == EVERYTHING else str(name)
