"""`rollguard status`: what is guarded and how each rollout stands."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from rollguard import report
from rollguard.cli import exits, lookup, output
from rollguard.cli.connect import Connection, Session, session, unanswered
from rollguard.lifecycle import response
from rollguard.model.action import Unknown
from rollguard.model.names import UnitName, WorkloadKind
from rollguard.model.records import EVERYTHING, LifecycleState, Outcome, RolloutRecord, StoredUnit, UnitRecord
from rollguard.model.time import Instant
from rollguard.record import rollout_to_json, unit_to_json

HEADER = ("NAMESPACE", "WORKLOAD", "MODE", "STATE", "PHASE", "VERDICT", "REVISION", "AGE", "WHY")
WIDE = ("OWNERS", "ROLLOUT", "IMAGES", "POLICY")


def status(
    *,
    connection: Connection | None = None,
    format_: output.Output = output.Format.TABLE,
    no_headers: output.NoHeaders = False,
) -> int:
    """What is guarded, and how each rollout stands."""
    return asyncio.run(_status(connection or Connection(), format_, headers=not no_headers))


async def _status(connection: Connection, format_: output.Format, *, headers: bool) -> int:
    async with session(connection) as opened:
        units, rollouts = await look(opened)
        leader, told_by = await opened.leader(), await channels(opened)
    if format_.for_programs:
        listed = output.as_json([document(unit, rollouts) for unit in units])
        output.say(output.document(listed, format_))
        return exits.OK
    shown = Shown(
        wide=format_ is output.Format.WIDE,
        headers=headers,
        namespace=opened.namespace,
        within=output.width(format_),
    )
    output.say(page(units, rollouts, opened.clock.now(), shown))
    output.note(told_by)
    output.note(leader)
    return exits.OK


async def channels(opened: Session) -> str:
    """One line on the channels of notices, for people, as the controller that leads, or led last, has found them."""
    stored = await opened.records.read_unit(UnitName(opened.guard_namespace, EVERYTHING))
    if isinstance(stored, Unknown):
        return f"By which channels notices go out is not known: {stored.detail}"
    told = report.channels(stored.record) if isinstance(stored, StoredUnit) else ""
    return told or f"By which channels notices go out is not known: no controller in {opened.guard_namespace} has said."


async def look(opened: Session) -> tuple[list[UnitRecord], dict[str, RolloutRecord]]:
    """Guarded units (sorted, those of the session's namespace); by unit, the current rollout, else the newest one."""
    units = await opened.records.list_units()
    if isinstance(units, Unknown):
        raise unanswered(units)
    records = await lookup.rollouts(opened)
    found = [stored.record for stored in units if opened.shows(stored.record.name.namespace)]
    found.sort(key=lambda unit: (unit.name.namespace, unit.name.object_name))
    last = {unit.name: lookup.newest(records, unit.name, unit.current_rollout) for unit in found}
    return found, {str(name): record for name, record in last.items() if record is not None}


def document(unit: UnitRecord, rollouts: dict[str, RolloutRecord]) -> str:
    """A unit and its current rollout as one JSON object: `{"unit": ..., "rollout": ... or null}`."""
    rollout = rollouts.get(str(unit.name))
    inner = "null" if rollout is None or rollout.id != unit.current_rollout else rollout_to_json(rollout)
    return '{"unit": ' + unit_to_json(unit) + ', "rollout": ' + inner + "}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """How the page is shown."""

    wide: bool = False
    headers: bool = True
    namespace: str = ""
    """The only one that was looked at; empty where all were."""
    within: int | None = None
    """The terminal's width; None for lines as long as they are."""


def page(units: list[UnitRecord], rollouts: dict[str, RolloutRecord], now: Instant, shown: Shown | None = None) -> str:
    """The table, and a line for each thing that a person should know or do; what to do when nothing is guarded."""
    shown = shown or Shown()
    guarded = [unit for unit in units if unit.name.object_name != EVERYTHING]
    lines = [*questions(units, rollouts), *unacknowledged(units, rollouts)]
    lines += [_condition(unit, kind, message) for unit in units for kind, message in unit.conditions]
    lines += [_frozen(unit) for unit in units if unit.freeze is not None and unit.freeze.until > now]
    if not guarded:
        where = f" in the namespace {shown.namespace} (`-A` looks at all)" if shown.namespace else ""
        lines.append(
            f"Nothing is guarded yet{where}. `rollguard run --policy FILE` guards the workloads that the policy's"
            " watches name."
        )
        return "\n".join(lines)
    rows = rows_of(guarded, rollouts, now, wide=shown.wide)
    header = (*HEADER[:-1], *WIDE, HEADER[-1]) if shown.wide else HEADER
    return "\n".join([output.table(header, rows, headers=shown.headers, within=shown.within), *lines])


def questions(units: list[UnitRecord], rollouts: dict[str, RolloutRecord]) -> list[str]:
    """For each rollback that waits for an answer: until when, and the command that gives it."""
    found = (rollouts.get(str(unit.name)) for unit in units)
    asked = [r for r in found if r is not None and r.state is LifecycleState.AWAITING_APPROVAL]
    return [
        f'! {rollout.unit}: roll back? until {until}: `rollguard approve {rollout.unit} --reason "..."` (or reject)'
        f"{_looked_into(rollout)}"
        for rollout in asked
        for until in [rollout.asked_until.iso_second() if rollout.asked_until is not None else "the window's end"]
    ]


def _looked_into(rollout: RolloutRecord) -> str:
    by = rollout.investigating
    return f"; {by.actor} looks into it since {by.at.iso_second()}" if by is not None else ""


def unacknowledged(units: list[UnitRecord], rollouts: dict[str, RolloutRecord]) -> list[str]:
    """For each page that nobody has acknowledged: since when, and the command that does."""
    found = (rollouts.get(str(unit.name)) for unit in units)
    return [
        f"! {rollout.unit}: paged at {rollout.called.iso_second()}, not acknowledged: `rollguard ack {rollout.unit}`"
        for rollout in found
        if rollout is not None and rollout.called is not None and response.calls(rollout)
    ]


def rows_of(
    units: list[UnitRecord], rollouts: dict[str, RolloutRecord], now: Instant, *, wide: bool = False
) -> list[tuple[str, ...]]:
    """A line for each of the guarded units."""
    colours = {name: told for unit in units if unit.release_set is not None for name, told in _colours(unit)}
    return [
        row(unit, rollouts.get(str(unit.name)), now, wide=wide, colour=colours.get(str(unit.name), ""))
        for unit in units
    ]


def _colours(unit: UnitRecord) -> list[tuple[str, str]]:
    """(unit of a Deployment of the release set, what it is there)."""
    release_set = unit.release_set
    if release_set is None:
        return []
    serves = {live.side.workload.name for live in unit.live}
    return [
        (
            f"{release_set.namespace}/{name}",
            f"{colour} of {member.name} in the set {release_set.name}"
            + (", serves" if name in serves else ", idle" if unit.live and unit.current_rollout is None else ""),
        )
        for member in release_set.members
        for colour, name in member.workloads
    ]


def row(
    unit: UnitRecord, rollout: RolloutRecord | None, now: Instant, *, wide: bool = False, colour: str = ""
) -> tuple[str, ...]:
    """One unit's line; a unit without an open rollout is steady, and `rollout` is then its last one.

    `colour` says what a Deployment of a release set is there: it is no way back of its own.
    """
    owners = ", ".join(unit.owners) or "-"
    place = (unit.workload.namespace, unit.workload.name, unit.mode.value)
    if rollout is None or rollout.id != unit.current_rollout:
        good = "" if unit.good() else "no good revision known"
        why = "; ".join(part for part in (colour or good, _last(rollout)) if part)
        live = report.live_colours(unit) or "-"
        return (*place, "steady", "-", "-", live, "-", *((owners, *("-",) * (len(WIDE) - 1)) if wide else ()), why)
    age = output.ago(now.since(rollout.started))
    more = (owners, rollout.id, report.versions(rollout), rollout.policy_digest) if wide else ()
    judged = ("-", "-") if rollout.order else (rollout.phase.value, rollout.verdict.value)
    state = (rollout.state.value, *judged)
    return (*place, *state, report.numbers_between(rollout), age, *more, _would(rollout) + rollout.why)


def _would(rollout: RolloutRecord) -> str:
    """What mode observe kept the guard from; empty where that is what is going on now, for then the reason says it."""
    would = rollout.would()
    if not would or rollout.why.startswith("would have"):
        return ""
    return f"{would[0].sentence()}; now: "


def _last(rollout: RolloutRecord | None) -> str:
    """How the unit's last rollout ended, and when: not how long ago, so that `watch` has no news each second."""
    if rollout is None or rollout.closed is None:
        return ""
    would = rollout.would()
    outcome = "closed" if rollout.outcome is None else rollout.outcome.value
    by_hand = f"; then {outcome}" if rollout.outcome is Outcome.PUT_BACK else ""
    if rollout.order and rollout.plan is not None and rollout.plan.done:
        outcome = f"{report.account(rollout)} ({outcome})"
    ended = would[0].sentence() + by_hand if would else outcome
    what = report.numbers_between(rollout) if rollout.passages else f"revision {rollout.target_number}"
    return f"{what}, {rollout.closed.iso_second()}: {ended}"


def _frozen(unit: UnitRecord) -> str:
    freeze = unit.freeze
    if freeze is None:
        return ""
    left = ""
    if unit.workload.kind is WorkloadKind.RELEASE_SET and unit.release_set is None:
        left = "; the policy has no such set any more, and what guards its Deployments now is not frozen by it"
    return f"! {_about(unit)} is frozen until {freeze.until.iso()} by {freeze.actor}: {freeze.reason}{left}"


def _condition(unit: UnitRecord, kind: str, message: str) -> str:
    return f"! {_about(unit)}: {kind}: {message}"


def _about(unit: UnitRecord) -> str:
    return "everything" if unit.name.object_name == EVERYTHING else str(unit.name)
