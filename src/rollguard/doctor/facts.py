"""All that the checks look at, as it was gathered. `Unknown` says that it could not be asked, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rollguard.model.action import Absent, Unknown
from rollguard.model.facts import UnitFacts, Workload
from rollguard.model.metrics import MetricsAnswer
from rollguard.model.names import WorkloadName
from rollguard.model.permissions import Permission
from rollguard.model.policy import Policy
from rollguard.model.records import UnitRecord
from rollguard.model.time import Instant, Slot
from rollguard.policy.ground import Ground


class Place(StrEnum):
    """From where it was looked."""

    GUARD = "the guard"
    ELSEWHERE = "this machine"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerVersion:
    """What the API server says that it is."""

    major: int
    minor: int
    text: str


class Presence(StrEnum):
    """How an object of ours is found in the cluster."""

    SAME = "as this version needs it"
    DIFFERENT = "of another version"
    ABSENT = "not there"
    NOT_SERVED = "not established"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """An object that has to be in the cluster before the guard runs."""

    kind: str
    name: str
    presence: Presence | Unknown
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RightAnswer:
    """Whether the server allows it; `namespace` is empty for all of them, and for what has none."""

    permission: Permission
    namespace: str
    allowed: bool | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """Who was asked for, and the answers."""

    who: str
    account: bool | Unknown
    """Whether that account exists; True where it is who asks."""
    answers: tuple[RightAnswer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseSeen:
    """The guard's Lease. `renewed` is the holder's own clock's."""

    holder: str
    renewed: Instant | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicas:
    """The guard's Deployment."""

    name: str
    wanted: int
    ready: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardSeen:
    """The guard itself, where it should run."""

    namespace: str
    lease: LeaseSeen | Absent | Unknown
    deployment: Replicas | Absent | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadSeen:
    """A Deployment of a watched namespace."""

    workload: Workload
    history_limit: int
    unprobed: tuple[str, ...]
    """Its containers without a readiness probe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoscaler:
    """A HorizontalPodAutoscaler of a Deployment. `inactive` says why it does not scale; empty while it does."""

    name: str
    target: WorkloadName
    minimum: int
    inactive: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceSeen:
    """A namespace that the policy watches."""

    name: str
    exists: bool | Unknown
    workloads: tuple[WorkloadSeen, ...] | Unknown
    autoscalers: tuple[Autoscaler, ...] | Unknown
    units: tuple[UnitFacts, ...] | Unknown
    """The same workloads with their revisions and pods."""
    ground: Ground | Unknown | None = None
    """What its release sets stand on; None where it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """What the store has for a signal's main selector: where a question found nothing, this says what is missing."""

    selector: str
    anywhere: int
    by_namespace: tuple[tuple[str, int], ...]
    """Series with each value of the namespace label; those without the label are under the empty name."""
    with_pod: tuple[tuple[str, int], ...]
    """Of them, those that carry the pod label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalSeen:
    """A signal's question as the loop asks it, over one slot as long as its longest window."""

    signal: str
    slot: Slot
    earlier: MetricsAnswer
    later: MetricsAnswer
    series: Series | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSeen:
    """The metrics store. `problem` says why it was not reached; empty where it was."""

    problem: str
    inside: bool
    """Its address is one that only the cluster resolves."""
    interval: float | Unknown | None
    """Seconds between samples, measured; None where there are none."""
    offset: float | None
    signals: tuple[SignalSeen, ...]
    proxied: bool = False
    """It was reached through the API server, not at its address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretFile:
    """A file that the policy names. `problem` says why it cannot be used; empty where it can."""

    path: str
    purpose: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A place that notices go to. `problem` says why no connection came about; empty where one did."""

    name: str
    host: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything, as of `now`."""

    now: Instant
    place: Place
    policy: Policy
    version: ServerVersion | Unknown
    installed: tuple[Installed, ...]
    enforced: bool | Unknown
    rights: Rights
    guard: GuardSeen
    server_offset: float | None
    namespaces: tuple[NamespaceSeen, ...]
    units: tuple[UnitRecord, ...] | Unknown
    store: StoreSeen
    files: tuple[SecretFile, ...]
    channels: tuple[Channel, ...]
    everything: UnitRecord | Absent | Unknown
    """The unit that stands for all: what the guard has found of channels and journal."""
