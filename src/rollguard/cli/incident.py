"""`rollguard incident list`, `show`, `report` and `resolve`."""

from __future__ import annotations

import asyncio
from pathlib import Path

from rollguard.cli import exits, lookup, output
from rollguard.cli.connect import Connection, session
from rollguard.cli.respond import Said, say
from rollguard.model.records import RolloutRecord
from rollguard.model.requests import RequestKind
from rollguard.policy.mistakes import nearest
from rollguard.record import rollout_to_json
from rollguard.report import cause, incident_markdown

HEADER = ("INCIDENT", "NAMESPACE", "WORKLOAD", "STARTED", "STATE", "WHY")


def list_(
    *,
    connection: Connection | None = None,
    format_: output.Output = output.Format.TABLE,
    no_headers: output.NoHeaders = False,
) -> int:
    """All incidents that the cluster still holds, newest first."""
    return asyncio.run(_list(connection or Connection(), format_, headers=not no_headers))


def show(
    incident: str, /, *, connection: Connection | None = None, format_: output.Output = output.Format.TABLE
) -> int:
    """One incident as Markdown (`-o json`: its rollout's whole record).

    Parameters
    ----------
    incident
        Its id as `incident list` prints it; a rollout's id is taken as well.
    """
    return asyncio.run(_show(incident, connection or Connection(), format_))


def report(incident: str, /, *, to: Path | None = None, connection: Connection | None = None) -> int:
    """Write one incident as Markdown: what happened, on what evidence, who decided what and when.

    Parameters
    ----------
    incident
        Its id as `incident list` prints it; a rollout's id is taken as well.
    to
        The file, which must not exist; printed without one.
    """
    return asyncio.run(_report(incident, to, connection or Connection()))


def resolve(
    target: str,
    name: str | None = None,
    /,
    *,
    reason: str = "",
    connection: Connection | None = None,
    format_: output.Output = output.Format.TABLE,
) -> int:
    """Say that an incident is over, where the guard has not seen the recovery itself.

    Parameters
    ----------
    target
        An incident, a rollout's name, NAMESPACE WORKLOAD, NAMESPACE/WORKLOAD, or WORKLOAD with -n.
    name
        The workload, where its namespace stands before it.
    reason
        How it ended; recorded with your name.
    """
    said = Said(kind=RequestKind.RESOLVE, words=reason)
    return asyncio.run(say(lookup.spelled(target, name), said, connection, format_))


async def _list(connection: Connection, format_: output.Format, *, headers: bool) -> int:
    async with session(connection) as opened:
        incidents = [rollout for rollout in await lookup.rollouts(opened) if rollout.incident]
    if format_.for_programs:
        listed = output.as_json([rollout_to_json(rollout) for rollout in incidents])
        output.say(output.document(listed, format_))
    elif not incidents:
        output.say("No incidents.")
    else:
        within = output.width(format_)
        output.say(output.table(HEADER, [_row(rollout) for rollout in incidents], headers=headers, within=within))
    return exits.OK


async def _show(id_: str, connection: Connection, format_: output.Format) -> int:
    found = await _found(id_, connection)
    record = rollout_to_json(found)
    output.say(output.document(record, format_) if format_.for_programs else incident_markdown(found).rstrip("\n"))
    return exits.OK


async def _report(id_: str, to: Path | None, connection: Connection) -> int:
    page = incident_markdown(await _found(id_, connection))
    if to is None:
        output.say(page.rstrip("\n"))
        return exits.OK
    try:
        with to.open("x", encoding="utf-8") as file:
            file.write(page)
    except OSError as problem:
        raise exits.CommandError(f"{to}: cannot be written: {problem.strerror}", exits.USAGE) from None
    output.say(f"written: {to}")
    return exits.OK


async def _found(id_: str, connection: Connection) -> RolloutRecord:
    """The rollout of that incident; ends the command with the name that comes nearest."""
    async with session(connection) as opened:
        rollouts = await lookup.rollouts(opened)
    found = next((rollout for rollout in rollouts if id_ in (rollout.incident, rollout.id)), None)
    if found is None:
        like = nearest(id_, [rollout.incident for rollout in rollouts if rollout.incident])
        mean = f"did you mean {like}? " if like else ""
        raise exits.CommandError(
            f"no incident {id_!r}; {mean}`rollguard incident list -A` names those that the cluster holds"
        )
    return found


def _row(rollout: RolloutRecord) -> tuple[str, ...]:
    ended = rollout.state.value if rollout.outcome is None else rollout.outcome.value
    workload = rollout.workload
    return (rollout.incident, workload.namespace, workload.name, rollout.started.iso(), ended, cause(rollout))
