"""What is told when a plan is done: what a fix needs, what was left undone, and who did not go back with the others."""

from __future__ import annotations

from rollguard.model.action import Plan, Step, StepKind, StepState
from rollguard.model.records import RolloutRecord
from rollguard.undo import managers
from rollguard.undo.half import OVER, members_moved, of_set, steps_of


def caveat(plan: Plan, record: RolloutRecord) -> str:
    """What whoever is told of the undo must know beside it; empty where there is nothing."""
    if not of_set(plan):
        return managers.caveat(plan)
    left = [
        f"Left undone: {step.words} ({step.detail})"
        for step in plan.steps
        if step.state is StepState.SKIPPED and step.kind is not StepKind.SCALE_BACK
    ]
    return ". ".join([*left, *_alone(plan, record)])


def switched(plan: Plan, last: Step) -> str:
    """What is told when the last of the Services is done, long before the plan is; else empty."""
    switches = steps_of(plan, StepKind.SWITCH)
    others = [step for step in switches if step.n != last.n]
    if last.kind is not StepKind.SWITCH or any(step.state not in OVER for step in others):
        return ""
    drained = f"{last.precondition} keeps its pods for {plan.drain:.0f} s, until its connections have drained"
    return f"{plan.target.state}: every Service is switched and served; {drained}"


def undone(plan: Plan, record: RolloutRecord) -> tuple[str, ...]:
    """Digests of the templates that the plan undoes."""
    if not record.passages:
        return (record.target_digest,)
    moved = members_moved(plan)
    return tuple(passage.new.digest for passage in record.passages if passage.member in moved)


def _alone(plan: Plan, record: RolloutRecord) -> list[str]:
    moved = members_moved(plan)
    stay = [passage for passage in record.passages if passage.member not in moved]
    if not stay:
        return []
    others = ", ".join(f"{passage.member} on {passage.new.colour}" for passage in stay)
    return [
        f"Warning: only {', '.join(sorted(moved))} went back, as ordered; the set now runs two releases at once"
        f" ({others})"
    ]
