"""How far a release set's plan is, and the words for a set that is half back."""

from __future__ import annotations

from collections.abc import Mapping

from rollguard.model.action import FoundService, Plan, Reading, Step, StepKind, StepState, Unknown
from rollguard.model.names import Ref
from rollguard.undo.answers import Refusals
from rollguard.undo.patch import left_by

OVER = (StepState.DONE, StepState.SKIPPED, StepState.FAILED)
BEGUN = (StepState.TRYING, StepState.DONE)
TAKES_BACK = (StepKind.RESTORE_MINIMUM, StepKind.SCALE_BACK)
"""What is still done by a plan that was given up before its first switch."""
SWITCHES = (StepKind.SWITCH, StepKind.SCALE_DOWN)
HALF_BACK, NOTHING_SWITCHED, NO_MORE = "half back", "nothing is switched", "nothing is switched any more"
NOT_SEEN, NOTHING_ENDED = "what serves is not seen", "nothing is ended"
STATES = (HALF_BACK, NOTHING_SWITCHED, NO_MORE, NOT_SEEN, NOTHING_ENDED)
"""How the words for a set begin that is on its way and does not come on."""
GONE, UNKNOWN = "gone", "unknown"
"""What is said of a Service in place of its colour."""


def of_set(plan: Plan) -> bool:
    """Whether it is a release set's plan."""
    return any(step.member for step in plan.steps)


def steps_of(plan: Plan, kind: StepKind, member: str = "") -> tuple[Step, ...]:
    """The plan's steps of that kind, of one member or of all."""
    return tuple(step for step in plan.steps if step.kind is kind and member in ("", step.member))


def decisive(plan: Plan) -> StepKind:
    """The kind of step that undoes what was released. Of a set: the switch; where none has a Service, the end of the
    bad colour. From its first on nothing is given up."""
    if not of_set(plan):
        return StepKind.RESTORE_TEMPLATE
    return StepKind.SWITCH if steps_of(plan, StepKind.SWITCH) else StepKind.SCALE_DOWN


def committed(plan: Plan) -> bool:
    """Whether the first decisive step was tried, so that it may have taken effect, or may still."""
    return any(step.state in BEGUN for step in steps_of(plan, decisive(plan)))


def undoes(plan: Plan, step: Step) -> bool:
    """Whether the step, which is over now, was tried and undid what was released."""
    before = next(each for each in plan.steps if each.n == step.n)
    return step.kind is decisive(plan) and before.state is StepState.TRYING


def untouched(plan: Plan, refusals: Refusals | None) -> bool:
    """Whether it has surely undone nothing: no decisive step was tried, or one alone of which no try took effect."""
    begun = [step for step in steps_of(plan, decisive(plan)) if step.state in BEGUN]
    sure = refusals.step if refusals is not None and refusals.plan == plan.id and refusals.sure else None
    return all(step.n == sure and step.state is StepState.TRYING for step in begun)


def moved(plan: Plan, readings: Mapping[Ref, Reading]) -> bool:
    """Whether a Service serves the old colour already: until then what is tried may still be left. Without Services:
    whether the bad colour's end was tried."""
    if not steps_of(plan, StepKind.SWITCH):
        return committed(plan)
    for step in steps_of(plan, StepKind.SWITCH):
        found = readings.get(step.target)
        there = isinstance(found, FoundService) and dict(found.selector).get(step.body) == step.goal
        if there or step.state is StepState.DONE:
            return True
    return False


def abandoned(plan: Plan) -> bool:
    """Whether it was given up before its first decisive step."""
    return any(step.state is StepState.FAILED for step in plan.steps) and not committed(plan)


def stopped(plan: Plan) -> bool:
    """Whether it was given up after its first decisive step was tried: what it moved may stay half back. Not where it
    surely undid nothing: then the set is as it was."""
    if plan.fruitless is not None:
        return False
    down, switches = steps_of(plan, StepKind.SCALE_DOWN), steps_of(plan, StepKind.SWITCH)
    failed = any(step.state is StepState.FAILED for step in (*down, *switches))
    begun = any(step.state is StepState.DONE for step in switches)
    return failed and (begun or any(step.state is StepState.FAILED for step in down))


def members_moved(plan: Plan) -> frozenset[str]:
    """The members of a release set that the plan is to take back."""
    return frozenset(step.member for step in plan.steps)


def half_back(plan: Plan, readings: Mapping[Ref, Reading], because: str) -> str:
    """The state of a set that is on its way, by name, and why it stays so."""
    switches = steps_of(plan, StepKind.SWITCH)
    seen = [(step, _colour(step, readings.get(step.target))) for step in switches]
    again = {s.n for s, value in seen if value == s.precondition and _was_back(plan, s, readings)}
    said = [_serves(step, value, again=step.n in again) for step, value in seen]
    ended = any(step.state is StepState.DONE for step in steps_of(plan, StepKind.SCALE_DOWN))
    untouched = all(_left(step, value) for step, value in seen) if seen else not ended
    back = all(value == step.goal for step, value in seen)
    if back or (all(step.state in OVER for step in switches) and not untouched):
        down = steps_of(plan, StepKind.SCALE_DOWN)
        said += [f"{step.target.name} is {'at' if step.state in OVER else 'not yet at'} {step.goal}" for step in down]
    said += _raised(plan)
    unseen = any(value == UNKNOWN for _step, value in seen)
    state = HALF_BACK if not untouched else NOT_SEEN if unseen else NO_MORE if again else nothing_undone(plan)
    return f"{state}: {', '.join(said)}, because {because}"


def _left(step: Step, value: str) -> bool:
    """Whether the Service is not known to have left the bad colour."""
    return value == step.precondition or (value in (GONE, UNKNOWN) and step.state is not StepState.DONE)


def nothing_undone(plan: Plan) -> str:
    """That a set is as it was, in words."""
    return NOTHING_SWITCHED if steps_of(plan, StepKind.SWITCH) else NOTHING_ENDED


def tells_half(text: str) -> bool:
    """Whether these are the words of `half_back`."""
    return text.startswith(tuple(f"{state}: " for state in STATES))


def given_up(plan: Plan, readings: Mapping[Ref, Reading], reason: str) -> str:
    """Why the plan is ended from outside, and what it leaves behind: a set that is half back, a minimum that it raised.

    The reason alone where it leaves nothing.
    """
    if committed(plan):
        return half_back(plan, readings, reason)
    raised = _raised(plan)
    return f"{reason}; left as it is: {', '.join(raised)}" if raised else reason


def _raised(plan: Plan) -> list[str]:
    """The minima that the plan has raised, or may have, and has not set back."""
    begun = {step.target for step in steps_of(plan, StepKind.RAISE_MINIMUM) if step.state in BEGUN}
    open_ = [step for step in steps_of(plan, StepKind.RESTORE_MINIMUM) if step.state not in OVER]
    return [f"the minimum of {step.target.name} is not yet {step.goal} again" for step in open_ if step.target in begun]


def _colour(step: Step, found: Reading | None) -> str:
    """What the Service serves: by what was read; where nobody asked, by the plan, once it was switched. Empty where it
    is no colour, GONE where it was deleted, UNKNOWN where nothing says it."""
    if isinstance(found, FoundService) and found.uid == step.target.uid:
        return dict(found.selector).get(step.body, "")
    if found is None and step.state is StepState.DONE:
        return step.goal
    return UNKNOWN if found is None or isinstance(found, Unknown) else GONE


def _was_back(plan: Plan, step: Step, readings: Mapping[Ref, Reading]) -> bool:
    """Whether it served the old colour already, by the plan."""
    found = readings.get(step.target)
    return step.state is StepState.DONE or (isinstance(found, FoundService) and left_by(plan, step, found.receipt))


def _serves(step: Step, value: str, *, again: bool) -> str:
    """`backend-service serves blue`, or `... still green`, or where somebody switched it again `... green again`."""
    if value in (GONE, UNKNOWN):
        return f"{step.target.name} is {value}"
    if value != step.precondition:
        return f"{step.target.name} serves {value or 'no colour'}"
    return f"{step.target.name} {value} again" if again else f"{step.target.name} still {value}"
