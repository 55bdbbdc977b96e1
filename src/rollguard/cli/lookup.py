"""Which rollout or workload a person means, and the rollouts that the cluster holds."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from rollguard.cli import exits
from rollguard.cli.connect import Connection, Session, unanswered
from rollguard.model.action import Unknown
from rollguard.model.names import RolloutId, UnitName, WorkloadKind, WorkloadName
from rollguard.model.policy import ReleaseSet
from rollguard.model.records import EVERYTHING, RolloutRecord, StoredUnit, UnitRecord

SPELLINGS = "NAMESPACE WORKLOAD, NAMESPACE/WORKLOAD, or WORKLOAD with -n NAMESPACE"
EXPECTED = f"expected a rollout's name, {SPELLINGS}"
NAMED = 5
"""Names that are told where the one that was given does not exist."""


def spelled(first: str, second: str | None) -> str:
    """What one or two words name, in one: a rollout's name, NAMESPACE/WORKLOAD or WORKLOAD; else ends the command."""
    if second is None:
        return first
    if not first or not second or "/" in first + second:
        raise exits.CommandError(f"'{first} {second}': expected {SPELLINGS}", exits.USAGE)
    return f"{first}/{second}"


def scoped(connection: Connection | None, text: str) -> Connection:
    """The connection, in the namespace that the argument names where it names one."""
    namespace, slash, _ = text.rpartition("/")
    present = connection or Connection()
    return present.within(namespace) if slash and namespace else present


def workload_named(text: str, opened: Session) -> WorkloadName:
    """The workload of NAMESPACE/WORKLOAD, or of WORKLOAD in the namespace at hand; ends the command where it is
    neither."""
    namespace, slash, name = text.rpartition("/")
    if not slash:
        namespace = opened.home
    if not name or not namespace or "/" in namespace:
        raise exits.CommandError(f"{text!r}: {EXPECTED}", exits.USAGE)
    return WorkloadName(namespace, WorkloadKind.DEPLOYMENT, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """What a name stands for."""

    workload: WorkloadName
    """What is guarded: a Deployment, or the set."""
    release_set: ReleaseSet | None = None
    member: str = ""
    """The set's member whose Deployment was named; empty where the set itself was."""

    @property
    def unit(self) -> UnitName:
        """The unit that guards it."""
        return UnitName.of_workload(self.workload)

    def beside(self) -> str:
        """The members that were not named, in words."""
        members = self.release_set.members if self.release_set is not None else ()
        return " and ".join(member.name for member in members if member.name != self.member)


async def meant(opened: Session, text: str) -> Meant:
    """What NAMESPACE/NAME, or NAME in the namespace at hand, stands for: a release set by its own name or that of any
    Deployment of it, else the Deployment of that name. Ends the command where the cluster does not answer."""
    named = workload_named(text, opened)
    listed = await opened.records.list_units()
    if isinstance(listed, Unknown):
        raise unanswered(listed)
    units = [stored.record for stored in listed if stored.record.name.namespace == named.namespace]
    found = next((each for unit in units if (each := _in_set(unit, named)) is not None), None)
    return found or Meant(workload=named)


def _in_set(unit: UnitRecord, named: WorkloadName) -> Meant | None:
    release_set = unit.release_set
    if release_set is None:
        return None
    found = release_set.member_of(named.name)
    if found is None and release_set.name != named.name:
        return None
    return Meant(workload=release_set.workload, release_set=release_set, member=found[0].name if found else "")


async def rollouts(opened: Session) -> list[RolloutRecord]:
    """All rollouts of the session's namespaces, open and closed, the newest first."""
    answer = await opened.records.list_rollouts(open_only=False)
    if isinstance(answer, Unknown):
        raise unanswered(answer)
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
    unit = (await meant(opened, text)).unit
    stored = await guarded(opened, unit, [str(record.id) for record in records])
    found = newest(records, unit, stored.record.current_rollout if stored is not None else None)
    if found is None:
        raise exits.CommandError(f"{unit} is guarded and has had no rollout yet; `rollguard status` shows it")
    return found


async def guarded(opened: Session, unit: UnitName, others: Iterable[str] = ()) -> StoredUnit | None:
    """The unit; None where it is not guarded any more and rollouts of it are kept; else ends the command with the names
    that come nearest, also of the `others` that could be meant."""
    stored = await opened.records.read_unit(unit)
    if isinstance(stored, StoredUnit):
        return stored
    if isinstance(stored, Unknown):
        raise unanswered(stored)
    if any(record.unit == unit for record in await rollouts(opened)):
        return None
    raise await unguarded(opened, unit, others)


async def unguarded(opened: Session, unit: UnitName, others: Iterable[str] = ()) -> exits.CommandError:
    """What to say of a name that is not guarded: the nearest ones, else those of its namespace."""
    listed = await opened.records.list_units()
    if isinstance(listed, Unknown):
        return unanswered(listed)
    names = [str(stored.record.name) for stored in listed if stored.record.name.object_name != EVERYTHING]
    return exits.CommandError(
        f"{unit} is not guarded, and there is no rollout of that name; {near(unit, names, others)}"
    )


def near(unit: UnitName, names: Iterable[str], others: Iterable[str] = ()) -> str:
    """The guarded names (and others) that are most like the unit's, else those of its namespace."""
    known = sorted(names)
    # namespaces are mostly spelt right: without their part two names of one namespace are not like each other for it
    for candidates in (known, tuple(others)):
        like = {name.rpartition("/")[2]: name for name in candidates}
        words = difflib.get_close_matches(str(unit).rpartition("/")[2], like, n=NAMED, cutoff=0.6)
        if words:
            return f"did you mean {' or '.join(like[word] for word in words)}?"
    there = [name for name in known if name.startswith(f"{unit.namespace}/")]
    if not there:
        return f"nothing in the namespace {unit.namespace} is; `rollguard status -A` lists what is"
    more = f" and {len(there) - NAMED} more (`rollguard status`)" if len(there) > NAMED else ""
    return f"guarded there: {', '.join(there[:NAMED])}{more}"
