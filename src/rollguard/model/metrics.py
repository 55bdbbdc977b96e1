"""What the metrics store is asked and answers. A gap says why there is no answer; it is never evidence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rollguard.model.names import TemplateHash, WorkloadName
from rollguard.model.time import Instant, Slot


class GapCause(StrEnum):
    """Why there is no usable answer; each is different, and none is evidence for or against a release."""

    EMPTY = "empty"
    NOT_A_NUMBER = "not a number"
    STALE = "stale"
    PARTIAL = "partial"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    UNEXPECTED = "unexpected answer"
    CLOCK = "clock"
    RESET = "counter reset"
    UNATTRIBUTED = "not attributed"
    NOT_ASKED = "not asked in time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """One PromQL expression of a question; `part` names what it yields (see `signals`)."""

    part: str
    promql: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One signal, for all guarded units, at evenly spaced instants (one for a tick, several to catch up)."""

    signal: str
    instants: tuple[Instant, ...]
    expressions: tuple[Expression, ...]
    namespace_label: str
    pod_label: str
    """Empty where the series carry no pod: then `workload_label` is used."""
    workload_label: str
    class_label: str = ""
    """The label that splits a reading further: `le` for a histogram's bucket edges, else empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Cumulative values of one pod (or workload) at an instant, by part and class (bucket edge or empty)."""

    namespace: str
    pod: str
    workload: str
    values: tuple[tuple[str, str, float], ...]
    """(part, class, value), finite numbers only."""
    newest: Instant
    """When the newest sample behind it was scraped."""
    resets: int
    """Counter resets within the slot that ends at the snapshot's instant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The store's complete answer to a question at one instant."""

    signal: str
    at: Instant
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoSnapshot:
    """There is no (complete) answer at that instant, and why."""

    signal: str
    at: Instant
    cause: GapCause
    detail: str


MetricsAnswer = Snapshot | NoSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesKey:
    """Whose sample it is. Without `pod` the series carry a workload only, and arms cannot be told apart."""

    workload: WorkloadName
    revision: TemplateHash | None
    pod: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Of `total` requests in the slot, `bad` were bad. Both whole and not negative, bad <= total."""

    key: SeriesKey
    slot: Slot
    bad: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """Requests in the slot by latency: `counts[i]` of them took at most `edges[i]` seconds (cumulative)."""

    key: SeriesKey
    slot: Slot
    edges: tuple[float, ...]
    """Ascending; the last is infinity."""
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Increase:
    """How much a counter grew in the slot."""

    key: SeriesKey
    slot: Slot
    amount: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """The value at the slot's end."""

    key: SeriesKey
    slot: Slot
    value: float


Sample = Counts | Buckets | Increase | Gauge


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A signal's samples of one slot, in order of the workload.

    `pod_gaps` names whose sample is missing although it should be there, and why; in the same order.
    """

    signal: str
    slot: Slot
    samples: tuple[Sample, ...]
    pod_gaps: tuple[tuple[SeriesKey, GapCause], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """No answer for a signal in a slot, and why."""

    signal: str
    slot: Slot
    cause: GapCause
    detail: str


Answer = Answered | Gap
