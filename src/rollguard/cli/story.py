"""The story of an order while a command follows it: each line once, and how it ended."""

from __future__ import annotations

from rollguard import undo
from rollguard.cli import exits, lookup, output
from rollguard.cli.connect import Session
from rollguard.model.action import Plan, Unknown
from rollguard.model.records import LifecycleState, RolloutRecord, StoredUnit
from rollguard.model.requests import HumanRequest


async def current(opened: Session, stored: StoredUnit) -> RolloutRecord | None:
    """The unit's rollout: the current one, else the newest; None where it has none or the server does not answer."""
    answer = await opened.records.list_rollouts(open_only=False)
    if isinstance(answer, Unknown):
        return None
    unit = stored.record
    return lookup.newest((found.record for found in answer), unit.name, unit.current_rollout)


class Story:
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
                    say = output.note if self._format.for_programs else output.say
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
    if plan is not None and plan.done:
        output.say(restored(rollout, plan, request, format_))
        return exits.OK
    if rollout.state in (LifecycleState.HELD, LifecycleState.CLOSED):
        raise exits.CommandError(f"stopped: {rollout.why}")
    return None


def restored(rollout: RolloutRecord, plan: Plan, request: HumanRequest, format_: output.Format) -> str:
    """What was put back, and the incident that tells of it."""
    target = plan.target
    if not format_.for_programs:
        return f"restored: {target.name} of {rollout.workload}; incident {rollout.incident}"
    what: dict[str, str | int | list[str]] = {
        "revision": target.number,
        "images": ", ".join(image for _, image in target.images),
    }
    if target.colour:
        moved = undo.members_moved(plan)
        what = {"colour": target.colour, "members": [p.member for p in rollout.passages if p.member in moved]}
    told = output.as_object(
        workload=str(rollout.workload),
        order=request.id,
        actor=plan.actor,
        reason=plan.reason,
        plan=plan.id,
        judged=target.judged,
        incident=rollout.incident,
        **what,
    )
    return output.document(told, format_)
