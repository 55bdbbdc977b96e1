"""`rollguard rollback`: a person orders the rollback; the controller does it, or this command where none lives."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, replace
from typing import Annotated

from cyclopts import Parameter

from rollguard.cli import exits, lookup, output
from rollguard.cli.bad import the_bad_one
from rollguard.cli.connect import Connection, Session, recorded, session, written
from rollguard.cli.standin import dry_run, stand_in, what_runs
from rollguard.cli.story import Story, current
from rollguard.model.action import Absent, Plan
from rollguard.model.names import RolloutId, UnitName, WorkloadName
from rollguard.model.records import RolloutRecord, StoredUnit
from rollguard.model.requests import HumanRequest, RequestKind
from rollguard.policy import durations

LOOK_EVERY_S = 0.5
FOLLOW_S = 900.0
Among = Annotated[tuple[str, ...], Parameter(name="--among", negative=())]


def rollback(
    workload: str | None = None,
    name: str | None = None,
    /,
    *,
    reason: str,
    bad: bool = False,
    among: Among = (),
    to_revision: int | None = None,
    dry_run_: bool = False,
    force: bool = False,
    only: bool = False,
    controller_wait: str = "30s",
    connection: Connection | None = None,
    format_: output.Output = output.Format.TABLE,
) -> int:
    """Put the last good revision of a workload back, and follow until its template is restored.

    A Deployment of a release set stands for the whole set, which is switched back to the colour that served before.
    With --bad it is the only bad rollout under guard that goes back; where there is none, or several, they are listed
    and nothing is done.

    Parameters
    ----------
    workload
        NAMESPACE WORKLOAD, NAMESPACE/WORKLOAD, or WORKLOAD with -n; or a release set.
    name
        The workload, where its namespace stands before it.
    reason
        Why; recorded with your name.
    bad
        The only rollout that is bad, instead of a name.
    among
        With --bad: only the rollouts of this namespace (several times).
    to_revision
        This revision (as `kubectl rollout history` numbers them) and not the last good one.
    dry_run_
        Ask the server whether it would work; change nothing.
    force
        Override what the guard's judgement says against it (a right of its own; recorded).
    only
        Of a release set: the named member alone. What was released together then runs apart.
    controller_wait
        How long to wait for a controller before doing its work in its place, once its Lease has run out.
    """
    if bad == (workload is not None) or (among and not bad):
        raise exits.CommandError("expected a workload, or --bad (with --among NAMESPACE)", exits.USAGE)
    if bad and (only or to_revision is not None):
        raise exits.CommandError("--bad takes everything back as it was: no --only, no --to-revision", exits.USAGE)
    wanted = Wanted(
        text="" if workload is None else lookup.spelled(workload, name),
        reason=reason,
        to_revision=to_revision,
        force=force,
        only=only,
        patience=_patience(controller_wait),
        format_=format_,
    )
    return asyncio.run(_meant(wanted, dry_run_, connection or Connection(), among))


def _patience(text: str) -> float:
    patience = durations.parse(text)
    if patience is None:
        raise exits.CommandError(f"--controller-wait {text!r}: expected a duration such as 30s", exits.USAGE)
    return patience


async def _meant(wanted: Wanted, dry: bool, connection: Connection, among: tuple[str, ...]) -> int:
    """Finds out first which rollout is meant, where no name was given."""
    if not wanted.text:
        found = await the_bad_one(connection, among)
        output.note(f"the bad rollout is that of {found.workload}: {found.why}")
        wanted = wanted.of(found)
    return await _rollback(wanted, dry, lookup.scoped(connection, wanted.text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An order as the command line has it."""

    text: str
    """NAMESPACE/WORKLOAD, or WORKLOAD in the namespace at hand."""
    reason: str
    to_revision: int | None
    force: bool
    only: bool
    patience: float
    """Seconds until this command acts in the controller's place."""
    format_: output.Format
    rollout: RolloutId | None = None
    """The only one that the order is for: where that is over by then, nothing goes back."""

    def of(self, found: RolloutRecord) -> Wanted:
        """The same, for this rollout alone."""
        return replace(self, text=f"{found.workload.namespace}/{found.workload.name}", rollout=found.id)


def _only(wanted: Wanted, meant: lookup.Meant) -> str:
    """The member that is to go back alone, empty for all; ends the command for options that do not fit."""
    if meant.release_set is None:
        if wanted.only:
            raise exits.CommandError(f"--only: {meant.workload} belongs to no release set", exits.USAGE)
        return ""
    if wanted.to_revision is not None:
        text = "--to-revision: a release set goes back to the other colour as it stands, not to a revision"
        raise exits.CommandError(text, exits.USAGE)
    if not wanted.only:
        return ""
    if not meant.member:
        raise exits.CommandError("--only: name a Deployment of the member that is to go back alone", exits.USAGE)
    output.note(f"warning: {meant.member} alone goes back; {meant.beside()} stay, and they were released together")
    return meant.member


async def _rollback(wanted: Wanted, dry: bool, connection: Connection) -> int:
    async with session(connection) as opened:
        meant = await lookup.meant(opened, wanted.text)
        workload, unit = meant.workload, meant.unit
        only = _only(wanted, meant)
        against = "" if meant.release_set is not None else await what_runs(opened, workload)
        stored = await lookup.guarded(opened, unit)
        actor = await opened.actor()
        request = HumanRequest(
            id=f"rollback-{secrets.token_hex(6)}",
            kind=RequestKind.ROLLBACK,
            actor=actor,
            at=opened.clock.now(),
            reason=recorded(wanted.reason, actor),
            to_revision=wanted.to_revision,
            force=wanted.force,
            against=against,
            only=only,
            rollout=wanted.rollout or _open(meant, stored),
        )
        if dry:
            output.say(would(workload, await dry_run(opened, workload, request), wanted.format_))
            return exits.OK
        written(await opened.orders.request(unit, request), unit)
        output.note(f"ordered by {request.actor} as {request.id}; following, Ctrl-C leaves the order standing")
        return await _follow(opened, workload, wanted, request)


def _open(meant: lookup.Meant, stored: StoredUnit | None) -> RolloutId | None:
    """The rollout that an order for a release set is for: where somebody switched back meanwhile, nothing is switched
    by it. For a Deployment the template says what it is for."""
    return stored.record.current_rollout if meant.release_set is not None and stored is not None else None


def would(workload: WorkloadName, plan: Plan, format_: output.Format) -> str:
    """What a dry run found."""
    target = plan.target
    images = ", ".join(image for _, image in target.images)
    if target.colour:
        return _would_switch(workload, plan, format_)
    if format_.for_programs:
        known = {"judged": target.judged, "dry_run": True}
        told = output.as_object(workload=str(workload), revision=target.number, images=images, **known)
        return output.document(told, format_)
    healthy = "judged healthy" if target.judged else "not judged healthy"
    return f"would put revision {target.number} of {workload} back ({healthy}): {images}; nothing was changed"


def _would_switch(workload: WorkloadName, plan: Plan, format_: output.Format) -> str:
    steps = [step.words for step in plan.steps]
    if format_.for_programs:
        told = output.as_object(
            workload=str(workload), colour=plan.target.colour, judged=plan.target.judged, steps=steps, dry_run=True
        )
        return output.document(told, format_)
    lines = [f"  {n}. {words}" for n, words in enumerate(steps, 1)]
    return "\n".join([f"would {plan.target.order} in {workload}; nothing was changed:", *lines])


async def _follow(opened: Session, workload: WorkloadName, wanted: Wanted, request: HumanRequest) -> int:
    story, unit = Story(wanted.format_), UnitName.of_workload(workload)
    began = opened.clock.mono()
    helped = False
    while opened.clock.mono().since(began) < FOLLOW_S:
        stored = await opened.records.read_unit(unit)
        if isinstance(stored, StoredUnit):
            rollout = await current(opened, stored)
            answer = story.told(stored, rollout, request)
            if answer is not None:
                return answer
            waited = opened.clock.mono().since(began)
            if not helped and waited > wanted.patience and request.id not in stored.record.handled_requests:
                output.note(f"no controller took the order within {waited:.0f} s: trying to act in its place")
                await stand_in(opened, workload, request)
                helped = True
        elif isinstance(stored, Absent):
            raise exits.CommandError(f"{unit} is not guarded any more")
        await opened.clock.sleep_until(opened.clock.mono().plus(LOOK_EVERY_S))
    raise exits.CommandError(f"not restored within {FOLLOW_S / 60:.0f} min; `rollguard status` tells how it stands")
