"""`rollguard status`: what is guarded and how each rollout stands."""

from __future__ import annotations

import asyncio

from rollguard.cli import exits, output
from rollguard.cli.connect import Connection, Session, session
from rollguard.model.action import Unknown
from rollguard.model.records import EVERYTHING, RolloutRecord, UnitRecord
from rollguard.model.time import Instant
from rollguard.record import rollout_to_json, unit_to_json

HEADER = ("NAMESPACE", "WORKLOAD", "MODE", "STATE", "PHASE", "VERDICT", "REVISION", "AGE", "WHY")
WHY_WIDTH = 100


def status(*, connection: Connection | None = None, format_: output.Output = output.Format.TABLE) -> int:
    """What is guarded, and how each rollout stands."""
    return asyncio.run(_status(connection or Connection(), format_))


async def _status(connection: Connection, format_: output.Format) -> int:
    async with session(connection) as opened:
        units, rollouts = await look(opened)
        leader = await opened.leader()
    if format_ is output.Format.JSON:
        output.say(output.as_json([document(unit, rollouts) for unit in units]))
        return exits.OK
    output.say(page(units, rollouts, opened.clock.now()))
    output.note(leader)
    return exits.OK


async def look(opened: Session) -> tuple[list[UnitRecord], dict[str, RolloutRecord]]:
    """Guarded units (sorted, those of the session's namespace) and their current rollouts by id."""
    units = await opened.records.list_units()
    if isinstance(units, Unknown):
        raise exits.CommandError(f"the cluster did not answer: {units.detail}", exits.UNREACHABLE)
    rollouts = await opened.records.list_rollouts(open_only=True)
    if isinstance(rollouts, Unknown):
        raise exits.CommandError(f"the cluster did not answer: {rollouts.detail}", exits.UNREACHABLE)
    found = [stored.record for stored in units if opened.shows(stored.record.name.namespace)]
    found.sort(key=lambda unit: (unit.name.namespace, unit.name.object_name))
    return found, {str(stored.record.id): stored.record for stored in rollouts}


def document(unit: UnitRecord, rollouts: dict[str, RolloutRecord]) -> str:
    """A unit and its current rollout as one JSON object: `{"unit": ..., "rollout": ... or null}`."""
    rollout = rollouts.get(str(unit.current_rollout))
    inner = "null" if rollout is None else rollout_to_json(rollout)
    return '{"unit": ' + unit_to_json(unit) + ', "rollout": ' + inner + "}"


def page(units: list[UnitRecord], rollouts: dict[str, RolloutRecord], now: Instant) -> str:
    """The table, and a line for each thing that is wrong; says what to do when nothing is guarded."""
    guarded = [unit for unit in units if unit.name.object_name != EVERYTHING]
    lines = [_condition(unit, kind, message) for unit in units for kind, message in unit.conditions]
    lines += [_frozen(unit) for unit in units if unit.freeze is not None and unit.freeze.until > now]
    if not guarded:
        lines.append(
            "Nothing is guarded yet. `rollguard run --policy FILE` guards the workloads that the policy's watches name."
        )
        return "\n".join(lines)
    rows = [row(unit, rollouts.get(str(unit.current_rollout)), now) for unit in guarded]
    return "\n".join([output.table(HEADER, rows), *lines])


def row(unit: UnitRecord, rollout: RolloutRecord | None, now: Instant) -> tuple[str, ...]:
    """One unit's line; a unit without a rollout is steady."""
    place = (unit.workload.namespace, unit.workload.name, unit.mode.value)
    if rollout is None:
        good = "no good revision known" if not unit.healthy and unit.adopted is None else ""
        return (*place, "steady", "-", "-", "-", "-", good)
    passage = f"{rollout.baseline_number or '-'}->{rollout.target_number}"
    age = output.ago(now.since(rollout.started))
    why = rollout.why if len(rollout.why) <= WHY_WIDTH else rollout.why[: WHY_WIDTH - 1] + "…"
    return (*place, rollout.state.value, rollout.phase.value, rollout.verdict.value, passage, age, why)


def _frozen(unit: UnitRecord) -> str:
    freeze = unit.freeze
    if freeze is None:
        return ""
    return f"! {_about(unit)} is frozen until {freeze.until.iso()} by {freeze.actor}: {freeze.reason}"


def _condition(unit: UnitRecord, kind: str, message: str) -> str:
    return f"! {_about(unit)}: {kind}: {message}"


def _about(unit: UnitRecord) -> str:
    return "everything" if unit.name.object_name == EVERYTHING else str(unit.name)
