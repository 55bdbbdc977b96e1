"""Which rollout or workload a person means, and the rollouts that the cluster holds."""

from __future__ import annotations

from collections.abc import Iterable

from rollguard.cli import exits
from rollguard.cli.connect import Connection, Session
from rollguard.model.action import Unknown
from rollguard.model.names import RolloutId, UnitName, WorkloadKind, WorkloadName
from rollguard.model.records import RolloutRecord, StoredUnit

EXPECTED = "expected a rollout's name, NAMESPACE/WORKLOAD, or WORKLOAD with -n NAMESPACE"


def scoped(connection: Connection | None, text: str) -> Connection:
    """The connection, in the namespace that the argument names where it names one."""
    namespace, slash, _ = text.rpartition("/")
    present = connection or Connection()
    return present.within(namespace) if slash and namespace else present


def unit_named(text: str, opened: Session) -> UnitName:
    """The unit of NAMESPACE/WORKLOAD, or of WORKLOAD in the namespace at hand; ends the command where it is neither."""
    namespace, slash, name = text.rpartition("/")
    if not slash:
        namespace = opened.home
    if not name or not namespace or "/" in namespace:
        raise exits.CommandError(f"{text!r}: {EXPECTED}", exits.USAGE)
    return UnitName.of_workload(WorkloadName(namespace, WorkloadKind.DEPLOYMENT, name))


async def rollouts(opened: Session) -> list[RolloutRecord]:
    """All rollouts of the session's namespaces, open and closed, the newest first."""
    answer = await opened.records.list_rollouts(open_only=False)
    if isinstance(answer, Unknown):
        raise exits.CommandError(f"the cluster did not answer: {answer.detail}", exits.UNREACHABLE)
    records = [stored.record for stored in answer if opened.shows(stored.record.unit.namespace)]
    return sorted(records, key=lambda record: record.started, reverse=True)


def newest(records: Iterable[RolloutRecord], unit: UnitName, current: RolloutId | None) -> RolloutRecord | None:
    """The unit's current rollout, else its newest; None where it has none."""
    mine = [record for record in records if record.unit == unit]
    return next((r for r in mine if r.id == current), None) or max(mine, key=lambda r: r.started, default=None)


async def rollout_named(opened: Session, text: str) -> RolloutRecord:
    """The rollout (or incident) of that name, else the workload's current or newest one; else ends the command."""
    records = await rollouts(opened)
    named = next((record for record in records if text in (record.id, record.incident)), None)
    if named is not None:
        return named
    unit = unit_named(text, opened)
    stored = await opened.records.read_unit(unit)
    if isinstance(stored, Unknown):
        raise exits.CommandError(f"the cluster did not answer: {stored.detail}", exits.UNREACHABLE)
    current = stored.record.current_rollout if isinstance(stored, StoredUnit) else None
    found = newest(records, unit, current)
    if found is not None:
        return found
    if isinstance(stored, StoredUnit):
        raise exits.CommandError(f"{unit} is guarded and has had no rollout yet; `rollguard status` shows it")
    raise exits.CommandError(
        f"no rollout and no guarded workload {text!r} ({EXPECTED}); `rollguard history -A` lists rollouts,"
        " `rollguard status -A` what is guarded"
    )
