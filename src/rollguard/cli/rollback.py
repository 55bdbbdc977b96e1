"""`rollguard rollback`: a person orders the rollback; the controller does it, or this command where none lives."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, replace

from rollguard.cli import exits, output
from rollguard.cli.connect import Connection, Session, recorded, session, written
from rollguard.cli.standin import dry_run, stand_in, what_runs
from rollguard.model.action import Absent, Plan, StepState, Unknown
from rollguard.model.names import UnitName, WorkloadKind, WorkloadName
from rollguard.model.records import HumanRequest, LifecycleState, RequestKind, RolloutRecord, StoredUnit
from rollguard.policy import durations

LOOK_EVERY_S = 0.5
FOLLOW_S = 900.0


def rollback(
    namespace: str,
    workload: str,
    /,
    *,
    reason: str,
    to_revision: int | None = None,
    dry_run_: bool = False,
    force: bool = False,
    controller_wait: str = "30s",
    connection: Connection | None = None,
    format_: output.Output = output.Format.TABLE,
) -> int:
    """Put the last good revision of a workload back, and follow until its template is restored.

    Parameters
    ----------
    namespace
        The workload's namespace.
    workload
        The Deployment's name.
    reason
        Why; recorded with your name.
    to_revision
        This revision (as `kubectl rollout history` numbers them) and not the last good one.
    dry_run_
        Ask the server whether it would work; change nothing.
    force
        Override what the guard's judgement says against it (a right of its own; recorded).
    controller_wait
        How long to wait for a controller before doing its work in its place, once its Lease has run out.
    """
    patience = durations.parse(controller_wait)
    if patience is None:
        raise exits.CommandError(f"--controller-wait {controller_wait!r}: expected a duration such as 30s", exits.USAGE)
    name = WorkloadName(namespace, WorkloadKind.DEPLOYMENT, workload)
    wanted = _Wanted(
        workload=name, reason=reason, to_revision=to_revision, force=force, patience=patience, format_=format_
    )
    # Only the workload's namespace is read: a person need not have rights in any other.
    return asyncio.run(_rollback(wanted, dry_run_, replace(connection or Connection(), namespace=namespace)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    workload: WorkloadName
    reason: str
    to_revision: int | None
    force: bool
    patience: float
    """Seconds until this command acts in the controller's place."""
    format_: output.Format

    @property
    def unit(self) -> UnitName:
        """The unit that guards the workload."""
        return UnitName.of_workload(self.workload)


async def _rollback(wanted: _Wanted, dry: bool, connection: Connection) -> int:
    async with session(connection) as opened:
        actor = await opened.actor()
        request = HumanRequest(
            id=f"rollback-{secrets.token_hex(6)}",
            kind=RequestKind.ROLLBACK,
            actor=actor,
            at=opened.clock.now(),
            reason=recorded(wanted.reason, actor),
            to_revision=wanted.to_revision,
            force=wanted.force,
            against=await what_runs(opened, wanted.workload),
        )
        if dry:
            output.say(would(wanted.workload, await dry_run(opened, wanted.workload, request), wanted.format_))
            return exits.OK
        written(await opened.orders.request(wanted.unit, request), wanted.unit)
        output.note(f"ordered by {request.actor} as {request.id}; following, Ctrl-C leaves the order standing")
        return await _follow(opened, wanted, request)


def would(workload: WorkloadName, plan: Plan, format_: output.Format) -> str:
    """What a dry run found."""
    target = plan.target
    images = ", ".join(image for _, image in target.images)
    if format_ is output.Format.JSON:
        known = {"judged": target.judged, "dry_run": True}
        return output.as_object(workload=str(workload), revision=target.number, images=images, **known)
    healthy = "judged healthy" if target.judged else "not judged healthy"
    return f"would put revision {target.number} of {workload} back ({healthy}): {images}; nothing was changed"


async def _follow(opened: Session, wanted: _Wanted, request: HumanRequest) -> int:
    story = _Story(wanted.format_)
    began = opened.clock.mono()
    helped = False
    while opened.clock.mono().since(began) < FOLLOW_S:
        stored = await opened.records.read_unit(wanted.unit)
        if isinstance(stored, StoredUnit):
            rollout = await _current(opened, stored)
            answer = story.told(stored, rollout, request)
            if answer is not None:
                return answer
            waited = opened.clock.mono().since(began)
            if not helped and waited > wanted.patience and request.id not in stored.record.handled_requests:
                output.note(f"no controller took the order within {waited:.0f} s: trying to act in its place")
                await stand_in(opened, wanted.workload, request)
                helped = True
        elif isinstance(stored, Absent):
            raise exits.CommandError(f"{wanted.unit} is not guarded any more")
        await opened.clock.sleep_until(opened.clock.mono().plus(LOOK_EVERY_S))
    raise exits.CommandError(f"not restored within {FOLLOW_S / 60:.0f} min; `rollguard status` tells how it stands")


async def _current(opened: Session, stored: StoredUnit) -> RolloutRecord | None:
    """The unit's rollout: the current one, else the newest."""
    answer = await opened.records.list_rollouts(open_only=False)
    if isinstance(answer, Unknown):
        return None
    mine = [found.record for found in answer if found.record.unit == stored.record.name]
    current = [record for record in mine if record.id == stored.record.current_rollout]
    return max(current or mine, key=lambda record: record.started, default=None)


class _Story:
    """Prints each line of the rollout's story once, and knows its end."""

    def __init__(self, format_: output.Format) -> None:
        self._lines: set[tuple[str, str]] = set()
        self._format = format_

    def told(self, stored: StoredUnit, rollout: RolloutRecord | None, request: HumanRequest) -> int | None:
        """Prints what is new; the exit code once the order is refused or the template is restored."""
        if rollout is not None:
            for entry in rollout.timeline:
                key = (entry.at.iso(), entry.text)
                if entry.at >= request.at.plus(-1) and key not in self._lines:
                    self._lines.add(key)
                    say = output.say if self._format is output.Format.TABLE else output.note
                    say(f"{entry.at.iso()}  {entry.actor}: {entry.text}")
        if request.id not in stored.record.handled_requests:
            return None
        notices = (*stored.record.notices, *(rollout.notices if rollout is not None else ()))
        refusals = [n.text for n in notices if n.topic == "order-refused" and request.id in n.text]
        if refusals:
            raise exits.CommandError(refusals[-1].splitlines()[0])
        return None if rollout is None else _ending(rollout, request, self._format)


def _ending(rollout: RolloutRecord, request: HumanRequest, format_: output.Format) -> int | None:
    plan = rollout.plan
    if plan is not None and all(step.state is StepState.DONE for step in plan.steps):
        output.say(restored(rollout, plan, request, format_))
        return exits.OK
    if rollout.state in (LifecycleState.HELD, LifecycleState.CLOSED):
        raise exits.CommandError(f"stopped: {rollout.why}")
    return None


def restored(rollout: RolloutRecord, plan: Plan, request: HumanRequest, format_: output.Format) -> str:
    """What was put back, and the incident that tells of it."""
    number, incident = plan.target.number, rollout.incident
    if format_ is output.Format.TABLE:
        return f"restored: revision {number} of {rollout.workload}; incident {incident}"
    return output.as_object(
        workload=str(rollout.workload),
        order=request.id,
        actor=plan.actor,
        reason=plan.reason,
        plan=plan.id,
        revision=number,
        images=", ".join(image for _, image in plan.target.images),
        judged=plan.target.judged,
        incident=incident,
    )
