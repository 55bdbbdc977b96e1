"""What is to be done now about a stored plan."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rollguard.model.action import Step, StepState, Write
from rollguard.model.time import Instant

AGAIN = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Send this write now; whatever comes back, read again and ask again."""

    step: Step
    write: Write


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkDone:
    """The step is over: `step` is as it is to be stored, done or skipped, with the detail of how."""

    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """Every step is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supersede:
    """The plan must not go on: hold and page."""

    reason: str
    refused: bool = False
    """The server would not have it: nobody changed anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Abandon:
    """Of a release set, before its first switch: the step has failed, and what was raised for it is taken back."""

    step: Step
    reason: str
    refused: bool = False
    """The server would not have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """The time of a plan is up half way: another one goes on with the steps that are left (`resume_set`)."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Nothing can be said or done now: read again a little later."""

    reason: str
    half: str = ""
    """The set is half back, and it takes long: what is to be paged. Else empty."""
    again: float = AGAIN
    """Seconds until it is worth reading again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
    """What the server said so far of the step that is tried."""

    plan: str
    step: int
    since: Instant | None = None
    """When it was refused first, without anything else in between."""
    sure: bool = False
    """Every try was answered, and none was taken: none has had an effect, or may have one still."""
    passing: bool = False
    """The last refusal may be over soon."""


def interrupted(refusals: Refusals | None) -> Refusals | None:
    """Something else was waited for: a refusal that follows does not last since the one before it."""
    return replace(refusals, since=None) if refusals is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """The step cannot be done: what follows depends on how far the plan is. Never leaves this room."""

    step: Step
    reason: str


Next = Send | MarkDone | Finished | Supersede | Abandon | Resume | Wait
OfStep = Send | MarkDone | Stop | Wait


def over(step: Step, state: StepState, detail: str, now: Instant | None = None) -> MarkDone:
    """The step is over in that state, found so at `now`."""
    return MarkDone(step=replace(step, state=state, detail=detail, over_at=now or step.over_at))


def skipped(step: Step, reason: str) -> Step:
    """A step that is left, as it is to be stored."""
    return replace(step, state=StepState.SKIPPED, detail=reason)
