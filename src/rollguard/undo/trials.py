"""The writes of a plan as they would be sent now: the server is asked about all of them before the plan is stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rollguard.model.action import (
    Absent,
    AutoscalerOutcome,
    FetchOutcome,
    Found,
    FoundAutoscaler,
    FoundService,
    Plan,
    Reading,
    ServiceOutcome,
    Step,
    StepKind,
    Write,
)
from rollguard.model.names import Ref
from rollguard.model.time import Instant
from rollguard.undo.autoscaling import set_minimum
from rollguard.undo.deployment import restore
from rollguard.undo.half import TAKES_BACK
from rollguard.undo.moment import Moment, unreadable
from rollguard.undo.patch import receipt_of
from rollguard.undo.planning import Refused
from rollguard.undo.scaling import set_replicas
from rollguard.undo.switching import select

Outcome = FetchOutcome | ServiceOutcome | AutoscalerOutcome


def trials(plan: Plan, readings: Mapping[Ref, Reading], now: Instant) -> tuple[tuple[Step, Write], ...] | Refused:
    """Each step's write, on what was read of its object; Refused where an object is gone.

    What is so already has none. What takes back is tried on what is there now, for the steps before it were not done:
    that shows at least the right, and what admission says. A courtesy after the undo cannot be tried. Every object must
    have been read.
    """
    at = Moment(plan=plan, readings=readings, now=now)
    steps = [step for step in plan.steps if step.kind is not StepKind.RESTORE_MANAGERS]
    gone = [unreadable(step.target, found) for step in steps if isinstance(found := _found(step, at), Absent)]
    if gone:
        return Refused(reason="; ".join(dict.fromkeys(gone)))
    return tuple(trial for step in steps for trial in _trial(step, at))


def _found(step: Step, at: Moment) -> Outcome:
    match step.kind:
        case StepKind.RAISE_MINIMUM | StepKind.RESTORE_MINIMUM:
            return at.autoscaler(step.target)
        case StepKind.SWITCH:
            return at.service(step.target)
        case _:
            return at.deployment(step.target)


def _trial(step: Step, at: Moment) -> Iterator[tuple[Step, Write]]:
    match step.kind:
        case StepKind.RAISE_MINIMUM | StepKind.RESTORE_MINIMUM:
            scaler = at.autoscaler(step.target)
            if isinstance(scaler, FoundAutoscaler) and (step.kind in TAKES_BACK or scaler.minimum < int(step.goal)):
                yield step, set_minimum(at.plan, step, scaler)
        case StepKind.SWITCH:
            service = at.service(step.target)
            if isinstance(service, FoundService) and dict(service.selector).get(step.body) == step.precondition:
                yield step, select(at.plan, step, service)
        case StepKind.RESTORE_TEMPLATE:
            workload = at.deployment(step.target)
            if isinstance(workload, Found):
                yield step, restore(step, workload, receipt_of(at.plan, step))
        case _:
            scaled = at.deployment(step.target)
            if isinstance(scaled, Found) and (step.kind in TAKES_BACK or _differs(step, scaled)):
                yield step, set_replicas(at.plan, step, scaled)


def _differs(step: Step, found: Found) -> bool:
    """Whether the replicas would be written: up only where there are fewer, down only where there are more."""
    goal = int(step.goal)
    return found.replicas < goal if step.kind is StepKind.SCALE_UP else found.replicas > goal
