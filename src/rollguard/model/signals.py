"""What is watched, as the policy says: signals, their levels, and the alerts on them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rollguard.model.alerting import Category


class LevelName(StrEnum):
    """How bad a value is."""

    WARNING = "warning"
    CRITICAL = "critical"
    ROLLBACK = "rollback"


class SignalKind(StrEnum):
    """The five kinds of signal."""

    RATIO = "ratio"
    HISTOGRAM = "histogram"
    RATE = "rate"
    GAUGE = "gauge"
    EVENT = "event"


class EventRule(StrEnum):
    """The rules on cluster events that need no metrics."""

    CRASH_LOOP = "crashLoop"
    IMAGE_PULL = "imagePull"
    PROGRESS_DEADLINE = "progressDeadline"
    MIGRATION_FAILED = "migrationFailed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A bound with a duration. The value is past it when greater than `bound`."""

    name: LevelName
    bound: float
    """Ratio: a fraction. Histogram: seconds. Rate: per minute. Gauge: as the expression yields (a fraction
    where it is divided by a limit). Event: unused, 0."""
    seconds: float
    """How long: the window over which the value is pooled."""
    quantile: float | None = None
    """Histogram only: 0.95 means that more than 5% of the requests took longer than `bound`."""
    text: str = ""
    """As the policy writes it, for words: `P95 > 5s for 5m`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalAlert:
    """An alert on one of a signal's levels."""

    name: str
    level: LevelName
    """Of an event, which has no bound to be past: the severity (critical, or warning), or rollback."""
    category: Category
    seconds: float
    """How long the rule must hold before it fires."""
    over: float
    """Seconds of the range that a rate, a share or a quantile is taken over."""
    after_rollout: bool = False
    """Only while a rollout is recent."""
    by_pod: bool = False
    """Gauge only: for each pod by itself."""
    whole: bool = False
    """Over all workloads of a namespace together: it names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """What is watched. The PromQL fields are vector selectors; empty where the kind does not use them."""

    name: str
    kind: SignalKind
    levels: tuple[Level, ...]
    required: bool
    shared: bool
    minimum_traffic: int
    """Requests in a level's window below which the level cannot be reached. 0 for rate, gauge, event."""
    bad: str = ""
    total: str = ""
    buckets: str = ""
    counter: str = ""
    gauge: str = ""
    limit: str = ""
    """Gauge only: what its value is divided by; no limit series = no signal for that pod."""
    rule: EventRule | None = None
    per_pod: bool = False
    """Rate only: the mean over the arm's pods; else their sum."""
    alerts: tuple[SignalAlert, ...] = ()
    """For the rules alone: the loop does not look at them."""
