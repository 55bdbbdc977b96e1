"""How far a release set is back on its old colour, by the cached facts."""

from __future__ import annotations

from collections.abc import Iterator

from rollguard.model.action import Plan, Step, StepKind, StepState
from rollguard.model.facts import Pod, UnitFacts, Workload
from rollguard.undo.half import steps_of


def gone_astray(plan: Plan, facts: UnitFacts) -> str:
    """What keeps the old colour from serving that time will not mend, empty where nothing does."""
    for step in steps_of(plan, StepKind.SCALE_UP):
        workload = deployment(step, facts)
        if workload is None:
            return f"{step.target.name} was deleted"
        if workload.template.digest != step.precondition:
            return f"the template of {step.target.name} was changed after it was switched back to"
    for step in steps_of(plan, StepKind.SWITCH):
        service = facts.service(step.target.name)
        if service is None or service.uid != step.target.uid:
            return f"the Service {step.target.name} was deleted"
        value = service.selects(step.body)
        if value not in (step.goal, step.precondition):
            return f"{step.target.name} selects {value or 'no colour'} now"
    return ""


def lacking(plan: Plan, facts: UnitFacts) -> str:
    """What is missing until the set is whole on its old colour, empty where nothing is.

    Services on the old colour and served by its ready pods alone, so many of them as are needed, the bad colour at 0,
    the autoscalers' minimum as it was. What the plan left undone is not asked for.
    """
    missing = (*_unserved(plan, facts), *_short(plan, facts), *_left(plan, facts))
    return "; ".join(missing)


def serves(plan: Plan, facts: UnitFacts) -> bool:
    """Whether the old colour serves, and alone."""
    return not tuple(_unserved(plan, facts))


def pods_of(plan: Plan, facts: UnitFacts) -> tuple[Pod, ...]:
    """The pods of the old colour."""
    names = {(step.target.namespace, step.target.name) for step in steps_of(plan, StepKind.SCALE_UP)}
    return tuple(pod for pod in facts.pods if (pod.workload.namespace, pod.workload.name) in names)


def deployment(step: Step, facts: UnitFacts) -> Workload | None:
    """The step's Deployment; None where it is gone, or is another one of that name."""
    return next((workload for workload in facts.members if workload.uid == step.target.uid), None)


def _unserved(plan: Plan, facts: UnitFacts) -> Iterator[str]:
    for step in steps_of(plan, StepKind.SWITCH):
        name, service = step.target.name, facts.service(step.target.name)
        if service is None or service.selects(step.body) != step.goal:
            yield f"{name} does not select {step.goal} yet"
            continue
        up = next(iter(steps_of(plan, StepKind.SCALE_UP, step.member)))
        own = {pod.name for pod in facts.pods if pod.workload.name == up.target.name}
        ready = [endpoint for endpoint in service.endpoints if endpoint.ready]
        if not ready:
            yield f"{name} has no ready endpoint"
        elif strangers := sum(endpoint.pod not in own for endpoint in ready):
            yield f"{strangers} of {len(ready)} ready endpoints of {name} are not {step.goal}'s"


def _short(plan: Plan, facts: UnitFacts) -> Iterator[str]:
    for step in steps_of(plan, StepKind.SCALE_UP):
        workload, wanted = deployment(step, facts), int(step.goal)
        ready = workload.ready if workload is not None else 0
        given_back = steps_of(plan, StepKind.RESTORE_MINIMUM, step.member)
        if workload is not None and any(each.state is StepState.DONE for each in given_back):
            # Its autoscaler decides again, and may find that fewer do.
            wanted = max(1, min(wanted, workload.desired))
        if ready < wanted:
            yield f"{ready} of {wanted} pods of {step.target.name} are ready"


def _left(plan: Plan, facts: UnitFacts) -> Iterator[str]:
    for step in plan.steps:
        if step.state is StepState.SKIPPED:
            continue
        if step.kind is StepKind.SCALE_DOWN:
            workload = deployment(step, facts)
            if workload is not None and workload.desired:
                yield f"{step.target.name} still has {workload.desired} replicas"
        if step.kind is StepKind.RESTORE_MINIMUM:
            scaler = next((each for each in facts.autoscalers if each.uid == step.target.uid), None)
            if scaler is not None and scaler.minimum == int(step.precondition):
                yield f"the minimum of {step.target.name} is not {step.goal} again yet"
