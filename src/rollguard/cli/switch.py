"""`rollguard switch`: a person's own switch of a release set, checked before it and guarded from its first second."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass

from rollguard import undo
from rollguard.adapters.kubernetes import KubernetesCluster
from rollguard.cli import exits, lookup, output
from rollguard.cli.connect import Connection, Session, session, unanswered, why_not
from rollguard.cli.standin import seen
from rollguard.model.action import FoundService, Unknown, WriteOutcome
from rollguard.model.facts import UnitFacts, Workload
from rollguard.model.names import SERVICE, Ref
from rollguard.model.policy import ReleaseSet, SetMember
from rollguard.model.records import LifecycleState, StoredRollout, StoredUnit
from rollguard.policy import durations

LOOK_EVERY_S = 0.25
REQUEST_S = 10.0
GUARDED_WITHIN_S = 20.0
ACTING = (LifecycleState.PLANNED, LifecycleState.ACTING)


def switch(
    release_set: str,
    name: str | None = None,
    /,
    *,
    to: str,
    dry_run_: bool = False,
    timeout: str = "2m",
    connection: Connection | None = None,
    format_: output.Output = output.Format.TABLE,
) -> int:
    """Switch a release set to its other colour, if that colour can serve; its rollout is guarded from then on.

    Nothing is switched unless every member's new colour is complete, ready and as large as what serves now.

    Parameters
    ----------
    release_set
        NAMESPACE SET, NAMESPACE/SET, or SET with -n.
    name
        The set, where its namespace stands before it.
    to
        The colour that is to serve.
    dry_run_
        Check alone; change nothing.
    timeout
        How long the Services' endpoints may take.
    """
    patience = durations.parse(timeout)
    if patience is None:
        raise exits.CommandError(f"--timeout {timeout!r}: expected a duration such as 2m", exits.USAGE)
    text = lookup.spelled(release_set, name)
    wanted = _Wanted(text=text, colour=to, dry_run=dry_run_, patience=patience, format_=format_)
    return asyncio.run(_switch(wanted, lookup.scoped(connection, text)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    text: str
    colour: str
    dry_run: bool
    patience: float
    """Seconds."""
    format_: output.Format


async def _switch(wanted: _Wanted, connection: Connection) -> int:
    async with session(connection) as opened:
        release_set = await _set_named(opened, wanted.text)
        if wanted.colour not in release_set.colours:
            known = " or ".join(release_set.colours)
            raise exits.CommandError(f"--to {wanted.colour!r}: {release_set.name} has {known}", exits.USAGE)
        await _at_peace(opened, release_set)
        async with _cluster(opened, release_set) as cluster:
            facts = await seen(cluster, release_set.unit, opened.clock)
            against = tuple(hindrances(release_set, facts, wanted.colour))
            if against:
                raise exits.CommandError("\n".join(["nothing was switched:", *(f"  {each}" for each in against)]))
            due = [member for member in release_set.members if _other(member, release_set, facts, wanted.colour)]
            if not due:
                output.say(_told(wanted, release_set, (), f"every Service selects {wanted.colour} already"))
                return exits.OK
            if wanted.dry_run:
                output.say(_told(wanted, release_set, due, f"{wanted.colour} can serve; nothing was changed"))
                return exits.OK
            for member in due:
                await _select(cluster, release_set, member, wanted.colour, due)
            await _served(opened, cluster, release_set, due, wanted)
        rollout = await _guarded(opened, release_set)
    output.say(_told(wanted, release_set, due, f"{wanted.colour} serves; {rollout}"))
    return exits.OK


async def _set_named(opened: Session, text: str) -> ReleaseSet:
    """The release set of that name; else ends the command with the sets that there are."""
    found = await lookup.meant(opened, text)
    if found.release_set is not None:
        return found.release_set
    listed = await opened.records.list_units()
    if isinstance(listed, Unknown):
        raise unanswered(listed)
    there = ", ".join(sorted(str(s.record.name) for s in listed if s.record.release_set is not None))
    raise exits.CommandError(f"{found.workload} is no release set; there are: {there or 'none that is guarded'}")


async def _at_peace(opened: Session, release_set: ReleaseSet) -> None:
    """Ends the command while the guard takes the set back: two who switch at once leave it half."""
    stored = await opened.records.read_unit(release_set.unit)
    current = stored.record.current_rollout if isinstance(stored, StoredUnit) else None
    found = await opened.records.read_rollout(release_set.unit, current) if current is not None else None
    for outcome in (stored, found):
        if isinstance(outcome, Unknown):
            raise unanswered(outcome)
    if isinstance(found, StoredRollout) and found.record.state in ACTING:
        raise exits.CommandError(
            f"nothing was switched: the guard takes {release_set.name} back now ({current});"
            " wait for it, or freeze it first"
        )


def _cluster(opened: Session, release_set: ReleaseSet) -> KubernetesCluster:
    rng = random.Random()  # noqa: S311 (jitter of retries)
    cluster = KubernetesCluster(opened.api, opened.clock, rng, namespaces=(release_set.namespace,))
    cluster.sets((release_set,))
    cluster.guard(frozenset({release_set.unit}))
    return cluster


def hindrances(release_set: ReleaseSet, facts: UnitFacts, colour: str) -> Iterator[str]:
    """Why the set must not be switched to that colour now, a line for each member; nothing where it may be."""
    for member in release_set.members:
        if member.service and facts.service(member.service) is None:
            yield f"{member.name}: there is no Service {member.service}"
            continue
        new = facts.member(release_set.deployment(member, colour))
        old = facts.member(release_set.deployment(member, release_set.other(colour)))
        if new is None:
            yield f"{member.name}: there is no Deployment {member.workload(colour)}"
        elif short := _short(new, old):
            yield f"{member.name}: {short}"


def _short(new: Workload, old: Workload | None) -> str:
    """What the new colour lacks, empty where it lacks nothing."""
    if new.paused:
        return f"{new.name.name} is paused: `kubectl rollout resume deployment/{new.name.name}` first"
    if unfinished := new.unfinished():
        return f"{new.name.name} is not complete: {unfinished}"
    needed = max(1, old.ready if old is not None else 0)
    if new.ready < needed:
        return f"{new.name.name} has {new.ready} ready pods, {needed} serve now: scale it up first"
    return ""


def _other(member: SetMember, release_set: ReleaseSet, facts: UnitFacts, colour: str) -> bool:
    service = facts.service(member.service) if member.service else None
    return service is not None and service.selects(release_set.selector_key) != colour


async def _select(
    cluster: KubernetesCluster, release_set: ReleaseSet, member: SetMember, colour: str, due: list[SetMember]
) -> None:
    """One Service's selector; ends the command where it is not taken, saying which were switched before it."""
    ref = Ref(SERVICE, release_set.namespace, member.service, "")
    found = await cluster.fetch_service(ref, timeout=REQUEST_S)
    outcome: WriteOutcome
    if isinstance(found, FoundService):
        outcome = await cluster.apply(
            undo.by_hand(ref, found, release_set.selector_key, colour), dry_run=False, timeout=REQUEST_S
        )
    else:
        outcome = found
    if not (reason := why_not(outcome)):
        return
    before = [each.service for each in due[: due.index(member)]]
    half = f"; switched already: {', '.join(before)}. Run the command again, or --to the other colour" if before else ""
    raise exits.CommandError(f"{member.service} could not be switched: {reason}{half}")


async def _served(
    opened: Session, cluster: KubernetesCluster, release_set: ReleaseSet, due: list[SetMember], wanted: _Wanted
) -> None:
    """Waits until the endpoints of every switched Service are the new colour's."""
    began = opened.clock.mono()
    waiting = {member.service for member in due}
    while waiting:
        if opened.clock.mono().since(began) > wanted.patience:
            names = ", ".join(sorted(waiting))
            raise exits.CommandError(f"{names}: switched, but its endpoints are not {wanted.colour}'s yet")
        for name in sorted(waiting):
            ref = Ref(SERVICE, release_set.namespace, name, "")
            found = await cluster.fetch_service(ref, timeout=REQUEST_S)
            if isinstance(found, FoundService) and found.serving and not found.strangers:
                output.note(f"{name}: {found.serving} endpoints of {wanted.colour} serve")
                waiting.discard(name)
        await opened.clock.sleep_until(opened.clock.mono().plus(LOOK_EVERY_S))


async def _guarded(opened: Session, release_set: ReleaseSet) -> str:
    """That the guard has taken the rollout up, or that it has not."""
    began = opened.clock.mono()
    while opened.clock.mono().since(began) < GUARDED_WITHIN_S:
        stored = await opened.records.read_unit(release_set.unit)
        if isinstance(stored, StoredUnit) and stored.record.current_rollout is not None:
            return f"under guard as {stored.record.current_rollout}"
        await opened.clock.sleep_until(opened.clock.mono().plus(LOOK_EVERY_S))
    return "no controller has taken it under guard yet: see `rollguard status`"


def _told(wanted: _Wanted, release_set: ReleaseSet, due: list[SetMember] | tuple[()], text: str) -> str:
    services = [member.service for member in due]
    if not wanted.format_.for_programs:
        return f"{release_set.workload}: {text}" + (f" ({', '.join(services)})" if services else "")
    told = output.as_object(
        release_set=str(release_set.workload),
        colour=wanted.colour,
        services=services,
        dry_run=wanted.dry_run,
        result=text,
    )
    return output.document(told, wanted.format_)
