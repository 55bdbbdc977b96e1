"""Which rollout `rollback --bad` means: the only one that is bad and that nobody takes back yet."""

from __future__ import annotations

from collections.abc import Sequence

from rollguard import report
from rollguard.cli import exits, lookup
from rollguard.cli.connect import Connection, session
from rollguard.model.judgement import VerdictKind
from rollguard.model.records import OWN_UNDO, LifecycleState, RolloutRecord


async def the_bad_one(connection: Connection, among: tuple[str, ...]) -> RolloutRecord:
    """The only bad rollout of these namespaces, else of those that the connection shows; ends the command, with a list
    of what is under guard, where there is none or several."""
    async with session(connection, among) as opened:
        found = [record for record in await lookup.rollouts(opened) if record.state is not LifecycleState.CLOSED]
    return chosen(found)


def chosen(found: Sequence[RolloutRecord]) -> RolloutRecord:
    """The only bad one of these open rollouts that is not being taken back; else ends the command."""
    bad = [record for record in found if record.verdict is VerdictKind.BAD and record.state not in OWN_UNDO]
    if len(bad) == 1:
        return bad[0]
    if bad:
        text = f"{len(bad)} rollouts are bad; name the one that is to go back:"
        raise exits.CommandError("\n".join([text, *map(_line, bad)]))
    text = "no rollout under guard is bad, so nothing is put back; a workload can be named"
    listed = [f"{text}:", *map(_line, found)] if found else [f"{text} (nothing rolls out)"]
    raise exits.CommandError("\n".join(listed))


def _line(record: RolloutRecord) -> str:
    state = record.state.value.replace("_", " ")
    return (
        f"  {record.workload}, revision {report.numbers_between(record)}: {record.verdict.value}, {state}: {record.why}"
    )
