"""Inputs and effects of the state machine in `lifecycle`, as data."""

from __future__ import annotations

from dataclasses import dataclass

from rollguard.model.action import Decision
from rollguard.model.notices import NoticeClass
from rollguard.model.records import LifecycleState, Outcome

# --- inputs ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """The decision of this look."""

    decision: Decision
    was_blind: bool = False
    """The verdict before it was `blind`: a hold that stands was for want of sight."""
    unseen: bool = False
    """What made the release bad before is not seen whole now: nobody knows that it is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanStored:
    """The plan is in the cluster: acting may begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRefused:
    """The dry run was rejected, or no plan is possible."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDone:
    """Every step is over. `caveat` says what a fix needs to go forward, empty where it needs nothing."""

    back: str = "the old version's template is back"
    """What is so now."""

    caveat: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSuperseded:
    """The plan expired, or its precondition no longer holds: a newer change, a freeze, a pause."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoverySeen:
    """How the restored version fares, at its end: outcome is RECOVERED, UNCONFIRMED or DID_NOT_HELP."""

    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalGiven:
    """A human approved, or ordered the rollback."""

    actor: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRefused:
    """A human rejected it."""

    actor: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalTimedOut:
    """Nobody answered in time."""

    roll_back: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOn:
    """A human looks into it, and has not decided yet."""

    actor: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTarget:
    """The workload's target is another revision now: this rollout is over, whoever changed it."""

    reason: str
    back: bool = False
    """It is the revision that ran before, or another good one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowOver:
    """The guard window has ended; `healthy` where the revision was marked healthy within it."""

    healthy: bool = False
    left: str = ""
    """How a release set rests that the guard took back half way, in words; else empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadGone:
    """The workload or its namespace was deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CutShort:
    """There is nothing left to wait for: an order came to nothing, or the rollout of a release set guards it now."""

    reason: str
    handed_over: bool = False
    """It is guarded otherwise from here on: nobody need be told of an end."""


LifecycleInput = (
    Decided
    | PlanStored
    | PlanRefused
    | PlanDone
    | PlanSuperseded
    | RecoverySeen
    | ApprovalGiven
    | ApprovalRefused
    | ApprovalTimedOut
    | TakenOn
    | NewTarget
    | WindowOver
    | WorkloadGone
    | CutShort
)

# --- effects ---


@dataclass(frozen=True, slots=True, kw_only=True)
class MakePlan:
    """Dry-run and store a plan for the decision's target."""

    actor: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Start (or go on with) executing the stored plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartVerifying:
    """Watch whether the restored version recovers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskApproval:
    """Start the time limit of an approval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndQuestion:
    """The question was answered or taken back: that its time is up later means nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeOn:
    """It is that person's from here on: the time limit of a question does not run."""

    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """Put a notice into the outbox."""

    class_: NoticeClass
    topic: str
    reason: str
    anew: bool = False
    """Something begins again: that people were told the same before is no reason to be silent."""
    about: str = ""
    """What it is about, by which the same is known again whatever its words are. Empty: the reason says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIncident:
    """An incident begins (once per rollout)."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveIncident:
    """Only on recovery, or by a human."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkHealthy:
    """The rollout's revision becomes a valid target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """The rollout is over."""

    outcome: Outcome
    reason: str


Effect = (
    MakePlan
    | Act
    | StartVerifying
    | AskApproval
    | EndQuestion
    | TakeOn
    | Tell
    | OpenIncident
    | ResolveIncident
    | MarkHealthy
    | Close
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """The next state and what to do on the way."""

    state: LifecycleState
    effects: tuple[Effect, ...]
