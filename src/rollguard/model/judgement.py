"""What is seen of a rollout in one slot, and what is concluded from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rollguard.model.alerting import ReceivedAlert
from rollguard.model.facts import UnitFacts
from rollguard.model.metrics import Answer
from rollguard.model.names import RolloutId, TemplateHash, UnitName
from rollguard.model.signals import LevelName
from rollguard.model.time import Instant, Slot

LIVE_COLOUR = "live-colour"
"""What a finding about a live colour without a Deployment is of: no signal of the policy."""
_OF_ALERT = "alert "


def alert_signal(name: str) -> str:
    """What a finding about an alert of that name is of: no signal of the policy, whose names have no space."""
    return f"{_OF_ALERT}{name}"


def is_alert(signal: str) -> bool:
    """Whether a finding of that is about an alert that came in."""
    return signal.startswith(_OF_ALERT)


class Phase(StrEnum):
    """Counted from the rollout's start."""

    STARTUP = "startup"
    STABILIZATION = "stabilization"
    VALIDATION = "validation"
    STEADY = "steady"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """The passage of a unit from one revision to the next, under guard."""

    id: RolloutId
    unit: UnitName
    started: Instant
    target: TemplateHash
    target_number: int
    baseline: TemplateHash | None
    """The revision that was the target before; None for a first deployment."""
    charged: tuple[str, ...] = ()
    """uids of failed migrations that an earlier rollout was judged by: they are not this one's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arms:
    """Which revision is new and which it is compared with; `apart` is False where series cannot tell them apart."""

    new: TemplateHash
    reference: TemplateHash | None
    apart: bool
    idle: bool = False
    """The reference's pods run beside the new ones, and nobody asks them: what depends on that is not compared with
    theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """All that the judge may look at in one step: facts now, and the answers for slots that closed since."""

    now: Instant
    rollout: Rollout
    arms: Arms
    facts: UnitFacts
    answers: tuple[Answer, ...]
    """Of slots after the rollout's start (`slot.start >= rollout.started`), in order of time."""
    before: tuple[Answer, ...]
    """Of slots that ended before the rollout's start; empty except when they are first known."""
    alerts: tuple[ReceivedAlert, ...] = ()
    """Of the rollout's workload, that Alertmanager told."""
    muted: Instant | None = None
    """Since when an incident about the rollout is open: Alertmanager may not tell what comes of an alert meanwhile."""


class Attribution(StrEnum):
    """Whose fault an event finding is, as far as the cluster itself shows it."""

    RELEASE = "release"
    NODE = "node"
    REGISTRY = "registry"
    SURROUNDINGS = "surroundings"
    """What the pods need to start: a node with room, quota, volumes, admission, what init containers wait for."""
    MIGRATION = "migration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What a value is shown and compared beside."""

    source: str
    """`old pods beside it`, `before the rollout` or `none`."""
    value: float | None
    bad: float
    """Ratio and histogram: bad requests. Rate: the counter's increase. Gauge: 0."""
    total: float
    """Ratio and histogram: requests. Rate: minutes observed. Gauge: 0."""
    past_bound: bool
    """Its own value is past the same bound, over the same length of window."""
    not_worse: bool
    """The new arm is not worse than it, by a one-sided exact test at 1%."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A level that is reached, or an event rule that is complete: the evidence, with value and bound."""

    signal: str
    level: LevelName
    value: float
    bound: float
    unit: str
    """How to write value and bound: `%`, `s`, `/min`, `restarts`, `pods` or empty. A `%` value is a fraction."""
    text: str
    """One sentence for people, value and bound included."""
    since: Instant
    slots: int
    bad: float
    total: float
    arm: str
    """`new pods` or, where the arms cannot be told apart, `all pods`."""
    reference: Reference
    attribution: Attribution
    shared: bool = False
    member: str = ""
    """Of a release set: the member whose pods it is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelReading:
    """How one level stands now, reached or not: for `status` and `why`. `value` is None where unknown."""

    signal: str
    level: LevelName
    text: str
    value: float | None
    bound: float
    unit: str
    traffic: float
    slots: int
    gaps: int
    reached: bool
    reference: Reference
    member: str = ""
    seconds: float = 0.0
    """How long it has to last: the window's length."""
    since: Instant | None = None
    """Where it is reached: the start of the window in which it was reached first."""
    lacks: str = ""
    """Where its value is past the bound and it is not reached: what is missing for that."""


class VerdictKind(StrEnum):
    """What the judge concludes."""

    HEALTHY = "healthy"
    UNDECIDED = "undecided"
    DEGRADED = "degraded"
    BAD = "bad"
    BLIND = "blind"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalGap:
    """A signal without a complete answer lately: its last slot, the cause and for how many slots in a row."""

    signal: str
    required: bool
    last: Slot
    cause: str
    detail: str
    in_a_row: int
    member: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The conclusion with its evidence. Only `bad` can lead to a rollback, and never because of gaps."""

    kind: VerdictKind
    as_of: Instant
    findings: tuple[Finding, ...]
    gaps: tuple[SignalGap, ...]
    readings: tuple[LevelReading, ...]
    why: str
    """One sentence: what made it this verdict, or what is missing for another."""
    proven: Instant | None = None
    """The latest moment after which the baseline served healthily for two slots or more; None where it never did."""
