"""`rollguard approve` and `reject`: a person answers the question whether a bad release is to be rolled back."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable

from rollguard import report
from rollguard.cli import exits, lookup, output
from rollguard.cli.connect import Connection, Session, recorded, session, written
from rollguard.cli.story import Story, current
from rollguard.model.names import RolloutId
from rollguard.model.records import LifecycleState, RolloutRecord, StoredRollout, StoredUnit
from rollguard.model.requests import HumanRequest, RequestKind

LOOK_EVERY_S = 0.5
TAKEN_WITHIN_S = 30.0
FOLLOW_S = 900.0
ROLLING_BACK = (LifecycleState.PLANNED, LifecycleState.ACTING, LifecycleState.VERIFYING)


Command = Callable[..., int]


def _answering(kind: RequestKind, about: str) -> Command:
    """The command that gives this answer."""

    def answer(
        rollout: str,
        name: str | None = None,
        /,
        *,
        reason: str = "",
        connection: Connection | None = None,
        format_: output.Output = output.Format.TABLE,
    ) -> int:
        return asyncio.run(_answer(lookup.spelled(rollout, name), kind, reason, connection, format_))

    answer.__doc__ = f"""{about}

    Parameters
    ----------
    rollout
        A rollout's name, NAMESPACE WORKLOAD, NAMESPACE/WORKLOAD, or WORKLOAD with -n.
    name
        The workload, where its namespace stands before it.
    reason
        Why; recorded with your name.
    """
    return answer


approve = _answering(
    RequestKind.APPROVE,
    "Approve the rollback that the guard asks for, and follow it until the old template is restored.",
)
reject = _answering(
    RequestKind.REJECT,
    "Reject the rollback that the guard asks for: the new version stays, and the guard does not ask again.",
)


async def _answer(
    text: str, kind: RequestKind, reason: str, connection: Connection | None, format_: output.Format
) -> int:
    async with session(lookup.scoped(connection, text)) as opened:
        asked = await lookup.rollout_named(opened, text)
        refuse_unless_asked(asked, kind)
        actor = await opened.actor()
        request = HumanRequest(
            id=f"{kind.value}-{secrets.token_hex(6)}",
            kind=kind,
            actor=actor,
            at=opened.clock.now(),
            reason=recorded(reason, actor),
            rollout=asked.id,
        )
        written(await opened.orders.request(asked.unit, request), asked.unit)
        output.note(f"answered by {actor} as {request.id}, for {passage(asked)}")
        return await follow(opened, asked, request, format_)


def passage(rollout: RolloutRecord) -> str:
    """`production/api, revision 1 -> 2`, or of a release set `production/dubbing, blue -> green`."""
    return f"{rollout.workload}, {report.moved(rollout)}"


def refuse_unless_asked(rollout: RolloutRecord, kind: RequestKind) -> None:
    """Ends the command where the rollout waits for no answer, saying how it stands and what to do instead."""
    if rollout.state is LifecycleState.AWAITING_APPROVAL:
        return
    place = f"{rollout.workload.namespace} {rollout.workload.name}"
    if rollout.closed is not None:
        outcome = "closed" if rollout.outcome is None else rollout.outcome.value
        raise exits.CommandError(f"nothing is asked: {passage(rollout)} is over ({outcome}); `rollguard history` tells")
    if rollout.state in ROLLING_BACK:
        raise exits.CommandError(
            f"nothing is asked: {passage(rollout)} is being rolled back already; a freeze stops what has not begun"
        )
    instead = (
        f'`rollguard rollback {place} --reason "..."` orders one'
        if kind is RequestKind.APPROVE
        else f"`rollguard freeze {place.replace(' ', '/')}` keeps the guard from acting"
    )
    raise exits.CommandError(
        f"nothing is asked: {passage(rollout)} is {rollout.state.value}, verdict {rollout.verdict.value}"
        f" ({rollout.why}); {instead}"
    )


async def follow(opened: Session, asked: RolloutRecord, request: HumanRequest, format_: output.Format) -> int:
    """Waits until the answer is handled, and a rollback that follows is done; the exit code. Ctrl-C lets it stand."""
    story = Story(format_)
    began = opened.clock.mono()
    noted = False
    while (waited := opened.clock.mono().since(began)) < FOLLOW_S:
        stored = await opened.records.read_unit(asked.unit)
        if isinstance(stored, StoredUnit):
            rollout = await _that(opened, stored, asked.id)
            handled = request.id in stored.record.handled_requests
            if rollout is not None and handled and request.kind is RequestKind.REJECT:
                return rejected(rollout, request, format_)
            if rollout is not None and handled:
                refuse_unless_taken(rollout)
            ended = story.told(stored, rollout, request)
            if ended is not None:
                return ended
            if not handled and not noted and waited > TAKEN_WITHIN_S:
                output.note(f"no controller took it within {waited:.0f} s; it stands until one does or its time is up")
                output.note(await opened.leader())
                noted = True
        await opened.clock.sleep_until(opened.clock.mono().plus(LOOK_EVERY_S))
    raise exits.CommandError(
        f"not done within {FOLLOW_S / 60:.0f} min; `rollguard status` tells how it stands", exits.UNREACHABLE
    )


async def _that(opened: Session, stored: StoredUnit, id_: RolloutId) -> RolloutRecord | None:
    """The rollout that was answered, also after another has followed it."""
    found = await opened.records.read_rollout(stored.record.name, id_)
    return found.record if isinstance(found, StoredRollout) else await current(opened, stored)


def refuse_unless_taken(rollout: RolloutRecord) -> None:
    """Ends the command where the approval came too late to lead to anything."""
    if rollout.plan is None and rollout.state not in ROLLING_BACK and rollout.closed is None:
        raise exits.CommandError(f"it came too late: {passage(rollout)} is {rollout.state.value}: {rollout.why}")


def rejected(rollout: RolloutRecord, request: HumanRequest, format_: output.Format) -> int:
    """Says what came of a rejection; the exit code."""
    if rollout.state is not LifecycleState.HELD:
        raise exits.CommandError(f"it came too late: {passage(rollout)} is {rollout.state.value}: {rollout.why}")
    told = f"rejected: {passage(rollout)} stays as it is, and the guard does not ask for this rollout again"
    fields = {"workload": str(rollout.workload), "rollout": str(rollout.id), "answer": request.id}
    document = output.as_object(**fields, actor=request.actor, reason=request.reason, state=rollout.state.value)
    output.say(output.document(document, format_) if format_.for_programs else told)
    return exits.OK
